"""Questions of one document or film stand or fall together: intervals, paired tests and power that know it.

A cluster is the unit that is redrawn and whose sign is flipped. Bootstrap and permutation are SciPy's; values are one a question.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from model.evaluation.statistics import LEVEL, RESAMPLES, UNKNOWN, Interval, Number

FLIPS = 9_999  # of signs, unless all combinations are fewer
POWER = 0.8
MEMORY_CELLS = 2_000_000  # of SciPy's draws held at once


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedTest:
    """The second of two runs minus the first over the same questions."""

    questions: int
    clusters: int
    difference: Interval
    standard_error: Number
    """Of the difference, over clusters; nan where it cannot be known."""
    p_value: float
    """Two-sided, of "neither is better", by flipping the sign of whole clusters."""

    def questions_needed(self, effect: float, *, power: float = POWER) -> float:
        """How many questions, of documents like these, would show a difference of ``effect`` with that ``power``.

        n = N * ((z_(1-a/2) + z_power) * SE / effect)^2, the normal approximation; nan where the standard error is unknown, and
        0 where no question differs.

        Raises:
            ValueError: for an effect of nothing, or a power out of range.
        """
        from scipy.stats import norm

        if effect == 0 or not 0 < power < 1:
            raise ValueError(
                f"an effect other than 0 and a power between 0 and 1 are needed, got {effect} and {power}"
            )
        z = float(norm.ppf((1 + LEVEL) / 2) + norm.ppf(power))
        return self.questions * (z * self.standard_error / effect) ** 2


def clustered_mean(
    values: Sequence[float], clusters: Sequence[Hashable], *, seed: int = 0, resamples: int = RESAMPLES
) -> Interval:
    """The mean with its percentile bootstrap interval over whole clusters; unknown bounds with a single one.

    Raises:
        ValueError: if the lengths differ.
    """
    return _bootstrapped(*_totals(values, clusters), seed=seed, resamples=resamples)[0]


def paired_test(
    first: Sequence[float], second: Sequence[float], clusters: Sequence[Hashable], *, seed: int = 0
) -> PairedTest:
    """``second - first`` over the same questions in the same order.

    Raises:
        ValueError: if the lengths differ.
    """
    from scipy.stats import permutation_test

    if len(first) != len(second):
        raise ValueError(f"pairs need equal lengths, got {len(first)} and {len(second)}")
    differences = [b - a for a, b in zip(first, second, strict=True)]
    sums, counts = _totals(differences, clusters)
    interval, error = _bootstrapped(sums, counts, seed=seed, resamples=RESAMPLES)
    p_value = 1.0  # of a single cluster too: both of its signs are as far from nothing
    if len(sums) > 1 and np.any(sums):

        def total(flipped: np.ndarray, axis: int = -1) -> np.ndarray:
            return flipped.sum(axis=axis)

        tested: Any = permutation_test(
            (sums,),
            total,
            permutation_type="samples",
            n_resamples=FLIPS,
            vectorized=True,
            batch=max(1, MEMORY_CELLS // len(sums)),
            rng=np.random.default_rng(seed),
        )
        p_value = float(tested.pvalue)
    return PairedTest(
        questions=len(differences),
        clusters=len(sums),
        difference=interval,
        standard_error=error,
        p_value=p_value,
    )


def _totals(values: Sequence[float], clusters: Sequence[Hashable]) -> tuple[np.ndarray, np.ndarray]:
    """Sum and number of the values of each cluster, in the order in which clusters first appear."""
    if len(values) != len(clusters):
        raise ValueError(f"every value is of a cluster, got {len(values)} and {len(clusters)}")
    places: dict[Hashable, int] = {}
    of_cluster = [places.setdefault(cluster, len(places)) for cluster in clusters]
    sums, counts = np.zeros(len(places)), np.zeros(len(places))
    np.add.at(sums, of_cluster, np.asarray(values, dtype=np.float64))
    np.add.at(counts, of_cluster, 1.0)
    return sums, counts


def _bootstrapped(
    sums: np.ndarray, counts: np.ndarray, *, seed: int, resamples: int
) -> tuple[Interval, float]:
    """The mean over all values with its interval, and its standard error over clusters."""
    from scipy.stats import bootstrap

    if not len(sums):
        return UNKNOWN, math.nan
    estimate = float(sums.sum() / counts.sum())
    if len(sums) == 1:
        return Interval(estimate, math.nan, math.nan), math.nan
    if np.ptp(sums / counts) == 0:
        return Interval(estimate, estimate, estimate), 0.0

    def mean(sums_: np.ndarray, counts_: np.ndarray, axis: int = -1) -> np.ndarray:
        return sums_.sum(axis=axis) / counts_.sum(axis=axis)

    drawn: Any = bootstrap(
        (sums, counts),
        mean,
        paired=True,
        vectorized=True,
        n_resamples=resamples,
        batch=max(1, MEMORY_CELLS // len(sums)),
        confidence_level=LEVEL,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    low, high = (float(bound) for bound in drawn.confidence_interval)
    return Interval(estimate, low, high), float(drawn.standard_error)
