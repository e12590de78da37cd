"""The endpoints of a study: area under the curve of sampled answers to unseen questions, and accuracy while it trains.

Pure functions. A question's area is the mean height of its share of right answers over the updates (trapezoidal rule), from the
cold start to the last update; an objective's difference to another is the mean over seeds and questions, its interval holds
for other seeds and other questions (``crossed_mean``).

While it trains a policy answers every question before it learns from it (Dawid's prequential view, 1984, JRSS A 147(2)): the
share of right rollouts over a run's updates says how fast it learns, at no cost. Each seed draws questions of its own, so they
are paired within a seed, and the interval is Student's over the seeds.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from model.evaluation.evaluation import SeedComparison
from model.evaluation.learning_curves import area
from model.evaluation.statistics import crossed_mean, mean_of_runs

Key = tuple[str, str]
"""Of a question: its dataset and id."""
RatesByUpdate: TypeAlias = Mapping[int, Mapping[Key, float]]
"""Share of right answers of each scored question, by update, of one run."""


def question_areas(run: RatesByUpdate) -> Mapping[Key, float]:
    """The area of each question that was scored at every point."""
    updates = sorted(run)
    shared = set.intersection(*(set(run[update]) for update in updates)) if updates else set()
    return {key: area([(update, run[update][key]) for update in updates]) for key in sorted(shared)}


def compare_areas(first: Sequence[RatesByUpdate], second: Sequence[RatesByUpdate]) -> SeedComparison:
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


def compare_online(first: Sequence[RatesByUpdate], second: Sequence[RatesByUpdate]) -> SeedComparison:
    """``second`` minus ``first`` while they train, the runs of equal seeds side by side, each question at its update.

    Raises:
        ValueError: if there are not as many runs of both.
    """
    by_seed = []
    for a, b in zip(first, second, strict=True):
        gains = [
            b[update][key] - a[update][key]
            for update in sorted(a.keys() & b.keys())
            for key in sorted(a[update].keys() & b[update].keys())
        ]
        by_seed.append(sum(gains) / len(gains) if gains else math.nan)
    return SeedComparison(by_seed=tuple(by_seed), difference=mean_of_runs(by_seed))
