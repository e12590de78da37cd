"""How much better a rollout was than its peers.

Pure functions of rewards; they know neither segments nor tokens. Sums are exact (``math.fsum``), so the order in which
rollouts arrive cannot change a single bit.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from model.config.algorithm import Algorithm, Baseline


class GroupStats(NamedTuple):
    """Mean and population standard deviation of rewards."""

    mean: float
    std: float


def group_stats(rewards: Sequence[float]) -> GroupStats:
    """Mean and deviation (divisor n) of at least one reward, independent of their order."""
    mean = math.fsum(rewards) / len(rewards)
    return GroupStats(mean, math.sqrt(math.fsum((reward - mean) ** 2 for reward in rewards) / len(rewards)))


def advantages(
    groups: Sequence[str], rewards: Sequence[float | None], *, algorithm: Algorithm
) -> tuple[float | None, ...]:
    """``A = (r - mean) / (max(std, floor) + eps)`` of each rollout within its question's group (arXiv 2602.12735, Eq. 12).

    The floor is ours: without it the noise of a judge becomes an advantage of one.

    Args:
        groups: question id of each rollout; equal ids form one group, wherever they stand.
        rewards: None for an unscored rollout, which counts neither in the mean nor in the deviation.
        algorithm: chooses the baseline and whether to divide by the deviation.

    Returns:
        One advantage a rollout, None where the reward is None. A group of equal rewards gets exactly 0.

    Raises:
        ValueError: for a reward that is not finite, or sequences of unequal length.
    """
    keys = ["" if algorithm.baseline is Baseline.BATCH else group for group in groups]
    members: dict[str, list[float]] = defaultdict(list)
    for key, reward in zip(keys, rewards, strict=True):
        if reward is None:
            continue
        if not math.isfinite(reward):
            raise ValueError(f"a reward must be finite or None, got {reward}")
        members[key].append(reward)
    stats = {key: group_stats(scored) for key, scored in members.items()}
    return tuple(
        None
        if reward is None
        else _normalised(reward, stats[key], min(members[key]) == max(members[key]), algorithm)
        for key, reward in zip(keys, rewards, strict=True)
    )


def _normalised(reward: float, peers: GroupStats, equal: bool, algorithm: Algorithm) -> float:
    # The mean of equal rewards can miss them by one rounding, which the tiny deviation would blow up.
    if equal:
        return 0.0
    centred = reward - peers.mean
    if not algorithm.normalise_std:
        return centred
    return centred / (max(peers.std, algorithm.std_floor) + algorithm.std_epsilon)
