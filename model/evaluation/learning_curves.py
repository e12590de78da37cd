"""Learning curves of runs that differ in their objective and their seed, reduced to numbers.

Pure functions of (update, score) points; which runs there are and where their scores come from is the caller's.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from model.evaluation.statistics import Interval, bootstrap_mean

LearningCurve = Sequence[tuple[int, float]]
"""(update, score), updates increasing."""


class BandPoint(NamedTuple):
    """Mean score of several seeds at one update, with its bootstrap interval over the seeds."""

    update: int
    score: Interval


def area(curve: LearningCurve) -> float:
    """Mean height of a curve over its updates (trapezoidal rule), in units of the score; nan below two points.

    Raises:
        ValueError: unless the updates increase.
    """
    if any(later <= earlier for (earlier, _), (later, _) in pairwise(curve)):
        raise ValueError("the updates of a curve must increase")
    if len(curve) < 2:
        return math.nan
    total = math.fsum((x2 - x1) * (y1 + y2) / 2 for (x1, y1), (x2, y2) in pairwise(curve))
    return total / (curve[-1][0] - curve[0][0])


def first_reaching(curve: LearningCurve, target: float) -> int | None:
    """The first update whose score is at least ``target``; None if none is."""
    return next((update for update, score in curve if score >= target), None)


def roughness(values: Sequence[float]) -> float:
    """Root mean square of the steps between neighbours: 0 for a constant, larger the less steady; nan below two values."""
    if len(values) < 2:
        return math.nan
    return math.sqrt(math.fsum((b - a) ** 2 for a, b in pairwise(values)) / (len(values) - 1))


def band(curves: Sequence[LearningCurve]) -> tuple[BandPoint, ...]:
    """Mean and interval over the curves at every update that all of them have."""
    if not curves:
        return ()
    scores = [dict(curve) for curve in curves]
    shared = sorted(set.intersection(*(set(by_update) for by_update in scores)))
    return tuple(
        BandPoint(update, bootstrap_mean([by_update[update] for by_update in scores])) for update in shared
    )
