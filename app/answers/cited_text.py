"""An answer as running text with the numbers of its sources behind the sentences, the same for terminal, chat and tools."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from app.answers.records import AnswerRecord

_OWN_MARK = re.compile(r"\s*\[\d{1,3}\]")  # that a model wrote itself, of numbers nobody else knows


class CitedSentence(NamedTuple):
    """A piece of the answer, its mark (`` [1]``) and doubt (`` (partly)``) behind it, and where the mark stands.

    Offsets are characters (code points) of the whole marked text; a piece without a source has an empty mark.
    """

    text: str
    mark: str
    doubt: str
    citation: int | None
    start: int

    @property
    def whole(self) -> str:
        """The piece as it is read."""
        return self.text + self.mark + self.doubt

    @property
    def mark_start(self) -> int:
        """Where the mark begins, behind its blank."""
        return self.start + len(self.text) + (1 if self.mark else 0)

    @property
    def mark_end(self) -> int:
        """Where the mark ends."""
        return self.start + len(self.text) + len(self.mark)


def cited_sentences(answer: AnswerRecord) -> Iterator[CitedSentence]:
    """The answer piece by piece; put together, ``whole`` by ``whole``, they are the marked text."""
    done = length = 0
    for claim in answer.claims:
        doubt = "" if claim.verdict == "supported" else f" ({claim.verdict})"
        if claim.missing:
            doubt = f" ({claim.verdict}: {', '.join(claim.missing)} not found there)"
        text = _OWN_MARK.sub("", answer.answer[done : claim.end])
        mark = "" if claim.citation is None else f" [{claim.citation}]"
        sentence = CitedSentence(text, mark, doubt, claim.citation, length)
        yield sentence
        done, length = claim.end, length + len(sentence.whole)
    if rest := answer.answer[done:]:
        yield CitedSentence(rest, "", "", None, length)


def marked(answer: AnswerRecord) -> str:
    """The answer with the number of its source behind each sentence, and a word where a sentence is not wholly supported."""
    return "".join(sentence.whole for sentence in cited_sentences(answer))
