"""A graph as lines of text for a terminal: nodes in creation order, their edges as lanes at the left, the answer last.

All text is untrusted: what controls a terminal, hides or redirects text is dropped, so that only the colours asked for are
escape sequences. With ``ascii`` every character is ASCII; what has no ASCII form becomes a question mark.
"""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from memory_graph.drawing.glyphs import JOINER, cell_width
from memory_graph.drawing.lanes import Cell, Rows, lanes
from memory_graph.drawing.layering import ANSWER
from memory_graph.drawing.notes import (
    NO_NOTE,
    ItemNote,
    NodeNote,
    clock,
    counts,
    grant,
    items_of,
    require_known,
)
from memory_graph.drawing.wrapping import ELLIPSIS, clean, wrap
from memory_graph.graph import ROOT, AnswerNode, MemoryGraph, SearchNode
from memory_graph.roles import critical_path, dead_ends

MIN_WIDTH = 24  # cells
_LEAST_ROOM = 24  # cells of text beside the lanes; with less, lanes give way to references
_SUMMARY_LINES, _ITEM_LINES, _TEXT_LINES = 6, 3, 12

_BOLD, _DIM, _CYAN, _YELLOW = "1", "2", "36", "33"  # SGR codes

_BULLETS = {"root": "◇", "answer": "◆", "critical": "●", "dead": "○", "open": "●"}
_ASCII_BULLETS = {"root": "?", "answer": "=", "critical": "*", "dead": "o", "open": "*"}
_ASCII_CELLS = {Cell.LANE: "|", Cell.FORK: "|", Cell.ACROSS: "-", Cell.CROSSING: "+"}
_ASCII_TEXT = str.maketrans(
    {"·": "-", "←": "<-", "…": "...", "–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "×": "x"}
)
_UNSTEADY = str.maketrans(
    dict.fromkeys((JOINER, "\ufe0e", "\ufe0f"))
)  # terminals disagree how wide they make text


class _Line(NamedTuple):
    """One paragraph: text, an SGR code or none, and how many lines it may take. ``indent`` is that of its later lines."""

    text: str
    style: str = ""
    max_lines: int = 1
    indent: int = 0


class _Block(NamedTuple):
    """Everything about one node."""

    id: str
    kind: str  # key of _BULLETS
    lines: Sequence[_Line]


def draw_text(
    graph: MemoryGraph,
    *,
    width: int = 80,
    colour: bool = False,
    ascii: bool = False,
    notes: Mapping[str, NodeNote] | None = None,
) -> str:
    """The listing of ``graph``, lines of at most ``width`` cells without a line end after the last.

    ``notes`` add titles, energies and grants by node id. ``colour`` adds ANSI colours.

    Raises:
        ValueError: a width below ``MIN_WIDTH``, or a note about a node that is not in the graph.
    """
    notes = notes or {}
    require_known(graph, notes)
    if width < MIN_WIDTH:
        raise ValueError(f"width must be at least {MIN_WIDTH} cells, got {width}")
    rows = lanes(graph)
    if len(rows[ROOT].first) + _LEAST_ROOM > width:
        bare = Rows((Cell.NODE, Cell.EMPTY), (Cell.EMPTY, Cell.EMPTY))
        rows = dict.fromkeys(rows, bare)
    pen = _Pen(width, colour, ascii)
    blocks = _blocks(graph, notes)
    for block in blocks:
        pen.write(block, rows[block.id], is_last=block is blocks[-1])
    return "\n".join(pen.lines)


class _Pen:
    """Lines written so far, and how they are written."""

    def __init__(self, width: int, colour: bool, ascii: bool) -> None:
        self.width, self.colour, self.ascii = width, colour, ascii
        self.lines: list[str] = []

    def write(self, block: _Block, rows: Rows, *, is_last: bool) -> None:
        """One node, and a line of lanes below it unless it is the last."""
        cells = rows.first
        for line in block.lines:
            for text in self._wrapped(line, self.width - len(cells)):
                self._add(cells, block.kind, text, line.style)
                cells = rows.below
        if not is_last:
            self._add(rows.below, block.kind, "", "")

    def _wrapped(self, line: _Line, room: int) -> Iterable[str]:
        text = clean(line.text).translate(_UNSTEADY)
        if self.ascii:
            text = _ascii(text)
        ellipsis = "..." if self.ascii else ELLIPSIS
        first, *rest = wrap(text, room, cell_width, max_lines=line.max_lines, ellipsis=ellipsis) or ("",)
        if not rest or not line.indent:
            return first, *rest
        room -= line.indent
        rest = wrap(text[len(first) :], room, cell_width, max_lines=line.max_lines - 1, ellipsis=ellipsis)
        return first, *(" " * line.indent + text_line for text_line in rest)

    def _add(self, cells: Sequence[Cell], kind: str, text: str, style: str) -> None:
        drawn = "".join(self._cell(cell, kind) for cell in cells)
        plain = (drawn + text).rstrip()
        if self.colour and style and text:
            plain = f"{drawn}\x1b[{style}m{text.rstrip()}\x1b[0m"
        if self.colour and Cell.NODE in cells and kind in ("critical", "answer"):
            bullet = self._cell(Cell.NODE, kind)
            plain = plain.replace(bullet, f"\x1b[{_CYAN}m{bullet}\x1b[0m", 1)
        self.lines.append(plain)

    def _cell(self, cell: Cell, kind: str) -> str:
        if cell is Cell.NODE:
            return (_ASCII_BULLETS if self.ascii else _BULLETS)[kind]
        return _ASCII_CELLS.get(cell, cell.value) if self.ascii else cell.value


def _blocks(graph: MemoryGraph, notes: Mapping[str, NodeNote]) -> list[_Block]:
    critical, why_dead = critical_path(graph), dead_ends(graph)
    question = [_Line("Question", _DIM), _Line(graph.question or "no question", _BOLD, _TEXT_LINES)]
    blocks = [_Block(ROOT, "root", [*question, *_caption(notes.get(ROOT, NO_NOTE))])]
    for node in graph.nodes:
        kind = "critical" if node.id in critical else "dead" if node.id in why_dead else "open"
        lines = _search_lines(node, notes.get(node.id, NO_NOTE), why_dead.get(node.id))
        blocks.append(_Block(node.id, kind, lines))
    if graph.answer is not None:
        beyond = [node.id for node in graph.nodes if node.id in critical - set(graph.answer.parents)]
        lines = _answer_lines(graph.answer, beyond, notes.get(ANSWER, NO_NOTE))
        blocks.append(_Block(ANSWER, "answer", lines))
    return blocks


def _search_lines(node: SearchNode, note: NodeNote, dead_end: str | None) -> list[_Line]:
    items = items_of(node, note)
    faded = _DIM if dead_end else ""
    lines = [
        _Line(f"{_head(node.id, node.parents)}  ({counts(node)})", faded, 2),
        _Line(node.query or "no query", faded or _BOLD, 3),
    ]
    if node.summary:
        lines.append(_Line(node.summary, faded, _SUMMARY_LINES))
    lines += [_Line(_item(item), _DIM, _ITEM_LINES, indent=2) for item in items]
    lines += _caption(note)
    if dead_end:
        lines.append(_Line(f"dead end: {dead_end}", _YELLOW, 3))
    return lines


def _answer_lines(answer: AnswerNode, beyond: Sequence[str], note: NodeNote) -> list[_Line]:
    lines = [
        _Line(_head("Answer", answer.parents), _CYAN, 3),
        _Line(answer.text or "no text", _BOLD, _TEXT_LINES),
    ]
    if beyond:
        lines.append(_Line("rests on " + ", ".join(beyond) + " as well", _DIM, 3))
    return [*lines, *_caption(note)]


def _head(name: str, parents: Sequence[str]) -> str:
    """The parents are named where the lanes do not say it all."""
    return name if tuple(parents) == (ROOT,) else f"{name} ← {', '.join(parents)}"


def _item(item: ItemNote) -> str:
    facts = [item.title or item.item_id]
    if item.timestamps:
        facts.append("at " + ", ".join(map(clock, item.timestamps)))
    if granted := grant(item):
        facts.append(granted)
    if item.energy is not None:
        facts.append(f"energy {item.energy:.2f}" + ("" if granted else ", not shown"))
    return f"- {item.modality}: " + " · ".join(facts)


def _caption(note: NodeNote) -> list[_Line]:
    return [_Line(note.caption, _DIM, 2)] if note.caption else []


def _ascii(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.translate(_ASCII_TEXT))
    kept = (char for char in plain if not unicodedata.combining(char))
    return clean("".join(char if char.isascii() else "?" for char in kept))
