"""The normalisation of SlideVQA's published script, for figures that are to be compared with published ones.

It drops the unit that the question names ("how many users", "which year"), common fillers and the decimal point,
so that 12.5 and 125 are one; rewards use ``normalise.slide_words``, which keeps them apart.
"""

from __future__ import annotations

import re
import string

from assets.grading.evidence import EvidenceOverlap, answer_overlap
from assets.grading.normalise import NUMBER_WORDS

REPLACED = {
    "this is ": "",
    "it is ": "",
    "&": ",",
    "and": ",",
    "percent": "",
    "organisation": "organization",
    "because of": "",
    "because": "",
    "due to": "",
    "hours": "hrs",
    "minites": "min",  # as the script spells it
}
UNIT_CUES = ("how many", "which")
LARGEST_WORD = "19"  # number words end at nineteen
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLE = re.compile(r"\b(a|an|the)\b")


def published_words(text: str, question: str) -> list[str]:
    """The words that the script compares; ``question`` tells the unit to be dropped."""
    plain = text.lower()
    for filler, instead in REPLACED.items():
        plain = plain.replace(filler, instead)
    for unit in _units(question):
        plain = plain.replace(unit, "")
    found = _ARTICLE.sub(" ", plain.translate(_PUNCTUATION))
    if found.startswith(("yes", "no")):
        found = found.split()[0]
    return [_digits(word) for word in found.split()]


def published_overlap(answer: str, reference: str, question: str) -> EvidenceOverlap:
    """Exact match, precision and recall of one answer; without a shared word all three are nothing."""
    overlap = answer_overlap(published_words(answer, question), published_words(reference, question))
    return (
        overlap if overlap.recall and published_words(answer, question) else EvidenceOverlap(False, 0.0, 0.0)
    )


def _units(question: str) -> list[str]:
    """The word behind each cue that the question holds."""
    behind = [question.partition(cue)[2].split() for cue in UNIT_CUES if cue in question]
    return [words[0] for words in behind if words]


def _digits(word: str) -> str:
    number = NUMBER_WORDS.get(word, word)
    return number if number == word or int(number) <= int(LARGEST_WORD) else word
