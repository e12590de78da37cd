"""The objective of GGPO and its gradient once more, in NumPy and with loops: what the tensors of ``model/rl/loss.py`` must equal.

The gradient is the analytic derivative by each token's log-probability, worked out on paper, not by differentiation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSegment:
    """One segment that takes part in the gradient."""

    new: tuple[float, ...]
    old: tuple[float, ...]
    advantage: float
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Loss, and its derivative by each new log-probability, segment by segment."""

    loss: float
    gradient: list[list[float]]


def _summand(ratio: float, advantage: float, low: float, high: float) -> tuple[float, float]:
    """min(s A, clip(s) A) and its derivative by s."""
    plain = ratio * advantage
    clipped = min(max(ratio, 1 - low), 1 + high) * advantage
    return (plain, advantage) if plain <= clipped else (clipped, 0.0)


def objective(segments: Sequence[KeptSegment], *, ratio: str, low: float, high: float) -> Reference:
    """Minus Eq. 12 for ``ratio`` "sequence", "token" or "gspo_token"."""
    loss, gradient = 0.0, []
    for each in segments:
        differences = np.array(each.new) - np.array(each.old)
        length = len(differences)
        sequence_ratio = float(np.exp(differences.mean()))
        slopes = []
        value = 0.0
        for difference in differences:
            own = float(np.exp(difference)) if ratio == "token" else sequence_ratio
            term, by_ratio = _summand(own, each.advantage, low, high)
            value += term / length
            # d exp(mean of differences) / d one of them = s / length; a token's own ratio counts 1 / length in the mean;
            # and the value s with the token's gradient (gspo_token) comes to s / length as well
            slopes.append(-each.weight * by_ratio * own / length)
        loss -= each.weight * value
        gradient.append(slopes)
    return Reference(loss=loss, gradient=gradient)
