"""How far two judges agree over the same answers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from model.evaluation.statistics import Number


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
