"""The graph in a terminal: readable at any width, and no text can send it commands."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory_graph.drawing.glyphs import cell_width
from memory_graph.drawing.lanes import lanes
from memory_graph.drawing.layering import ANSWER
from memory_graph.drawing.notes import ItemNote, NodeNote
from memory_graph.drawing.terminal import draw_text
from memory_graph.graph import ROOT, AnswerNode, MemoryGraph, SearchNode
from tests.memory_graph.graphs import clip, graph, graphs, node, page
from tests.memory_graph.hostile import HOSTILE

TWO_PARENTS = MemoryGraph(
    question="Which town had more ferry traffic?",
    nodes=(
        SearchNode(
            id="n1",
            parents=(ROOT,),
            query="ferry traffic",
            summary="A chart on page 14 shows both towns.",
            items=(page("d:page:a#14"),),
            retrieved=("x", "y", "z"),
        ),
        SearchNode(id="n2", parents=("n1",), query="timetable", summary="Nothing relevant was found."),
        SearchNode(id="n3", parents=(ROOT,), query="interview", items=(clip("d:clip:b", 12.0, 45.5),)),
        SearchNode(id="n4", parents=("n1", "n3"), query="night line"),
    ),
    answer=AnswerNode(parents=("n4", "n1"), text="Belodu."),
)


def test_a_graph_is_listed_in_creation_order_with_its_branches():
    # n1 opens a lane for n2, which ends there; n3 is the root's last child and goes on in its lane
    assert draw_text(TWO_PARENTS, width=60) == (
        "◇   Question\n"
        "│   Which town had more ferry traffic?\n"
        "│\n"
        "├─● n1 (3 found · 1 useful)\n"
        "│ │ ferry traffic\n"
        "│ │ A chart on page 14 shows both towns.\n"
        "│ │ - page: d:page:a#14\n"
        "│ │\n"
        "│ ○ n2 ← n1 (none useful)\n"
        "│   timetable\n"
        "│   Nothing relevant was found.\n"
        "│   dead end: nothing useful found, and the answer does\n"
        "│   without it\n"
        "│\n"
        "●   n3 (1 useful)\n"
        "│   interview\n"
        "│   - video: d:clip:b · at 0:12, 0:45.5\n"
        "│\n"
        "●   n4 ← n1, n3 (none useful)\n"
        "│   night line\n"
        "│\n"
        "◆   Answer ← n4, n1\n"
        "    Belodu.\n"
        "    rests on n3 as well"
    )


def test_the_same_in_ascii():
    text = draw_text(TWO_PARENTS, width=60, ascii=True)
    assert text.isascii()
    assert "|-* n1 (3 found - 1 useful)\n| | ferry traffic\n" in text
    assert "| o n2 <- n1 (none useful)\n" in text
    assert "\n=   Answer <- n4, n1\n" in text


def test_a_branch_that_jumps_over_a_lane_crosses_it():
    # n1's lane waits for n4 when n2 branches off the root again
    crossed = graph(node("n1"), node("n2"), node("n3"), node("n4", "n1"), node("n5", "n2"))
    heads = [line for line in draw_text(crossed).splitlines() if " n" in line and "(" in line]
    assert [line.split("(")[0].rstrip() for line in heads] == [
        "├─●   n1",
        "├─┼─● n2",
        "○ │ │ n3",
        "  ○ │ n4 ← n1",
        "    ● n5 ← n2",
    ]


def test_grants_and_energies_are_told():
    items = (
        ItemNote(
            item_id="a", title="Report, page 14", modality="page", tokens=128, pixels=131_072, energy=1.5
        ),
        ItemNote(item_id="b", title="Film", modality="video", energy=0.25, timestamps=(3.0,)),
    )
    text = draw_text(TWO_PARENTS, notes={"n1": NodeNote(items=items, caption="call 2")})
    assert "- page: Report, page 14 · 128 tok · 131k px · energy 1.50" in text
    assert "- video: Film · at 0:03 · energy 0.25, not shown" in text
    assert "│ │ call 2" in text


def test_colours_change_nothing_but_colours():
    coloured = draw_text(TWO_PARENTS, colour=True)
    assert "\x1b[33mdead end" in coloured
    assert "\x1b[36m●\x1b[0m" in coloured
    assert re.sub(r"\x1b\[\d+m", "", coloured) == draw_text(TWO_PARENTS)
    assert "\x1b" not in draw_text(TWO_PARENTS)


def test_too_many_branches_for_the_width_become_references():
    # fifteen nodes hang on the root and wait for a child each: fifteen lanes
    wide = graph(*(node(f"n{k}") for k in range(1, 16)), *(node(f"n{k + 15}", f"n{k}") for k in range(1, 16)))
    assert "┼" in draw_text(wide, width=80)
    narrow = draw_text(wide, width=40)
    assert "┼" not in narrow
    assert "│" not in narrow
    assert "n16 ← n1" in narrow


NOTES = st.builds(
    NodeNote,
    items=st.lists(st.builds(ItemNote, item_id=HOSTILE, title=HOSTILE, modality=HOSTILE), max_size=2).map(
        tuple
    ),
    caption=HOSTILE,
)


@settings(max_examples=60)
@given(graphs(max_nodes=5, texts=HOSTILE), st.integers(24, 100), st.booleans(), NOTES)
def test_no_line_is_too_wide_and_no_text_commands_the_terminal(
    any_graph: MemoryGraph, width: int, ascii: bool, note: NodeNote
):
    notes = {each.id: note for each in any_graph.nodes[:1]}
    text = draw_text(any_graph, width=width, ascii=ascii, notes=notes)
    for line in text.split("\n"):
        assert cell_width(line) <= width
        assert line == line.rstrip()
    assert (
        re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200d-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", text)
        is None
    )
    text.encode("ascii" if ascii else "utf-8")
    coloured = draw_text(any_graph, width=width, ascii=ascii, notes=notes, colour=True)
    assert re.sub(r"\x1b\[\d+m", "", coloured) == text


@given(graphs(max_nodes=8))
def test_lanes_join_every_node_to_its_newest_parent(any_graph: MemoryGraph):
    rows = lanes(any_graph)
    assert list(rows) == [*any_graph.ids, *([ANSWER] if any_graph.answer else [])]
    assert len({len(cells) for row in rows.values() for cells in row}) == 1
    heads = {each: "".join(cell.value for cell in row.first) for each, row in rows.items()}
    tails = {each: "".join(cell.value for cell in row.below) for each, row in rows.items()}
    ids = list(rows)
    all_parents = [any_graph.nodes[k].parents for k in range(len(any_graph.nodes))]
    if any_graph.answer is not None:
        all_parents.append(any_graph.answer.parents)
    for index, parents in enumerate(all_parents, start=1):
        newest = max(parents, key=ids.index)
        lane, origin = heads[ids[index]].index("o"), heads[newest].index("o")
        assert heads[ids[index]][origin] == ("o" if lane == origin else "├")
        # nothing breaks the lane from the parent to the child
        assert all(tails[each][origin] == "│" for each in ids[ids.index(newest) : index])


def test_a_graph_of_a_question_alone_is_listed():
    assert draw_text(MemoryGraph(question="Who?")) == "◇ Question\n  Who?"


def test_what_cannot_be_listed_is_refused():
    with pytest.raises(ValueError, match="width"):
        draw_text(TWO_PARENTS, width=23)
    with pytest.raises(ValueError, match="unknown nodes"):
        draw_text(TWO_PARENTS, notes={"n9": NodeNote()})
