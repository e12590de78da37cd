"""Two columns of prose whose lines a page stores in turn, read one after the other.

Pure. Most pages store a column as a whole, and nothing is changed. Some store line by line across both, so that half sentences
alternate. Only what must be such columns is put in order: many rows in which a line stands on both sides of one gutter, both
sides filled and running on from line to line, and no gaps across both as between the rows of a table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from statistics import median
from typing import NamedTuple

MIN_ROWS = 8  # of lines on both sides
MIN_GAP = 0.8  # of the height of a line; the blanks of justified lines are narrower
MIN_TURNS = 0.8  # of a side's lines, that are followed by one of the other side
MIN_WORDS = 3.0  # of a line, in the middle of all
MIN_FILLED = 0.75  # of a column's width, by the line in the middle of all
MIN_LETTERS = 0.8  # of the signs of a side
MIN_RUNNING_ON = 0.4  # of the lines behind the first, that begin in small letters
SAME_EDGE = 0.5  # of the height of a line
MIN_ALIGNED = 0.6  # of a side's lines, that begin at the same edge
ROW_GAP = 1.35  # of the usual distance of lines: between the rows of a table, between paragraphs
MAX_ROW_GAPS = 1  # across both sides
FAR = 2.5  # of the usual distance of lines: what is farther away is no part of a column
HYPHEN = "\x02"  # as PDFium marks a word that is broken at the end of a line
_BROKEN = re.compile(r"(?<=[^\W\d_])[-\u2010]\Z")


class Sign(NamedTuple):
    """A character and its box, the y axis upwards; what was not drawn has an empty box."""

    text: str
    left: float
    bottom: float
    right: float
    top: float


class _Line(NamedTuple):
    """Signs that stand beside each other without a gap."""

    text: str
    left: float
    bottom: float
    right: float
    top: float

    @property
    def height(self) -> float:
        return self.top - self.bottom

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2

    def joined(self, other: _Line) -> _Line:
        """With what stands behind it on the same line."""
        edges = min(self.bottom, other.bottom), max(self.right, other.right), max(self.top, other.top)
        return _Line(f"{self.text.rstrip()} {other.text}", min(self.left, other.left), *edges)


def in_columns(signs: Sequence[Sign]) -> str | None:
    """The text of a page with its columns one after the other; None if nothing is to be changed."""
    lines = list(_lines(signs))
    gutter = _gutter(lines)
    if gutter is None:
        return None
    parts: list[str] = []
    changed = False
    for crosses, group in groupby(lines, key=lambda line: line.left < gutter < line.right):
        block = list(group)
        ordered = None if crosses else _ordered(block, gutter)
        changed = changed or ordered is not None
        parts.append(ordered if ordered is not None else _as_stored(block))
    return "\n".join(parts) if changed else None


def may_have_columns(boxes: Sequence[tuple[float, float, float, float]]) -> bool:
    """Whether pieces of a page's text, as left, bottom, right and top in their order, leave a gutter between so many lines."""
    return _gutter([_Line("", *box) for box in boxes]) is not None


def _lines(signs: Sequence[Sign]) -> Iterator[_Line]:
    open_: list[Sign] = []
    for sign in signs:
        if sign.text in "\r\n":
            yield from _closed(open_)
            open_ = []
            continue
        drawn = next((each for each in reversed(open_) if not each.text.isspace()), None)
        if drawn is not None and not sign.text.isspace() and not _goes_on(drawn, sign):
            yield from _closed(open_)
            open_ = []
        open_.append(sign)
    yield from _closed(open_)


def _goes_on(one: Sign, other: Sign) -> bool:
    height = max(one.top - one.bottom, other.top - other.bottom)
    return -height <= other.left - one.right <= MIN_GAP * height and _is_beside(one, other)


def _is_beside(one: Sign | _Line, other: Sign | _Line) -> bool:
    common = min(one.top, other.top) - max(one.bottom, other.bottom)
    return common > 0.5 * min(one.top - one.bottom, other.top - other.bottom)


def _closed(signs: Sequence[Sign]) -> Iterator[_Line]:
    drawn = [sign for sign in signs if not sign.text.isspace()]
    if drawn:
        text = "".join(sign.text for sign in signs).strip()
        edges = min(sign.left for sign in drawn), min(sign.bottom for sign in drawn)
        right, top = max(sign.right for sign in drawn), max(sign.top for sign in drawn)
        yield _Line(text, *edges, right, top)


def _gutter(lines: Sequence[_Line]) -> float | None:
    """Where most lines that have a neighbour to their right leave room; None if too few do."""
    gaps = [
        (one.right, other.left)
        for one, other in pairwise(lines)
        if other.left - one.right > MIN_GAP * max(one.height, other.height) and _is_beside(one, other)
    ]
    if len(gaps) < MIN_ROWS:
        return None
    ends = sorted([(right, 1) for right, _ in gaps] + [(left, -1) for _, left in gaps])
    best, depth, at = 0, 0, 0.0
    for number, (place, step) in enumerate(ends[:-1]):
        depth += step
        if depth > best:
            best, at = depth, (place + ends[number + 1][0]) / 2
    return at if best >= MIN_ROWS else None


def _as_stored(lines: Sequence[_Line]) -> str:
    rows: list[str] = []
    for before, line in zip((None, *lines), lines, strict=False):
        if before is not None and _is_beside(before, line) and line.left > before.right:
            rows[-1] += f" {line.text}"
        else:
            rows.append(line.text)
    return "\n".join(rows)


def _ordered(block: Sequence[_Line], gutter: float) -> str | None:
    """Left column, then right one, with what stands above and below them as it was; None if they are none."""
    pieces = [[line for line in block if (line.right <= gutter) == left] for left in (True, False)]
    if any(_gutter(side) is not None for side in pieces):
        return None  # more than two columns
    lines = _merged(block, gutter)
    rows = [at for at, (one, other) in enumerate(pairwise(lines)) if _is_row(one, other, gutter)]
    if len(rows) < MIN_ROWS:
        return None
    pitch = median(lines[one].middle - lines[other].middle for one, other in pairwise(rows))
    if pitch <= 0:
        return None
    last = rows[-1] + 2
    while last < len(lines) and 0 < lines[last - 1].middle - lines[last].middle < ROW_GAP * pitch:
        last += 1
    columns = lines[rows[0] : last]
    sides = [[line for line in columns if (line.right <= gutter) == left] for left in (True, False)]
    turns = sum((one.right <= gutter) != (other.right <= gutter) for one, other in pairwise(columns))
    if turns < MIN_TURNS * 2 * min(map(len, sides)) - 1 or not all(_is_prose(side, pitch) for side in sides):
        return None
    if len(_gaps(sides[0], pitch) & _gaps(sides[1], pitch)) > MAX_ROW_GAPS:
        return None
    texts = [_as_stored(lines[: rows[0]]), *map(_running, sides), _as_stored(lines[last:])]
    return "\n".join(filter(None, texts))


def _merged(block: Sequence[_Line], gutter: float) -> list[_Line]:
    """Lines of one side that a wide blank has cut, whole."""
    lines: list[_Line] = []
    for line in block:
        last = lines[-1] if lines else None
        same = (
            last is not None and _is_beside(last, line) and (last.right <= gutter) == (line.right <= gutter)
        )
        if last is not None and same and line.left >= last.right:
            lines[-1] = last.joined(line)
        else:
            lines.append(line)
    return lines


def _is_row(one: _Line, other: _Line, gutter: float) -> bool:
    return one.right <= gutter <= other.left and _is_beside(one, other)


def _is_prose(side: Sequence[_Line], pitch: float) -> bool:
    """Lines of one column that fill it, begin at its edge, come down it evenly, and run on."""
    width = max(line.right for line in side) - min(line.left for line in side)
    edge = median(line.left for line in side)
    signs = [char for line in side for char in line.text if not char.isspace()]
    running_on = sum(line.text[0].islower() for line in side[1:])
    steps = [one.middle - other.middle for one, other in pairwise(side)]
    return (
        median(len(line.text.split()) for line in side) >= MIN_WORDS
        and median(line.right - line.left for line in side) >= MIN_FILLED * width
        and sum(abs(line.left - edge) <= SAME_EDGE * line.height for line in side) >= MIN_ALIGNED * len(side)
        and sum(char.isalpha() for char in signs) >= MIN_LETTERS * len(signs)
        and running_on >= MIN_RUNNING_ON * (len(side) - 1)
        and all(0 < step <= FAR * pitch for step in steps)
    )


def _gaps(side: Sequence[_Line], pitch: float) -> set[int]:
    """The heights, in lines, at which a column leaves more room than between two lines."""
    return {
        round((one.bottom + other.top) / 2 / pitch)
        for one, other in pairwise(side)
        if one.middle - other.middle > ROW_GAP * pitch
    }


def _running(side: Sequence[_Line]) -> str:
    """A column as text; words broken at the end of a line are marked as PDFium marks them."""
    texts = [line.text for line in side]
    for at, (text, after) in enumerate(pairwise(texts)):
        if after[0].islower():
            texts[at] = _BROKEN.sub(HYPHEN, text)
    return "\n".join(texts)
