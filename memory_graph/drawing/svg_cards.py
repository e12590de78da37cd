"""What each node of a drawing shows, and how large that makes it."""

from collections.abc import Sequence
from dataclasses import dataclass

from memory_graph.drawing.layering import ANSWER
from memory_graph.drawing.layout import BoxSize, Point
from memory_graph.drawing.notes import ItemNote, NodeNote, counts, items_of
from memory_graph.drawing.svg_items import grid_width, tiles
from memory_graph.drawing.svg_markup import element, text_lines
from memory_graph.drawing.svg_style import CAPTION, HEADING, META, QUERY, SUMMARY, TAG, VERDICT, TextStyle
from memory_graph.drawing.wrapping import clean, cut, wrap
from memory_graph.graph import ROOT, AnswerNode, SearchNode

PADDING = 14.0
COLUMNS = 3  # tiles in a row
NARROW, WIDE = grid_width(2, 2) + 2 * PADDING, grid_width(COLUMNS, COLUMNS) + 2 * PADDING
_PILL_HEIGHT, _PILL_PADDING = 18.0, 7.0
_LABEL_LENGTH = 300  # characters of what a screen reader says of a node


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """The inside of one node: markup with its upper left corner at 0, 0."""

    id: str
    size: BoxSize
    markup: str
    label: str  # for a screen reader, one sentence or two
    text: str  # everything, uncut


@dataclass(frozen=True, slots=True, kw_only=True)
class TextLimits:
    """How many lines a drawing gives to each text before it cuts."""

    question: int = 4
    query: int = 3
    summary: int = 5
    answer: int = 8
    caption: int = 2


class _Stack:
    """Parts of a card, one below the other."""

    def __init__(self, width: float) -> None:
        self.inner = width - 2 * PADDING
        self.y = PADDING
        self.parts: list[str] = []

    def add_text(self, text: str, style: TextStyle, *, max_lines: int, before: float = 0.0) -> None:
        lines = wrap(clean(text), self.inner, style.measure, max_lines=max_lines)
        if lines:
            self.y += before
            self.parts.append(text_lines(lines, style, PADDING, self.y))
            self.y += len(lines) * style.line

    def add_head(self, tag: str, meta: str) -> None:
        """The name of the node on a pill, and what is said of it at the right."""
        tag = cut(tag, self.inner - 2 * _PILL_PADDING, TAG.measure)
        pill = TAG.measure(tag) + 2 * _PILL_PADDING
        self.parts.append(
            element(
                "rect",
                class_="pill",
                x=PADDING,
                y=self.y,
                width=pill,
                height=_PILL_HEIGHT,
                rx=_PILL_HEIGHT / 2,
            )
        )
        self.parts.append(text_lines([tag], TAG, PADDING + _PILL_PADDING, self.y))
        room = self.inner - pill - _PILL_PADDING
        if meta and room >= 4 * META.size:
            line = cut(meta, room, META.measure)
            self.parts.append(text_lines([line], META, PADDING + self.inner, self.y, anchor="end"))
        self.y += _PILL_HEIGHT + 6

    def add_tiles(self, items: Sequence[ItemNote], node_id: str, most_energy: float) -> None:
        corner = Point(PADDING, self.y + 8)
        drawn = tiles(items, node_id, corner, width=self.inner, most_energy=most_energy)
        if drawn.height:
            self.parts.append(drawn.markup)
            self.y += 8 + drawn.height


def question_card(question: str, note: NodeNote, room: TextLimits) -> Card:
    """The root."""
    stack = _Stack(_fitting(question, note.caption))
    stack.add_head("Question", "")
    stack.add_text(question or "no question", HEADING, max_lines=room.question)
    stack.add_text(note.caption, CAPTION, max_lines=room.caption, before=4)
    return _card(ROOT, stack, f"Question: {question}", question)


def answer_card(answer: AnswerNode, note: NodeNote, room: TextLimits) -> Card:
    """The answer."""
    stack = _Stack(_fitting(answer.text, note.caption))
    rests_on = "rests on " + ", ".join(
        "the question" if parent == ROOT else parent for parent in answer.parents
    )
    stack.add_head("Answer", rests_on)
    stack.add_text(answer.text or "no text", HEADING, max_lines=room.answer)
    stack.add_text(note.caption, CAPTION, max_lines=room.caption, before=4)
    return _card(ANSWER, stack, f"Answer: {answer.text}; {rests_on}", answer.text)


def search_card(
    node: SearchNode, note: NodeNote, room: TextLimits, *, dead_end: str | None, most_energy: float
) -> Card:
    """A search: what was asked, what was learned, what was kept. ``dead_end`` says why it is one."""
    items = items_of(node, note)
    stack = _Stack(WIDE if len(items) >= COLUMNS else NARROW)
    tally = counts(node)
    stack.add_head(node.id, tally)
    stack.add_text(node.query or "no query", QUERY, max_lines=room.query)
    stack.add_text(node.summary, SUMMARY, max_lines=room.summary, before=3)
    stack.add_tiles(items, node.id, most_energy)
    stack.add_text(note.caption, CAPTION, max_lines=room.caption, before=5)
    verdict = f"Dead end: {dead_end}" if dead_end else ""
    stack.add_text(verdict, VERDICT, max_lines=2, before=6)
    label = f"{node.id}: {node.query}; {tally}; {verdict}".strip("; ")
    return _card(node.id, stack, label, "\u2003".join(filter(None, (node.query, node.summary, verdict))))


def _card(node_id: str, stack: _Stack, label: str, text: str) -> Card:
    label = clean(label)
    if len(label) > _LABEL_LENGTH:
        label = label[: _LABEL_LENGTH - 1] + "…"
    size = BoxSize(stack.inner + 2 * PADDING, stack.y + PADDING)
    return Card(id=node_id, size=size, markup="".join(stack.parts), label=label, text=text)


def _fitting(text: str, caption: str) -> float:
    """As wide as a short text needs, within the two widths of cards."""
    needed = max(HEADING.measure(clean(text)), CAPTION.measure(clean(caption)))
    return min(max(needed + 2 * PADDING, NARROW), WIDE)
