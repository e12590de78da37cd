"""What may be done in which state, and the nearest legal reading of ids that do not exist."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_graph.actions import ActionError, Answer, Mark, Memorize, Search
from memory_graph.graph import ROOT, AnswerNode, MemoryGraph, Modality, SearchNode
from memory_graph.legality import PendingObservation, legalise, next_id
from tests.memory_graph.graphs import graph, graphs, node, page

TWO = graph(node("n1"), node("n2", "n1"))
PENDING = PendingObservation(
    search=Search("n3", ("n2",), "q"), modalities=(Modality.TEXT, Modality.IMAGE, Modality.VIDEO)
)


def test_legal_actions_pass_unchanged():
    search = Search("n3", ("n1", "n2"), "q")
    assert legalise(search, TWO, pending=None) == (search, ())
    memorize = Memorize("n3", "s", (Mark(2, True, 5), Mark(3, True, 1, (2.0, 4.0))))
    assert legalise(memorize, TWO, pending=PENDING) == (memorize, ())
    answer = Answer(("n2",), "yes")
    assert legalise(answer, TWO, pending=None) == (answer, ())


def test_a_search_by_pictures_names_a_node_that_keeps_some_and_is_dropped_where_it_is_not_allowed():
    seeing = graph(node("n1", items=(page("a"),)), node("n2", "n1"))
    search = Search("n3", ("n1",), "q", like="[N1]")
    by_words = Search("n3", ("n1",), "q")
    assert legalise(search, seeing, pending=None, by_picture=True) == (replace(by_words, like="n1"), ())
    assert legalise(search, seeing, pending=None) == (by_words, ())
    assert legalise(by_words, seeing, pending=None, by_picture=True) == (by_words, ())
    for like in ("n2", "n9", "x" * 1_000):
        with pytest.raises(ActionError, match=r"no kept pictures.*nodes that keep some: n1"):
            legalise(replace(search, like=like), seeing, pending=None, by_picture=True)
    with pytest.raises(ActionError, match="none so far"):
        legalise(replace(search, like="n1"), TWO, pending=None, by_picture=True)


@pytest.mark.parametrize("node_id", ["", "n1", "root", "ROOT", "a node", "n3 <- n1", "x" * 33])
def test_an_id_that_is_missing_taken_or_malformed_becomes_the_next_one(node_id):
    action, repairs = legalise(Search(node_id, ("n2",), "q"), TWO, pending=None)
    assert action == Search("n3", ("n2",), "q")
    assert repairs == ("node id set to n3",)


def test_the_next_id_skips_ids_that_are_taken():
    assert next_id(graph()) == "n1"
    assert next_id(TWO) == "n3"
    assert next_id(graph(node("n2"), node("n3"))) == "n4"  # two nodes, so n3 would be next


@pytest.mark.parametrize(
    ("stated", "read"),
    [
        (("N1",), ("n1",)),
        (("node 2",), ("n2",)),
        (("1",), ("n1",)),
        (("question",), (ROOT,)),
        (("Root", "n1"), (ROOT, "n1")),
        (("n9",), ("n2",)),  # beyond the newest
        (("n1", "rakimo"), ("n1",)),  # the unreadable one is dropped
        (("n2", "N2", "n2"), ("n2",)),  # each once
        (("rakimo",), (ROOT,)),  # nothing left: a search hangs on the root
        ((), (ROOT,)),
    ],
)
def test_unknown_parents_of_a_search_are_read_as_the_nearest_legal_ones(stated, read):
    action, repairs = legalise(Search("n3", stated, "q"), TWO, pending=None)
    assert isinstance(action, Search) and action.parents == read
    assert repairs == (f"parents set to {','.join(read)}",)


def test_repeating_a_known_parent_is_no_slip():
    action, repairs = legalise(Search("n3", ("n1", "n1"), "q"), TWO, pending=None)
    assert action == Search("n3", ("n1",), "q") and repairs == ()


def test_a_node_cannot_be_its_own_parent():
    action, _ = legalise(Search("n3", ("n3",), "q"), TWO, pending=None)
    assert action == Search("n3", ("n2",), "q")


def test_an_answer_without_readable_parents_rests_on_the_newest_node():
    assert legalise(Answer((), "yes"), TWO, pending=None).action == Answer(("n2",), "yes")
    assert legalise(Answer(("rakimo",), "yes"), TWO, pending=None).action == Answer(("n2",), "yes")
    assert legalise(Answer((), "yes"), graph(), pending=None).action == Answer((ROOT,), "yes")


def test_an_answer_straight_after_a_search_may_rest_on_the_pending_node():
    assert legalise(Answer(("n3",), "yes"), TWO, pending=PENDING) == (Answer(("n3",), "yes"), ())
    assert legalise(Answer((), "yes"), TWO, pending=PENDING).action == Answer(("n3",), "yes")


def test_a_memorize_is_always_of_the_pending_node():
    action, repairs = legalise(Memorize("n1", "s"), TWO, pending=PENDING)
    assert action == Memorize("n3", "s") and repairs == ("memorize id set to n3",)


def test_marks_that_name_no_observed_item_are_dropped():
    marks = (Mark(2, True, 5), Mark(4, True, 5), Mark(2, False, 1))
    action, repairs = legalise(Memorize("n3", "s", marks), TWO, pending=PENDING)
    assert action == Memorize("n3", "s", (Mark(2, True, 5),))
    assert repairs == ("mark of an absent or already marked item dropped",)


def test_timestamps_are_sorted_once_each_and_only_of_videos():
    marks = (Mark(2, True, 5, (1.0,)), Mark(3, True, 5, (9.0, 2.0, 9.0)))
    action, repairs = legalise(Memorize("n3", "s", marks), TWO, pending=PENDING)
    assert action == Memorize("n3", "s", (Mark(2, True, 5), Mark(3, True, 5, (2.0, 9.0))))
    assert repairs == ("timestamps of a still dropped",)


@pytest.mark.parametrize(
    ("action", "pending", "message"),
    [
        (Memorize("n3", "s"), None, "nothing to memorize"),
        (Search("n4", ("n1",), "q"), PENDING, "Memorize the results of n3"),
        (Search("n3", ("n1",), " "), None, "query is empty"),
        (Memorize("n3", "\n"), PENDING, "summary is empty"),
        (Answer(("n1",), ""), None, "answer is empty"),
    ],
)
def test_what_cannot_be_repaired_is_refused_with_a_text_for_the_model(action, pending, message):
    with pytest.raises(ActionError, match=message):
        legalise(action, TWO, pending=pending)


def test_nothing_follows_the_answer():
    finished = TWO.finish(AnswerNode(parents=("n2",), text="yes"))
    for action in (Search("n3", ("n1",), "q"), Answer(("n1",), "no")):
        with pytest.raises(ActionError, match="already answered"):
            legalise(action, finished, pending=None)


IDS = st.sampled_from(["n1", "n2", "N1", "n9", "node 3", "0", "root", "Question", "", "x|y", "7"]) | st.text(
    max_size=6
)
PARENTS = st.lists(IDS, max_size=4).map(tuple)


@given(graphs(answered=False), IDS, PARENTS)
def test_a_legalised_search_always_fits_its_graph(
    random_graph: MemoryGraph, node_id: str, parents: tuple[str, ...]
):
    action, repairs = legalise(Search(node_id, parents, "q"), random_graph, pending=None)
    assert isinstance(action, Search)
    grown = random_graph.add(SearchNode(id=action.id, parents=action.parents, query=action.query))
    assert grown.nodes[-1].parents == action.parents
    assert legalise(action, random_graph, pending=None) == (action, ())  # legal actions need no repair
    assert bool(repairs) == (action != Search(node_id, tuple(dict.fromkeys(parents)), "q"))


@given(graphs(answered=False), PARENTS)
def test_a_legalised_answer_always_finishes_its_graph(random_graph: MemoryGraph, parents: tuple[str, ...]):
    action, _ = legalise(Answer(parents, "yes"), random_graph, pending=None)
    assert isinstance(action, Answer)
    assert random_graph.finish(AnswerNode(parents=action.parents, text=action.text)).answer is not None
