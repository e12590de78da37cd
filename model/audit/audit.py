"""The audit: every objective's gradient by fold, from one pass over one set of rollouts.

Rows of weights are the objectives, GSPO cut down to each category, and the true gradient by dataset. What the sums say is
``judgement.py``.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.audit.checks import refuse_moved
from model.audit.folds import FoldSum
from model.audit.gradients import GradientSource
from model.audit.objectives import Objective, checked
from model.audit.rollouts import Category, Rollout, Weights, has_spread, rollouts_of, truth
from model.audit.units import Matrix, units
from model.rl.segments import SampleKey, TrainingSample, segment_tokens
from model.types import Trajectory

Progress: TypeAlias = Callable[[int, int], None]
"""Questions done and questions in all."""
FEWEST_FOLDS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSums:
    """Sums of gradients by fold, and what they are sums of. The true gradient's are over questions, not their mean."""

    objectives: tuple[str, ...]
    categories: tuple[Category, ...]
    datasets: tuple[str, ...]
    sums: tuple[Tensor, ...]
    """One [K, P] a fold: rows are objectives, categories, datasets, in this order."""
    questions: tuple[Mapping[str, int], ...]
    """Questions of each dataset that a fold measures on, those without spread among them."""
    num_questions: int
    with_spread: int
    num_rollouts: int
    right: int
    shares: Mapping[str, float]
    """Of all tokens of groups with spread, those that an objective weighs."""
    category_shares: Mapping[Category, float]

    def objective(self, name: str) -> tuple[Tensor, ...]:
        """Its gradient by fold, mean over the questions of the fold as in training."""
        return self._means(self.objectives.index(name))

    def category(self, category: Category) -> tuple[Tensor, ...]:
        """The part of GSPO's gradient that is this category's, by fold."""
        return self._means(len(self.objectives) + self.categories.index(category))

    def measured(self, dataset: str | None = None) -> tuple[Tensor, ...]:
        """The true gradient by fold, summed over the questions of a dataset, or of all."""
        start = len(self.objectives) + len(self.categories)
        if dataset is None:
            return tuple(each[start:].sum(dim=0) for each in self.sums)
        return tuple(each[start + self.datasets.index(dataset)] for each in self.sums)

    def counts(self, dataset: str | None = None) -> list[int]:
        """Questions that ``measured`` is a sum over, by fold."""
        return [sum(each.values()) if dataset is None else each.get(dataset, 0) for each in self.questions]

    def _means(self, row: int) -> tuple[Tensor, ...]:
        counts = self.counts()
        return tuple(each[row] / max(1, count) for each, count in zip(self.sums, counts, strict=True))


def groups_of(trajectories: Sequence[Trajectory]) -> tuple[tuple[Trajectory, ...], ...]:
    """Rollouts by question, in the order in which questions come."""
    groups: dict[tuple[str, str], list[Trajectory]] = defaultdict(list)
    for trajectory in trajectories:
        groups[trajectory.task.dataset, trajectory.task.id].append(trajectory)
    return tuple(map(tuple, groups.values()))


def dealt(groups: Sequence[Sequence[Rollout]], *, folds: int, seed: int) -> list[list[int]]:
    """Numbers of the groups of each fold: every dataset spread evenly, by ``seed`` alone."""
    order = list(range(len(groups)))
    random.Random(seed).shuffle(order)
    order.sort(key=lambda number: groups[number][0].trajectory.task.dataset)
    return [order[fold::folds] for fold in range(folds)]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPlan:
    """What is judged on which questions, dealt into folds: each can be summed by itself (``sum_fold``)."""

    objectives: tuple[Objective, ...]
    groups: tuple[tuple[Rollout, ...], ...]
    """By question; only questions with two scored rollouts or more."""
    folds: tuple[tuple[int, ...], ...]
    """Numbers of groups."""

    @property
    def datasets(self) -> tuple[str, ...]:
        """Of the questions, in order."""
        return tuple(sorted({group[0].trajectory.task.dataset for group in self.groups}))

    @property
    def num_rows(self) -> int:
        """Rows of weights: objectives, categories, datasets."""
        return len(self.objectives) + len(Category) + len(self.datasets)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldPart:
    """What one fold adds to the audit."""

    sums_KP: Tensor
    weighed_K: NDArray[np.float64]
    """Tokens that each objective weighs, then those of each category."""
    tokens: int
    """Of groups with spread."""


def planned(
    trajectories: Sequence[Trajectory], objectives: Sequence[Objective], *, folds: int = 8, seed: int = 0
) -> AuditPlan:
    """The same for equal rollouts, in whichever process.

    Raises:
        ValueError: with fewer questions than two a fold, or if no group has right and wrong rollouts.
    """
    groups = [group for each in groups_of(trajectories) if len(group := rollouts_of(each)) > 1]
    _refuse_small(groups, folds)
    return AuditPlan(
        objectives=tuple(objectives),
        groups=tuple(map(tuple, groups)),
        folds=tuple(map(tuple, dealt(groups, folds=folds, seed=seed))),
    )


def sum_fold(
    plan: AuditPlan, fold: int, source: GradientSource, *, on_question: Callable[[], None] | None = None
) -> FoldPart:
    """Every objective's gradient over the questions of one fold, which ``source`` drew.

    Raises:
        ValueError: if an objective fails, or if log-probabilities cannot be reproduced.
    """
    total = FoldSum(rows=plan.num_rows, weights=source.num_weights)
    tally = _Tally(len(plan.objectives))
    for number in plan.folds[fold]:
        group = plan.groups[number]
        if has_spread(group):
            place = plan.datasets.index(group[0].trajectory.task.dataset)
            rows = _rows(group, plan.objectives, num_datasets=len(plan.datasets), dataset=place)
            tally.add(group, rows)
            for sample, weights_KT in weighed_segments(group, rows):
                directions_UT, counts_KU = units(weights_KT)
                if len(directions_UT):
                    found = source.rows(sample, directions_UT)
                    refuse_moved(sample, found.logprobs_T.tolist())
                    total.add(found.rows_UP.cpu(), torch.as_tensor(counts_KU).float())
        if on_question is not None:
            on_question()
    total.close()
    return FoldPart(sums_KP=total.sums_KP, weighed_K=tally.weighed_K, tokens=tally.tokens)


def collected(plan: AuditPlan, parts: Sequence[FoldPart]) -> AuditSums:
    """The audit of all folds, ``parts`` in their order.

    Raises:
        ValueError: if an objective weighs no token at all.
    """
    weighed_K = np.sum([part.weighed_K for part in parts], axis=0)
    tokens = sum(part.tokens for part in parts)
    _refuse_empty(plan.objectives, weighed_K)
    shares = [float(value) / tokens for value in weighed_K]
    return AuditSums(
        objectives=tuple(objective.name for objective in plan.objectives),
        categories=tuple(Category),
        datasets=plan.datasets,
        sums=tuple(part.sums_KP for part in parts),
        questions=tuple(
            Counter(plan.groups[number][0].trajectory.task.dataset for number in members)
            for members in plan.folds
        ),
        num_questions=len(plan.groups),
        with_spread=sum(map(has_spread, plan.groups)),
        num_rollouts=sum(map(len, plan.groups)),
        right=sum(rollout.right for group in plan.groups for rollout in group),
        shares=dict(
            zip((each.name for each in plan.objectives), shares[: len(plan.objectives)], strict=True)
        ),
        category_shares=dict(zip(Category, shares[len(plan.objectives) :], strict=True)),
    )


def audit(
    trajectories: Sequence[Trajectory],
    objectives: Sequence[Objective],
    source: GradientSource,
    *,
    folds: int = 8,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> AuditSums:
    """Sum every objective's gradient over the rollouts, which ``source`` drew, fold after fold in this process.

    Raises:
        ValueError: as ``planned``, ``sum_fold`` and ``collected`` do.
    """
    plan = planned(trajectories, objectives, folds=folds, seed=seed)
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        if on_progress is not None:
            on_progress(done, len(plan.groups))

    return collected(plan, [sum_fold(plan, fold, source, on_question=count) for fold in range(folds)])


def _refuse_small(groups: Sequence[Sequence[Rollout]], folds: int) -> None:
    if folds < FEWEST_FOLDS:
        raise ValueError(f"an error needs {FEWEST_FOLDS} folds at least, got {folds}")
    if len(groups) < 2 * folds:
        raise ValueError(
            f"{len(groups)} questions with two scored rollouts or more are too few for {folds} folds of two"
        )
    if not any(len({rollout.right for rollout in group}) > 1 for group in groups):
        verdicts = {rollout.right for group in groups for rollout in group}
        what = (
            "right" if verdicts == {True} else "wrong" if verdicts == {False} else "alike within a question"
        )
        raise ValueError(f"all rollouts are {what}: there is no gradient of accuracy to measure by")


class _Tally:
    """Tokens that each objective weighs, and those of each category."""

    def __init__(self, num_objectives: int) -> None:
        self._num_objectives = num_objectives
        self.weighed_K = np.zeros(num_objectives + len(Category))
        self.tokens = 0

    def add(self, group: Sequence[Rollout], rows: Sequence[Sequence[Weights]]) -> None:
        for row, of_group in enumerate(rows[: self._num_objectives]):
            self.weighed_K[row] += sum(value != 0 for each in of_group for step in each for value in step)
        for rollout in group:
            for step in rollout.steps:
                place = list(Category).index(rollout.category(step))
                self.weighed_K[self._num_objectives + place] += step.tokens
                self.tokens += step.tokens


def _refuse_empty(objectives: Sequence[Objective], weighed_K: NDArray[np.float64]) -> None:
    for objective, weighed in zip(objectives, weighed_K[: len(objectives)], strict=True):
        if not weighed:
            raise ValueError(f"objective {objective.name!r} weighs no token: its mask is empty")


def _rows(
    group: Sequence[Rollout], objectives: Sequence[Objective], *, num_datasets: int, dataset: int
) -> list[list[Weights]]:
    """All rows of weights of one group: a list of weights by rollout for each row."""
    from model.audit.objectives import of_algorithm
    from model.config.algorithm import ALGORITHMS

    gspo = checked(of_algorithm("gspo", ALGORITHMS["gspo"]), group)
    zero: list[Weights] = [tuple((0.0,) * step.tokens for step in rollout.steps) for rollout in group]
    rows = [checked(objective, group) for objective in objectives]
    rows += [_of_category(group, gspo, category) for category in Category]
    measured = list(truth(group))
    rows += [measured if place == dataset else zero for place in range(num_datasets)]
    return rows


def _of_category(group: Sequence[Rollout], weights: Sequence[Weights], category: Category) -> list[Weights]:
    return [
        tuple(
            row if rollout.category(step) is category else (0.0,) * step.tokens
            for step, row in zip(rollout.steps, of_rollout, strict=True)
        )
        for rollout, of_rollout in zip(group, weights, strict=True)
    ]


def weighed_segments(
    group: Sequence[Rollout], rows: Sequence[Sequence[Weights]]
) -> Iterator[tuple[TrainingSample, Matrix]]:
    """Every segment with a token as a sample of its own, and the weights of its tokens, one row an objective."""
    for number, rollout in enumerate(group):
        for index, segment in enumerate(rollout.trajectory.segments):
            if not segment.calls:
                continue
            places = [place for place, step in enumerate(rollout.steps) if step.segment == index]
            sample = TrainingSample(
                key=SampleKey(rollout.trajectory.task.id, rollout.number, index),
                old_logprobs=tuple(value for call in segment.calls for value in call.logprobs),
                **segment_tokens(segment)._asdict(),
            )
            yield (
                sample,
                np.array([[value for place in places for value in row[number][place]] for row in rows]),
            )
