"""Tokens that all objectives weigh alike, up to a factor, share one backward pass.

Pure linear algebra over the weights of one segment. Shape legend: K = objectives (and other rows of weights), T = tokens of the
segment, U = units. ``weights_KT == counts_KU @ directions_UT`` up to rounding, so that the gradient of every objective is the sum
over units of its count times the unit's gradient.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
DIGITS = 9  # of proportions that are taken as equal


class Units(NamedTuple):
    """``directions_UT``: what is differentiated; ``counts_KU``: how often each row counts it."""

    directions_UT: Matrix
    counts_KU: Matrix


def units(weights_KT: Matrix) -> Units:
    """The fewest of two ways: tokens with proportional columns together, or a unit for each different row."""
    weighed = np.abs(weights_KT).max(axis=0, initial=0.0)
    places = np.flatnonzero(weighed)
    if not len(places):
        return Units(np.zeros((0, weights_KT.shape[1])), np.zeros((len(weights_KT), 0)))
    columns = weights_KT[:, places]
    largest = np.abs(columns).argmax(axis=0)
    scale = columns[largest, np.arange(len(places))]
    patterns, of_token = np.unique(np.round(columns / scale, DIGITS), axis=1, return_inverse=True)
    rows = np.flatnonzero(np.abs(weights_KT).max(axis=1))
    if patterns.shape[1] > len(rows):
        counts = np.zeros((len(weights_KT), len(rows)))
        counts[rows, np.arange(len(rows))] = 1.0
        return Units(weights_KT[rows], counts)
    directions = np.zeros((patterns.shape[1], weights_KT.shape[1]))
    directions[of_token.reshape(-1), places] = scale
    # the scale of a unit is folded into its counts, so that directions are about 1 and sums are exact
    size = np.abs(directions).max(axis=1)
    return Units(directions / size[:, None], patterns * size)
