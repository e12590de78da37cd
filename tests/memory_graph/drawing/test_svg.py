"""The drawn graph: what it says of each node, edge and item, to the eye, to the keyboard and to a page."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from memory_graph.drawing.notes import ItemNote, NodeNote
from memory_graph.drawing.svg import ANSWER, CSS, TextLimits, draw
from memory_graph.drawing.svg_style import TEXT_STYLES
from memory_graph.graph import ROOT, AnswerNode, MemoryGraph, SearchNode
from tests.memory_graph.drawings import PIXEL, SVG, answered, nodes_of, noted, of_class, parsed, words
from tests.memory_graph.graphs import graph, node, page


def test_nodes_say_what_they_are():
    cards = nodes_of(parsed(draw(answered())))
    assert {each: card.get("class") for each, card in cards.items()} == {
        ROOT: "node root",
        "n1": "node critical",
        "n2": "node dead-end",
        "n3": "node dead-end",
        ANSWER: "node answer critical",
    }
    assert "Dead end: the answer does not rest on it" in words(cards["n2"])
    assert "Dead end: nothing useful found, and the answer does without it" in words(cards["n3"])
    assert "Dead end" not in words(cards["n1"])
    assert "3 found · 2 useful" in words(cards["n1"])
    assert "rests on n1" in words(cards[ANSWER])
    assert "yes" in words(cards[ANSWER])
    assert "Who?" in words(cards[ROOT])


def test_edges_are_emphasised_as_the_nodes_they_lead_to():
    edges = of_class(parsed(draw(answered())), "edge")
    kinds = {(each.get("data-source"), each.get("data-target")): each.get("class") for each in edges}
    assert kinds == {
        (ROOT, "n1"): "edge critical",
        (ROOT, "n2"): "edge dead-end",
        ("n1", "n3"): "edge dead-end",
        ("n1", ANSWER): "edge critical",
    }
    assert edges[-1].get("class") == edges[-2].get("class") == "edge critical"  # drawn over the others


def test_without_an_answer_only_what_led_nowhere_is_a_dead_end():
    text = replace(node("n4"), noted=("d:text:a",))
    open_graph = graph(node("n1"), node("n2"), node("n3", "n2", items=(page("p"),)), text, node("n5"))
    cards = nodes_of(parsed(draw(open_graph)))
    # n1 found nothing useful and has no child; n2 has one, n3 keeps a page, n4 noted a text, and n5 is the newest
    assert [each for each, card in cards.items() if "dead-end" in card.get("class", "")] == ["n1"]
    assert of_class(parsed(draw(open_graph)), "critical") == []


def test_a_kept_item_shows_its_grant_its_energy_and_its_picture():
    weak = ItemNote(item_id="weak", modality="image", energy=0.5)
    strong = noted()["n1"].items[0]
    root = parsed(draw(answered(), notes={"n1": NodeNote(items=(strong, weak))}))
    first, second = of_class(nodes_of(root)["n1"], "item")
    assert first.get("data-item-id") == "d:page:a#1"
    assert first.get("data-node-id") == "n1"
    assert "128 tok · 131k px" in words(first)
    assert first.find(f"{SVG}image").get("href") == "/v1/media?item=a&t=1"
    assert "priority 5 of 5" in first.findtext(f"{SVG}title", "")
    # energies 2.0 and 0.5: the second bar is a quarter of the first
    full, quarter = (float(of_class(each, "energy")[0].get("width", "")) for each in (first, second))
    assert full == 4 * quarter
    assert "not shown" in words(second)
    assert "unseen" in second.get("class", "")
    assert second.find(f"{SVG}image") is None
    assert len(of_class(second, "mark")) == 1


def test_what_is_not_known_is_not_drawn():
    tile = of_class(nodes_of(parsed(draw(answered())))["n1"], "item")[1]
    assert words(tile) == "0:12 · 0:45.5 b#60"  # the times on the picture, the end of the item's id below it
    assert of_class(tile, "track") == []


def test_more_items_than_are_drawn_are_counted():
    many = graph(node("n1", items=tuple(page(f"p{k}") for k in range(40))))
    card = nodes_of(parsed(draw(many)))["n1"]
    assert len(of_class(card, "item")) == 12
    assert "and 28 more" in words(card)


def test_long_text_is_cut_and_whole_in_the_title():
    summary = " ".join(f"word{k}" for k in range(400))
    long = MemoryGraph(
        question="Why?", nodes=(SearchNode(id="n1", parents=(ROOT,), query="q", summary=summary),)
    )
    card = nodes_of(parsed(draw(long, room=TextLimits(summary=2))))["n1"]
    lines = of_class(card, "summary")
    assert len(lines) == 2
    assert (lines[-1].text or "").endswith("…")
    assert summary in card.findtext(f"{SVG}title", "")


def test_a_drawing_asks_nothing_of_the_network_and_refers_to_nothing():
    text = draw(answered(), notes=noted(thumbnail_href=PIXEL)).replace("http://www.w3.org/2000/svg", "")
    assert re.findall(r"https?:|url\(|@import|<script|<use|xlink", text) == []


def test_a_page_that_serves_the_rules_itself_gets_a_drawing_without_them():
    alone, embedded = draw(answered()), draw(answered(), embedded=True)
    assert f"<style>{CSS}</style>" in alone
    assert "<style" not in embedded
    assert of_class(parsed(alone), "ground")
    assert not of_class(parsed(embedded), "ground")


def test_every_class_of_text_has_its_rule_and_no_rule_reaches_beyond_the_drawing():
    for style in TEXT_STYLES:
        assert f".memory-graph .{style.name}{{font-size:{style.size:g}px;" in CSS
    selectors = re.findall(r"(?:^|[{}])\s*([^{}@]+)\{", CSS)
    assert len(selectors) > 30
    for selector in ",".join(selectors).split(","):
        assert selector.startswith(".memory-graph")
    assert "prefers-color-scheme:dark" in CSS
    for name in ("ink", "paper", "accent", "muted", "warn"):
        assert CSS.count(f"--{name}:var(--vg-{name},#") == 2  # light and dark


def test_the_drawing_can_be_read_and_walked_without_seeing_it():
    root = parsed(draw(answered()))
    assert root.get("role") == "group"
    assert root.get("aria-label") == "Memory graph: Who?"
    for card in of_class(root, "node"):
        assert card.get("tabindex") == "0"
        assert card.get("role") == "button"
        assert card.get("aria-label")
    labels = {each: card.get("aria-label") for each, card in nodes_of(root).items()}
    assert labels["n2"] == "n2: query n2; 1 useful; Dead end: the answer does not rest on it"
    assert list(labels) == [ROOT, "n1", "n2", "n3", ANSWER]  # walked in the order in which it happened
    assert ":focus-visible .ring" in CSS


def test_the_canvas_scales():
    root = parsed(draw(answered()))
    assert root.get("viewBox") == f"0 0 {root.get('width')} {root.get('height')}"
    assert "max-width:100%;height:auto" in CSS


def test_the_same_graph_gives_the_same_bytes():
    assert draw(answered(), notes=noted()) == draw(answered(), notes=noted())


def test_a_graph_of_a_question_alone_is_drawn():
    assert list(nodes_of(parsed(draw(MemoryGraph(question=""))))) == [ROOT]
    closed_book = MemoryGraph(question="Who?", answer=AnswerNode(parents=(ROOT,), text="she"))
    assert list(nodes_of(parsed(draw(closed_book)))) == [ROOT, ANSWER]


def test_a_note_about_nothing_is_refused():
    with pytest.raises(ValueError, match="unknown nodes \\['n9'\\]"):
        draw(answered(), notes={"n9": NodeNote()})
    item = ItemNote(item_id="a")
    for wrong in ({"energy": float("nan")}, {"pixels": -1}, {"tokens": -1}, {"timestamps": (-1.0,)}):
        with pytest.raises(ValueError, match="must"):
            replace(item, **wrong)
