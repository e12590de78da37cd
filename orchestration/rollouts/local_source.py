"""Sources of rollouts during training: the model under training itself, a copy of it, or servers (``served_source.py``).

Holds the two local sources and how they get the weights of an update. Questions are chosen in ``rollout_phase.py``.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from transformers import Qwen3VLForConditionalGeneration

from model.policies.chat_template import PromptEncoder
from model.policies.transformers_policy import TransformersPolicy
from model.protocols import MediaSource, Policy
from model.training.engine import DeepSpeedEngine
from model.training.lora import merged_weights
from model.training.trainer import Trainer
from model.types import Trajectory


class RolloutSource(Protocol):
    """A policy to roll out with, and the version of its weights."""

    @property
    def policy(self) -> Policy:
        """The policy that rolls out."""
        ...

    @property
    def version(self) -> int:
        """Updates that its weights have had."""
        ...

    def refresh(self, version: int) -> None:
        """Take the weights under training as they are now. A collective; nothing may be rolling out."""
        ...

    def check(self, trainer: Trainer, trajectories: Sequence[Trajectory]) -> None:
        """Raise ``ParityError`` unless the policy has the weights under training. A collective."""
        ...

    async def close(self) -> None:
        """Release what belongs to the running event loop."""
        ...

    def tally(self) -> Mapping[str, int]:
        """Counts for the metrics, since the start."""
        ...


class LocalSource:
    """The model under training."""

    def __init__(self, policy: TransformersPolicy, *, version: int = 0) -> None:
        self.policy, self.version = policy, version

    def refresh(self, version: int) -> None:
        """The policy's weights are those under training; only its fingerprint is computed anew."""
        self.policy.refresh()
        self.version = version

    def check(self, trainer: Trainer, trajectories: Sequence[Trajectory]) -> None:
        """Nothing: weights in this process cannot differ."""

    async def close(self) -> None:
        """Nothing: no connection is open."""

    def tally(self) -> Mapping[str, int]:
        """No counts."""
        return {}


class CopySource(LocalSource):
    """A copy of the model, which rolls out with the weights before an update while that update is computed.

    Args:
        engine: whose weights are copied.
        copy: a plain model of the same shape, that nothing else uses.
        encoder: of the copy alone: encoders cache images, and are used by one thread at a time.
        media: source of the images.
        max_batch: requests decoded together.
        lockstep: see ``TransformersPolicy``.
    """

    def __init__(
        self,
        engine: DeepSpeedEngine,
        copy: Qwen3VLForConditionalGeneration,
        encoder: PromptEncoder,
        media: MediaSource,
        *,
        max_batch: int,
        lockstep: bool = False,
    ) -> None:
        self._engine, self._copy = engine, copy.requires_grad_(False).eval()
        super().__init__(
            TransformersPolicy(self._copy, encoder, media, max_batch=max_batch, lockstep=lockstep)
        )

    @torch.no_grad()
    def refresh(self, version: int) -> None:
        """Copy every weight, adapters merged."""
        weights: Mapping[str, torch.Tensor] = dict(self._engine.model.named_parameters())
        if (lora := self._engine.config.lora) is not None:
            weights = merged_weights(weights, scale=lora.scale)
        for name, parameter in self._copy.named_parameters():
            parameter.copy_(weights[name])
        super().refresh(version)
