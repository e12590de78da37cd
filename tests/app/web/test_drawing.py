"""What the page takes of a drawing, and that it styles all that a drawing holds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page

from app.web import STATIC
from memory_graph.drawing.svg import CSS, draw
from memory_graph.drawing.svg_style import TEXT_STYLES
from memory_graph.graph import AnswerNode, MemoryGraph, SearchNode, VisualItem, VisualKind
from tests.app.web.conftest import Open

READ = "async text => { const { readDrawing } = await import('/static/drawing.js'); return readDrawing(text).outerHTML; }"
HEAD = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'


@pytest.fixture(scope="module")
def still(open_page: Open) -> Page:
    return open_page(may_fail=True)  # the policy of the page refuses hostile drawings too, and says so


def test_a_drawing_of_ours_is_taken_as_it_is(still: Page):
    item = VisualItem(item_id="a:b:c#1", kind=VisualKind.PAGE, priority=3, width=64, height=64)
    node = SearchNode(id="n1", parents=("root",), query='<script>url(x) & "so" on', items=(item,))
    graph = (
        MemoryGraph(question="<img src=x>?")
        .add(node)
        .finish(AnswerNode(parents=("n1",), text="url(http://a)"))
    )
    taken = still.evaluate(READ, draw(graph, embedded=True))
    assert taken.count('class="node') == 3
    assert 'data-item-id="a:b:c#1"' in taken


@pytest.mark.parametrize(
    "inside",
    [
        "<script>alert(1)</script>",
        "<foreignObject><p xmlns='http://www.w3.org/1999/xhtml'>x</p></foreignObject>",
        "<g onclick='alert(1)'/>",
        "<rect style='fill:red'/>",
        "<style>* { display: none }</style>",
        "<a href='/x'><text>x</text></a>",
        "<use href='/static/icons.svg#search'/>",
        "<image href='http://example.org/a.png'/>",
        "<image href='//example.org/a.png'/>",
        "<image href='/\\example.org/a.png'/>",
        "<image xlink:href='https://example.org/a.png'/>",
        "<image href='data:image/svg+xml;base64,PHN2Zy8+'/>",
        "<image href='javascript:alert(1)'/>",
        "<rect fill='url(http://example.org/#a)'/>",
        "<animate attributeName='href' to='javascript:alert(1)'/>",
        "<p xmlns='http://www.w3.org/1999/xhtml'>x</p>",
        "<g",
    ],
)
def test_a_drawing_with_anything_else_is_refused(still: Page, inside: str):
    refused = still.evaluate(
        "async text => { const { readDrawing, RefusedDrawing } = await import('/static/drawing.js');"
        " try { return readDrawing(text).outerHTML; } catch (error) { return error instanceof RefusedDrawing; } }",
        f"{HEAD}>{inside}</svg>",
    )
    assert refused is True


@pytest.mark.parametrize("href", ["/v1/media?item=a%3Ab&width=96", "data:image/png;base64,iVBORw0KGgo="])
def test_images_of_this_server_and_in_the_drawing_are_taken(still: Page, href: str):
    assert href.split("&")[0] in still.evaluate(
        READ, f"{HEAD}><image href='{href.replace('&', '&amp;')}'/></svg>"
    )


def test_the_page_styles_every_class_that_the_drawing_styles():
    page = Path(STATIC / "graph.css").read_text()
    selectors = re.findall(r"\.memory-graph[^{,]*", CSS)
    missing = {" ".join(each.split()) for each in selectors} - {
        " ".join(each.split()) for each in re.findall(r"\.memory-graph[^{,]*", page)
    }
    assert missing == set()


def test_texts_are_as_large_as_the_drawing_measured_them(still: Page):
    sizes = still.evaluate(
        """styles => {
          document.querySelector(".stage").innerHTML = "";
          const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
          svg.setAttribute("class", "memory-graph");
          document.querySelector(".stage").append(svg);
          return styles.map(name => {
            const text = document.createElementNS("http://www.w3.org/2000/svg", "text");
            text.setAttribute("class", name);
            svg.append(text);
            const { fontSize, fontWeight } = getComputedStyle(text);
            return [name, parseFloat(fontSize), Number(fontWeight)];
          });
        }""",
        [style.name for style in TEXT_STYLES],
    )
    assert [tuple(each) for each in sizes] == [
        (style.name, style.size, 600 if style.bold else 400) for style in TEXT_STYLES
    ]
