"""A graph as one SVG: the question on top, searches below what they build on, the answer at the foot.

Self-contained text without script, style attributes, ids or references to other places than the thumbnails that the caller
names. All text is untrusted: it is cleaned, escaped, measured and cut to its box, with the whole of it in a ``<title>``.

For whoever styles or scripts it: ``<svg class="memory-graph">`` holds ``<g class="edge">`` (``data-source``,
``data-target``) and ``<g class="node">`` (``data-node-id``, where the answer is ``@answer``), and in them ``<g class="item">``
(``data-item-id``, ``data-node-id``). Nodes and edges carry ``critical`` where the answer rests on them and ``dead-end`` where
nothing does; nodes also ``root`` and ``answer``.
"""

from collections.abc import Mapping
from itertools import pairwise

from memory_graph.drawing.layering import ANSWER
from memory_graph.drawing.layout import Box, Point, Route, layout
from memory_graph.drawing.notes import NO_NOTE, NodeNote, items_of, require_known
from memory_graph.drawing.svg_cards import Card, TextLimits, answer_card, question_card, search_card
from memory_graph.drawing.svg_markup import element, number, title
from memory_graph.drawing.svg_style import CSS
from memory_graph.graph import ROOT, MemoryGraph
from memory_graph.roles import critical_path, dead_ends

__all__ = ["ANSWER", "CSS", "TextLimits", "draw"]

NAMESPACE = "http://www.w3.org/2000/svg"
ROW_LIMIT = 4  # nodes beside each other; more would be too small to read on a page
_RADIUS = 10.0
_HEAD_LENGTH, _HEAD_HALF = 8.0, 4.5


def draw(
    graph: MemoryGraph,
    *,
    notes: Mapping[str, NodeNote] | None = None,
    embedded: bool = False,
    room: TextLimits | None = None,
    row_limit: int | None = ROW_LIMIT,
) -> str:
    """The SVG of ``graph``.

    ``notes`` add titles, energies, grants and thumbnails by node id (``root`` and ``ANSWER`` take captions). ``embedded``
    leaves out the ``<style>`` and the ground, for a page that serves ``CSS`` itself. ``room`` says when texts are cut,
    ``row_limit`` how many nodes stand beside each other at most.

    Raises:
        ValueError: a note about a node that is not in the graph, or a row limit below 1.
    """
    notes = notes or {}
    require_known(graph, notes)
    cards = _cards(graph, notes, room or TextLimits())
    placed = layout(graph, {card.id: card.size for card in cards}, row_limit=row_limit)
    classes = _classes(graph)
    edges = sorted(
        (_edge(route, classes) for route in placed.routes), key=lambda edge: "critical" in edge[:40]
    )
    nodes = [_node(card, box, classes[card.id]) for card, box in zip(cards, placed.boxes, strict=True)]
    ground = element("rect", class_="ground", width=placed.width, height=placed.height)
    name = f"Memory graph: {graph.question}"
    return element(
        "svg",
        *(() if embedded else (f"<style>{CSS}</style>",)),
        title(name),
        *(() if embedded else (ground,)),
        element("g", *edges, class_="edges", aria_hidden="true"),
        *nodes,
        xmlns=NAMESPACE,
        class_="memory-graph",
        viewBox=f"0 0 {number(placed.width)} {number(placed.height)}",
        width=placed.width,
        height=placed.height,
        role="group",
        aria_label=name[:300],
    )


def _cards(graph: MemoryGraph, notes: Mapping[str, NodeNote], room: TextLimits) -> list[Card]:
    """In creation order, as the layout gives boxes."""
    why_dead = dead_ends(graph)
    energies = [
        item.energy or 0.0 for node in graph.nodes for item in items_of(node, notes.get(node.id, NO_NOTE))
    ]
    most_energy = max(energies, default=0.0)
    cards = [question_card(graph.question, notes.get(ROOT, NO_NOTE), room)]
    cards += [
        search_card(
            node, notes.get(node.id, NO_NOTE), room, dead_end=why_dead.get(node.id), most_energy=most_energy
        )
        for node in graph.nodes
    ]
    if graph.answer is not None:
        cards.append(answer_card(graph.answer, notes.get(ANSWER, NO_NOTE), room))
    return cards


def _classes(graph: MemoryGraph) -> dict[str, str]:
    critical, dead = critical_path(graph), dead_ends(graph)
    classes = {
        node.id: "node critical" if node.id in critical else "node dead-end" if node.id in dead else "node"
        for node in graph.nodes
    }
    return {ROOT: "node root", **classes, ANSWER: "node answer critical"}


def _node(card: Card, box: Box, classes: str) -> str:
    return element(
        "g",
        title(card.text),
        _rect(box, "ring", 4.0),
        _rect(box, "under", 0.0),
        _rect(box, "box", 0.0),
        element("g", card.markup, transform=f"translate({number(box.x)} {number(box.y)})"),
        class_=classes,
        data_node_id=card.id,
        tabindex=0,
        role="button",
        aria_label=card.label,
    )


def _rect(box: Box, class_: str, outside: float) -> str:
    return element(
        "rect",
        class_=class_,
        x=box.x - outside,
        y=box.y - outside,
        width=box.width + 2 * outside,
        height=box.height + 2 * outside,
        rx=_RADIUS + outside,
    )


def _edge(route: Route, classes: Mapping[str, str]) -> str:
    """An edge looks like the node it leads to: all that a critical node builds on is critical too."""
    kinds = [kind for kind in ("critical", "dead-end") if kind in classes[route.target].split()]
    *rest, tip = route.points
    head = (
        f"M{number(tip.x)} {number(tip.y)}l{number(-_HEAD_HALF)} {number(-_HEAD_LENGTH)}"
        f"h{number(2 * _HEAD_HALF)}z"
    )
    line = _curve((*rest, Point(tip.x, tip.y - _HEAD_LENGTH + 1)))
    return element(
        "g",
        element("path", d=line),
        element("path", class_="head", d=head),
        class_=" ".join(("edge", *kinds)),
        data_source=route.source,
        data_target=route.target,
    )


def _curve(points: tuple[Point, ...]) -> str:
    """Straight down where points stand above each other, an S elsewhere; upright at every point."""
    path = f"M{number(points[0].x)} {number(points[0].y)}"
    for last, point in pairwise(points):
        if last.x == point.x:
            path += f"V{number(point.y)}"
        else:
            middle = number((last.y + point.y) / 2)
            path += (
                f"C{number(last.x)} {middle} {number(point.x)} {middle} {number(point.x)} {number(point.y)}"
            )
    return path
