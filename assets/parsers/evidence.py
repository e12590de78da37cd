"""The evidence status of a question from what was found of its gold and what was not.

Holds the one rule that image and video datasets share; documents and paragraphs have rules of their own.
"""

from collections.abc import Collection
from dataclasses import replace

from assets.corpus.question import EvidenceStatus, Question

NAMED_MISSING = 8  # ids written into a note; a how-to question can miss dozens of videos


def with_evidence(question: Question, *, found: Collection[str], missing: Collection[str]) -> Question:
    """``question`` with the item ids ``found`` as gold and a note on the native ids ``missing``.

    PRESENT with any gold at all, MEDIA_MISSING where all of it is missing, NONE where the dataset names none.
    """
    gold = tuple(sorted(set(found)))
    absent = sorted(set(missing))
    named = ",".join(absent[:NAMED_MISSING]) + (",..." if len(absent) > NAMED_MISSING else "")
    without = EvidenceStatus.MEDIA_MISSING if absent else EvidenceStatus.NONE
    status = EvidenceStatus.PRESENT if gold else without
    notes = (*question.notes, f"gold_missing:{len(absent)}:{named}") if absent else question.notes
    return replace(question, gold=gold, evidence=status, notes=notes)
