"""Text of documents: the characters that are words, white space, and the head of a table."""

import re
from collections.abc import Sequence

# soft hyphens, zero-width spaces and marks of byte order are no part of a word; joiners of Arabic and Indic scripts are
_INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff]")
_SPACES = re.compile(r"[ \t\u00a0\u1680\u2000-\u200a\u202f\u205f]+")
_CONTROLS = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_LINE_ENDS = re.compile("\r\n?|\x0b|\u2028|\u2029|\x85")
HEAD_ROWS = 20  # of a table, among which its head is looked for
MIN_HEAD_SHARE = 0.6  # of the cells that a usual row fills


def clean(text: str) -> str:
    """Lines without space at their ends, single blanks, no invisible characters and no empty lines around."""
    if text.isascii() and text.isprintable() and "  " not in text:  # as most words of a long table are
        return text.strip()
    text = _LINE_ENDS.sub("\n", _INVISIBLE.sub("", text))
    text = _SPACES.sub(" ", _CONTROLS.sub("", text))
    return "\n".join(line.strip() for line in text.split("\n")).strip()


def one_line(text: str) -> str:
    """``clean`` text as a table's cell or a title holds it."""
    return " ".join(clean(text).split("\n")).strip()


def trimmed(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """The rows, equally long, without the columns that are empty in all of them."""
    width = max(map(len, rows), default=0)
    used = [any(column < len(row) and row[column] for row in rows) for column in range(width)]
    kept = [column for column in range(width) if used[column]]
    return [[row[column] if column < len(row) else "" for column in kept] for row in rows]


def head_of(rows: Sequence[Sequence[str]]) -> int | None:
    """The row that names the columns: the first that fills as many cells as usual, and with words. None if there is none."""
    filled = [sum(map(bool, row)) for row in rows[:200]]
    if len(rows) < 2 or not filled or max(filled) < 2:
        return None
    usual = sorted(filled)[len(filled) // 2]
    for index, row in enumerate(rows[:HEAD_ROWS]):
        if filled[index] >= max(2, MIN_HEAD_SHARE * usual):
            return index if index + 1 < len(rows) and not any(map(_is_number, row)) else None
    return None


def _is_number(cell: str) -> bool:
    digits = cell.strip().strip("%€$£+-").replace(",", "").replace(".", "").replace(" ", "")
    return digits.isdecimal() and not (len(cell) == 4 and cell.isdecimal())  # years name columns too
