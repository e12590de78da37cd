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
from torch import Tensor

from model.audit.checks import refuse_moved
from model.audit.folds import FoldSums
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


def audit(
    trajectories: Sequence[Trajectory],
    objectives: Sequence[Objective],
    source: GradientSource,
    *,
    folds: int = 8,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> AuditSums:
    """Sum every objective's gradient over the rollouts, which ``source`` drew.

    Raises:
        ValueError: with fewer questions than two a fold, if no group has right and wrong rollouts, if an objective fails or
            weighs no token at all, or if log-probabilities cannot be reproduced.
    """
    groups = [group for each in groups_of(trajectories) if len(group := rollouts_of(each)) > 1]
    _refuse_small(groups, folds)
    datasets = tuple(sorted({group[0].trajectory.task.dataset for group in groups}))
    num_rows = len(objectives) + len(Category) + len(datasets)
    fold_sums = FoldSums(folds=folds, rows=num_rows, weights=source.num_weights)
    tally = _Tally(len(objectives))
    done = 0
    fold_groups = dealt(groups, folds=folds, seed=seed)
    for fold, members in enumerate(fold_groups):
        for number in members:
            group = groups[number]
            if has_spread(group):
                place = datasets.index(group[0].trajectory.task.dataset)
                rows = _rows(group, objectives, num_datasets=len(datasets), dataset=place)
                tally.add(group, rows)
                for sample, weights_KT in weighed_segments(group, rows):
                    directions_UT, counts_KU = units(weights_KT)
                    if len(directions_UT):
                        found = source.rows(sample, directions_UT)
                        refuse_moved(sample, found.logprobs_T.tolist())
                        fold_sums.add(fold, found.rows_UP.cpu(), torch.as_tensor(counts_KU).float())
            done += 1
            if on_progress is not None:
                on_progress(done, len(groups))
    fold_sums.close()
    tally.refuse_empty(objectives)
    return AuditSums(
        objectives=tuple(objective.name for objective in objectives),
        categories=tuple(Category),
        datasets=datasets,
        sums=tuple(fold_sums.sums),
        questions=tuple(
            Counter(groups[number][0].trajectory.task.dataset for number in members)
            for members in fold_groups
        ),
        num_questions=len(groups),
        with_spread=sum(map(has_spread, groups)),
        num_rollouts=sum(map(len, groups)),
        right=sum(rollout.right for group in groups for rollout in group),
        shares=dict(zip((each.name for each in objectives), tally.shares()[: len(objectives)], strict=True)),
        category_shares=dict(zip(Category, tally.shares()[len(objectives) :], strict=True)),
    )


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
        self._weighed = np.zeros(num_objectives + len(Category))
        self._total = 0

    def add(self, group: Sequence[Rollout], rows: Sequence[Sequence[Weights]]) -> None:
        for row, of_group in enumerate(rows[: self._num_objectives]):
            self._weighed[row] += sum(value != 0 for each in of_group for step in each for value in step)
        for rollout in group:
            for step in rollout.steps:
                place = list(Category).index(rollout.category(step))
                self._weighed[self._num_objectives + place] += step.tokens
                self._total += step.tokens

    def shares(self) -> list[float]:
        return [float(value) / self._total for value in self._weighed]

    def refuse_empty(self, objectives: Sequence[Objective]) -> None:
        for objective, weighed in zip(objectives, self._weighed[: self._num_objectives], strict=True):
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
