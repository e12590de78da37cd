"""Text as search sees it: folded terms, English ones stemmed, pairs of neighbours, and passages short enough to embed.

One analysis serves every store, so that all engines score the very same terms. Scripts without spaces between words, and
Korean, are searched by pairs of characters. Scoring is the store's; which parts of an item are analysed is known by
``search.py``.
Changing anything here needs a new ``ANALYSIS_VERSION``.
"""

import re
import unicodedata
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import snowballstemmer

ANALYSIS_VERSION = 3
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
_INDIC_TO_KHMER = range(0x0900, 0x1800)  # scripts whose vowel signs are marks, which a word must keep
_MARKS = "".join(chr(code) for code in _INDIC_TO_KHMER if unicodedata.category(chr(code)).startswith("M"))
_VOICED = "\u3099\u309a"  # marks that make another kana
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    "\u3005\u3040-\u30ff\u31f0-\u31ff"  # kana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Chinese characters
)
_HANGUL = "\uac00-\ud7a3"  # has spaces, but its particles are written on to the words
_BY_PAIRS = _UNSPACED + _HANGUL
# articles, prepositions and "and" that Hebrew and Arabic write in front of a word
_PREFIX = re.compile("[והבכלמש]{1,3}(?=[א-ת]{3})|[وف]?(?:[بك]?ال|لل)(?=[ء-ي]{2})")
_WORD = re.compile(rf"(?:[^\W_]|[{_MARKS}])+")
_RUN = re.compile(rf"[{_BY_PAIRS}]+|[^{_BY_PAIRS}]+")
_IS_BY_PAIRS = re.compile(rf"[{_BY_PAIRS}]")
MAX_WORD = 256  # characters; what is longer is no word, and is cut
_UNIT = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]{{1,{MAX_WORD}}}")
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
    """Folded and stemmed content words in text order; of a run of such characters each two neighbours."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    folded = unicodedata.normalize("NFC", "".join(char for char in decomposed if not _is_accent(char)))
    words = [word for word in _WORD.findall(folded) if word not in STOP_WORDS]
    return [
        term for word in words for term in (_bigrams(word) if _IS_BY_PAIRS.search(word) else (_stem(word),))
    ]


def _is_accent(char: str) -> bool:
    return bool(unicodedata.combining(char)) and ord(char) not in _INDIC_TO_KHMER and char not in _VOICED


def _bigrams(word: str) -> list[str]:
    """The terms of a word that has characters of a script searched by pairs: ``ab bc`` of ``abc``."""
    terms: list[str] = []
    for run in _RUN.findall(word):
        if not _IS_BY_PAIRS.match(run):
            terms.append(_stem(run))
        elif len(run) == 1:
            terms.append(run)
        else:
            terms += [first + second for first, second in pairwise(run)]
    return terms


@lru_cache(maxsize=1 << 17)
def _stem(word: str) -> str:
    if match := _PREFIX.match(word):
        return word[match.end() :]
    return _STEMMER.stemWord(word)


def passages(text: str) -> list[str]:
    """``text`` in overlapping windows of ``PASSAGE_WORDS`` words; at least one, which may be empty.

    A character of a script without spaces counts as a word, and so does every ``MAX_WORD`` characters of a longer one.
    """
    spans = [match.span() for match in _UNIT.finditer(text)]
    if len(spans) <= PASSAGE_WORDS:
        return [text.strip()]
    last_start = len(spans) - PASSAGE_WORDS + PASSAGE_STRIDE
    return [
        text[spans[start][0] : spans[min(start + PASSAGE_WORDS, len(spans)) - 1][1]]
        for start in range(0, last_start, PASSAGE_STRIDE)
    ]
