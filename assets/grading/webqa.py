"""WebQA's keyword accuracy, with keywords derived from the reference.

References are whole sentences and the annotators' keywords are published for no split, so the keywords are
the content words of the reference that the question does not hold. Colours, shapes, numbers and yes/no are
closed sets, compared by F1 so that naming several does not pay; other words by recall. The fluency factor
(BARTScore) needs a model and is left out.
"""

from typing import NamedTuple

from assets.grading.metrics import stemmed, token_f1
from assets.grading.normalise import NUMBER_WORDS, words

COLOURS = frozenset(
    (
        *("red", "orange", "yellow", "green", "blue", "purple", "violet", "white", "black", "brown", "pink"),
        *("gray", "grey", "silver", "gold", "golden", "beige", "tan", "teal", "cyan"),
    )
)
SHAPES = frozenset(
    (
        *("circle", "circular", "round", "square", "rectangle", "rectangular", "triangle", "triangular"),
        *("oval", "cross", "ring", "bars", "star", "cylinder", "dome", "cone"),
    )
)
SIGNS = frozenset(("yes", "no"))
STOP_WORDS = frozenset(
    (
        *("is", "are", "was", "were", "be", "been", "has", "have", "had", "do", "does", "did", "not"),
        *("it", "its", "he", "she", "his", "her", "they", "them", "their", "there", "this", "that", "these"),
        *(
            "those",
            "of",
            "in",
            "on",
            "at",
            "to",
            "by",
            "for",
            "from",
            "with",
            "and",
            "or",
            "as",
            "both",
            "than",
        ),
        *("then", "which", "what", "who", "where", "when", "how", "many", "much", "more", "most", "same"),
    )
)


class KeywordMatch(NamedTuple):
    """Which keywords were wanted, and which of them the answer has."""

    value: float
    complete: bool
    matched: list[str]
    wanted: list[str]


def compare(answer: str, reference: str, question: str = "") -> KeywordMatch:
    """Keyword accuracy of ``answer``; ``complete`` if nothing is missing and the answer does not run on."""
    answered = [NUMBER_WORDS.get(word, word) for word in words(answer)]
    full = [NUMBER_WORDS.get(word, word) for word in words(reference)]
    content = [word for word in full if word not in STOP_WORDS or word in SIGNS] or full
    asked = {*words(question), *stemmed(question)}
    wanted = list(
        dict.fromkeys(word for word in content if asked.isdisjoint({word, *stemmed(word)}))
    ) or list(dict.fromkeys(content))
    if sign := next((word for word in wanted if word in SIGNS), None):
        wanted = [sign]
    said = {*answered, *stemmed(" ".join(answered))}  # the benchmark's script compares lemmas
    matched = [word for word in wanted if not said.isdisjoint({word, *stemmed(word)})]
    closed = [word for word in wanted if _closed(word)]
    if closed:
        value = token_f1(
            list(dict.fromkeys(word for word in answered if _closed(word) and _kin(word, closed))), closed
        )
    else:
        value = len(matched) / len(wanted) if wanted else 0.0
    brief = len(answered) <= 2 * len(full) + 2
    return KeywordMatch(value, value == 1.0 and brief, matched, wanted)


def _closed(word: str) -> bool:
    return word in COLOURS or word in SHAPES or word in SIGNS or word.isdigit()


def _kin(word: str, closed: list[str]) -> bool:
    """Whether ``word`` is of a wanted word's set: a number beside a wanted colour says nothing wrong."""
    sets = (COLOURS, SHAPES, SIGNS)
    return any(
        (word.isdigit() and other.isdigit()) or any(word in members and other in members for members in sets)
        for other in closed
    )
