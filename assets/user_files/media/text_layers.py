"""Whether the text layer of a page can be believed, and how it goes together with what OCR reads in its picture.

Suspicion is cheap and may be wrong; what decides is whether OCR of the same page reads other words.
"""

import re
import unicodedata

from rapidfuzz import fuzz

SCAN_SHARE = 0.5  # of a page that pictures cover: it is a scan, or a slide on a photograph
FULL_LAYER_SHARE = 0.3  # of a scan's height that words cover: a text layer of its own, not a stamp
FULL_LAYER_CHARACTERS = 600  # letters and digits of such a layer
STRANGE_SHARE = (
    0.1  # of the characters: private use, unassigned, replaced, or of a font that does not say what they are
)
PLAUSIBLE_SHARE = 0.6  # of the letters in words that may be some; below, OCR is asked
PLAUSIBLE_WITHOUT = 0.9  # the same of a text without small words: of shifted letters many look like words
MIN_WORDS = 6  # of two letters or more
MIN_WORD_LETTERS = 20  # in words: less text says nothing about itself
STRANGE_LINE_SHARE = 0.6  # of a line's letters; below, the line is none of words
STRANGE_LINES_SHARE = 0.25  # of a page's letters, that make OCR worth its time
MANY_SIGNS = 0.5  # of the characters: more than formulas and code have
ALIKE = 60  # of 100: texts of one page that are read twice
SAME_LINE = 80  # of 100: a line that the layer has already
_SMALL_WORDS = frozenset(
    (
        *("the", "and", "of", "to", "in", "is", "was", "for", "with", "that", "by", "on", "at", "der", "die"),
        *(
            "das",
            "und",
            "den",
            "von",
            "mit",
            "ist",
            "zu",
            "im",
            "auf",
            "für",
            "ein",
            "eine",
            "le",
            "la",
            "les",
        ),
        *("et", "des", "un", "une", "du", "en", "est", "el", "los", "las", "de", "que", "del", "por", "il"),
        *("di", "che", "per", "un", "una", "da", "do", "em", "um", "uma", "os", "as", "het", "een", "van"),
        *(
            "op",
            "te",
            "och",
            "att",
            "det",
            "som",
            "av",
            "og",
            "er",
            "på",
            "til",
            "ja",
            "on",
            "ei",
            "se",
            "na",
        ),
        *(
            "nie",
            "do",
            "jest",
            "je",
            "se",
            "az",
            "egy",
            "és",
            "ve",
            "bir",
            "bu",
            "și",
            "cu",
            "pe",
            "est",
            "ut",
        ),
    )
)
_STRANGE = frozenset({"Co", "Cn", "Cs", "Cc"})
_CODES = re.compile(r"\(cid:\d+\)|/[gG]\d{1,5}\b")
_URLS = re.compile(r"https?://\S+|\S*@\S+")
_SHIFTED_SIGNS = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~¡¢£¤¥¦§¨©ª«¬®¯°±²³´µ¶·¸¹º»¼½¾¿")
_WORD = re.compile(r"[^\W\d_]+")
_VOWELS = frozenset("aeiouyäöüåæøœáàâãéèêëíìîïóòôõúùûýÿąęıőű")
_CONSONANTS = re.compile(r"[bcdfghjklmnpqrstvwxzß]{6,}")


def is_scan(picture_share: float, word_share: float, text: str) -> bool:
    """Whether pictures cover most of a page and its text layer is no more than a stamp, a header or a footer."""
    if picture_share < SCAN_SHARE:
        return False
    return word_share < FULL_LAYER_SHARE or num_characters(text) < FULL_LAYER_CHARACTERS


def is_broken(text: str, unmapped_share: float) -> bool:
    """Whether a text layer says itself that its characters are unknown."""
    visible = [char for char in text if not char.isspace()]
    if not visible:
        return False
    strange = sum(char == "\ufffd" or unicodedata.category(char) in _STRANGE for char in visible)
    strange += sum(len(code.group()) for code in _CODES.finditer(text))
    return max(strange / len(visible), unmapped_share) > STRANGE_SHARE


def is_suspicious(text: str) -> bool:
    """Whether few of the words in Latin letters, of all lines or of some, could be words of any language."""
    letters, plausible = _plausibility(text)
    if _has_no_small_words(text) and plausible < PLAUSIBLE_WITHOUT * letters:
        return True
    # codes shifted to signs and digits leave no words at all
    signs = sum(char in _SHIFTED_SIGNS for char in text)
    visible = sum(not char.isspace() for char in text)
    if visible > 2 * MIN_WORD_LETTERS and signs > MANY_SIGNS * visible:
        return True
    if letters >= MIN_WORD_LETTERS and plausible < PLAUSIBLE_SHARE * letters:
        return True
    strange = sum(_plausibility(line)[0] for line in text.split("\n") if _is_strange(line))
    return strange >= max(MIN_WORD_LETTERS, STRANGE_LINES_SHARE * letters)


def _has_no_small_words(text: str) -> bool:
    """Whether none of many words is one of those without which no sentence of a European language gets by."""
    words = [
        word.lower() for word in _WORD.findall(_URLS.sub(" ", text)) if len(word) > 1 and _is_latin(word)
    ]
    return len(words) >= MIN_WORDS and _SMALL_WORDS.isdisjoint(words)


def mended(layer: str, read: str) -> str:
    """``layer`` with what OCR reads in place of lines that are no words; unchanged if no other line is left."""
    known = _letters(read)
    lines = layer.split("\n")
    kept = [line for line in lines if not (_is_strange(line) and not _stands_in(_letters(line), known))]
    rest = "\n".join(kept)
    whole = together(rest, read)
    is_partly_good = num_characters(rest) >= MIN_WORD_LETTERS and len(kept) < len(lines)
    return whole if is_partly_good and whole != rest else layer


def disagree(layer: str, read: str) -> bool:
    """Whether OCR reads enough on the page to say that the layer is something else."""
    if num_characters(read) < max(10, 0.2 * num_characters(layer)):
        return False
    return fuzz.token_set_ratio(_folded(layer), _folded(read)) < ALIKE and (
        fuzz.ratio(_letters(layer), _letters(read)) < ALIKE
    )


def together(layer: str, read: str) -> str:
    """The text layer, and below it the lines of OCR that it does not have."""
    known = _letters(layer)
    added = [line for line in read.split("\n") if _letters(line) and not _stands_in(_letters(line), known)]
    return "\n".join(filter(None, (layer, *added)))


def num_characters(text: str) -> int:
    """Letters and digits."""
    return sum(map(str.isalnum, text))


def _stands_in(line: str, known: str) -> bool:
    return line in known or (len(line) > 3 and fuzz.partial_ratio(line, known) >= SAME_LINE)


def _is_latin(word: str) -> bool:
    return all(char < "\u0250" for char in word)


def _may_be_word(word: str) -> bool:
    lower = word.lower()
    cased = word.islower() or word.isupper() or word[1:].islower() or re.search("[a-z][A-Z][a-z]", word)
    vowels = sum(char in _VOWELS for char in lower)
    accents = sum(char > "\x7f" for char in word)
    return (
        bool(cased)
        and len(word) <= 40
        and (0.15 * len(word) <= vowels <= 0.8 * len(word) or (word.isupper() and len(word) <= 5))
        and accents <= 0.5 * len(word)
        and not _CONSONANTS.search(lower)
    )


def _plausibility(text: str) -> tuple[int, int]:
    """Letters in words of three or more Latin letters, and how many of them are in words that may be some."""
    letters = plausible = 0
    for word in _WORD.findall(_URLS.sub(" ", text)):
        if len(word) >= 3 and _is_latin(word):
            letters += len(word)
            plausible += len(word) * _may_be_word(word)
    return letters, plausible


def _is_strange(line: str) -> bool:
    letters, plausible = _plausibility(line)
    return letters >= 8 and plausible < STRANGE_LINE_SHARE * letters


def _folded(text: str) -> str:
    return " ".join(_WORD.findall(text.lower()))


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.lower()))
