"""What is optimised: GGPO, its baselines and ablations, and the schedule of an update, as frozen configurations.

Holds choices and their validation only -- no tensors, so that it imports without torch. The objective they select is in
``loss.py``, credit in ``memory_graph.credit``, the DeepSpeed settings in ``training/engine.py``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum


class Pruning(StrEnum):
    """Which segments leave the gradient (Eq. 11 of arXiv 2602.12735)."""

    GGPO = "ggpo"  # both rules
    POSITIVES = "positives"  # only of correct rollouts: nodes the answer does not rest on
    NEGATIVES = "negatives"  # only of wrong rollouts: nodes that did find gold evidence
    RANDOM = "random"  # as many of each rollout as GGPO prunes, drawn by chance
    NONE = "none"


class Ratio(StrEnum):
    """Importance ratio between the trained and the sampling policy."""

    SEQUENCE = "sequence"  # GSPO, arXiv 2507.18071: geometric mean over the segment's tokens
    TOKEN = "token"  # GRPO: one ratio a token, mean of the clipped terms
    GSPO_TOKEN = "gspo_token"  # value of the sequence ratio, gradient of each token


class Denominator(StrEnum):
    """What the sum over the segments of one question is divided by."""

    ALL = "all"  # every segment, pruned ones too, as Eq. 12 prints
    KEPT = "kept"  # segments that were not pruned
    ROLLOUTS = "rollouts"  # scored rollouts: no bias from a policy that chooses how many segments it takes


class Baseline(StrEnum):
    """Which rollouts a reward is compared with."""

    GROUP = "group"  # of the same question
    BATCH = "batch"  # of all questions of the update (REINFORCE++)


@dataclass(frozen=True, slots=True, kw_only=True)
class Algorithm:
    """One policy-gradient objective. The defaults are GGPO."""

    pruning: Pruning = Pruning.GGPO
    ratio: Ratio = Ratio.SEQUENCE
    clip_low: float = 3e-4
    """Lower clip distance: the ratio is held above ``1 - clip_low`` where that lowers the objective."""
    clip_high: float = 4e-4
    """Upper clip distance."""
    baseline: Baseline = Baseline.GROUP
    normalise_std: bool = True
    """Divide centred rewards by their standard deviation."""
    std_epsilon: float = 1e-6
    """Added to the standard deviation (reward units)."""
    denominator: Denominator = Denominator.ALL
    kl_coefficient: float = 0.0
    """Weight of the divergence from a reference model (nats); Eq. 12 has no such term."""
    group_size: int = 8
    """Rollouts sampled per question."""
    seed: int = 0
    """Of the random pruning mask."""

    def __post_init__(self) -> None:
        if not (0 < self.clip_low < 1 and self.clip_high > 0):
            raise ValueError(
                f"clip distances must be positive, the lower below 1: {self.clip_low}, {self.clip_high}"
            )
        if self.std_epsilon <= 0 or self.kl_coefficient < 0 or not math.isfinite(self.kl_coefficient):
            raise ValueError(f"std_epsilon must be positive and kl_coefficient not negative: {self}")
        if self.group_size < 2:
            raise ValueError(f"group_size must be at least 2 to have a baseline, got {self.group_size}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How rollouts become optimiser steps."""

    learning_rate: float = 1e-6
    warmup_steps: int = 0
    """Optimiser steps of linear rise to ``learning_rate``."""
    decay_steps: int = 0
    """Optimiser steps of linear fall to zero after the warm-up; 0 keeps the rate constant."""
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    adam_epsilon: float = 1e-8
    max_gradient_norm: float = 1.0
    """Global L2 norm to clip at; 0 switches clipping off."""
    mini_batches: int = 1
    """Optimiser steps per update; questions are dealt into that many parts."""
    token_budget: int = 16_384
    """Most tokens of one micro-batch on one rank, padding included. A longer single segment still runs, alone."""
    logit_tokens: int = 1024
    """Loss tokens whose logits exist at once."""
    kept_visual_tokens: int = 131_072
    """Most visual tokens whose features a rank keeps in host memory during an optimiser step, so that a picture passes the
    vision tower once a step; with more pictures, or 0, it does so once a micro-batch. Of an 8B model, 64 KiB each."""
    seed: int = 0
    """Of the order in which questions are dealt into mini-batches."""

    def __post_init__(self) -> None:
        if (
            self.learning_rate <= 0
            or min(self.warmup_steps, self.decay_steps, self.weight_decay, self.kept_visual_tokens) < 0
        ):
            raise ValueError(
                f"learning rate must be positive, warm-up, decay, weight decay and kept_visual_tokens not negative: {self}"
            )
        if min(self.mini_batches, self.token_budget, self.logit_tokens) < 1:
            raise ValueError(f"mini_batches, token_budget and logit_tokens must be at least 1: {self}")
        if (
            self.max_gradient_norm < 0
            or self.adam_epsilon <= 0
            or not all(0 <= beta < 1 for beta in self.betas)
        ):
            raise ValueError(f"optimiser settings out of range: {self}")

    def rate(self, step: int) -> float:
        """Learning rate of optimiser step ``step`` (from 0); a pure function, so resuming needs only the count."""
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / self.warmup_steps
        if not self.decay_steps:
            return self.learning_rate
        return self.learning_rate * max(0.0, 1 - (step - self.warmup_steps) / self.decay_steps)


def ggpo() -> Algorithm:
    """Graph-guided policy optimisation, Eq. 11 and 12."""
    return Algorithm()


def gspo() -> Algorithm:
    """The same rollouts and ratio without pruning."""
    return Algorithm(pruning=Pruning.NONE)


def grpo() -> Algorithm:
    """Token-level ratios with the usual clip of 0.2, no pruning."""
    return Algorithm(pruning=Pruning.NONE, ratio=Ratio.TOKEN, clip_low=0.2, clip_high=0.2)


def reinforce_plus_plus() -> Algorithm:
    """Token-level ratios; rewards normalised over all questions of the update."""
    return Algorithm(
        pruning=Pruning.NONE, ratio=Ratio.TOKEN, clip_low=0.2, clip_high=0.2, baseline=Baseline.BATCH
    )


def prune_positives() -> Algorithm:
    """Ablation: only the first rule of Eq. 11."""
    return Algorithm(pruning=Pruning.POSITIVES)


def prune_negatives() -> Algorithm:
    """Ablation: only the second rule of Eq. 11."""
    return Algorithm(pruning=Pruning.NEGATIVES)


def prune_at_random(*, seed: int = 0) -> Algorithm:
    """Ablation: a mask of the same rate that knows nothing of the graph."""
    return Algorithm(pruning=Pruning.RANDOM, seed=seed)


ALGORITHMS = {
    "ggpo": ggpo,
    "gspo": gspo,
    "grpo": grpo,
    "reinforce_plus_plus": reinforce_plus_plus,
    "prune_positives": prune_positives,
    "prune_negatives": prune_negatives,
    "prune_at_random": prune_at_random,
}
