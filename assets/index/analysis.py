"""English text as search sees it: folded, stemmed terms, pairs of neighbours, and passages short enough to embed.

One analysis serves every store, so that all engines score the very same terms. Scoring is the store's; which parts of
an item are analysed is known by ``search.py``. Changing anything here needs a new ``ANALYSIS_VERSION``.
"""

import re
import unicodedata
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import snowballstemmer

ANALYSIS_VERSION = 1
PASSAGE_WORDS = 96  # about 130 word pieces of prose; tables with many digits still fit a window of 256
PASSAGE_STRIDE = 72  # words; a sentence cut by one passage stands whole in the next
# Words that carry grammar, not content, and those that only make a sentence a question. "us", "may", "will" and "can" are
# left in: they are also a country, a month, a name and a thing.
_STOP_WORDS = """
    a about also an and are as at be been being but by could did do does for from had has have he her his how i if
    in into is it its me my no not of on or our s she should so such t than that the their them then there these
    they this those to was we were what when where which who whom whose why with would you your
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())
_WORD = re.compile(r"[^\W_]+")
_SPACED = re.compile(r"\S+")
_STEMMER = snowballstemmer.stemmer("english")


class AnalysedText(NamedTuple):
    """``terms`` and ``pairs`` of neighbouring terms (``first_second``), each separated by spaces."""

    terms: str
    pairs: str


def analyse(*parts: str) -> AnalysedText:
    """The terms of all parts; pairs never cross from one part to the next.

    Accents are folded, case is dropped, stop words are left out (pairs close over them), the rest is stemmed.
    """
    stems_of_parts = [stems(part) for part in parts]
    pairs = [f"{a}_{b}" for part in stems_of_parts for a, b in pairwise(part)]
    return AnalysedText(" ".join(stem for part in stems_of_parts for stem in part), " ".join(pairs))


def stems(text: str) -> list[str]:
    """Folded and stemmed content words in text order."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    folded = "".join(char for char in decomposed if not unicodedata.combining(char))
    return [_stem(word) for word in _WORD.findall(folded) if word not in STOP_WORDS]


@lru_cache(maxsize=1 << 17)
def _stem(word: str) -> str:
    return _STEMMER.stemWord(word)


def passages(text: str) -> list[str]:
    """``text`` in overlapping windows of ``PASSAGE_WORDS`` words; at least one, which may be empty."""
    spans = [match.span() for match in _SPACED.finditer(text)]
    if len(spans) <= PASSAGE_WORDS:
        return [text.strip()]
    last_start = len(spans) - PASSAGE_WORDS + PASSAGE_STRIDE
    return [
        text[spans[start][0] : spans[min(start + PASSAGE_WORDS, len(spans)) - 1][1]]
        for start in range(0, last_start, PASSAGE_STRIDE)
    ]
