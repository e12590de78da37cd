"""Invariants of the memory graph (arXiv 2602.12735): what holds always, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_graph.graph import ROOT, AnswerNode, MemoryGraph, SearchNode, VisualItem, VisualKind, is_node_id
from tests.memory_graph.graphs import clip, graph, graphs, node, page

# n1 and n2 hang on the root, n3 joins both, n4 continues n1, n5 is a dead end under n4
DIAMOND = graph(node("n1"), node("n2"), node("n3", "n1", "n2"), node("n4", "n1"), node("n5", "n4"))


def test_ids_are_in_creation_order_with_the_root_first():
    assert DIAMOND.ids == (ROOT, "n1", "n2", "n3", "n4", "n5")


def test_ancestors_follow_every_branch_and_leave_the_root_out():
    assert DIAMOND.ancestors(["n3"]) == {"n1", "n2", "n3"}
    assert DIAMOND.ancestors(["n5"]) == {"n1", "n4", "n5"}
    assert DIAMOND.ancestors(["n3", "n5"]) == {"n1", "n2", "n3", "n4", "n5"}
    assert DIAMOND.ancestors([ROOT]) == frozenset()


def test_adding_returns_a_new_graph_and_leaves_the_old_one():
    empty = MemoryGraph(question="Who?")
    grown = empty.add(node("n1"))
    assert (empty.ids, grown.ids) == ((ROOT,), (ROOT, "n1"))


def test_an_answer_may_rest_on_the_root_alone():
    finished = MemoryGraph(question="Who?").finish(AnswerNode(parents=(ROOT,), text="nobody"))
    assert finished.answer is not None
    assert finished.ancestors(finished.answer.parents) == frozenset()


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (lambda: DIAMOND.add(node("n1")), "taken"),
        (lambda: graph(node("n1"), node("n1")), "taken"),
        (lambda: DIAMOND.add(node("n6", "n9")), "unknown or younger"),
        (lambda: graph(node("n1", "n2"), node("n2")), "unknown or younger"),
        (lambda: graph(node("n1", "n1")), "unknown or younger"),
        (lambda: graph(node("n1"), answer=("n2",)), "unknown or younger"),
        (lambda: SearchNode(id="n1", parents=(), query="q"), "no parent"),
        (lambda: AnswerNode(parents=(), text="yes"), "no parent"),
        (lambda: node("root"), "not a node id"),
        (lambda: node("Root"), "not a node id"),
        (lambda: node("n1 <- root"), "not a node id"),
        (lambda: node(""), "not a node id"),
        (lambda: graph(node("n1"), answer=("n1",)).finish(AnswerNode(parents=("n1",), text="no")), "already"),
        (lambda: graph(node("n1"), answer=("n1",)).add(node("n2")), "answered"),
        (lambda: node("n1", items=(page("a"), page("a"))), "twice"),
        (lambda: DIAMOND.ancestors(["n9"]), "unknown"),
    ],
)
def test_a_broken_invariant_is_refused(broken, message):
    with pytest.raises(ValueError, match=message):
        broken()


@pytest.mark.parametrize(
    "change",
    [
        {"item_id": ""},
        {"priority": 0},
        {"priority": 6},
        {"width": 0},
        {"height": -1},
        {"timestamps": (1.0,)},
        {"kind": VisualKind.VIDEO, "timestamps": (float("nan"),)},
        {"kind": VisualKind.VIDEO, "timestamps": (-1.0,)},
    ],
)
def test_a_visual_item_out_of_range_is_refused(change):
    sound = {"item_id": "a", "kind": VisualKind.PAGE, "priority": 3, "width": 10, "height": 10}
    assert VisualItem(**sound).num_frames == 1
    with pytest.raises(ValueError):
        VisualItem(**sound | change)


def test_a_video_has_as_many_pictures_as_key_frames():
    assert clip("v", 1.0, 2.5, 9.0).num_frames == 3
    assert clip("v").num_frames == 1


@given(graphs())
def test_every_parent_is_known_and_older_so_the_graph_is_acyclic(random_graph: MemoryGraph):
    place = {node_id: index for index, node_id in enumerate(random_graph.ids)}
    for child in random_graph.nodes:
        assert all(place[parent] < place[child.id] for parent in child.parents)


@given(graphs())
def test_ids_are_unique_and_the_root_is_the_only_node_without_parents(random_graph: MemoryGraph):
    assert len(set(random_graph.ids)) == len(random_graph.ids)
    assert ROOT not in {each.id for each in random_graph.nodes}
    assert all(each.parents for each in random_graph.nodes)
    assert random_graph.ancestors(random_graph.ids) == {each.id for each in random_graph.nodes}


@given(graphs(answered=True))
def test_an_answered_graph_takes_neither_a_node_nor_an_answer(random_graph: MemoryGraph):
    with pytest.raises(ValueError):
        random_graph.add(node("extra"))
    with pytest.raises(ValueError):
        random_graph.finish(AnswerNode(parents=(ROOT,), text="again"))


@given(graphs(answered=False), st.integers(1, 4))
def test_a_parent_named_several_times_counts_once(random_graph: MemoryGraph, times: int):
    parents = random_graph.ids
    once, repeated = (
        random_graph.add(node("extra", *parents)),
        random_graph.add(node("extra", *parents * times)),
    )
    assert once == repeated
    assert once.nodes[-1].parents == parents


@given(graphs())
def test_support_is_closed_under_parents(random_graph: MemoryGraph):
    by_id = {each.id: each for each in random_graph.nodes}
    for start in by_id:
        support = random_graph.ancestors([start])
        assert start in support
        assert all(parent in support for each in support for parent in by_id[each].parents if parent != ROOT)


@given(graphs(), st.data())
def test_the_support_of_several_nodes_is_the_union_of_their_supports(
    random_graph: MemoryGraph, data: st.DataObject
):
    chosen = data.draw(st.lists(st.sampled_from(random_graph.ids), max_size=3))
    union = frozenset().union(*(random_graph.ancestors([each]) for each in chosen))
    assert random_graph.ancestors(chosen) == union


@given(st.text(max_size=40))
def test_a_node_id_never_holds_what_separates_fields(text: str):
    if is_node_id(text):
        assert not set(text) & set(" |,<>\"'{}\n\t") and text.isascii()
