"""The reward of a finished rollout: verdicts on its answer, and optional terms for form and retrieval.

Pure functions. Verdicts come from ``Grader``s; advantages are made of rewards in ``advantage.py``. Which segments are pruned
depends on the verdict alone, never on this sum.
"""

import math
from collections.abc import Sequence, Set

from model.config.reward import RewardWeights
from model.types import Outcome, Trajectory


def reward(trajectory: Trajectory, weights: RewardWeights) -> float | None:
    """The weighted sum of the terms of a graded rollout, in [0, 1].

    None (unscored) for a failed rollout, without a verdict, and without the metric's verdict where that has a weight.
    """
    correct, exact = trajectory.correct, trajectory.metric
    if trajectory.outcome is Outcome.FAILED or correct is None or (weights.exact and exact is None):
        return None
    total = weights.judge * correct + weights.exact * bool(exact)
    if weights.format:
        total += weights.format * format_term(trajectory)
    if weights.retrieval:
        total += weights.retrieval * ndcg(retrieved_items(trajectory), trajectory.task.gold)
    return min(1.0, total)  # weights may sum to 1 and a rounding


def format_term(trajectory: Trajectory) -> float:
    """1 for an answered rollout none of whose replies was rejected (a repair is no rejection), else 0."""
    answered = trajectory.outcome in (Outcome.ANSWERED, Outcome.FORCED)
    return float(answered and trajectory.counters.rejected_actions == 0)


def retrieved_items(trajectory: Trajectory) -> tuple[str, ...]:
    """Everything the rollout's searches returned, in order, each item at its first place."""
    return tuple(dict.fromkeys(item for node in trajectory.graph.nodes for item in node.retrieved))


def ndcg(ranked: Sequence[str], gold: Set[str]) -> float:
    """Normalised discounted cumulative gain with binary relevance: gain 1/log2(place + 1), places from 1.

    In [0, 1] for distinct items: 1 when the gold items come first, 0 when none came. 1 for a question without gold, where
    retrieval can do no better.
    """
    if not gold:
        return 1.0
    gain = sum(1.0 / math.log2(place + 1) for place, item in enumerate(ranked, start=1) if item in gold)
    ideal = sum(1.0 / math.log2(place + 1) for place in range(1, len(gold) + 1))
    return gain / ideal
