"""What an answer says, by each benchmark's rules: its words, number, list or letter, or that there is no answer.

Holds the reading of one string only; comparisons live in ``metrics.py``, the choice of rule in ``rules.py``.
"""

import ast
import re
import string
import unicodedata
from collections.abc import Sequence

NOT_ANSWERABLE = "Not answerable"

ARTICLES = frozenset(("a", "an", "the"))
NUMBER_WORDS = {
    word: str(value)
    for value, word in enumerate(
        (
            *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
            *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
            *("nineteen", "twenty"),
        )
    )
}
UNITS = {"bn": "billion", "mn": "million", "mm": "million", "m": "million", "k": "thousand", "pct": "percent"}
_ARTICLE = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|(?<![\w.])[-+]?\.\d+")
_MEASURES = re.compile(r"\s*(?:miles?|million)$")
_PARENTHESES = re.compile(r"\s*\([^)]*\)")
_LIST_BORDER = re.compile(r"\s*(?:[,;\n]|\band\b)\s*", re.IGNORECASE)
# Whole-answer wordings only: "the answer is not known to the police" is an answer.
_ABSTENTIONS = frozenset(
    {
        "not answerable",
        "unanswerable",
        "no answer",
        "cannot be answered",
        "it cannot be answered",
        "the question cannot be answered",
        "this question cannot be answered",
        "the question is not answerable",
        "this question is not answerable",
        "the question is unanswerable",
        "this question is unanswerable",
        "insufficient information",
    }
)
_WHOLE = re.compile(r"\W*([a-z])\W*", re.IGNORECASE)
# At the start a letter needs a mark behind it or around it, for "A man ..." starts with an article.
_LEADING = re.compile(r"\s*(?:\(([A-Z])\)|\[([A-Z])\]|([A-Z])[.):](?=\s|$))")
_STATED = re.compile(r"(?:answer|option|choice)(?:\s+is)?\s*:?\s*\(?([A-Z])\b", re.IGNORECASE)


def words(text: str) -> list[str]:
    """SQuAD's words: NFC, lower case, punctuation deleted, articles dropped."""
    plain = unicodedata.normalize("NFC", text).lower().translate(_PUNCTUATION)
    return _ARTICLE.sub(" ", plain).split()


def slide_words(text: str) -> list[str]:
    """SlideVQA's words: as ``words``, with numbers in digits, units in full, & as and, % as percent."""
    plain = unicodedata.normalize("NFC", text).lower().replace("&", " and ").replace("%", " percent ")
    plain = re.sub(r"(?<=\d),(?=\d{3})", "", plain)
    plain = re.sub(r"(?<=\d)(?=[a-z])", " ", plain)  # 12bn -> 12 bn
    kept = re.sub(r"[^\w\s.]|\.(?!\d)|_", " ", plain).split()
    return [UNITS.get(word, NUMBER_WORDS.get(word, word)) for word in kept if word not in ARTICLES]


def clean(text: str) -> str:
    """MMLongBench's cleaning of short answers: no unit, parentheses, outer quotes, $ and %; lower case."""
    plain = unicodedata.normalize("NFC", text).lower().strip()
    plain = _MEASURES.sub("", plain)
    plain = _PARENTHESES.sub("", plain).strip()
    return plain.strip("'\"").strip().lstrip("$").rstrip("%").strip().rstrip(".").strip()


def number(text: str) -> float | None:
    """The number that ``text`` is, or the only one in it; None where there is none or several differ."""
    numbers = {float(match.replace(",", "")) for match in _NUMBER.findall(text)}
    numbers |= {
        float(NUMBER_WORDS[word]) for word in re.findall(r"[a-z]+", text.lower()) if word in NUMBER_WORDS
    }
    return numbers.pop() if len(numbers) == 1 else None


def listed(text: str) -> list[str]:
    """The elements of a list answer: a stringified list, or what commas, semicolons, lines and "and" part."""
    try:
        value = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        value = None
    if isinstance(value, list | tuple | set):
        return [str(element) for element in value]
    return [part for part in _LIST_BORDER.split(text.strip()) if part]


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


def abstains(answer: str) -> bool:
    """Whether ``answer`` says, as a whole, that there is no answer. Saying nothing is not saying that."""
    expanded = answer.lower().replace("can't", "cannot").replace("can not", "cannot")
    return " ".join(re.findall(r"[a-z0-9]+", expanded)) in _ABSTENTIONS
