"""What UniversalRAG's context holds.

1. The router call sees instruction and question; the query of its search is one word that names a place.
2. The search is made with the question and a filter: only items of that place are looked at, however far down they stand.
3. The conversation goes on with the results, and the next call has to answer.
4. "none" searches nothing; a router that answers at once searched nothing either.
5. Another word is refused like any illegal action; after two re-asks the answer is forced.
6. Without items of that place the notice says so.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from memory_graph.actions import Answer, Memorize, Search
from model.agent.memory.universalrag import REFUSAL, ROUTES
from model.config.limits import MINIATURE_LIMITS
from model.types import Outcome
from tests.model.agent.memory_scene import (
    ASKED,
    CLIP,
    NOW,
    PAGE,
    PAGE_SHOWN,
    TASK,
    TEXT,
    instructed,
    play,
    said,
    told,
)

SYSTEM = instructed("Say where to look, then answer.")

SLIDE = replace(PAGE, item_id="t:slide:deck#2", title="Slide")
PHOTO = replace(PAGE, item_id="t:image:5", title="Photo")
LATE = replace(CLIP, item_id="t:clip:film#60", title="Film", start_s=60.0, parent="film")
EARLY = replace(CLIP, item_id="t:clip:film#0", title="Film", start_s=0.0, parent="film")
OTHER = replace(CLIP, item_id="t:clip:other#0", title="Other", start_s=0.0, parent="other")
TEXTS = [replace(TEXT, item_id=f"t:text:{number}") for number in range(1_000)]
CORPUS = [*TEXTS, LATE, PHOTO, OTHER, PAGE, EARLY, SLIDE]


def route(place):
    return Search("n1", ("root",), place)


def routed(place, found=None):
    script = [route(place), Answer(("n1",), "41")]
    return play("universalrag", script, found={TASK.question: CORPUS} if found is None else found)


def test_the_two_calls_of_a_rollout():
    played = routed("document")
    results = told(
        "Found:\n[1] Badges: scan",
        PAGE_SHOWN,
        "\n[2] Slide: scan",
        replace(PAGE_SHOWN, item_id=SLIDE.item_id),
        NOW,
    )
    assert played.prompts == [
        (SYSTEM, ASKED),
        (SYSTEM, ASKED, said(route("document")), results),
    ]
    assert played.forced == [False, True]
    assert played.segments == [("n1", 1), (None, 1)]
    assert played.trajectory.outcome is Outcome.FORCED


@pytest.mark.parametrize(
    ("place", "items"),
    [
        ("paragraph", ["t:text:0", "t:text:1", "t:text:2"]),
        ("document", ["t:page:9", "t:slide:deck#2"]),
        ("image", ["t:image:5"]),
        ("clip", ["t:clip:film#60", "t:clip:other#0", "t:clip:film#0"]),
        ("video", ["t:clip:film#0", "t:clip:film#60"]),  # of the best clip's video, in their order in time
    ],
)
def test_only_items_of_the_place_are_taken_however_far_down_they_stand(place, items):
    node = routed(place).trajectory.graph.nodes[0]
    assert (list(node.retrieved), node.query) == (items, TASK.question)


def test_every_route_has_a_case_above_and_is_named_in_the_refusal():
    assert list(ROUTES) == ["paragraph", "document", "image", "clip", "video"]
    assert all(name in REFUSAL for name in (*ROUTES, "none"))


def test_a_clip_that_names_no_video_stands_alone():
    alone = replace(LATE, parent="")
    node = routed("video", found={TASK.question: [alone, EARLY]}).trajectory.graph.nodes[0]
    assert node.retrieved == (alone.item_id,)


def test_a_video_is_that_of_one_dataset():
    elsewhere = replace(EARLY, item_id="u:clip:film#5", dataset="u", start_s=5.0)
    node = routed("video", found={TASK.question: [LATE, elsewhere, EARLY]}).trajectory.graph.nodes[0]
    assert node.retrieved == (EARLY.item_id, LATE.item_id)


def test_a_place_without_items_says_so():
    played = routed("video", found={TASK.question: [TEXT]})
    assert played.prompts[1][-1] == told("Nothing new." + NOW)
    assert played.trajectory.graph.nodes[0].retrieved == ()


def test_none_searches_nothing_and_answers():
    played = routed("None.")
    assert played.prompts[1] == (SYSTEM, ASKED, said(route("None.")), told("Nothing new." + NOW))
    assert (played.queries, played.trajectory.graph.nodes, played.segments) == ([], (), [(None, 2)])
    assert played.trajectory.answer == "41"


def test_a_router_that_answers_at_once_searches_nothing():
    played = play("universalrag", [Answer((), "41")])
    assert (played.queries, played.trajectory.outcome, played.segments) == ([], Outcome.ANSWERED, [(None, 1)])


def test_another_word_is_refused_and_the_router_asked_again():
    played = play("universalrag", [route("the library"), route("clip"), Answer(("n1",), "41")])
    assert played.reasons == [REFUSAL]
    assert played.prompts[1] == (SYSTEM, ASKED, said(route("the library")), told(REFUSAL))
    assert played.trajectory.counters.rejected_actions == 1
    assert played.segments == [("n1", 2), (None, 1)]


def test_a_router_that_never_says_a_place_is_forced_to_answer():
    script = [route("x"), Memorize("n1", "y"), route("z"), Answer((), "?")]
    played = play("universalrag", script)
    assert played.forced == [False, False, False, True]
    assert (played.queries, played.trajectory.outcome) == ([], Outcome.FORCED)


def test_with_one_call_in_all_the_router_has_to_answer():
    played = play("universalrag", [Answer((), "41")], limits=replace(MINIATURE_LIMITS, calls=1))
    assert played.prompts[0][-1].parts[0].endswith(NOW)


def test_a_second_search_abstains():
    played = play("universalrag", [route("clip"), *[route("image")] * 4])
    assert played.trajectory.outcome is Outcome.ABSTAINED
