"""How well found evidence covers the gold, and the joint measure of answer and evidence.

HotpotQA compares (title, sentence) pairs, SlideVQA pages, WebQA sources; each is a set of anything hashable. The
joint measure multiplies precisions and recalls of answer and evidence (HotpotQA and SlideVQA alike).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

from assets.grading.metrics import harmonic_mean


class EvidenceOverlap(NamedTuple):
    """Of one question; shares between 0 and 1. ``exact`` if nothing is missing and nothing too much."""

    exact: bool
    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return harmonic_mean(self.precision, self.recall)


def evidence_overlap(found: Iterable[Hashable], gold: Iterable[Hashable]) -> EvidenceOverlap:
    """Found evidence against the gold, both as sets: order and repetition carry no meaning."""
    ours, theirs = set(found), set(gold)
    if not ours or not theirs:
        return EvidenceOverlap(ours == theirs, float(ours == theirs), float(ours == theirs))
    shared = len(ours & theirs)
    return EvidenceOverlap(ours == theirs, shared / len(ours), shared / len(theirs))


def answer_overlap(answer: Sequence[str], reference: Sequence[str]) -> EvidenceOverlap:
    """Normalised words of an answer against those of a reference, as bags."""
    exact = list(answer) == list(reference)
    if not answer or not reference:
        return EvidenceOverlap(exact, float(exact), float(exact))
    shared = sum((Counter(answer) & Counter(reference)).values())
    return EvidenceOverlap(exact, shared / len(answer), shared / len(reference))


def joint(answer: EvidenceOverlap, evidence: EvidenceOverlap) -> EvidenceOverlap:
    """Right answer for the right reasons: the products of both precisions and of both recalls."""
    return EvidenceOverlap(
        answer.exact and evidence.exact,
        answer.precision * evidence.precision,
        answer.recall * evidence.recall,
    )
