"""Rollouts as an objective sees them: step by step, with what each step was and where the graph puts it.

Pure views of graded trajectories; no tensors. Weights are given in ``objectives.py``, gradients are taken in ``gradients.py``.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from memory_graph.credit import returned_gold
from model.config.algorithm import Algorithm
from model.rl.advantage import advantages
from model.types import Segment, Trajectory

Weights: TypeAlias = tuple[tuple[float, ...], ...]
"""One row a step, one number a token of the step: what its log-probability counts in the objective that is maximised."""


class Kind(StrEnum):
    """What a reply was."""

    SEARCH = "search"
    MEMORIZE = "memorize"
    ANSWER = "answer"
    REFUSED = "refused"


class Category(StrEnum):
    """What Eq. 11 tells apart, and refused replies beside it. Disjoint, and every step is in one."""

    RIGHT_PATH = "right: on the path"
    RIGHT_OFF_PATH = "right: off the path"
    RIGHT_ANSWER = "right: answer"
    RIGHT_REFUSED = "right: refused replies"
    WRONG_GOLD = "wrong: gold found"
    WRONG_NO_GOLD = "wrong: no gold found"
    WRONG_ANSWER = "wrong: answer"
    WRONG_REFUSED = "wrong: refused replies"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One reply of the policy."""

    segment: int
    """Of the trajectory; all replies of a segment share one context."""
    kind: Kind
    tokens: int
    node_id: str | None
    """None in the answer segment."""
    on_path: bool
    """Whether the answer rests on the node; True in the answer segment."""
    found_gold: bool
    """Whether the node's search returned gold evidence."""
    state: tuple[int, ...]
    """Tokens of the prompt: two steps with equal states stood before the same decision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One scored rollout of a question."""

    trajectory: Trajectory
    number: int
    """Among the scored ones of its question, from 0."""
    advantage: float
    """Of Eq. 12: its reward against its group's."""
    steps: tuple[Step, ...]

    @property
    def right(self) -> bool:
        """The verdict."""
        return self.trajectory.correct is True

    @property
    def segment_tokens(self) -> tuple[int, ...]:
        """Loss tokens of each segment, refused replies included."""
        sizes = [0] * len(self.trajectory.segments)
        for step in self.steps:
            sizes[step.segment] += step.tokens
        return tuple(sizes)

    def category(self, step: Step) -> Category:
        """The category of one of its steps."""
        if self.right:
            if step.kind is Kind.REFUSED:
                return Category.RIGHT_REFUSED
            if step.node_id is None:
                return Category.RIGHT_ANSWER
            return Category.RIGHT_PATH if step.on_path else Category.RIGHT_OFF_PATH
        if step.kind is Kind.REFUSED:
            return Category.WRONG_REFUSED
        if step.node_id is None:
            return Category.WRONG_ANSWER
        return Category.WRONG_GOLD if step.found_gold else Category.WRONG_NO_GOLD


def rollouts_of(group: Sequence[Trajectory], *, algorithm: Algorithm | None = None) -> tuple[Rollout, ...]:
    """The scored rollouts of one question.

    Raises:
        ValueError: if they are of several questions.
    """
    scored = [trajectory for trajectory in group if trajectory.reward is not None]
    if len({trajectory.task.id for trajectory in scored}) > 1:
        raise ValueError(f"a group is of one question, got {sorted({t.task.id for t in scored})[:3]}")
    values = advantages(
        [trajectory.task.id for trajectory in scored],
        [trajectory.reward for trajectory in scored],
        algorithm=algorithm or Algorithm(),
    )
    return tuple(
        Rollout(trajectory=trajectory, number=number, advantage=value or 0.0, steps=tuple(_steps(trajectory)))
        for number, (trajectory, value) in enumerate(zip(scored, values, strict=True))
    )


def _steps(trajectory: Trajectory) -> Iterator[Step]:
    graph, gold = trajectory.graph, trajectory.task.gold
    path = graph.ancestors(graph.answer.parents) if graph.answer is not None else frozenset[str]()
    golden = {node.id for node in graph.nodes if returned_gold(node, gold)}
    for index, segment in enumerate(trajectory.segments):
        for call, kind in zip(segment.calls, kinds(segment), strict=True):
            yield Step(
                segment=index,
                kind=kind,
                tokens=len(call.token_ids),
                node_id=segment.node_id,
                on_path=segment.node_id is None or segment.node_id in path,
                found_gold=segment.node_id in golden,
                state=call.prompt_ids,
            )


def kinds(segment: Segment) -> tuple[Kind, ...]:
    """What each reply of a segment was: of a node the first that was accepted searched."""
    found: list[Kind] = []
    has_searched = False
    for call in segment.calls:
        if call.rejected:
            found.append(Kind.REFUSED)
        elif segment.node_id is None:
            found.append(Kind.ANSWER)
        else:
            found.append(Kind.MEMORIZE if has_searched else Kind.SEARCH)
            has_searched = True
    return tuple(found)


def weighed(rollout: Rollout, weight: Callable[[Step], float]) -> Weights:
    """Every token of a step with the step's weight."""
    return tuple((weight(step),) * step.tokens for step in rollout.steps)


def num_segments(group: Sequence[Rollout]) -> int:
    """Segments with at least one reply: the denominator of Eq. 12 for one question."""
    return max(1, sum(1 for rollout in group for tokens in rollout.segment_tokens if tokens))


def truth(group: Sequence[Rollout]) -> tuple[Weights, ...]:
    """Weights of the policy gradient of expected accuracy, without bias: ``(r - mean of the others' r) / G`` for every token.

    No normalisation by deviation, length or segments (leave-one-out baseline, arXiv 2402.14740). Zeros for a group of one.
    """
    verdicts = [float(rollout.right) for rollout in group]
    if len(group) < 2:
        return tuple(weighed(rollout, lambda _: 0.0) for rollout in group)
    total, count = sum(verdicts), len(group)

    def of(rollout: Rollout, verdict: float) -> Weights:
        advantage = verdict - (total - verdict) / (count - 1)
        return weighed(rollout, lambda _: advantage / count)

    return tuple(of(rollout, verdict) for rollout, verdict in zip(group, verdicts, strict=True))


def has_spread(group: Sequence[Rollout]) -> bool:
    """Whether some rollouts are right and some wrong, or rewards differ otherwise: else nothing can be learnt from it."""
    return len({rollout.right for rollout in group}) > 1 or any(rollout.advantage for rollout in group)
