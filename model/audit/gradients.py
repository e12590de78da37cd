"""Gradients of chosen sums of log-probabilities of one segment: one forward pass, one backward pass a unit.

Wraps the policy as the trainer does (``training/logprobs.py``), so that images and temperature are those of training. Any subset
of the weights can be looked at; adapters of a large model are one.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from transformers import Qwen3VLForConditionalGeneration

from model.audit.units import Matrix
from model.rl.segments import SampleKey, TrainingSample
from model.training.batches import InputBuilder, to_device
from model.training.logprobs import TokenLogprobs


class SegmentGradients(NamedTuple):
    """``rows_UP``: gradient of each unit by every weight looked at; ``logprobs_T`` of the segment's tokens (nats)."""

    rows_UP: Tensor
    logprobs_T: Tensor


class GradientSource(Protocol):
    """A policy that is differentiated."""

    @property
    def num_weights(self) -> int:
        """Weights looked at."""
        ...

    def rows(self, sample: TrainingSample, directions_UT: Matrix) -> SegmentGradients:
        """The gradients of ``directions_UT @ log-probabilities`` of the loss tokens of ``sample``."""
        ...


class PolicyGradients:
    """A policy in this process.

    Args:
        model: the policy; its weights are not changed.
        inputs: builds its inputs with the encoder that served the rollouts.
        temperature: that of the rollouts.
        parameters: regular expression of names; only these weights are looked at.

    Raises:
        ValueError: if no weight bears such a name.
    """

    def __init__(
        self,
        model: Qwen3VLForConditionalGeneration,
        inputs: InputBuilder,
        *,
        temperature: float,
        parameters: str = "",
    ) -> None:
        wanted = re.compile(parameters)
        chosen = [
            (name, weight)
            for name, weight in model.named_parameters()
            if weight.requires_grad and wanted.search(name)
        ]
        if not chosen:
            raise ValueError(f"no trainable weight has a name that {parameters!r} is found in")
        names = {name for name, _ in chosen}
        for name, weight in model.named_parameters():
            weight.requires_grad_(name in names)
        self._weights = [weight for _, weight in chosen]
        self._inputs, self._model = inputs, TokenLogprobs(model, temperature=temperature).eval()

    @property
    def num_weights(self) -> int:
        """Weights looked at."""
        return sum(weight.numel() for weight in self._weights)

    def rows(self, sample: TrainingSample, directions_UT: Matrix) -> SegmentGradients:
        """See ``GradientSource``."""
        device = self._weights[0].device
        weights: dict[SampleKey, float] = {sample.key: 1.0}
        batch = to_device(self._inputs.build((sample,), weights), device)
        logprobs_T, _ = self._model(batch.inputs, batch.targets, 1)
        rows_UP = torch.empty(len(directions_UT), self.num_weights, device=device)
        directions = torch.as_tensor(np.asarray(directions_UT), dtype=logprobs_T.dtype, device=device)
        for number, direction_T in enumerate(directions):
            last = number == len(directions) - 1
            found = torch.autograd.grad(
                (direction_T * logprobs_T).sum(), self._weights, retain_graph=not last, allow_unused=True
            )
            _flatten(found, self._weights, rows_UP[number])
        return SegmentGradients(rows_UP, logprobs_T.detach())


def _flatten(found: Sequence[Tensor | None], weights: Sequence[Tensor], row_P: Tensor) -> None:
    at = 0
    for gradient, weight in zip(found, weights, strict=True):
        place = row_P[at : at + weight.numel()]
        if gradient is None:
            place.zero_()
        else:
            place.copy_(gradient.reshape(-1))
        at += weight.numel()
