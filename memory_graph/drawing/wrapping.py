"""Untrusted text made fit to be drawn: cleaned, broken into lines, cut.

Holds what the SVG and the terminal share. A width is whatever the given measure says: drawing units for the one, cells for
the other (``glyphs.py``).
"""

import unicodedata
from collections.abc import Callable, Iterator
from typing import TypeAlias

from memory_graph.drawing.glyphs import JOINER, is_wide

Measure: TypeAlias = Callable[[str], float]

ELLIPSIS = "…"

_SKIN_TONES = range(0x1F3FB, 0x1F400)
_MAX_MARKS = 3  # combining marks and joiners a letter keeps; more of them climb out of the line
_MAX_CLUSTER = 7  # code points that stay together, as in a family of four
_DROPPED = ("Cc", "Cf", "Cs")  # control, format (text direction among them), lone halves of surrogate pairs
_NONCHARACTERS = frozenset("\ufffe\uffff\ufff9\ufffa\ufffb")  # the first two are not allowed in XML


def clean(text: str) -> str:
    """One paragraph of printable text: white space as single spaces, nothing that controls, hides or redirects.

    Drops control and format characters (text direction, zero-width), lone surrogates, what XML does not allow, and
    combining marks beyond three a letter.
    """
    if text.isascii() and text.isprintable():  # the same, ten times as fast
        return " ".join(text.split())
    kept: list[str] = []
    marks = 0
    for char in text:
        if char.isspace():
            char = " "
        elif char != JOINER and (unicodedata.category(char) in _DROPPED or char in _NONCHARACTERS):
            continue
        marks = marks + 1 if char == JOINER or unicodedata.category(char) in ("Mn", "Me") else 0
        if marks <= _MAX_MARKS:
            kept.append(char)
    return " ".join("".join(kept).split())


def wrap(
    text: str, limit: float, measure: Measure, *, max_lines: int | None = None, ellipsis: str = ELLIPSIS
) -> tuple[str, ...]:
    """Lines of clean ``text``, none wider than ``limit``; what is beyond ``max_lines`` is cut with an ellipsis.

    Breaks between words and around East Asian characters; a word too long for a line is broken within. A single character
    wider than ``limit`` still gets its line.

    Raises:
        ValueError: a limit that is not positive, or fewer than one line.
    """
    if limit <= 0 or (max_lines is not None and max_lines < 1):
        raise ValueError(f"no room for text: limit {limit}, max_lines {max_lines}")
    lines: list[str] = []
    for line in _lines(text, limit, measure):
        if max_lines is not None and len(lines) == max_lines:
            lines[-1] = _cut(lines[-1], limit, measure, ellipsis)
            break
        lines.append(line)
    return tuple(lines)


def cut(text: str, limit: float, measure: Measure) -> str:
    """One line of clean ``text``, with an ellipsis where it is cut."""
    return next(iter(wrap(text, limit, measure, max_lines=1)), "")


def _cut(line: str, limit: float, measure: Measure, ellipsis: str) -> str:
    clusters = list(_clusters(line))
    while clusters and measure("".join(clusters).rstrip() + ellipsis) > limit:
        clusters.pop()
    return "".join(clusters).rstrip() + ellipsis


def _lines(text: str, limit: float, measure: Measure) -> Iterator[str]:
    line, width, space = "", 0.0, measure(" ")
    for piece, spaced in _pieces(text):
        gap = space if spaced and line else 0.0
        wide = measure(piece)
        if width + gap + wide <= limit:
            line, width = line + (" " if gap else "") + piece, width + gap + wide
            continue
        if line:
            yield line
        *full, line = _broken(piece, limit, measure) if wide > limit else [piece]
        yield from full
        width = measure(line)
    if line:
        yield line


def _pieces(text: str) -> Iterator[tuple[str, bool]]:
    """What no line break may divide without need, and whether a space goes before it."""
    for word in text.split():
        if word.isascii():  # the same, ten times as fast
            yield word, True
            continue
        spaced, run = True, ""
        for cluster in _clusters(word):
            if not is_wide(cluster[0]):
                run += cluster
                continue
            for piece in (run, cluster):
                if piece:
                    yield piece, spaced
                    spaced = False
            run = ""
        if run:
            yield run, spaced


def _broken(word: str, limit: float, measure: Measure) -> list[str]:
    parts, part, width = [], "", 0.0
    for cluster in _clusters(word):
        wide = measure(cluster)
        if part and width + wide > limit:
            parts.append(part)
            part, width = "", 0.0
        part, width = part + cluster, width + wide
    return [*parts, part]


def _clusters(text: str) -> Iterator[str]:
    """Characters with the marks and joined emoji that belong to them."""
    cluster = ""
    for char in text:
        joins = char == JOINER or unicodedata.category(char)[0] == "M" or ord(char) in _SKIN_TONES
        joins = (joins or cluster.endswith(JOINER)) and len(cluster) < _MAX_CLUSTER
        if cluster and not joins:
            yield cluster
            cluster = ""
        cluster += char
    if cluster:
        yield cluster
