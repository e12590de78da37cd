"""Rejection sampling: the right rollouts to imitate, each sequence of actions once, bounded by question and by dataset.

Pure functions of graded rollouts in any order. Rollouts are made and trained on in ``orchestration``; which of their segments
get credit is decided in ``memory_graph.credit``.
"""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median_low
from typing import NamedTuple, TypeAlias

from model.agent.memory.registry import SINGLE_ANSWER
from model.config.algorithm import Algorithm
from model.rl.credit import trajectory_credits
from model.types import Outcome, Trajectory

QuestionKey: TypeAlias = tuple[str, str]  # dataset, id
Actions: TypeAlias = tuple[str, tuple[tuple[str, tuple[str, ...]], ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Limits of the selection."""

    per_question: int = 2
    """Rollouts of one question, at most; easy questions have more right ones than hard ones."""
    balance: float | None = 2.0
    """Rollouts of one dataset, at most, in medians of the datasets that have any (the lower of two); None is without limit."""
    seed: int = 0
    """Of the draw among equally good ways of answering a question."""

    def __post_init__(self) -> None:
        if self.per_question < 1 or (self.balance is not None and not 1 <= self.balance < math.inf):
            raise ValueError(
                f"at least one rollout a question and one median a dataset have to be kept: {self}"
            )


class _Ranked(NamedTuple):
    place: int  # among the kept ones of its question
    order: str
    trajectory: Trajectory


def ended_unforced(trajectory: Trajectory) -> bool:
    """Whether the policy answered of its own accord, or is one that is always told to answer."""
    forced = trajectory.outcome is Outcome.FORCED and trajectory.memory in SINGLE_ANSWER
    return forced or trajectory.outcome is Outcome.ANSWERED


def is_imitable(trajectory: Trajectory) -> bool:
    """Whether a rollout may be imitated: a right answer that was not forced; without a verdict it may not."""
    return trajectory.correct is True and ended_unforced(trajectory)


def select(trajectories: Iterable[Trajectory], selection: Selection) -> tuple[Trajectory, ...]:
    """The right rollouts to imitate, by dataset, question and place; their order in ``trajectories`` does not matter.

    Of rollouts with equal actions the one with the fewest refused and repaired replies is kept. Where a dataset has too many,
    every question keeps its first before any keeps its second.
    """
    by_question: dict[QuestionKey, dict[Actions, Trajectory]] = {}
    for trajectory in filter(is_imitable, trajectories):
        by_actions = by_question.setdefault(_question(trajectory), {})
        actions = action_sequence(trajectory)
        by_actions[actions] = min(by_actions.get(actions, trajectory), trajectory, key=_mistakes)
    by_dataset: dict[str, list[_Ranked]] = {}
    for (dataset, _), by_actions in sorted(by_question.items()):
        by_dataset.setdefault(dataset, []).extend(_ranked(by_actions, selection))
    limit = _dataset_limit([len(ranked) for ranked in by_dataset.values()], selection.balance)
    kept = [
        item for ranked in by_dataset.values() for item in sorted(ranked, key=lambda item: item[:2])[:limit]
    ]
    kept.sort(key=lambda item: (*_question(item.trajectory), item.place))
    return tuple(item.trajectory for item in kept)


def action_sequence(trajectory: Trajectory) -> Actions:
    """Memory policy, searches and answer of a rollout with their parents, texts reduced to words."""
    graph = trajectory.graph
    actions = [(_words(node.query), node.parents) for node in graph.nodes]
    if graph.answer is not None:
        actions.append((_words(graph.answer.text), graph.answer.parents))
    return trajectory.memory, tuple(actions)


def without_pruned_segments(trajectory: Trajectory) -> Trajectory:
    """A right rollout without the segments that GGPO's mask prunes: searches that the answer does not rest on."""
    credits = trajectory_credits(trajectory, algorithm=Algorithm())
    kept = [
        segment for segment, credit in zip(trajectory.segments, credits, strict=True) if not credit.pruned
    ]
    return replace(trajectory, segments=tuple(kept))


def selection_counts(
    rollouts: Sequence[Trajectory], kept: Sequence[Trajectory]
) -> dict[str, int | Mapping[str, int]]:
    """Counts of a round for its report."""
    return {
        "rollouts": len(rollouts),
        "failed": sum(t.outcome is Outcome.FAILED for t in rollouts),
        "unscored": sum(t.correct is None and t.outcome is not Outcome.FAILED for t in rollouts),
        "right": sum(map(is_imitable, rollouts)),
        "questions": len({_question(t) for t in rollouts}),
        "questions_right": len({_question(t) for t in rollouts if is_imitable(t)}),
        "kept": len(kept),
        "kept_by_dataset": dict(sorted(Counter(t.task.dataset for t in kept).items())),
    }


def _question(trajectory: Trajectory) -> QuestionKey:
    return trajectory.task.dataset, trajectory.task.id


def _ranked(by_actions: Mapping[Actions, Trajectory], selection: Selection) -> list[_Ranked]:
    """The kept rollouts of one question, in an order that its seed decides."""
    hashed = [(_hash(selection.seed, *_question(t), actions), t) for actions, t in by_actions.items()]
    hashed.sort(key=lambda pair: pair[0])
    return [_Ranked(place, *pair) for place, pair in enumerate(hashed[: selection.per_question])]


def _dataset_limit(counts: Sequence[int], balance: float | None) -> int | None:
    if balance is None or not counts:
        return None
    return math.floor(balance * median_low(counts))


def _mistakes(trajectory: Trajectory) -> tuple[int, int, int, str]:
    counters = trajectory.counters
    return (
        counters.rejected_actions,
        counters.repairs,
        counters.completion_tokens,
        _hash(trajectory.segments),  # so that equals are told apart whichever comes first
    )


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _hash(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()
