"""One rollout's world: limits, observation, key frames, what is known, what is counted."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_graph.actions import ActionError, Mark, Memorize, Search
from memory_graph.budget import Allocation
from memory_graph.graph import Modality
from model.agent.display import display, key_frames
from model.agent.environment import Environment, normalised
from model.config.limits import MINIATURE_LIMITS, Limits
from model.types import Hit, HitFilter, Task
from tests.model.scripted import ScriptedRetriever

TASK = Task(id="1", dataset="d", question="Who?", answers=("x",))
TEXT = Hit(item_id="d:text:1", dataset="d", modality=Modality.TEXT, title="T", text="words")
PAGE = Hit(
    item_id="d:page:2", dataset="d", modality=Modality.IMAGE, title="P", text="", width=400, height=200
)
PHOTO = Hit(
    item_id="d:photo:3", dataset="d", modality=Modality.IMAGE, title="F", text="", width=64, height=64
)
CLIP = Hit(
    item_id="d:clip:4",
    dataset="d",
    modality=Modality.VIDEO,
    title="C",
    text="",
    width=320,
    height=240,
    duration_s=60.0,
)
OBSERVED_S = (7.5, 22.5, 37.5, 52.5)


def world(*hits, limits=MINIATURE_LIMITS, allocation=Allocation.ENERGY):
    return Environment(
        TASK, ScriptedRetriever({"q": hits, "r": hits, "s": hits}), limits, allocation=allocation
    )


def search(environment, query="q", node_id="n1", known=frozenset()):
    return asyncio.run(environment.search(Search(node_id, ("root",), query), known=known))


WRONG_LIMITS = {
    "calls": 0,
    "re_asks": -1,
    "top_k": 0,
    "total_pixels": 1023,
    "min_pixels": -1,
    "observation_pixels": 0,
    "frame_pixels": 0,
    "max_frames": 0,
    "frames_per_s": 0.0,
    "context_tokens": 0,
    "observation_tokens": 0,
    "same_query": 1.1,
}


@pytest.mark.parametrize("name", WRONG_LIMITS)
def test_limits_out_of_range_are_refused(name):
    with pytest.raises(ValueError):
        Limits(**{name: WRONG_LIMITS[name]})


def test_the_paper_gives_1280_visual_tokens_and_the_miniature_80():
    assert Limits().total_pixels == 1_310_720 and Limits().calls == 20
    assert MINIATURE_LIMITS.total_pixels == 81_920 and MINIATURE_LIMITS.calls == 10


def test_a_clip_is_observed_as_evenly_spaced_frames_within_their_limit():
    observed = display(CLIP, MINIATURE_LIMITS)
    assert tuple(image.timestamp_s for image in observed.images) == OBSERVED_S
    # 4,096 px for 320 x 240: scaled by sqrt(4096/76800) to 73.9 x 55.4, in whole tokens 64 x 32
    assert {(image.width, image.height) for image in observed.images} == {(64, 32)}
    assert observed.interval_s == 15.0


def test_a_picture_without_a_size_is_refused():
    with pytest.raises(ValueError, match="native size"):
        display(replace(PAGE, width=0), MINIATURE_LIMITS)


def test_key_frames_are_the_nearest_observed_ones_within_half_an_interval():
    assert key_frames(OBSERVED_S, (20.0, 50.0), interval_s=15.0) == (22.5, 52.5)
    assert key_frames(OBSERVED_S, (8.0, 6.0), interval_s=15.0) == (7.5,)
    # 15.0 is as near to 7.5 as to 22.5: the earlier one
    assert key_frames(OBSERVED_S, (15.0,), interval_s=15.0) == (7.5,)


def test_without_a_usable_key_time_all_observed_frames_are_kept():
    assert key_frames(OBSERVED_S, (), interval_s=15.0) == OBSERVED_S
    assert key_frames(OBSERVED_S, (500.0,), interval_s=15.0) == OBSERVED_S


@given(st.floats(0.5, 600), st.integers(1, 32), st.lists(st.floats(0, 600), max_size=4))
def test_key_frames_are_observed_ones_in_order_and_any_time_of_the_clip_keeps_one(duration_s, number, stated):
    observed = tuple((place + 0.5) * duration_s / number for place in range(number))
    kept = key_frames(observed, stated, interval_s=duration_s / number)
    assert set(kept) <= set(observed) and list(kept) == sorted(kept)
    for time_s in stated:
        if time_s <= duration_s:  # half an interval from some centre at most
            gap = min(abs(seen - time_s) for seen in observed)
            assert any(abs(seen - time_s) == gap for seen in kept)


def test_key_times_shown_with_one_decimal_still_find_their_frame():
    # 1 s clip in 8 frames: 0.0625 is shown as 0.1, which is nearer to 0.0625 than to 0.1875
    observed = tuple((place + 0.5) / 8 for place in range(8))
    assert key_frames(observed, (0.1,), interval_s=1 / 8) == (0.0625,)


def test_an_item_that_is_known_or_found_twice_is_not_shown_again():
    environment = world(TEXT, PAGE, TEXT)
    observed = search(environment, known=frozenset({"d:page:2"}))
    assert [each.hit.item_id for each in observed.shown] == ["d:text:1"]
    assert observed.retrieved == ("d:text:1", "d:page:2")


def test_when_all_is_known_nothing_is_shown_and_no_other_items_take_its_place():
    observed = search(world(TEXT), known=frozenset({"d:text:1"}))
    assert observed.shown == () and observed.retrieved == ("d:text:1",)


def test_marks_name_positions_of_what_was_shown():
    environment = world(TEXT, PAGE, PHOTO)
    search(environment, known=frozenset({"d:text:1"}))
    node = environment.memorize(Memorize("n1", "s", (Mark(2, True, 4), Mark(1, False, 5))))
    assert [(item.item_id, item.kind, item.priority) for item in node.items] == [("d:photo:3", "image", 4)]


def test_a_page_is_kept_as_a_page_and_a_clip_with_its_key_frames():
    environment = world(PAGE, CLIP)
    search(environment)
    node = environment.memorize(Memorize("n1", "s", (Mark(1, True, 4), Mark(2, True, 2, (40.0,)))))
    assert [(item.kind, item.timestamps) for item in node.items] == [("page", ()), ("video", (37.5,))]
    assert (node.items[0].width, node.items[0].height) == (400, 200)


def test_a_useful_text_is_noted_and_a_useless_one_is_not():
    environment = world(TEXT, replace(TEXT, item_id="d:text:9"))
    search(environment)
    environment.memorize(Memorize("n1", "s", (Mark(1, True, 3), Mark(2, False, 3))))
    assert environment.noted == {"d:text:1"}
    assert environment.graph.nodes[0].noted == ("d:text:1",)


def test_a_dead_end_is_a_summarised_node_without_a_useful_item():
    environment = world(TEXT)
    search(environment)
    environment.memorize(Memorize("n1", "s", (Mark(1, False, 1),)))
    search(environment, "r", "n2")
    environment.memorize(Memorize("n2", "s", (Mark(1, True, 1),)))
    search(environment, "s", "n3")
    environment.close_pending()
    assert (environment.counters.dead_ends, environment.counters.searches) == (1, 3)


def test_a_view_decides_what_is_displayed_and_marks_name_its_places():
    environment = world(TEXT, PAGE)
    action = Search("n1", ("root",), "q")
    observed = asyncio.run(environment.search(action, view=lambda found: found[::-1]))
    assert [each.hit.item_id for each in observed.shown] == ["d:page:2", "d:text:1"]
    assert observed.retrieved == ("d:text:1", "d:page:2")  # as they were ranked
    environment.memorize(Memorize("n1", "s", (Mark(2, True, 3),)))
    assert environment.noted == {"d:text:1"}


def test_a_retrieval_decides_what_is_asked_of_the_index():
    retriever = ScriptedRetriever({"q": [TEXT, PAGE, PHOTO, PAGE]})

    async def pictures(index, query, top_k):
        return await index.search(query, top_k=top_k, where=HitFilter(modality=Modality.IMAGE))

    environment = Environment(TASK, retriever, replace(MINIATURE_LIMITS, top_k=9))
    found = asyncio.run(environment.search(Search("n1", ("root",), "q"), retrieval=pictures))
    assert found.retrieved == ("d:page:2", "d:photo:3")


def test_a_near_meaning_is_a_repetition_only_where_a_similarity_is_given():
    near = replace(MINIATURE_LIMITS, similarity=lambda one, other: 0.95)
    far = replace(MINIATURE_LIMITS, similarity=lambda one, other: 0.94)
    for limits, repeated in ((near, True), (far, False), (MINIATURE_LIMITS, False)):
        environment = world(TEXT, limits=limits)
        search(environment, "q")
        environment.memorize(Memorize("n1", "s"))
        assert search(environment, "r", "n2").repeated is repeated


def test_queries_are_the_same_when_their_words_are():
    assert normalised("Who leads  BELODU?") == normalised("who leads Belodu")
    assert normalised("who leads Belodu") != normalised("Belodu leads who")


def test_a_rejected_reply_is_counted_and_its_text_helps():
    environment = world(TEXT)
    with pytest.raises(ActionError, match="tool_call"):
        environment.read("I do not know")
    assert environment.counters.rejected_actions == 1


def test_a_summary_without_a_search_is_refused():
    with pytest.raises(ValueError, match="no search"):
        world().memorize(Memorize("n1", "s"))


@given(
    st.lists(
        st.tuples(st.integers(1, 4000), st.integers(1, 4000), st.integers(1, 5)), min_size=1, max_size=8
    ),
    st.sampled_from([Allocation.ENERGY, Allocation.EQUAL, Allocation.FIXED]),
)
def test_evidence_never_costs_more_than_its_grant_nor_all_together_more_than_the_budget(pictures, allocation):
    limits = replace(MINIATURE_LIMITS, top_k=len(pictures))
    hits = [replace(PAGE, item_id=f"d:page:{n}", width=w, height=h) for n, (w, h, _) in enumerate(pictures)]
    environment = world(*hits, limits=limits, allocation=allocation)
    search(environment)
    marks = tuple(Mark(place, True, priority) for place, (_, _, priority) in enumerate(pictures, start=1))
    environment.memorize(Memorize("n1", "s", marks))
    evidence = environment.evidence()
    assert (
        sum(image.width * image.height for each in evidence for image in each.images) <= limits.total_pixels
    )
    assert environment.counters.overdrawn_images == 0
