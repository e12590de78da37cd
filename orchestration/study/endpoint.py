"""The primary endpoint of a study: area under the curve of sampled answers to unseen questions, paired by seed and question.

Pure functions. A question's area is the mean height of its share of right answers over the updates (trapezoidal rule), from the
cold start to the last update; an objective's difference to another is the mean over seeds and questions, its interval holds
for other seeds and other questions (``crossed_mean``).
"""

from collections.abc import Mapping, Sequence

from model.evaluation.evaluation import SeedComparison, rates
from model.evaluation.learning_curves import area
from model.evaluation.statistics import crossed_mean
from model.types import Trajectory

Answered = Sequence[tuple[int, Sequence[Trajectory]]]
"""Sampled answers of one run by update."""


def question_areas(curve: Answered) -> Mapping[tuple[str, str], float]:
    """The area of each question that was scored at every point, by dataset and id."""
    scores = [(update, rates(trajectories)) for update, trajectories in curve]
    shared = set.intersection(*(set(by_question) for _, by_question in scores)) if scores else set()
    return {
        key: area([(update, by_question[key]) for update, by_question in scores]) for key in sorted(shared)
    }


def compare_areas(first: Sequence[Answered], second: Sequence[Answered]) -> SeedComparison:
    """``second`` minus ``first``, the runs of equal seeds side by side.

    Raises:
        ValueError: if there are not as many runs of both.
    """
    pairs = [(question_areas(a), question_areas(b)) for a, b in zip(first, second, strict=True)]
    shared = sorted(set.intersection(*(a.keys() & b.keys() for a, b in pairs))) if pairs else []
    rows = [[b[key] - a[key] for key in shared] for a, b in pairs]
    return SeedComparison(
        by_seed=tuple(sum(row) / len(row) if row else float("nan") for row in rows),
        difference=crossed_mean(rows),
    )
