"""Sampling of the next token of each row from its logits.

A sample must not depend on the rest of the batch, so each row inverts its distribution at numbers of its own random
stream. Log-probabilities are those of the distribution it was sampled from (temperature 1 where it was greedy).

Shape legend: B = rows, V = vocabulary.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from model.types import Sampling


class GeneratedTokens(NamedTuple):
    """Tokens sampled for one prompt, the end token included when sampled, and their log-probabilities (nats)."""

    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]


class RowState:
    """Tokens and random stream of one request."""

    def __init__(self, sampling: Sampling) -> None:
        self.sampling = sampling
        self._random = np.random.default_rng(sampling.seed)
        self.token_ids: list[int] = []
        self.logprobs: list[float] = []
        self.done = False

    @property
    def generated(self) -> GeneratedTokens:
        """The tokens so far."""
        return GeneratedTokens(tuple(self.token_ids), tuple(self.logprobs))

    def uniform(self) -> float:
        """The next number of the row's own stream, in [0, 1)."""
        return float(self._random.random())

    def append(self, token: int, logprob: float, eos_id: int) -> None:
        """Append a sampled token; the row ends at the end token or at its ``max_tokens``."""
        self.token_ids.append(token)
        self.logprobs.append(logprob)
        if token == eos_id or len(self.token_ids) >= self.sampling.max_tokens:
            self.done = True

    def abandon(self) -> None:
        """End the row, since nobody waits for it any more; callable from any thread."""
        self.done = True


class SampledTokens(NamedTuple):
    """One token a row and its log-probability under the row's temperature, 1 where it is greedy (nats)."""

    tokens: list[int]
    logprobs: list[float]


def sample(logits_BV: Tensor, rows: Sequence[RowState], *, forbidden: int) -> SampledTokens:
    """The next token of each row.

    ``forbidden`` is the image placeholder: sampled, it would stand for pixels that do not exist.
    """
    allowed_BV = logits_BV.clone()
    allowed_BV[:, forbidden] = -torch.inf
    tokens_B = allowed_BV.argmax(dim=-1)
    if any(row.sampling.temperature > 0 for row in rows):
        tokens_B = _sample(allowed_BV, tokens_B, rows)
    temperature_B1 = logits_BV.new_tensor([[row.sampling.temperature or 1.0] for row in rows])
    logprobs_BV = torch.log_softmax(logits_BV / temperature_B1, dim=-1)
    logprobs_B = logprobs_BV.gather(1, tokens_B.unsqueeze(1)).squeeze(1)
    return SampledTokens(tokens_B.tolist(), logprobs_B.tolist())


def _sample(logits_BV: Tensor, greedy_B: Tensor, rows: Sequence[RowState]) -> Tensor:
    """Nucleus sampling, ``[B]``: the cumulative distribution inverted at a number of each row's own stream.

    The nucleus is the shortest prefix of the tokens in order of probability that reaches ``top_p``.
    """
    options_B3 = torch.tensor(
        [[row.sampling.temperature, row.sampling.top_p, row.uniform()] for row in rows],
        dtype=torch.float32,
        device=logits_BV.device,
    )
    temperature_B1, top_p_B1, uniform_B1 = options_B3.split(1, dim=1)
    scaled_BV = logits_BV / temperature_B1.where(temperature_B1 > 0, 1.0)
    ordered_BV, tokens_BV = torch.softmax(scaled_BV, dim=-1).sort(descending=True, stable=True)
    cumulative_BV = ordered_BV.cumsum(-1)
    last_B1 = (cumulative_BV < top_p_B1).sum(-1, keepdim=True).clamp(max=logits_BV.shape[-1] - 1)
    target_B1 = uniform_B1 * cumulative_BV.gather(1, last_B1)
    place_B1 = torch.minimum((cumulative_BV <= target_B1).sum(-1, keepdim=True), last_B1)
    sampled_B = tokens_BV.gather(1, place_B1).squeeze(1)
    return sampled_B.where(temperature_B1.squeeze(1) > 0, greedy_B)
