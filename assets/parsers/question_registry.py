"""The questions met so far: each enters once, and every edition is counted.

An edition is what is published with a count of its own (a split, or a version of it). The counts are of what
the files hold, whether or not it could be used; what a complete copy counts is known by ``assets.corpus.dataset``.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator

from assets.corpus.question import Question
from assets.parsers.identity import normalised
from assets.parsers.types import EditionCounts, SkippedRecord


class QuestionRegistry:
    """Question ids with what they ask; holds hashes, no texts."""

    def __init__(self) -> None:
        self._asked: dict[str, bytes] = {}
        self._met: dict[str, set[str]] = {}
        self._unusable: Counter[str] = Counter()

    def enter(self, question: Question, where: str, edition: str) -> Iterator[Question | SkippedRecord]:
        """The question, if its id is new; else why it does not count."""
        words = normalised(question.text).encode("utf-8", "surrogatepass")
        asked = hashlib.blake2b(words, digest_size=8).digest()
        known = self._asked.setdefault(question.id, asked)
        met = self._met.setdefault(edition, set())
        if known is asked:
            met.add(question.id)
            yield question
        elif known == asked:
            met.add(question.id)
            yield SkippedRecord(reason="question_duplicate", where=where, detail=question.id)
        else:
            self._unusable[edition] += 1
            yield SkippedRecord(reason="question_id_conflict", where=where, detail=question.id)

    def unusable(self, edition: str) -> None:
        """Count a record of ``edition`` that is no question."""
        self._unusable[edition] += 1

    def rename(self, edition: str, new: str) -> None:
        """Count what was met of ``edition`` as ``new``, for what an edition is may show in its records only."""
        self._met.setdefault(new, set()).update(self._met.pop(edition, ()))
        self._unusable[new] += self._unusable.pop(edition, 0)

    def tallies(self) -> Iterator[EditionCounts]:
        """How many records each edition has, equal ones once."""
        for edition in sorted(self._met.keys() | {name for name, count in self._unusable.items() if count}):
            num = len(self._met.get(edition, ())) + self._unusable[edition]
            if num:
                yield EditionCounts(edition=edition, questions=num)
