"""What rollouts spend, and where: tokens by call, repeated searches by search (first pilot study of arXiv 2602.12735).

Pure functions of trajectories. A step that only some rollouts reach is a mean over those that do, with their number
beside it, so that long rollouts are not averaged away.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from memory_graph.graph import MemoryGraph
from model.agent.environment import normalised
from model.evaluation.statistics import Interval, bootstrap_mean, paired_difference
from model.types import Outcome, Trajectory


@dataclass(frozen=True, slots=True)
class StepMean(Interval):
    """The mean over the rollouts that reached a step (from 1), and how many they are."""

    step: int
    rollouts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What one method spends. Tokens are those of prompts and replies, visual ones included."""

    tokens: Interval
    """Of a question."""
    searches: Interval
    """Of a question."""
    repeats: Interval
    """Searches of a question whose query was searched before."""
    tokens_by_call: tuple[StepMean, ...]
    repeats_by_search: tuple[StepMean, ...]
    """Share of the n-th searches that repeat an earlier one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendingDifference:
    """How much more ``other`` spends than ``first`` on the same questions: ``other - first``, paired."""

    tokens: Interval
    repeats: Interval
    questions: int


def tokens_by_call(trajectory: Trajectory) -> tuple[int, ...]:
    """Tokens of each call in order, prompt and reply together."""
    calls = (call for segment in trajectory.segments for call in segment.calls)
    return tuple(call.prompt_tokens + call.completion_tokens for call in calls)


def repeated_searches(graph: MemoryGraph) -> tuple[bool, ...]:
    """Whether each search, in order, asks what an earlier one asked, case and punctuation aside."""
    queries = [normalised(node.query) for node in graph.nodes]
    return tuple(query in queries[:place] for place, query in enumerate(queries))


def spending(trajectories: Sequence[Trajectory], *, seed: int = 0) -> Spending:
    """The spending of the rollouts that did not fail."""
    ran = _ran(trajectories)
    calls = [tokens_by_call(trajectory) for trajectory in ran]
    repeats = [repeated_searches(trajectory.graph) for trajectory in ran]
    return Spending(
        tokens=bootstrap_mean([float(sum(tokens)) for tokens in calls], seed=seed),
        searches=bootstrap_mean([float(len(searches)) for searches in repeats], seed=seed),
        repeats=bootstrap_mean([float(sum(searches)) for searches in repeats], seed=seed),
        tokens_by_call=by_step(calls, seed=seed),
        repeats_by_search=by_step(repeats, seed=seed),
    )


def saving(first: Sequence[Trajectory], other: Sequence[Trajectory], *, seed: int = 0) -> SpendingDifference:
    """``other`` against ``first`` over the questions that both ran; several rollouts of one question count as the last."""
    before, after = (
        {trajectory.task.id: trajectory for trajectory in _ran(trajectories)}
        for trajectories in (first, other)
    )
    shared = sorted(before.keys() & after.keys())

    def difference(rows: Sequence[tuple[float, float]]) -> Interval:
        return paired_difference([a for a, _ in rows], [b for _, b in rows], seed=seed)

    pairs = [(before[name], after[name]) for name in shared]
    tokens = [(float(sum(tokens_by_call(a))), float(sum(tokens_by_call(b)))) for a, b in pairs]
    repeats = [
        (float(sum(repeated_searches(a.graph))), float(sum(repeated_searches(b.graph)))) for a, b in pairs
    ]
    return SpendingDifference(tokens=difference(tokens), repeats=difference(repeats), questions=len(shared))


def by_step(rows: Sequence[Sequence[float]], *, seed: int = 0) -> tuple[StepMean, ...]:
    """The mean of the n-th value over the rows that have one, for every n that a row has."""
    longest = max((len(row) for row in rows), default=0)
    columns = [[float(row[at]) for row in rows if len(row) > at] for at in range(longest)]
    return tuple(
        StepMean(mean.estimate, mean.low, mean.high, number, len(column))
        for number, column in enumerate(columns, start=1)
        for mean in [bootstrap_mean(column, seed=seed)]
    )


def _ran(trajectories: Sequence[Trajectory]) -> list[Trajectory]:
    return [trajectory for trajectory in trajectories if trajectory.outcome is not Outcome.FAILED]
