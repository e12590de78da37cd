"""Which option an answer to a multiple-choice question names."""

import re
from collections.abc import Sequence

from assets.grading.normalise import words

_WHOLE = re.compile(r"\W*([a-z])\W*", re.IGNORECASE)
# At the start a letter needs a mark behind it or around it, for "A man ..." starts with an article.
_LEADING = re.compile(r"\s*(?:\(([A-Z])\)|\[([A-Z])\]|([A-Z])[.):](?=\s|$))")
_STATED = re.compile(r"(?:answer|option|choice)(?:\s+is)?\s*:?\s*\(?([A-Z])\b", re.IGNORECASE)


def letter_of(answer: str, choices: Sequence[str] = ()) -> str:
    """The capital letter that ``answer`` names, itself or by a choice's text; "" where that is unclear."""
    if match := _WHOLE.fullmatch(answer):
        return _within(match.group(1), choices)
    if match := _LEADING.match(answer):
        return _within(next(group for group in match.groups() if group), choices)
    named = [
        index for index, choice in enumerate(choices) if words(choice) and words(choice) == words(answer)
    ]
    if len(named) == 1:
        return chr(ord("A") + named[0])
    stated = {letter.upper() for letter in _STATED.findall(answer)}
    return _within(stated.pop(), choices) if len(stated) == 1 else ""


def _within(letter: str, choices: Sequence[str]) -> str:
    letter = letter.upper()
    return letter if not choices or ord(letter) - ord("A") < len(choices) else ""
