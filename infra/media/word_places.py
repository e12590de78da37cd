"""Where words stand on a page: found by their letters alone, so that breaks, hyphens and spacing do not matter.

Pure. A page is a sequence of pieces with boxes: single characters of a text layer, or lines that OCR read.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

LEAST_LETTERS = 3
HEAD_LETTERS = 60  # of words of which the end is not found, because another page holds it
MOST_BOXES = 200


class PlaceBox(NamedTuple):
    """Shares of a page's width and height, from its upper left corner."""

    x: float
    y: float
    width: float
    height: float


class Piece(NamedTuple):
    """Some text and where it stands."""

    text: str
    box: PlaceBox


def find(pieces: Sequence[Piece], words: str) -> list[PlaceBox]:
    """The boxes that cover ``words``, a line each; none if they do not stand there."""
    owned = list(_owned(pieces))
    wanted, page = _letters(words), "".join(letter for letter, _ in owned)
    if len(wanted) < LEAST_LETTERS:
        return []
    start, length = page.find(wanted), len(wanted)
    if start < 0 and len(wanted) > HEAD_LETTERS:
        start, length = page.find(wanted[:HEAD_LETTERS]), HEAD_LETTERS
    if start < 0:
        return []
    shares: dict[int, tuple[float, float]] = {}
    for _, (at, first, last) in owned[start : start + length]:
        known = shares.get(at, (first, last))
        shares[at] = (min(known[0], first), max(known[1], last))
    return _lines([_part(pieces[at].box, *shares[at]) for at in sorted(shares)])[:MOST_BOXES]


def _owned(pieces: Sequence[Piece]) -> Iterator[tuple[str, tuple[int, float, float]]]:
    """Each letter with its piece, and the share of the piece's text that it is."""
    for at, piece in enumerate(pieces):
        for place, char in enumerate(piece.text):
            for letter in _letters(char):
                yield letter, (at, place / len(piece.text), (place + 1) / len(piece.text))


def _part(box: PlaceBox, first: float, last: float) -> PlaceBox:
    return PlaceBox(box.x + first * box.width, box.y, (last - first) * box.width, box.height)


def _letters(text: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFKC", text).casefold() if char.isalnum())


def _lines(boxes: Sequence[PlaceBox]) -> list[PlaceBox]:
    """Neighbours that stand beside each other as one box."""
    lines: list[PlaceBox] = []
    for box in boxes:
        last = lines[-1] if lines else None
        if last is not None and _is_beside(last, box):
            lines[-1] = _union(last, box)
        else:
            lines.append(box)
    return lines


def _is_beside(one: PlaceBox, other: PlaceBox) -> bool:
    common = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    gap = max(one.x, other.x) - min(one.x + one.width, other.x + other.width)
    height = max(one.height, other.height)
    return common > 0.3 * min(one.height, other.height) and gap < 3 * height


def _union(one: PlaceBox, other: PlaceBox) -> PlaceBox:
    x, y = min(one.x, other.x), min(one.y, other.y)
    right = max(one.x + one.width, other.x + other.width)
    bottom = max(one.y + one.height, other.y + other.height)
    return PlaceBox(x, y, right - x, bottom - y)
