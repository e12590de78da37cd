"""What VideoRAG's context holds.

1. One search with the question; of its results the clips come first, in rank order, then the rest.
2. All together show at most ``max_frames`` pictures of at most ``frame_pixels``; the clips share them evenly, the better clips
   get the odd ones, and what a short clip does not need goes to later ones.
3. A still is one picture of the same small size; its place is kept free beside the clips.
4. The transcript is shown as the clip's text; one call answers.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from memory_graph.actions import Answer, Search
from model.agent.display import display
from model.agent.memory.videorag import clips_first
from model.config.limits import MINIATURE_LIMITS, Limits
from model.types import Outcome
from tests.model.agent.memory_scene import (
    ASKED,
    CLIP,
    NOW,
    PAGE,
    SEARCH_1,
    TASK,
    TEXT,
    frame,
    instructed,
    pictures,
    play,
    said,
    told,
)

SYSTEM = instructed("Answer from what was found.")


def test_the_only_call_sees_the_clip_first_and_four_small_pictures_in_all():
    played = play("videorag", [Answer(("n1",), "41")])
    # of the miniature's four pictures one is the page's, at 64 x 64 as a frame; three of 8 s stand at 4/3, 4 and 20/3
    results = told(
        "Found:\n[1] Tour: a walk<1.3 seconds>",
        frame(1.333),
        "<4.0 seconds>",
        frame(4.0),
        "<6.7 seconds>",
        frame(6.667),
        "\n[2] Badges: scan",
        replace(frame(0.0), item_id="t:page:9", timestamp_s=None),
        f"\n[3] Belodu: Belodu is led by Rakimo.{NOW}",
    )
    assert played.prompts == [(SYSTEM, ASKED, said(Search("n1", ("root",), TASK.question)), results)]
    assert played.queries == [TASK.question]
    assert played.trajectory.graph.nodes[0].retrieved == ("t:page:9", "t:text:1", "t:clip:3")
    assert played.segments == [("n1", 0), (None, 1)]


def test_a_second_search_abstains():
    assert play("videorag", [SEARCH_1] * 4).trajectory.outcome is Outcome.ABSTAINED


def looked_at(*hits, limits=None):
    chosen = limits or Limits()
    return clips_first([display(hit, chosen) for hit in hits], chosen)


def clip(name, duration_s):
    return replace(CLIP, item_id=f"t:clip:{name}", width=1280, height=720, duration_s=duration_s)


def test_three_long_clips_share_32_frames_of_at_most_224_by_224():
    view = looked_at(clip("a", 60.0), clip("b", 60.0), clip("c", 60.0))
    assert [len(each.images) for each in view] == [11, 11, 10]
    assert {image.width * image.height <= 224 * 224 for each in view for image in each.images} == {True}
    assert view[0].interval_s == 60 / 11


def test_what_a_short_clip_does_not_need_goes_to_the_next():
    assert [len(each.images) for each in looked_at(clip("a", 2.0), clip("b", 60.0))] == [2, 30]


def test_one_clip_alone_has_all_frames_and_a_page_beside_it_takes_one():
    assert [len(each.images) for each in looked_at(clip("a", 60.0))] == [32]
    assert [
        len(each.images) for each in looked_at(replace(PAGE, width=2000, height=2000), clip("a", 60.0))
    ] == [31, 1]


def test_clips_keep_their_rank_order_and_come_before_the_rest():
    view = looked_at(TEXT, clip("a", 60.0), PAGE, clip("b", 60.0))
    assert [each.hit.item_id for each in view] == ["t:clip:a", "t:clip:b", "t:text:1", "t:page:9"]


@given(st.lists(st.sampled_from(["text", "page", "short", "long"]), max_size=6), st.integers(1, 32))
def test_there_are_never_more_pictures_than_allowed_nor_larger_ones(kinds, max_frames):
    hits = {
        "text": TEXT,
        "page": replace(PAGE, width=999, height=777),
        "short": clip("s", 3.0),
        "long": clip("l", 90.0),
    }
    limits = replace(MINIATURE_LIMITS, max_frames=max_frames)
    view = looked_at(*(hits[kind] for kind in kinds), limits=limits)
    images = [image for each in view for image in each.images]
    assert len(images) <= max_frames
    assert all(image.width * image.height <= limits.frame_pixels for image in images)
    assert len(view) == len(kinds)
    if {"short", "long"} & set(kinds):
        assert view[0].images


def test_text_only_results_are_shown_as_ever():
    played = play("videorag", [Answer((), "?")], found={TASK.question: [TEXT]})
    assert played.prompts[0][-1] == told("Found:\n[1] Belodu: Belodu is led by Rakimo." + NOW)
    assert pictures(played.prompts[0]) == []
