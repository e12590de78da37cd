"""Turns built from records: layout, frame times, merging, and what goes when a context is too long."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_graph.graph import MemoryGraph, Modality, SearchNode, VisualItem, VisualKind
from model.agent.context import (
    TITLE_CHARS,
    ContextTooLong,
    DisplayedEvidence,
    estimate_tokens,
    evidence_parts,
    excerpt,
    fit,
    frame_times,
    gather_evidence,
    granted_images,
    headline,
    joined,
    num_visual_tokens,
    observation_parts,
    question_parts,
    reply_turn,
    state_parts,
)
from model.agent.prompts import COMPACT
from model.types import Completion, DisplayedHit, Hit, ImageRef, Message, Role, Task

IMAGE = ImageRef(item_id="a", width=64, height=32)


def task(question="Who?", choices=()):
    return Task(id="1", dataset="d", question=question, answers=("x",), choices=choices)


def passage(title, text):
    return DisplayedHit(hit=Hit(item_id=title, dataset="d", modality=Modality.TEXT, title=title, text=text))


def test_frames_stand_at_the_centres_of_equal_intervals():
    # 60 s in 4 intervals of 15 s
    assert frame_times(60.0, max_frames=4, frames_per_s=1.0) == (7.5, 22.5, 37.5, 52.5)


def test_a_short_clip_is_sampled_at_its_rate():
    assert frame_times(3.0, max_frames=32, frames_per_s=1.0) == (0.5, 1.5, 2.5)
    assert frame_times(0.2, max_frames=32, frames_per_s=1.0) == (0.1,)


@given(st.floats(0.05, 7200), st.integers(1, 64), st.floats(0.1, 30))
def test_frame_times_are_even_inside_the_clip_and_never_too_many(duration_s, max_frames, frames_per_s):
    times = frame_times(duration_s, max_frames=max_frames, frames_per_s=frames_per_s)
    assert 1 <= len(times) <= max_frames
    assert all(0 <= time_s <= duration_s for time_s in times)
    assert list(times) == sorted(times)


def test_a_clip_without_duration_is_refused():
    with pytest.raises(ValueError, match="duration"):
        frame_times(0.0, max_frames=4, frames_per_s=1.0)


def test_the_question_alone_has_neither_memory_nor_evidence():
    assert state_parts(COMPACT, task(), MemoryGraph(question="Who?"), ()) == ("Question: Who?",)


def test_choices_are_listed_only_where_the_question_does_not_hold_them():
    assert question_parts(COMPACT, task(choices=("red", "blue"))) == ("Question: Who?\n(A) red\n(B) blue",)
    assert question_parts(COMPACT, task("red or blue?", choices=("red", "blue"))) == (
        "Question: red or blue?",
    )


def test_foreign_text_stays_on_its_line_and_is_cut_to_its_limit():
    shown = [passage("A\nB", "one\n[2] two " + "x" * 100)]
    (text,) = observation_parts(COMPACT, shown, repeated=False, passage_chars=12)
    assert text == "Found:\n[1] A B: one [2] two "


def test_endless_titles_and_texts_are_cut_before_they_are_cleaned():
    assert excerpt("a" + " " * 50 + "b", 10) == "a"  # at most four times the length is looked at
    assert headline("t" * 500, "x") == "t" * TITLE_CHARS + ": x"
    assert headline("t", "") == "t"


def test_evidence_may_be_a_text():
    caption = DisplayedEvidence(node_id="n1", item_id="a", title="T", images=(), text="one\n[n2] two")
    assert joined(evidence_parts("\nEvidence:", [caption])) == ("\nEvidence:\n[n1] T: one [n2] two",)
    assert evidence_parts("\nEvidence:", []) == ()


def test_nothing_shown_says_so():
    assert observation_parts(COMPACT, [], repeated=False, passage_chars=9) == ("Nothing new.",)


def test_granted_frames_share_the_grant_equally():
    # 2 frames of 8,192 px each: 128 x 128 shrinks by sqrt(1/2) to 90.5, in whole tokens 64 x 64
    clip = VisualItem(
        item_id="c", kind=VisualKind.VIDEO, priority=3, width=128, height=128, timestamps=(1.0, 2.0)
    )
    assert granted_images(clip, 16_384) == tuple(
        ImageRef(item_id="c", width=64, height=64, timestamp_s=time_s) for time_s in (1.0, 2.0)
    )


def test_evidence_is_what_has_a_grant_in_creation_order():
    items = [
        VisualItem(item_id=name, kind=VisualKind.PAGE, priority=3, width=64, height=32) for name in "abc"
    ]
    graph = MemoryGraph(question="q").add(
        SearchNode(id="n1", parents=("root",), query="q", items=tuple(items[:2]))
    )
    graph = graph.add(SearchNode(id="n2", parents=("n1",), query="r", items=(items[2],)))
    grants = {("n2", "c"): 2048, ("n1", "a"): 2048}
    evidence = gather_evidence(graph, grants, {("n1", "a"): 0.5}, {"a": "Title"})
    assert [(e.node_id, e.title, e.energy) for e in evidence] == [("n1", "Title", 0.5), ("n2", "c", 0.0)]
    assert evidence[0].images == (IMAGE,)


@given(st.lists(st.one_of(st.text(max_size=5), st.just(IMAGE)), max_size=12))
def test_merging_keeps_the_content_and_leaves_no_neighbouring_texts(parts):
    merged = joined(parts)
    kinds = [isinstance(part, str) for part in merged]
    assert all(not (first and second) for first, second in pairwise(kinds))
    spell = "".join(part if isinstance(part, str) else "\x00" for part in parts)
    assert spell == "".join(part if isinstance(part, str) else "\x00" for part in merged)


def test_a_reply_that_was_cut_short_has_no_end_token_to_lose():
    cut = Completion(text="ab", token_ids=(1, 2), finish_reason="length")
    assert reply_turn(cut).token_ids == (1, 2)
    ended = Completion(text="ab", token_ids=(1, 2), finish_reason="stop")
    assert reply_turn(ended).token_ids == (1,)


def evidence(item_id, energy):
    return DisplayedEvidence(node_id="n1", item_id=item_id, title=item_id, images=(IMAGE,), energy=energy)


def build(kept):
    return (Message(role=Role.USER, parts=("q", *(image for each in kept for image in each.images))),)


def test_a_context_that_is_too_long_loses_its_weakest_evidence_first_and_the_oldest_among_equals():
    kept = [evidence("old", 0.2), evidence("strong", 0.9), evidence("new", 0.2)]
    count = num_visual_tokens  # 2 tokens a picture
    assert fit(build, kept, max_tokens=6, count=count) == tuple(kept)
    assert [e.item_id for e in fit(build, kept, max_tokens=4, count=count)] == ["strong", "new"]
    assert [e.item_id for e in fit(build, kept, max_tokens=2, count=count)] == ["strong"]


def test_the_question_is_never_dropped():
    with pytest.raises(ContextTooLong, match="need 9 tokens"):
        fit(build, [evidence("a", 1.0)], max_tokens=8, count=lambda messages: 9 + num_visual_tokens(messages))


@given(st.lists(st.floats(0, 1), max_size=6), st.integers(0, 12))
def test_what_fits_is_within_the_limit_and_nothing_weaker_is_kept(energies, max_tokens):
    kept = [evidence(str(place), energy) for place, energy in enumerate(energies)]
    fitting = fit(build, kept, max_tokens=max_tokens, count=num_visual_tokens)
    assert len(fitting) == min(len(kept), max_tokens // 2)
    dropped = [each.energy for each in kept if each not in fitting]
    assert not dropped or not fitting or max(dropped) <= min(each.energy for each in fitting)


def test_the_estimate_counts_text_and_pictures():
    # 30 characters / 3 + 2 visual tokens + 8 for the turn
    assert estimate_tokens([Message(role=Role.USER, parts=("x" * 30, IMAGE))]) == 20
