"""The advantage of each rollout and the credit of each of its segments, as one objective decides them (Eq. 11 and 12).

Pure functions of scored rollouts. The rules themselves are in ``memory_graph.credit`` and ``advantage.py``; here they meet, once,
for the trainer and for the files that hold what was trained.
"""

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from memory_graph.credit import TERMINAL, Credit, PruneReason, random_credits, refused_credit, segment_credits
from model.config.algorithm import Algorithm, Pruning
from model.rl.advantage import advantages
from model.types import Trajectory


def credited(trajectories: Sequence[Trajectory], *, algorithm: Algorithm) -> tuple[Trajectory, ...]:
    """The rollouts of whole groups, each with the advantage and, on each segment, the credit that ``algorithm`` gives it.

    An unscored rollout gets neither. ``algorithm`` itself is noted on all of them.

    Raises:
        ValueError: if a scored rollout lacks a verdict that the pruning needs; the message names question and rollout.
    """
    groups = [trajectory.task.id for trajectory in trajectories]
    by_rollout = advantages(groups, [trajectory.reward for trajectory in trajectories], algorithm=algorithm)
    results: list[Trajectory] = []
    for (rollout, trajectory), advantage in zip(numbered(trajectories), by_rollout, strict=True):
        segments = trajectory.segments
        if advantage is not None:
            credits = trajectory_credits(trajectory, rollout=rollout, algorithm=algorithm)
            segments = tuple(replace(s, credit=c) for s, c in zip(segments, credits, strict=True))
        results.append(replace(trajectory, advantage=advantage, algorithm=algorithm, segments=segments))
    return tuple(results)


def numbered(trajectories: Iterable[Trajectory]) -> Iterator[tuple[int, Trajectory]]:
    """Each rollout behind its number among those of its question, from 0."""
    numbers: Counter[str] = Counter()
    for trajectory in trajectories:
        yield numbers[trajectory.task.id], trajectory
        numbers[trajectory.task.id] += 1


def trajectory_credits(
    trajectory: Trajectory, *, algorithm: Algorithm, rollout: int = 0
) -> tuple[Credit, ...]:
    """The credit of each segment of a scored rollout, the ``rollout``-th of its question: Eq. 11 or one of its ablations.

    A segment whose node was never finished has no place in the graph: it supports no answer and found nothing.

    Raises:
        ValueError: if the rollout has a reward and no verdict.
    """
    if algorithm.pruning is Pruning.NONE:
        return tuple(
            TERMINAL if segment.node_id is None else Credit(False, PruneReason.RULE_OFF)
            for segment in trajectory.segments
        )
    if trajectory.correct is None:
        raise ValueError(
            f"question {trajectory.task.id!r}, rollout {rollout}: pruning needs a verdict, not only a reward"
        )
    positives = algorithm.pruning is not Pruning.NEGATIVES
    credits = segment_credits(
        trajectory.graph,
        correct=trajectory.correct,
        gold=trajectory.task.gold,
        positives=positives,
        negatives=algorithm.pruning is not Pruning.POSITIVES,
    )
    if algorithm.pruning is Pruning.RANDOM:
        seed = random.Random(f"{algorithm.seed}/{trajectory.task.id}/{rollout}").getrandbits(63)
        credits = random_credits(credits, seed=seed)
    by_node = {node.id: credit for node, credit in zip(trajectory.graph.nodes, credits[:-1], strict=True)}
    unfinished = (
        Credit(True, PruneReason.DEAD_END)
        if trajectory.correct and positives
        else Credit(False, PruneReason.NO_GOLD)
    )
    return tuple(
        TERMINAL if segment.node_id is None else by_node.get(segment.node_id, unfinished)
        for segment in trajectory.segments
    )


def refused_unit_credit(trajectory: Trajectory, *, algorithm: Algorithm) -> Credit:
    """The credit of the refused replies of a segment of a scored rollout with a verdict, where they are units of their own."""
    return refused_credit(
        correct=trajectory.correct is True,
        positives=algorithm.pruning is not Pruning.NEGATIVES,
        negatives=algorithm.pruning is not Pruning.POSITIVES,
    )
