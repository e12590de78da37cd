"""Uncertainty of the numbers we report: intervals of rates, means and paired differences, agreement of judges.

Pure functions of numbers, seeded. A mean never travels without its interval; nan marks what cannot be known, and is null in
JSON. Bootstraps are our own: SciPy's has no stratified mean of group means and refuses samples of one value.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import BeforeValidator, WithJsonSchema

LEVEL = 0.95
RESAMPLES = 10_000
RESAMPLE_CELLS = 4_000_000  # draws held in memory at once


def _nan_of_null(value: object) -> object:
    return math.nan if value is None else value


Number = Annotated[
    float,
    BeforeValidator(_nan_of_null),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "null"}]}),
]
"""A number of a document; nan is null in JSON."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A point estimate and the bounds of its confidence interval; nan where nothing is known."""

    estimate: Number
    low: Number
    high: Number


UNKNOWN = Interval(math.nan, math.nan, math.nan)


def wilson(successes: int, trials: int) -> Interval:
    """Wilson's score interval of a success rate; good for few trials and for rates near 0 and 1.

    centre = (p + z^2/2n) / (1 + z^2/n), half width = z / (1 + z^2/n) * sqrt(p(1-p)/n + z^2/4n^2). Unknown for
    no trials.

    Raises:
        ValueError: unless 0 <= successes <= trials.
    """
    from scipy.stats import binomtest  # a second, and only evaluations need it

    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes of {trials} trials")
    if trials == 0:
        return UNKNOWN
    rate = successes / trials
    bounds = binomtest(successes, trials).proportion_ci(LEVEL, method="wilson")
    # at the ends the bound is exact in theory; rounding must not put the estimate outside
    return Interval(rate, min(rate, float(bounds.low)), max(rate, float(bounds.high)))


def bootstrap_mean(values: Sequence[float], *, seed: int = 0, resamples: int = RESAMPLES) -> Interval:
    """Percentile bootstrap of a mean. Unknown for no values."""
    return bootstrap_macro_mean([values], seed=seed, resamples=resamples)


def bootstrap_macro_mean(
    groups: Sequence[Sequence[float]], *, seed: int = 0, resamples: int = RESAMPLES
) -> Interval:
    """Percentile bootstrap of the unweighted mean of group means; values are redrawn within their group.

    Unknown if there is no group or one of them is empty.
    """
    if resamples < 1:
        raise ValueError(f"a bootstrap needs resamples, got {resamples}")
    if not groups or any(len(group) == 0 for group in groups):
        return UNKNOWN
    random = np.random.default_rng(seed)
    arrays = [np.asarray(group, dtype=np.float64) for group in groups]
    means = sum(_resampled_means(array, resamples, random) for array in arrays) / len(arrays)
    return _percentiles(float(np.mean([array.mean() for array in arrays])), means)


def paired_difference(
    first: Sequence[float], second: Sequence[float], *, seed: int = 0, resamples: int = RESAMPLES
) -> Interval:
    """Mean of ``second - first`` over the same questions, in the same order, with its bootstrap interval.

    Raises:
        ValueError: if the lengths differ.
    """
    if len(first) != len(second):
        raise ValueError(f"pairs need equal lengths, got {len(first)} and {len(second)}")
    differences = [b - a for a, b in zip(first, second, strict=True)]
    return bootstrap_mean(differences, seed=seed, resamples=resamples)


def crossed_mean(table: Sequence[Sequence[float]], *, seed: int = 0, resamples: int = RESAMPLES) -> Interval:
    """Mean of a table of runs by questions, with an interval that holds for other runs and for other questions.

    Rows and columns are redrawn independently and the cells where they cross averaged (the pigeonhole bootstrap, Owen 2007,
    Ann. Appl. Stat. 1(2)). Redrawing n of n values understates their variance by (n - 1) / n, which matters for a handful of
    runs: deviations from equal weights are scaled up by the root of its inverse. What is left is that a normal takes the place
    of Student's distribution: where runs are all that varies, five of them give about 88 % coverage for 95 %. With one row
    only questions vary. Unknown for an empty table.

    Raises:
        ValueError: if the rows differ in length.
    """
    if not table or not table[0]:
        return UNKNOWN
    if len({len(row) for row in table}) > 1:
        raise ValueError(f"rows of a table need equal lengths, got {[len(row) for row in table]}")
    cells = np.asarray(table, dtype=np.float64)
    random = np.random.default_rng(seed)
    runs, questions = cells.shape
    rows = 1 / runs + (_redrawn(runs, resamples, random) - 1 / runs) * math.sqrt(runs / max(1, runs - 1))
    columns = _redrawn(questions, resamples, random)
    means = ((rows @ cells) * columns).sum(axis=1)
    return _percentiles(float(cells.mean()), means)


def mean_of_runs(values: Sequence[float]) -> Interval:
    """Mean over independent runs, with the interval of Student's t: it holds for other runs, however few there are.

    Unknown for less than two runs.
    """
    from scipy.stats import t  # a second, and only studies need it

    if len(values) < 2:
        return Interval(float(np.mean(values)) if values else math.nan, math.nan, math.nan)
    mean, error = float(np.mean(values)), float(np.std(values, ddof=1)) / math.sqrt(len(values))
    half = float(t.ppf(0.975, len(values) - 1)) * error
    return Interval(mean, mean - half, mean + half)


def sign_test(first: Sequence[float], second: Sequence[float]) -> float:
    """Exact two-sided p value of "neither is better", from the pairs that differ (McNemar's exact test).

    Raises:
        ValueError: if the lengths differ.
    """
    from scipy.stats import binomtest  # a second, and only evaluations need it

    pairs = list(zip(first, second, strict=True))
    gains = sum(b > a for a, b in pairs)
    discordant = gains + sum(b < a for a, b in pairs)
    return float(binomtest(gains, discordant).pvalue) if discordant else 1.0


@dataclass(frozen=True, slots=True)
class Agreement:
    """``accuracy`` is the share of equal verdicts; kappa is what of it goes beyond chance."""

    n: int  # answers that both judges decided
    accuracy: Number  # nan without any
    cohen_kappa: Number  # nan where chance alone gives full agreement


def agreement(verdicts_a: Sequence[bool | None], verdicts_b: Sequence[bool | None]) -> Agreement:
    """Agreement over the places where neither judge abstained.

    Cohen's kappa is (p_o - p_e) / (1 - p_e), with p_o the observed agreement and p_e the one of two judges who say "right" as
    often as these do, independently of each other (Cohen 1960).

    Raises:
        ValueError: if the sequences differ in length.
    """
    pairs = [(a, b) for a, b in zip(verdicts_a, verdicts_b, strict=True) if a is not None and b is not None]
    if not pairs:
        return Agreement(0, math.nan, math.nan)
    number = len(pairs)
    equal = sum(a == b for a, b in pairs)
    right_a, right_b = sum(a for a, _ in pairs), sum(b for _, b in pairs)
    # times number ** 2, so that "nothing beyond chance is possible" is an exact comparison
    by_chance = right_a * right_b + (number - right_a) * (number - right_b)
    beyond = number * number - by_chance
    kappa = (equal * number - by_chance) / beyond if beyond else math.nan
    return Agreement(number, equal / number, kappa)


def _percentiles(estimate: float, means: np.ndarray | float) -> Interval:
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(estimate, float(low), float(high))


def _redrawn(size: int, resamples: int, random: np.random.Generator) -> np.ndarray:
    """Weights [resamples, size] of values redrawn with replacement."""
    return random.multinomial(size, [1 / size] * size, resamples) / size


def _resampled_means(values: np.ndarray, resamples: int, random: np.random.Generator) -> np.ndarray:
    step = max(1, RESAMPLE_CELLS // len(values))
    blocks = [min(step, resamples - start) for start in range(0, resamples, step)]
    return np.concatenate(
        [values[random.integers(len(values), size=(rows, len(values)))].mean(axis=1) for rows in blocks]
    )


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """P-values adjusted for their number by Holm's step-down rule, in their order (Scand. J. Statist. 6, 1979, 65-70).

    The k-th smallest of n is multiplied by n - k (k from 0); none falls below one before it, or above 1.
    """
    ordered = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted, least = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(ordered):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = least
    return tuple(adjusted)
