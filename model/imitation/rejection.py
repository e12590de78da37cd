"""Which rollouts a policy may learn from again: right ones, each way of answering once, no question and no dataset too often.

Pure functions of graded rollouts, whatever order they come in. Who rolls out, and what is trained on them, is decided in
``orchestration``; which of their segments deserve it, in ``memory_graph.credit``.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median_low
from typing import NamedTuple, TypeAlias

from model.agent.memory.registry import SINGLE_ANSWER
from model.config.algorithm import Algorithm
from model.rl.segments import segment_reasons
from model.types import Outcome, Trajectory

QuestionKey: TypeAlias = tuple[str, str]  # dataset, id
Actions: TypeAlias = tuple[str, tuple[tuple[str, tuple[str, ...]], ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What is kept of many rollouts."""

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
    draw: str
    trajectory: Trajectory


def ended_well(trajectory: Trajectory) -> bool:
    """Whether the answer came by itself, or is one of a policy that is always told to answer."""
    forced = trajectory.outcome is Outcome.FORCED and trajectory.memory in SINGLE_ANSWER
    return forced or trajectory.outcome is Outcome.ANSWERED


def is_right(trajectory: Trajectory) -> bool:
    """Whether a rollout may be imitated: a right answer that was not forced. Without a verdict it is not right."""
    return trajectory.correct is True and ended_well(trajectory)


def select(trajectories: Iterable[Trajectory], selection: Selection) -> tuple[Trajectory, ...]:
    """The right rollouts that are kept, by dataset, question and place; the order in which they are given does not matter.

    Of rollouts with equal actions the one with the fewest refused and repaired replies stands for all. Where a dataset has
    too many, every question keeps its first before any keeps its second.
    """
    found: dict[QuestionKey, dict[Actions, Trajectory]] = {}
    for each in filter(is_right, trajectories):
        ways = found.setdefault((each.task.dataset, each.task.id), {})
        actions = actions_of(each)
        ways[actions] = min(ways.get(actions, each), each, key=_slips)
    ranked: dict[str, list[_Ranked]] = {}
    for (dataset, _), ways in sorted(found.items()):
        ranked.setdefault(dataset, []).extend(_drawn(ways, selection))
    most = _most([len(each) for each in ranked.values()], selection.balance)
    kept = [one for each in ranked.values() for one in sorted(each, key=lambda one: one[:2])[:most]]
    return tuple(
        one.trajectory for one in sorted(kept, key=lambda one: (*_question(one.trajectory), one.place))
    )


def actions_of(trajectory: Trajectory) -> Actions:
    """The way a question was answered: memory policy, searches and answer with what they rest on, in words alone."""
    graph = trajectory.graph
    acts = [(_words(node.query), node.parents) for node in graph.nodes]
    if graph.answer is not None:
        acts.append((_words(graph.answer.text), graph.answer.parents))
    return trajectory.memory, tuple(acts)


def only_kept(trajectory: Trajectory) -> Trajectory:
    """A right rollout without the segments that GGPO's mask prunes: searches that the answer does not rest on."""
    reasons = segment_reasons(trajectory, rollout=0, algorithm=Algorithm())
    kept = [part for part, reason in zip(trajectory.segments, reasons, strict=True) if not reason]
    return replace(trajectory, segments=tuple(kept))


def tally(rollouts: Sequence[Trajectory], kept: Sequence[Trajectory]) -> dict[str, int | Mapping[str, int]]:
    """Counts of a round for its report."""
    datasets = sorted({each.task.dataset for each in kept})
    return {
        "rollouts": len(rollouts),
        "failed": sum(each.outcome is Outcome.FAILED for each in rollouts),
        "unscored": sum(each.correct is None and each.outcome is not Outcome.FAILED for each in rollouts),
        "right": sum(map(is_right, rollouts)),
        "questions": len({_question(each) for each in rollouts}),
        "questions_right": len({_question(each) for each in rollouts if is_right(each)}),
        "kept": len(kept),
        "kept_by_dataset": {name: sum(each.task.dataset == name for each in kept) for name in datasets},
    }


def _question(trajectory: Trajectory) -> QuestionKey:
    return trajectory.task.dataset, trajectory.task.id


def _drawn(ways: Mapping[Actions, Trajectory], selection: Selection) -> list[_Ranked]:
    """The kept ways of one question, in an order drawn by its seed."""
    draws = sorted(
        ((_hash(selection.seed, *_question(each), actions), each) for actions, each in ways.items()),
        key=lambda drawn: drawn[0],
    )
    return [_Ranked(place, *one) for place, one in enumerate(draws[: selection.per_question])]


def _most(counts: Sequence[int], balance: float | None) -> int | None:
    if balance is None or not counts:
        return None
    return math.floor(balance * median_low(counts))


def _slips(trajectory: Trajectory) -> tuple[int, int, int, str]:
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
