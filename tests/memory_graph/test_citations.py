"""What an answer rests on.

1. Cited are items of the answer's parents and all their ancestors, in order of creation; other branches are not.
2. A judged node cites what it kept, then the texts it judged useful; a useless result is not cited.
3. A node that was never judged cites all it returned.
4. An item is cited once, by the oldest node, with the key times of all.
"""

from __future__ import annotations

from hypothesis import given

from memory_graph.actions import Answer, Memorize, Search
from memory_graph.citations import Citation, citations
from memory_graph.graph import AnswerNode, MemoryGraph, SearchNode
from tests.memory_graph.graphs import clip, graphs, page
from tests.model.agent.memory_scene import ANSWER, NOTE_1, NOTE_2, SEARCH_1, SEARCH_2, play


def node(node_id, *parents, items=(), noted=(), retrieved=(), summary="s"):
    return SearchNode(
        id=node_id,
        parents=parents or ("root",),
        query="q",
        summary=summary,
        items=items,
        noted=noted,
        retrieved=retrieved,
    )


def answered(*nodes, parents):
    return MemoryGraph(question="Who?", nodes=nodes, answer=AnswerNode(parents=parents, text="a"))


def cited(graph, **known):
    return [(each.node_id, each.item_id, each.modality, each.times_s) for each in citations(graph, **known)]


def test_the_support_of_the_answer_is_cited_in_order_of_creation_and_nothing_else():
    graph = answered(
        node("n1", items=(page("p1"),)),
        node("n2", items=(page("p2"),)),  # a dead branch
        node("n3", "n1", noted=("t3",)),
        node("n4", "n1", "n3", items=(clip("c4", 5.0, 2.0),)),
        parents=("n4",),
    )
    assert cited(graph) == [
        ("n1", "p1", "image", ()),
        ("n3", "t3", "text", ()),
        ("n4", "c4", "video", (2.0, 5.0)),
    ]


def test_a_judged_node_cites_pictures_then_useful_texts_and_no_useless_result():
    graph = answered(
        node("n1", items=(page("p"),), noted=("t",), retrieved=("t", "p", "useless")), parents=("n1",)
    )
    assert [item_id for _, item_id, _, _ in cited(graph)] == ["p", "t"]
    nothing = answered(node("n1", retrieved=("a",), summary="Nothing found."), parents=("n1",))
    assert cited(nothing) == []


def test_an_unjudged_node_cites_all_it_returned():
    graph = answered(node("n1", retrieved=("a", "b"), summary=""), parents=("n1",))
    assert cited(graph, modalities={"a": "video"}) == [("n1", "a", "video", ()), ("n1", "b", "", ())]


def test_an_item_is_cited_once_by_the_oldest_node_with_the_times_of_all():
    graph = answered(
        node("n1", items=(clip("c", 7.0),)), node("n2", "n1", items=(clip("c", 1.0, 7.0),)), parents=("n2",)
    )
    assert cited(graph) == [("n1", "c", "video", (1.0, 7.0))]


def test_titles_are_those_handed_in_and_ids_elsewhere():
    graph = answered(node("n1", noted=("t", "u")), parents=("n1",))
    assert [each.title for each in citations(graph, {"t": "Belodu"})] == ["Belodu", "u"]


def test_without_an_answer_or_on_the_root_alone_nothing_is_cited():
    assert citations(MemoryGraph(question="Who?", nodes=(node("n1", noted=("t",)),))) == ()
    assert cited(answered(node("n1", noted=("t",)), parents=("root",))) == []


def test_a_rollout_is_cited_by_what_its_policy_judged():
    graph = play("vimrag", [SEARCH_1, NOTE_1, SEARCH_2, NOTE_2, ANSWER]).trajectory.graph
    titles = {"t:text:1": "Belodu", "t:clip:3": "Tour"}
    assert citations(graph, titles) == (
        Citation(node_id="n1", item_id="t:text:1", modality="text", title="Belodu"),
        Citation(node_id="n2", item_id="t:clip:3", modality="video", title="Tour", times_s=(3.0,)),
    )


def test_policies_that_judge_nothing_are_cited_by_what_they_returned():
    react = play("react", [SEARCH_1, SEARCH_2, ANSWER]).trajectory.graph
    assert [(n, i) for n, i, _, _ in cited(react)] == [
        ("n1", "t:text:1"),
        ("n1", "t:page:9"),
        ("n2", "t:clip:3"),
    ]
    vanilla = play("vanilla", [Answer(("n1",), "41")]).trajectory.graph
    assert [i for _, i, _, _ in cited(vanilla)] == ["t:page:9", "t:text:1", "t:clip:3"]
    assert cited(play("closed_book", [Answer((), "41")]).trajectory.graph) == []


def test_an_answer_straight_after_a_search_is_cited_by_what_was_returned():
    graph = play("vimrag", [SEARCH_1, Answer(("n1",), "41")]).trajectory.graph
    assert [i for _, i, _, _ in cited(graph)] == ["t:text:1", "t:page:9"]


def test_a_dead_end_in_the_support_cites_nothing():
    script = [SEARCH_1, NOTE_1, Search("n2", ("n1",), "nothing"), Memorize("n2", "Nothing found."), ANSWER]
    assert [n for n, *_ in cited(play("vimrag", script).trajectory.graph)] == ["n1"]


@given(graphs())
def test_every_cited_node_supports_the_answer_and_no_item_is_cited_twice(graph):
    found = citations(graph)
    support = graph.ancestors(graph.answer.parents) if graph.answer else frozenset()
    assert {each.node_id for each in found} <= support
    assert len({each.item_id for each in found}) == len(found)
