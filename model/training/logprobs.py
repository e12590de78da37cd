"""Log-probabilities of chosen tokens only: the forward pass of the trainer.

Wraps a Qwen3-VL so that logits exist at loss tokens alone, a chunk at a time. The objective over the log-probabilities is
``rl/loss.py``; inputs are built in ``batches.py``.

Shape legend: B = sequences, L = tokens of the longest, D = hidden width, T = loss tokens, C = tokens of a chunk, V = vocabulary.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers import Qwen3VLForConditionalGeneration

from model.training.vision_dedup import scatter_features, tower_features


class Targets(NamedTuple):
    """Where the loss tokens are: row and index in the batch, and the token there; each i64[T]. Indices are at least 1."""

    row_T: Tensor
    index_T: Tensor
    token_T: Tensor


class TokenLogprobs(nn.Module):
    """``forward`` gives log-probability and entropy of each target token under ``model``.

    A module and not a function because DeepSpeed wraps modules: ZeRO-3 gathers parameters in their forward hooks, so both
    the trunk and the output head are called as modules, and the head as often on every rank.
    """

    def __init__(self, model: Qwen3VLForConditionalGeneration, *, temperature: float = 1.0) -> None:
        """``temperature`` of the distribution whose log-probabilities these are: that of the rollouts."""
        super().__init__()
        if temperature <= 0:
            raise ValueError(
                f"a policy that is trained is sampled at a positive temperature, got {temperature}"
            )
        self.model = model
        self.temperature = temperature

    def forward(self, inputs: dict[str, Tensor], targets: Targets, num_chunks: int) -> tuple[Tensor, Tensor]:
        """Two f32[T]: log-probabilities of the targets (differentiable) and entropies (detached), in nats.

        Args:
            inputs: keyword arguments of the model for B right-padded sequences; images may be shared (``vision_dedup.py``).
            targets: the T loss tokens; T may be 0.
            num_chunks: parts the head's work is cut into; equal on all ranks. Each part is recomputed in the backward pass,
                so that at most one part's logits [C, V] exist.
        """
        trunk = self.model.model
        hidden_BLD = trunk(**scatter_features(trunk, inputs), use_cache=False).last_hidden_state
        hidden_TD = hidden_BLD[targets.row_T, targets.index_T - 1]
        parts = zip(hidden_TD.tensor_split(num_chunks), targets.token_T.tensor_split(num_chunks), strict=True)
        scored = [self._score(hidden_CD, token_C, recompute=num_chunks > 1) for hidden_CD, token_C in parts]
        return torch.cat([logprobs for logprobs, _ in scored]), torch.cat(
            [entropies for _, entropies in scored]
        ).detach()

    def features(self, pixel_values: Tensor, grid_thw: Tensor) -> Tensor:
        """See ``vision_dedup.tower_features``."""
        return tower_features(self.model.model, pixel_values, grid_thw)

    def _score(self, hidden_CD: Tensor, token_C: Tensor, *, recompute: bool) -> tuple[Tensor, Tensor]:
        if recompute and torch.is_grad_enabled():
            scored = checkpoint(self._head, hidden_CD, token_C, use_reentrant=False)
            assert isinstance(scored, tuple)
            return scored
        return self._head(hidden_CD, token_C)

    def _head(self, hidden_CD: Tensor, token_C: Tensor) -> tuple[Tensor, Tensor]:
        logprobs_CV = (self.model.lm_head(hidden_CD).float() / self.temperature).log_softmax(dim=-1)
        chosen_C = logprobs_CV.gather(1, token_C[:, None]).squeeze(1)
        with torch.no_grad():
            entropy_C = -(logprobs_CV.exp() * logprobs_CV).sum(dim=-1)
        return chosen_C, entropy_C
