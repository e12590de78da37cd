"""What the rollouts of an update did, and why segments of theirs take no gradient, in numbers.

Pure functions of trajectories and samples. The numbers of the update itself are ``training/metrics.py``; intervals and
comparisons of an evaluation are ``evaluation/spending.py``.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from memory_graph.credit import PruneReason
from model.rl.segments import TrainingSample
from model.types import Counters, Outcome, Trajectory


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutMetrics:
    """Means over the rollouts that did not fail, each being one try at a question. NaN without any."""

    share_right: float
    """Of the rollouts with a verdict."""
    mean_searches: float
    mean_repeated_searches: float
    """Searches whose query was searched before in the same rollout."""
    mean_dead_ends: float
    """Finished nodes without a useful item."""
    mean_rejected_actions: float
    """Replies that were no legal action, so that the policy was asked again."""
    mean_tokens: float
    """Of prompts and replies over all calls, visual ones included."""
    mean_visual_tokens: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunedShares:
    """Shares of all segments that the mask takes out, by reason (Eq. 11 of arXiv 2602.12735). NaN without segments."""

    pruned_dead_end: float
    """Of right rollouts, and their answer does not rest on them."""
    pruned_gold: float
    """Of wrong rollouts, and they returned gold evidence."""
    pruned_at_random: float
    """Drawn by chance; the baseline's."""
    pruned_refused: float
    """Refused replies of right rollouts, where they are units of their own."""


def rollout_metrics(trajectories: Sequence[Trajectory]) -> RolloutMetrics:
    """The numbers of graded rollouts; those without a verdict count in every mean but ``share_right``."""
    ran = [trajectory for trajectory in trajectories if trajectory.outcome is not Outcome.FAILED]

    def mean(value: Callable[[Counters], int]) -> float:
        return mean_or_nan([value(trajectory.counters) for trajectory in ran])

    return RolloutMetrics(
        share_right=mean_or_nan([trajectory.correct for trajectory in ran if trajectory.correct is not None]),
        mean_searches=mean(lambda counters: counters.searches),
        mean_repeated_searches=mean(lambda counters: counters.repeated_searches),
        mean_dead_ends=mean(lambda counters: counters.dead_ends),
        mean_rejected_actions=mean(lambda counters: counters.rejected_actions),
        mean_tokens=mean(lambda counters: counters.prompt_tokens + counters.completion_tokens),
        mean_visual_tokens=mean(lambda counters: counters.visual_tokens),
    )


def pruned_shares(samples: Sequence[TrainingSample]) -> PrunedShares:
    """The shares over ``samples``, kept ones included; the four add up to the share that is pruned."""
    reasons = Counter(sample.credit.reason for sample in samples if sample.credit is not None)

    def share(reason: PruneReason) -> float:
        return reasons[reason] / len(samples) if samples else math.nan

    return PrunedShares(
        pruned_dead_end=share(PruneReason.DEAD_END),
        pruned_gold=share(PruneReason.RETURNED_GOLD),
        pruned_at_random=share(PruneReason.DRAWN),
        pruned_refused=share(PruneReason.REFUSED_RIGHT),
    )


def mean_or_nan(values: Sequence[float]) -> float:
    """The exact mean; nan without values."""
    return math.fsum(values) / len(values) if values else math.nan
