"""Accuracy gained per unit step, with its error, from sums of gradients by fold.

A step is taken along the objective's gradient over the questions of one fold, an update of that size; its gain is measured by
the gradient of expected accuracy over each other fold. No question is in both, so the mean over all pairs of folds is an unbiased
estimate of the gain of such an update to first order. Its error is the jackknife's over folds, which counts the noise of the step
and that of the measurement, though neither is independent from pair to pair.

Shape legend: F = folds, P = weights of the policy.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.evaluation.statistics import Number

LEVEL = 0.95
ADAM_EPSILON = 1e-8

Pairs = NDArray[np.float64]
"""[F, F]: row = where it is measured, column = where the step comes from; the diagonal is never read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """Accuracy (a share) gained per unit length of step; nan where nothing is known."""

    value: Number
    error: Number
    low: Number
    high: Number

    @property
    def wins(self) -> bool:
        """Whether the interval lies above 0."""
        return self.low > 0


UNKNOWN = Gain(value=math.nan, error=math.nan, low=math.nan, high=math.nan)


def direction(gradient_P: Tensor) -> Tensor:
    """The gradient at length 1; zeros stay zeros."""
    length = gradient_P.norm()
    return gradient_P / length if length > 0 else gradient_P


def adam_direction(gradient_P: Tensor) -> Tensor:
    """Adam's first step at length 1: ``g / (|g| + epsilon)`` elementwise, since both moments are those of one gradient."""
    return direction(gradient_P / (gradient_P.abs() + ADAM_EPSILON))


def pairs(measured: Sequence[Tensor], steps: Sequence[Tensor]) -> Pairs:
    """Inner products of every fold's measurement with every fold's step."""
    products = [[float(torch.dot(there, step)) for step in steps] for there in measured]
    return np.asarray(products)


def gain(sums: Pairs, counts: Sequence[float]) -> Gain:
    """The gain of a mean over questions, from ``sums`` over the questions of each fold and their ``counts``.

    The estimate is the sum over pairs of different folds divided by the questions that it was measured on; unknown with fewer
    than three folds that hold questions.
    """
    from scipy.stats import t  # a second, and only audits need it

    counts_F = np.asarray(counts, dtype=float)
    if (counts_F > 0).sum() < 3:
        return UNKNOWN
    kept = np.ones(len(counts_F), dtype=bool)
    value = _mean(sums, counts_F, kept)
    folds = len(counts_F)
    left_out = []
    for fold in range(folds):
        kept[fold] = False
        left_out.append(_mean(sums, counts_F, kept))
        kept[fold] = True
    values = np.asarray(left_out)
    error = math.sqrt((folds - 1) / folds * float(((values - values.mean()) ** 2).sum()))
    half = float(t.ppf((1 + LEVEL) / 2, folds - 1)) * error
    return Gain(value=value, error=error, low=value - half, high=value + half)


def _mean(sums: Pairs, counts_F: NDArray[np.float64], kept: NDArray[np.bool_]) -> float:
    chosen = sums[np.ix_(kept, kept)]
    num = int(kept.sum())
    total = float(chosen.sum() - np.trace(chosen))
    return total / float(counts_F[kept].sum() * (num - 1))
