"""Hostile text and addresses in a drawing: it stays well-formed, inert, and within its boxes."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory_graph.drawing.notes import ItemNote, NodeNote
from memory_graph.drawing.svg import draw
from memory_graph.drawing.svg_markup import MAX_HREF, allowed_href
from tests.memory_graph.drawings import PIXEL, SVG, answered, box_of, lines_of, noted, of_class, parsed
from tests.memory_graph.graphs import graphs
from tests.memory_graph.hostile import HOSTILE


@pytest.mark.parametrize(
    "href",
    [
        "/v1/media?item=documents%3Apage%3Aa%231&t=1.5&width=212",
        "/",
        PIXEL,
        "data:image/jpeg;base64,/9j/4A==",
        "data:image/webp;base64,UklG",
    ],
)
def test_pictures_of_the_same_host_and_in_the_text_are_allowed(href: str):
    assert allowed_href(href) == href


@pytest.mark.parametrize(
    "href",
    [
        None,
        "",
        "https://example.org/a.png",
        "http://example.org",
        "//example.org/a.png",
        "/\\example.org",
        "/\t/example.org",
        "\n/a",
        "/a b",
        "/a\n",
        "a.png",
        "../a.png",
        "#a",
        "javascript:alert(1)",
        "JAVASCRIPT:alert(1)",
        "data:text/html;base64,PGI+",
        "data:image/svg+xml;base64,PHN2Zz4=",
        "data:image/png,abc",
        "data:image/png;base64,ab\ncd",
        'data:image/png;base64,"><script>',
        "/" + "a" * MAX_HREF,
        "/é",
    ],
)
def test_every_other_address_is_left_out(href: str | None):
    assert allowed_href(href) is None
    root = parsed(draw(answered(), notes=noted(thumbnail_href=href)))
    assert list(root.iter(f"{SVG}image")) == []


ITEM_NOTES = st.builds(
    ItemNote,
    item_id=HOSTILE,
    title=HOSTILE,
    modality=st.sampled_from(["text", "image", "page", "video"]) | HOSTILE,
    priority=st.none() | st.integers(1, 5),
    energy=st.none() | st.floats(0, 1e9),
    pixels=st.none() | st.integers(0, 10**12),
    tokens=st.none() | st.integers(0, 10**12),
    thumbnail_href=st.none() | HOSTILE | st.sampled_from(["/a?b=<", "/a?b=1&c='", PIXEL]),
    timestamps=st.lists(st.floats(0, 1e9), max_size=5).map(tuple),
)
NODE_NOTES = st.builds(NodeNote, items=st.lists(ITEM_NOTES, max_size=5).map(tuple), caption=HOSTILE)


@st.composite
def drawn(draw_: st.DrawFn) -> str:
    any_graph = draw_(graphs(max_nodes=4, texts=HOSTILE))
    chosen = [node.id for node in any_graph.nodes if draw_(st.booleans())]
    return draw(any_graph, notes={each: draw_(NODE_NOTES) for each in chosen}, embedded=draw_(st.booleans()))


@settings(max_examples=60)
@given(drawn())
def test_hostile_text_stays_text(drawing: str):
    root = parsed(drawing)
    assert {each.tag.removeprefix(SVG) for each in root.iter()} <= {
        *("svg", "style", "title", "g", "rect", "path", "circle", "text", "image"),
    }
    for each in root.iter():
        assert "style" not in each.attrib
        assert "id" not in each.attrib
        assert not any(name.startswith("on") for name in each.attrib)
        assert each.tag == f"{SVG}image" or not any("href" in name for name in each.attrib)
    shown = "".join(root.itertext()) + "".join(
        value for each in root.iter() for value in each.attrib.values()
    )
    assert (
        re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", shown)
        is None
    )
    drawing.encode("utf-8")


@settings(max_examples=60)
@given(drawn())
def test_no_text_leaves_its_box_or_runs_into_another(drawing: str):
    written: dict[str, list[tuple[float, float, float, float]]] = {}
    for left, right, top, bottom, card in lines_of(parsed(drawing)):
        x, end, y, foot = box_of(card)
        assert x < left
        assert right < end
        assert y < top
        assert bottom < foot
        written.setdefault(card.get("data-node-id", ""), []).append((left, right, top, bottom))
    for lines in written.values():
        for one, other in itertools.combinations(lines, 2):
            beside = max(one[0], other[0]) - min(one[1], other[1])
            above = max(one[2], other[2]) - min(one[3], other[3])
            assert max(beside, above) >= -0.2  # coordinates are rounded to tenths


@settings(max_examples=30)
@given(drawn())
def test_tiles_of_a_node_do_not_run_into_each_other(drawing: str):
    for card in of_class(parsed(drawing), "node"):
        plates = [
            tuple(float(plate.get(name, "")) for name in ("x", "y", "width", "height"))
            for plate in of_class(card, "plate")
        ]
        places = [(x, y) for x, y, _, _ in plates]
        assert len(set(places)) == len(places)
        x, end, y, foot = box_of(card)
        for left, top, width, height in plates:
            assert 0 < left < left + width < end - x
            assert 0 < top < top + height < foot - y
