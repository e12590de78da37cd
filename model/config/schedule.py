"""How the rollouts of an update become optimiser steps, and which checkpoints of a run stay.

Holds choices and their validation only; the steps are taken by ``model/training/trainer.py``, checkpoints are removed by
``model/training/checkpoint.py``.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Optimiser settings, learning rates and the size of a step."""

    updates: int = 12
    """Policy updates of the run; each has rollouts of its own."""
    mini_batches: int = 1
    """Optimiser steps per update; questions are dealt into that many parts."""
    learning_rate: float = 1e-6
    """The highest one."""
    warmup_steps: int = 0
    """Optimiser steps of linear rise to ``learning_rate``."""
    decay: bool = False
    """Let the learning rate fall linearly to zero over the rest of the run, so that its last weights are no noisy ones; the
    number of updates is then part of what the run is."""
    decay_updates: int = 0
    """Updates after which the decayed rate is zero, where a run ends before; 0: its own number of them."""
    weight_decay: float = 0.0
    """Of AdamW: share of a weight taken off per step and unit of learning rate."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Of AdamW: decay of the first and the second moment."""
    adam_epsilon: float = 1e-8
    """Of AdamW's denominator. Near the root mean square of the gradients (1e-4 in the miniature) a weight whose gradient is
    mere noise hardly moves; far below it every weight moves by the learning rate."""
    max_gradient_norm: float = 1.0
    """Global L2 norm to clip at; 0 switches clipping off."""
    token_budget: int = 16_384
    """Most tokens of one micro-batch on one rank, padding included. A longer single segment still runs, alone."""
    logit_tokens: int = 1024
    """Loss tokens whose logits exist at once."""
    kept_visual_tokens: int = 131_072
    """Most visual tokens whose features a rank keeps in host memory during an optimiser step, so that an image passes the
    vision tower once a step; with more images, or 0, it does so once a micro-batch. Of an 8B model, 64 KiB each."""
    seed: int = 0
    """Of every draw in training: questions, their rollouts, and the order in which they are dealt into mini-batches."""

    def __post_init__(self) -> None:
        if (
            not 0 < self.learning_rate < math.inf
            or min(self.warmup_steps, self.weight_decay, self.kept_visual_tokens) < 0
        ):
            raise ValueError(
                f"learning_rate must be positive, warmup_steps, weight_decay and kept_visual_tokens not negative: {self}"
            )
        if min(self.updates, self.mini_batches, self.token_budget, self.logit_tokens) < 1:
            raise ValueError(
                f"updates, mini_batches, token_budget and logit_tokens must be at least 1: {self}"
            )
        if self.decay_updates and not (self.decay and self.decay_updates >= self.updates):
            raise ValueError(f"decay_updates needs decay, and no less than the updates of the run: {self}")
        if (
            self.max_gradient_norm < 0
            or not 0 < self.adam_epsilon < math.inf
            or not all(0 <= beta < 1 for beta in self.betas)
        ):
            raise ValueError(
                f"max_gradient_norm must not be negative, adam_epsilon positive, betas in [0, 1): {self}"
            )

    def rate(self, step: int) -> float:
        """Learning rate of optimiser step ``step`` (from 0); a pure function, so resuming needs only the count."""
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / self.warmup_steps
        if not self.decay:
            return self.learning_rate
        decay_steps = max(1, (self.decay_updates or self.updates) * self.mini_batches - self.warmup_steps)
        return self.learning_rate * max(0.0, 1 - (step - self.warmup_steps) / decay_steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Which checkpoints stay: the last ones, the best one, and every n-th update."""

    keep_last: int = 1
    """Newest checkpoints that stay; a run goes on from the last one."""
    keep_best: bool = True
    """Keep the one with the best validation score."""
    every: int = 0
    """Updates between checkpoints kept for good; 0 keeps none for that."""

    def __post_init__(self) -> None:
        if self.keep_last < 1 or self.every < 0:
            raise ValueError(f"keep_last must be at least 1 and every not negative: {self}")
