"""Which scripts a set of characters can write. Pure."""

import unicodedata
from collections import Counter
from collections.abc import Iterable

LEAST_LETTERS = (
    20  # of a script that can be written; Han has thousands, and stray signs of others are in every set
)
_NAMES = {"CJK": "Han", "HIRAGANA": "kana", "KATAKANA": "kana"}
_NO_SCRIPTS = frozenset(("HALFWIDTH", "FULLWIDTH", "MATHEMATICAL", "MODIFIER", "SUPERSCRIPT", "IDEOGRAPHIC"))


def scripts_of(characters: Iterable[str]) -> dict[str, int]:
    """Letters of each script ("Latin", "Han", "kana") that has ``LEAST_LETTERS``, most of them first."""
    letters = (char[0] for char in set(characters) if char and unicodedata.category(char[0]).startswith("L"))
    words = Counter(unicodedata.name(letter, "").partition(" ")[0] for letter in letters)
    counted = Counter[str]()
    for word, count in words.items():
        if word and word not in _NO_SCRIPTS:
            counted[_NAMES.get(word, word.capitalize())] += count
    return {script: count for script, count in counted.most_common() if count >= LEAST_LETTERS}
