"""What each benchmark counts as the same words.

Holds string normalisation only; comparisons live in ``metrics.py``, the choice of rule in ``rules.py``.
"""

import ast
import re
import string
import unicodedata

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
    found = {float(match.replace(",", "")) for match in _NUMBER.findall(text)}
    found |= {
        float(NUMBER_WORDS[word]) for word in re.findall(r"[a-z]+", text.lower()) if word in NUMBER_WORDS
    }
    return found.pop() if len(found) == 1 else None


def listed(text: str) -> list[str]:
    """The elements of a list answer: a stringified list, or what commas, semicolons, lines and "and" part."""
    try:
        value = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        value = None
    if isinstance(value, list | tuple | set):
        return [str(element) for element in value]
    return [part for part in _LIST_BORDER.split(text.strip()) if part]
