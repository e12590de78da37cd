"""How wide characters are: in a sans-serif font, as far as that can be known without the font, and in a terminal.

The table holds the advance widths of DejaVu Sans, rounded up; it is the widest of the usual sans-serif fonts, so that what fits
in it fits in any other.
"""

import unicodedata

JOINER = "\u200d"  # joins emoji into one glyph

# em when regular, em when bold
_GROUPS = (
    (0.28, 0.35, "'ijlı"),
    (0.32, 0.38, " ,.IJ·ł‘’"),
    (0.34, 0.40, "/:;\\|"),
    (0.36, 0.44, "f"),
    (0.40, 0.46, "()-[]"),
    (0.40, 0.48, "t"),
    (0.42, 0.50, "!r¡²³ľ"),
    (0.46, 0.53, '"'),
    (0.50, 0.53, "*_`§°–†‡"),
    (0.52, 0.66, "“”„"),
    (0.56, 0.64, "?Lcsz¿"),
    (0.60, 0.69, "FkvxyŁ•"),
    (0.64, 0.70, "$0123456789ETaeo£«¶»ø€"),
    (0.64, 0.74, "PSYbdghnpqu{}µÞßþđŋ"),
    (0.66, 0.78, "K"),
    (0.70, 0.78, "ABCRVXZ"),
    (0.76, 0.84, "HNUŊ"),
    (0.79, 0.88, "&DGOQØĐ"),
    (0.84, 0.84, "#+<=>^~±×←→−≈≠≤≥"),
    (0.82, 0.93, "w"),
    (0.87, 1.00, "MƯ"),
    (0.96, 1.01, "%"),
    (1.00, 1.05, "@m©®½æ—…™"),
    (0.99, 1.11, "WÆƠ"),
    (1.03, 1.10, "œ"),
    (1.07, 1.17, "Œ"),
    (1.20, 1.35, "ЉЊЖФШЩЮЫМжфшщюыљњЦϢ"),
)
_REGULAR = {char: regular for regular, _, chars in _GROUPS for char in chars}
_BOLD = {char: bold for _, bold, chars in _GROUPS for char in chars}

_BOLD_FACTOR = 1.15  # of characters that the table does not hold
_GREEK_CYRILLIC = 0.9
_EAST_ASIAN = 1.05
_EMOJI = 1.45

# Scripts whose width is guessed at their average; see ``is_well_known``.
_AVERAGE_LETTER, _AVERAGE_SYMBOL = 0.68, 1.0


def em_width(text: str, *, bold: bool = False) -> float:
    """How wide ``text`` is in em: at most, where ``is_well_known``; on average for other characters."""
    table, factor = (_BOLD, _BOLD_FACTOR) if bold else (_REGULAR, 1.0)
    return sum(table[char] if char in table else factor * _outside(char, table)[0] for char in text)


def is_well_known(text: str) -> bool:
    """Whether ``em_width`` is a bound for ``text``; where it is not, a drawing should enforce the width."""
    return text.isascii() or all(char in _REGULAR or _outside(char, _REGULAR)[1] for char in text)


def cell_width(text: str) -> int:
    """How many cells of a terminal ``text`` takes."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def is_wide(char: str) -> bool:
    """Whether ``char`` takes two cells, and a line may break before and after it."""
    return unicodedata.east_asian_width(char) in "WF"


def _outside(char: str, table: dict[str, float]) -> tuple[float, bool]:
    """The width of a character that the table does not hold, and whether that is a bound."""
    category, code = unicodedata.category(char), ord(char)
    if category in ("Mn", "Me") or char == JOINER:
        return 0.0, code < 0x370 or char == JOINER or 0xFE00 <= code <= 0xFE0F
    if is_wide(char) or (code >= 0x1F000 and category in ("So", "Sk")):
        return (_EMOJI if category in ("So", "Sk") else _EAST_ASIAN), True
    if category not in ("Lu", "Ll", "Lo", "Lt", "Lm"):
        return _AVERAGE_SYMBOL, False
    base = unicodedata.normalize("NFD", char)[0]
    if base in table:
        return table[base], True
    return (_GREEK_CYRILLIC, True) if 0x370 <= code < 0x460 else (_AVERAGE_LETTER, False)


def _cells(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me") or char == JOINER:
        return 0
    return 2 if is_wide(char) else 1
