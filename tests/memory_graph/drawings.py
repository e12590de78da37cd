"""A drawn graph read back: its nodes, the words in them, and where its lines of text lie."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from memory_graph.drawing.notes import ItemNote, NodeNote
from memory_graph.drawing.svg_style import TEXT_STYLES
from memory_graph.graph import MemoryGraph
from tests.memory_graph.graphs import clip, graph, node, page

SVG = "{http://www.w3.org/2000/svg}"
STYLES = {style.name: style for style in TEXT_STYLES}
PIXEL = "data:image/png;base64,iVBORw0KGgo="


def answered() -> MemoryGraph:
    """n1 supports the answer, n2 kept something in vain, n3 found nothing."""
    return graph(
        node("n1", items=(page("d:page:a#1", 5), clip("d:clip:b#60", 12.0, 45.5)), retrieved=("x", "y", "z")),
        node("n2", items=(page("d:page:c#2"),)),
        node("n3", "n1", retrieved=("x",)),
        answer=("n1",),
    )


def noted(**changes: object) -> dict[str, NodeNote]:
    item = ItemNote(
        item_id="d:page:a#1",
        title="Report, page 1",
        modality="page",
        priority=5,
        energy=2.0,
        pixels=131_072,
        tokens=128,
        width=1240,
        height=1754,
        thumbnail_href="/v1/media?item=a&t=1",
    )
    return {"n1": NodeNote(items=(replace(item, **changes),), caption="call 1")}


def parsed(drawing: str) -> Element:
    return ElementTree.fromstring(drawing)


def of_class(root: Element, name: str) -> list[Element]:
    return [each for each in root.iter() if name in each.get("class", "").split()]


def nodes_of(root: Element) -> dict[str, Element]:
    return {each.get("data-node-id", ""): each for each in of_class(root, "node")}


def words(of: Element) -> str:
    """The drawn text; titles are shown at the pointer only."""
    return " ".join(each.text or "" for each in of.iter(f"{SVG}text"))


def lines_of(root: Element) -> Iterator[tuple[float, float, float, float, Element]]:
    """Every line of text as left, right, top and bottom in the drawing, and the node it belongs to."""
    for card in of_class(root, "node"):
        inside = next(each for each in card if each.tag == f"{SVG}g")
        moved = re.fullmatch(r"translate\((\S+) (\S+)\)", inside.get("transform", ""))
        assert moved is not None
        left, top = map(float, moved.groups())
        for each in inside.iter(f"{SVG}text"):
            style = STYLES[each.get("class", "").split()[0]]
            width = float(each.get("textLength") or style.measure(each.text or ""))
            x = left + float(each.get("x", "")) - (width if each.get("text-anchor") == "end" else 0.0)
            baseline = top + float(each.get("y", ""))
            yield x, x + width, baseline - 0.8 * style.size, baseline + 0.25 * style.size, card


def box_of(card: Element) -> tuple[float, float, float, float]:
    box = next(each for each in card if each.get("class") == "box")
    x, y, width, height = (float(box.get(name, "")) for name in ("x", "y", "width", "height"))
    return x, x + width, y, y + height
