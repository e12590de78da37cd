"""What is optimised: GGPO, its baselines and ablations, as frozen configurations.

Holds choices and their validation only. The objective they select is in ``model/rl/loss.py``, credit in
``memory_graph.credit``, how an update becomes optimiser steps in ``schedule.py``.
"""

import math
from dataclasses import dataclass, replace
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


class Refusals(StrEnum):
    """Whose credit a reply shares that the environment refused."""

    NODE = "node"  # that of the node it led to, as Eq. 11 read literally and every record before schema version 4
    OWN = "own"  # a unit of its own: pruned in right rollouts, kept in wrong ones


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
    refusals: Refusals = Refusals.OWN
    """Without pruning it makes no difference: every reply is kept, with its segment."""
    ratio: Ratio = Ratio.SEQUENCE
    clip_low: float = 3e-4
    """Lower clip distance: the ratio is held above ``1 - clip_low`` where that lowers the objective. GGPO's 3e-4 suits
    segments of a thousand tokens."""
    clip_high: float = 4e-4
    """Upper clip distance."""
    baseline: Baseline = Baseline.GROUP
    normalise_std: bool = True
    """Divide centred rewards by their standard deviation."""
    std_epsilon: float = 1e-6
    """Added to the standard deviation (reward units)."""
    std_floor: float = 0.05
    """The least deviation that is divided by (reward units): rewards of a judge that differ by its noise, 0.9999 and 1.0, are not
    blown up to advantages of one. Groups of up to 400 rewards of 0 and 1 that differ lie above it; 0 is Eq. 12 as printed."""
    denominator: Denominator = Denominator.ALL
    answer_weight: float = 1.0
    """What an answer counts, where every other segment counts 1, as an answer does in Eq. 12 as printed. Praise for right answers
    makes the policy answer sooner, which costs to first order (docs/log.md)."""
    kl_coefficient: float = 0.0
    """Weight of the divergence from a reference model, nats a token; Eq. 12 has no such term. It holds what the cold start is
    sure of, such as the form of a reply, and costs a second forward pass, of segments without an advantage too, and the
    images shared between them."""
    group_size: int = 8
    """Rollouts sampled per question."""
    seed: int = 0
    """Of the random pruning mask; a study gives every run its own."""

    def __post_init__(self) -> None:
        if not (0 < self.clip_low < 1 and 0 < self.clip_high < math.inf):
            raise ValueError(
                f"clip distances must be positive, the lower below 1: {self.clip_low}, {self.clip_high}"
            )
        if self.std_epsilon <= 0 or self.kl_coefficient < 0 or not math.isfinite(self.kl_coefficient):
            raise ValueError(f"std_epsilon must be positive and kl_coefficient not negative: {self}")
        if not 0 <= self.std_floor < math.inf:
            raise ValueError(f"std_floor must not be negative: {self}")
        if not 0 <= self.answer_weight < math.inf:
            raise ValueError(f"answer_weight must be finite and not negative, got {self.answer_weight}")
        if self.group_size < 2:
            raise ValueError(f"group_size must be at least 2 to have a baseline, got {self.group_size}")

    @property
    def own_refusals(self) -> bool:
        """Whether refused replies are units of their own."""
        return self.refusals is Refusals.OWN and self.pruning is not Pruning.NONE

    @property
    def name(self) -> str:
        """Its key in ``ALGORITHMS``; ``custom`` for a mixture of pruning, ratio, baseline and weight of answers that has none."""
        mixture = _mixture(self)
        return next((name for name, known in ALGORITHMS.items() if mixture == _mixture(known)), "custom")


def _mixture(algorithm: Algorithm) -> tuple[object, ...]:
    """What an objective is named for."""
    return (
        algorithm.pruning,
        algorithm.own_refusals,
        algorithm.ratio,
        algorithm.baseline,
        algorithm.answer_weight,
    )


_GRPO = Algorithm(pruning=Pruning.NONE, ratio=Ratio.TOKEN, clip_low=0.2, clip_high=0.2)

ALGORITHMS = {
    "ggpo": Algorithm(),  # graph-guided policy optimisation, Eq. 11 and 12, refused replies as units of their own
    "ggpo_half_answers": Algorithm(
        answer_weight=0.5
    ),  # the simplest candidate that the audit confirmed (docs/log.md)
    "ggpo_literal": Algorithm(
        refusals=Refusals.NODE
    ),  # the same with refused replies on the credit of their node
    "gspo": Algorithm(pruning=Pruning.NONE),  # the same rollouts and ratio without pruning
    "grpo": _GRPO,  # token-level ratios with the usual clip of 0.2, no pruning
    "reinforce_plus_plus": replace(
        _GRPO, baseline=Baseline.BATCH
    ),  # rewards normalised over all questions of an update
    "prune_positives": Algorithm(pruning=Pruning.POSITIVES),  # ablation: only the first rule of Eq. 11
    "prune_negatives": Algorithm(pruning=Pruning.NEGATIVES),  # ablation: only the second rule of Eq. 11
    "prune_at_random": Algorithm(
        pruning=Pruning.RANDOM, refusals=Refusals.NODE
    ),  # ablation: a mask of the same rate that knows nothing of the graph
}
