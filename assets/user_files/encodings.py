"""The bytes of a text file to characters, in order of certainty: marks, then what only one encoding can be, then a guess.

Holds the order and what is said about it; the guess among the older encodings is chardet's. Control characters are
``control_characters.py``, cutting into passages is ``passages.py``.
"""

import codecs
import re
from typing import NamedTuple

import chardet

from assets.user_files.control_characters import cleaned, without_controls
from assets.user_files.unmarked_utf7 import utf7_text
from assets.user_files.wide_encodings import may_be_wide, wide_text
from infra.errors import MediaError

FALLBACK = "cp1252"  # what files without a mark that are no UTF-8 mostly are; it reads nearly every byte
REPLACED = "\ufffd"
MAX_REPLACED_SHARE = 0.1  # of the characters; above, the bytes are not what their mark says
MAX_BAD_SHARE = 0.03  # of a double-byte text's characters: a damaged place, not another encoding
CERTAIN = 0.3  # chardet's confidence above which its word counts against Western habits
MAX_MARKED_SHARE = 0.4  # letters outside ASCII, of all characters; Latin scripts have fewer
MIN_DISTINCT = 3  # bytes above ASCII; fewer tell nothing of the language
MIN_KANA = 3
MIN_JAPANESE_SHARE = 0.95  # of the characters outside ASCII
MIN_ALONE, MIN_ALONE_SHARE = 6, 0.9  # letters in words without any of ASCII, of those in words with others
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins like that of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_UTF_7_MARK = re.compile(rb"\+/v[89+/]")  # U+FEFF, whose last bits belong to the character behind it
_SHIFTED = re.compile(rb"\x1b[$(]|~\{|\x0e")  # how the seven-bit encodings of East Asia begin
_DOUBLE_BYTE = ("gb18030", "big5hkscs", "cp932", "euc_jp", "cp949")
_WESTERN = ("iso8859-15", "cp850", "cp437", "mac_roman")
_CUT_OFF = re.compile(rb"(?:[\xc2-\xc5]|[\xe0-\xef][\x80-\xbf]|[\xf0-\xf4][\x80-\xbf]{1,2})\Z")
_HALF = re.compile(rb"\xed[\xa0-\xaf][\x80-\xbf]\xed[\xb0-\xbf][\x80-\xbf]")
_WORD = re.compile(r"[^\W\d_]+")
_MARKED = re.compile("[^\x00-\x7f]")
_KANA = re.compile("[\u3041-\u30ff]")
_JAPANESE = re.compile("[\u3000-\u30ff\u4e00-\u9fff\uff00-\uff9f\u2010-\u203b\u2190-\u2193\u25a0-\u266f]")
_INSIDE_WORDS = frozenset("’·\xad‐‑‒–—…\xa0")  # that may stand between two letters
_USUAL_SIGNS = frozenset("“”‘’«»–—…•·°±×÷§©®™€£¥¢µ²³½¼¾\xad\xa0")


class DecodedText(NamedTuple):
    """``text`` with plain newlines; ``notes`` say what the reader should know, above all whether ``encoding`` is a guess."""

    text: str
    encoding: str
    notes: tuple[str, ...] = ()


class _Reading(NamedTuple):
    """``data`` decoded one way, with U+FFFD where it cannot be."""

    text: str
    encoding: str
    guessed: bool = False


def decode(data: bytes) -> DecodedText:
    """The characters of a text file, whatever encoding it has.

    Bad bytes are replaced by U+FFFD and counted in a note, control characters removed and counted alike.

    Raises:
        MediaError: ``text_undecodable`` (marked as an encoding that it is not), ``text_binary`` (no text).
    """
    reading = _marked(data) or _utf7(data) or _shifted(data) or _unmarked(data)
    clean = cleaned(reading.text)
    if clean is None:
        raise MediaError("text_binary", f"as {reading.encoding} it is no text")
    notes = (f"read as {reading.encoding}",) * reading.guessed + clean.notes
    if bad := _num_replaced(data if reading.encoding == "utf-8" else b"", clean.text):
        notes += (f"{bad:,} {'place' if bad == 1 else 'places'} where the bytes are no {reading.encoding}",)
    return DecodedText(clean.text, reading.encoding, notes)


def _marked(data: bytes) -> _Reading | None:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            text = data[len(mark) :].decode(encoding, "replace")
            if text.count(REPLACED) > MAX_REPLACED_SHARE * len(text):
                raise MediaError("text_undecodable", f"marked as {encoding}, which it is not")
            return _Reading(text, encoding)
    return None


def _utf7(data: bytes) -> _Reading | None:
    """UTF-7 that begins with its mark; without one only where every plus sign can be nothing else."""
    if not data.isascii():
        return None
    if not _UTF_7_MARK.match(data):
        text = utf7_text(data)
        return _Reading(text, "utf-7", True) if text else None
    text = data.decode("utf-7", "replace")
    is_sound = text.startswith("\ufeff") and text.count(REPLACED) <= 1 + MAX_BAD_SHARE * len(text)
    return _Reading(text[1:], "utf-7") if is_sound else None


def _shifted(data: bytes) -> _Reading | None:
    """ISO-2022 and HZ, whose bytes are all ASCII."""
    if not data.isascii() or not _SHIFTED.search(data):
        return None
    encoding = _guess(data).encoding
    if not encoding.lower().startswith(("iso-2022", "hz")):
        return None
    text = data.decode(encoding, "replace")
    return None if text.isascii() or REPLACED in text else _Reading(text, encoding, True)


def _unmarked(data: bytes) -> _Reading:
    if may_be_wide(data) and (wide := wide_text(data)):
        return _Reading(wide.text, wide.encoding, True)
    text = data.decode("utf-8", "replace")
    if paired := _of_halves(data):
        return _Reading(paired, "utf-8")
    if _num_replaced(data, text) == 0 or _is_damaged_utf8(data, text):
        return _Reading(text, "utf-8")
    # the detector takes any control character for a sign that this is no text
    plain = without_controls(data)
    guess = None if plain is None else _guess_or_none(plain)
    is_vague = guess is None or (guess.confidence < CERTAIN and b"\0" in data)
    if is_vague and (wide := wide_text(data)):
        return _Reading(wide.text, wide.encoding, True)
    if plain is None:
        return _Reading(text, "utf-8")  # which will be refused
    return _legacy(plain, guess or _Guess(FALLBACK, 0.0))


def _of_halves(data: bytes) -> str:
    """UTF-8 of the halves of UTF-16, as databases and Java write what lies above U+FFFF (CESU-8); empty if it is none."""
    if not _HALF.search(data):
        return ""
    try:
        return (
            data.decode("utf-8", "surrogatepass")
            .encode("utf-16-le", "surrogatepass")
            .decode("utf-16-le", "replace")
        )
    except UnicodeDecodeError:
        return ""


def _num_replaced(data: bytes, text: str) -> int:
    """Places of ``data`` that are no UTF-8; U+FFFD may also stand there itself."""
    return text.count(REPLACED) - data.count(REPLACED.encode())


def _is_damaged_utf8(data: bytes, text: str) -> bool:
    """Whether most of what is not ASCII is UTF-8, which happens in no other encoding by chance."""
    bad = _num_replaced(data, text)
    good = sum(char > "\x7f" for char in text) - bad
    return good >= bad or (bad == 1 and _CUT_OFF.search(data) is not None)


class _Guess(NamedTuple):
    encoding: str
    confidence: float


def _guess(data: bytes) -> _Guess:
    return _guess_or_none(data) or _Guess(FALLBACK, 0.0)


def _guess_or_none(data: bytes) -> _Guess | None:
    found = chardet.detect(data, max_bytes=max(1, len(data)))
    encoding, confidence = found["encoding"], found["confidence"] or 0.0
    return None if encoding is None else _Guess(encoding, confidence)


def _legacy(data: bytes, guess: _Guess) -> _Reading:
    """What chardet says, unless a bad byte hid a double-byte encoding, or few letters say little and others read better."""
    text = data.decode(guess.encoding, "replace")
    if japanese := _japanese(data, guess):
        return japanese
    if guess.confidence < CERTAIN:
        if damaged := _damaged_double_byte(data, guess.confidence):
            return damaged
        marked = sum(char > "\x7f" and char.isalpha() for char in text)
        if marked < MAX_MARKED_SHARE * len(text) and not _is_of_another_script(text):
            return _western(data, guess.encoding)
    return _Reading(text, guess.encoding, True)


def _japanese(data: bytes, guess: _Guess) -> _Reading | None:
    """What kana show to be Japanese: whatever chardet says of it where that is vague, and in place of Chinese."""
    is_chinese = guess.encoding.lower().startswith("gb")
    for encoding in ("euc_jp",) if is_chinese else ("cp932", "euc_jp"):
        if not is_chinese and guess.confidence >= CERTAIN:
            return None
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        outside = sum(char > "\x7f" for char in text)
        if (
            len(_KANA.findall(text)) >= MIN_KANA
            and len(_JAPANESE.findall(text)) >= MIN_JAPANESE_SHARE * outside
        ):
            return _Reading(text, encoding, True)
    return None


def _is_of_another_script(text: str) -> bool:
    """Whether letters outside ASCII stand together in words of their own, as in no Latin text; few words may show it."""
    words = [word for word in _WORD.findall(text) if len(word) > 1 and not word.isascii()]
    alone = sum(len(word) for word in words if all(char > "\x7f" for char in word))
    return alone >= MIN_ALONE and alone >= MIN_ALONE_SHARE * sum(map(len, words))


def _damaged_double_byte(data: bytes, confidence: float) -> _Reading | None:
    best: _Reading | None = None
    for encoding in _DOUBLE_BYTE:
        text = data.decode(encoding, "replace")
        bad, wide = text.count(REPLACED), sum(char > "\x7f" for char in text)
        if not 0 < bad <= MAX_BAD_SHARE * wide + 1:
            continue
        whole = text.replace(REPLACED, "").encode(encoding, "ignore")
        guess = _guess(whole)
        if guess.confidence > confidence and _same_family(guess.encoding, encoding):
            best, confidence = _Reading(text, encoding, True), guess.confidence
    return best


def _same_family(one: str, other: str) -> bool:
    families = (
        ("gb",),
        ("big5", "cp950"),
        ("cp932", "shift"),
        ("euc_jp", "euc-jp", "eucjp"),
        ("cp949", "euc-kr", "euc_kr", "johab"),
    )
    one, other = one.lower(), other.lower()
    return any(one.startswith(family) and other.startswith(family) for family in families)


def _western(data: bytes, guess: str) -> _Reading:
    """Of what a mostly Latin text may be, the first in which the fewest signs stand where only letters do."""
    usual = data.decode(FALLBACK, "replace")
    # quotes, dashes and degrees, of which no detector can tell anything
    only_signs = all(char in _USUAL_SIGNS for char in usual if char > "\x7f") and not _misplaced(usual)
    # ISO 8859-15 differs from what Windows writes in a few signs, by which it is told below
    is_usual = only_signs or guess.lower().replace("_", "-") == "iso8859-15"
    is_little = len({byte for byte in data if byte > 0x7F}) < MIN_DISTINCT
    names = (FALLBACK, guess) if is_usual or is_little else (guess, FALLBACK)
    readings = [_Reading(data.decode(name, "replace"), name, True) for name in (*names, *_WESTERN)]
    return min(readings, key=lambda reading: _misplaced(reading.text))


def _misplaced(text: str) -> int:
    """Characters outside ASCII that no Latin text has at their place: signs or capitals within a word, other scripts."""
    return sum(_is_misplaced(text, match.start()) for match in _MARKED.finditer(text))


def _is_misplaced(text: str, at: int) -> bool:
    char, before, after = text[at], text[at - 1 : at], text[at + 1 : at + 2]
    within = before.isalpha() and after.isalpha()
    if "\u2500" <= char <= "\u259f":  # lines of a table, but not beside a letter
        return before.isalpha() or after.isalpha()
    if char == REPLACED or "\x80" <= char <= "\x9f":
        return True
    if char.isalpha():
        return char > "\u024f" or (char.isupper() and before.islower() and not after.isupper())
    if char == "¤" or (char in "¼½¾" and after.isalpha()):  # the euro and ligatures of ISO 8859-15
        return True
    return within and char not in _INSIDE_WORDS
