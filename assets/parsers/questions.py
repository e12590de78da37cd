"""The questions of a raw folder: each enters once, with the evidence that is at hand, and every edition is counted.

An edition is what is published with a count of its own (a split, or a version of it). The counts are of what
the files hold, whether or not it could be used; what a complete copy counts is known by ``assets.corpus.dataset``.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace

from assets.corpus.question import EvidenceStatus, Question
from assets.parsers.files.fields import MalformedRecordError
from assets.parsers.identity import normalised
from assets.parsers.types import EditionCounts, SkippedRecord

NAMED_MISSING = 8  # ids written into a note; a how-to question can miss dozens of videos


class QuestionRegistry:
    """Question ids with what they ask, and what they lack; holds hashes, no texts."""

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}
        self._by_edition: dict[str, set[str]] = {}
        self._unusable: Counter[str] = Counter()
        self._missing: set[str] = set()

    def enter(self, question: Question, where: str, edition: str) -> Iterator[Question | SkippedRecord]:
        """The question, if its id is new; else why it does not count."""
        words = normalised(question.text).encode("utf-8", "surrogatepass")
        content = hashlib.blake2b(words, digest_size=8).digest()
        known = self._contents.setdefault(question.id, content)
        ids = self._by_edition.setdefault(edition, set())
        if known is content:
            ids.add(question.id)
            yield question
        elif known == content:
            ids.add(question.id)
            yield SkippedRecord(reason="question_duplicate", where=where, detail=question.id)
        else:
            self._unusable[edition] += 1
            yield SkippedRecord(reason="question_id_conflict", where=where, detail=question.id)

    def unusable(self, edition: str, num: int = 1) -> None:
        """Count records of ``edition`` that are no questions."""
        self._unusable[edition] += num

    def malformed(self, error: MalformedRecordError, where: str, edition: str) -> SkippedRecord:
        """Count a record of ``edition`` that cannot be read; the skip says why."""
        self.unusable(edition)
        return SkippedRecord(reason="record_malformed", where=where, detail=str(error))

    def missing(self, reason: str, where: str, asked_in: str) -> Iterator[SkippedRecord]:
        """A skip for evidence that is not in the folder, the first time that a question needs it."""
        if where not in self._missing:
            self._missing.add(where)
            yield SkippedRecord(reason=reason, where=where, detail=f"asked about in {asked_in}")

    def rename(self, edition: str, new: str) -> None:
        """Count what was entered under ``edition`` as ``new``, for what an edition is may show in its records only."""
        self._by_edition.setdefault(new, set()).update(self._by_edition.pop(edition, ()))
        self._unusable[new] += self._unusable.pop(edition, 0)

    def counts(self) -> Iterator[EditionCounts]:
        """How many records each edition has, equal ones once."""
        for edition in sorted(self._by_edition.keys() | self._unusable.keys()):
            num = len(self._by_edition.get(edition, ())) + self._unusable[edition]
            if num:
                yield EditionCounts(edition=edition, questions=num)


def with_evidence(question: Question, *, gold: Collection[str], missing: Collection[str]) -> Question:
    """``question`` with the item ids ``gold`` and a note on the native ids ``missing``, as images and videos have it.

    PRESENT with any gold at all, MEDIA_MISSING where all of it is missing, NONE where the dataset names none.
    """
    absent = sorted(set(missing))
    named = ",".join(absent[:NAMED_MISSING]) + (",..." if len(absent) > NAMED_MISSING else "")
    without = EvidenceStatus.MEDIA_MISSING if absent else EvidenceStatus.NONE
    notes = (*question.notes, f"gold_missing:{len(absent)}:{named}") if absent else question.notes
    status = EvidenceStatus.PRESENT if gold else without
    return replace(question, gold=tuple(sorted(set(gold))), evidence=status, notes=notes)
