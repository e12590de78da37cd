"""Measures over a whole benchmark that are no plain means of its questions' scores.

Pure functions of scores; what one answer scores is decided by ``rules.py``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from assets.grading.metrics import harmonic_mean


class GradedAnswer(NamedTuple):
    """One answered question of MMLongBench-Doc; ``value`` between 0 and 1."""

    value: float
    is_answerable: bool
    is_answered: bool
    """Whether the answer is anything but "Not answerable"."""


class DocumentTotals(NamedTuple):
    """MMLongBench-Doc's two figures, each between 0 and 1; None without a question to take them from."""

    accuracy: float | None
    f1: float | None


def document_totals(graded: Sequence[GradedAnswer]) -> DocumentTotals:
    """Accuracy: the mean value. F1: what answerable questions earn, over those there are and over those answered.

    Recall divides by the answerable questions, precision by the questions that were answered at all, so that
    answering what has no answer costs precision (arXiv 2407.01523).
    """
    if not graded:
        return DocumentTotals(None, None)
    earned = sum(one.value for one in graded if one.is_answerable)
    answerable = sum(one.is_answerable for one in graded)
    answered = sum(one.is_answered for one in graded)
    accuracy = sum(one.value for one in graded) / len(graded)
    if not answerable or not answered:
        return DocumentTotals(accuracy, 0.0)
    return DocumentTotals(accuracy, harmonic_mean(earned / answered, earned / answerable))


def accuracy_by_ability(answers: Iterable[tuple[bool, Sequence[str]]]) -> dict[str, float]:
    """LVBench's accuracy of each ability: a question (correct, its types) counts once for each of its types."""
    right: dict[str, list[bool]] = defaultdict(list)
    for correct, abilities in answers:
        for ability in dict.fromkeys(abilities):
            right[ability].append(correct)
    return {ability: sum(found) / len(found) for ability, found in sorted(right.items())}
