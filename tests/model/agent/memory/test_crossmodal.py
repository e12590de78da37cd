"""What the contexts of the four cross-modal strategies hold.

1. All start a cycle from question and linearised graph, then what the strategy keeps, under node ids; within a cycle the
   prompt grows.
2. precaption keeps the captions of all results and never shows a pixel.
3. raw_visual keeps the pictures of all results as they were observed.
4. context_caption keeps nothing but the summaries.
5. related_visual keeps the pictures of useful items, key frames of clips only.
6. What is kept, and texts that were judged useful, are not shown again.
7. When it is too long, what was kept first goes first; graph and question never.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from memory_graph.actions import Answer, Mark, Memorize, Search
from model.agent.context import ContextTooLong
from model.agent.memory.crossmodal import CrossModal
from model.config.limits import MINIATURE_LIMITS
from model.types import Outcome
from tests.model.agent.memory_scene import (
    ANSWER,
    ASKED,
    FIRST_RESULTS,
    FRAMES,
    NOTE_1,
    NOTE_2,
    NOW,
    PAGE_SHOWN,
    SEARCH_1,
    SEARCH_2,
    clip_line,
    frame,
    instructed,
    pictures,
    play,
    room,
    said,
    told,
    user,
    words,
)

NODE_1 = "\nMemory:\nn1 <- root | who leads Belodu | Rakimo leads it."
NODE_2 = NODE_1 + "\nn2 <- n1 | badge of Rakimo | Rakimo leads it. The badge says 41."
SCRIPT = [SEARCH_1, NOTE_1, SEARCH_2, NOTE_2, ANSWER]
INSTRUCTED = {
    "precaption": instructed("Keep a graph with captions."),
    "raw_visual": instructed("Keep a graph with all images."),
    "context_caption": instructed("Keep a graph with descriptions."),
    "related_visual": instructed("Answer from the corpus."),
}
TOUR = clip_line("Found:\n[1] Tour: a walk")
BADGES = ("\n[2] Badges: scan", PAGE_SHOWN)


def contexts(strategy):
    """The five prompts of the two-hop rollout; the cycles' own turns must follow their contexts."""
    played = play(strategy, SCRIPT)
    assert played.segments == [("n1", 2), ("n2", 2), (None, 1)]
    prompts = played.prompts
    assert prompts[0] == (INSTRUCTED[strategy], ASKED)
    assert prompts[1][:3] == (INSTRUCTED[strategy], ASKED, said(SEARCH_1)) and prompts[3][:3] == (
        *prompts[2],
        said(SEARCH_2),
    )
    return prompts[1][3], prompts[2][1], prompts[3][3], prompts[4][1]


def test_precaption_keeps_the_captions_of_all_results_and_shows_no_pixel():
    captions_1 = "\nEvidence:\n[n1] Belodu: Belodu is led by Rakimo.\n[n1] Badges: scan"
    assert contexts("precaption") == (
        told("Found:\n[1] Belodu: Belodu is led by Rakimo.\n[2] Badges: scan"),
        user(NODE_1 + captions_1),
        told("Found:\n[1] Tour: a walk"),
        user(NODE_2 + captions_1 + "\n[n2] Tour: a walk"),
    )


def test_raw_visual_keeps_the_pictures_of_all_results_as_they_were_observed():
    assert contexts("raw_visual") == (
        told(*FIRST_RESULTS),
        user(NODE_1 + "\nEvidence:\n[n1] Badges", PAGE_SHOWN),
        told(*TOUR),
        user(NODE_2 + "\nEvidence:\n[n1] Badges", PAGE_SHOWN, *clip_line("\n[n2] Tour")),
    )


def test_context_caption_keeps_nothing_but_the_summaries():
    assert contexts("context_caption") == (
        told(*FIRST_RESULTS),
        user(NODE_1),
        told(*TOUR, *BADGES),
        user(NODE_2),
    )


def test_related_visual_keeps_the_key_frames_of_the_useful_clip_and_not_the_useless_page():
    assert contexts("related_visual") == (
        told(*FIRST_RESULTS),
        user(NODE_1),
        told(*TOUR, *BADGES),
        user(NODE_2 + "\nEvidence:\n[n2] Tour<3.0 seconds>", frame(3.0)),
    )


def test_a_useful_clip_without_key_times_keeps_all_its_frames():
    note = Memorize("n1", "A walk.", (Mark(1, True, 3),))
    played = play("related_visual", [SEARCH_2, note, Answer((), "?")])
    assert pictures(played.prompts[2]) == [part for part in FRAMES if not isinstance(part, str)]


STRATEGIES = ["precaption", "raw_visual", "context_caption", "related_visual"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_question_graph_and_counters_are_those_of_every_policy(strategy):
    trajectory = play(strategy, SCRIPT).trajectory
    assert [node.retrieved for node in trajectory.graph.nodes] == [
        ("t:text:1", "t:page:9"),
        ("t:clip:3", "t:page:9"),
    ]
    assert trajectory.graph.nodes[0].noted == ("t:text:1",)
    assert trajectory.graph.nodes[1].items[0].item_id == "t:clip:3"
    assert (trajectory.memory, trajectory.outcome) == (strategy, Outcome.ANSWERED)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_repeated_query_is_not_run_again_and_says_so(strategy):
    again = Search("n2", ("n1",), "who leads belodu")
    played = play(strategy, [SEARCH_1, NOTE_1, again, NOTE_2, ANSWER])
    # the page was judged useless: strategies that keep every result know it, for the others it comes again
    assert played.prompts[3][-1].parts[0].startswith("Nothing new.") and played.queries == [
        "who leads Belodu"
    ]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_useful_text_is_not_shown_again(strategy):
    played = play(strategy, [SEARCH_1, NOTE_1, Search("n2", ("n1",), "text again"), NOTE_2, ANSWER])
    assert played.prompts[3][-1] == told("Nothing new.")


@pytest.mark.parametrize(
    ("strategy", "seen"),
    [("precaption", True), ("raw_visual", True), ("context_caption", False), ("related_visual", False)],
)
def test_a_useless_page_counts_as_seen_only_where_it_is_kept(strategy, seen):
    played = play(strategy, [SEARCH_1, NOTE_1, Search("n2", ("n1",), "page again"), NOTE_2, ANSWER])
    assert (played.prompts[3][-1] == told("Nothing new.")) is seen


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_errors_and_the_forced_answer_are_those_of_every_policy(strategy):
    played = play(
        strategy, ["no idea", SEARCH_1, Answer(("n1",), "41")], limits=replace(MINIATURE_LIMITS, calls=3)
    )
    assert played.prompts[1] == (INSTRUCTED[strategy], ASKED, said("no idea"), told(played.reasons[0]))
    assert played.forced == [False, False, True]
    assert str(played.prompts[2][-1].parts[-1]).endswith(NOW)
    assert played.trajectory.outcome is Outcome.FORCED


def kept_pictures(context_tokens):
    played = play("raw_visual", SCRIPT, limits=room(context_tokens), count=words)
    return [image.item_id for image in pictures(played.prompts[4])]


def test_what_was_kept_first_goes_first():
    assert kept_pictures(6_000) == ["t:page:9", *["t:clip:3"] * 4]
    assert kept_pictures(5_000) == ["t:clip:3"] * 4
    assert kept_pictures(3_000) == []


def test_a_picture_that_went_is_shown_again():
    script = [*SCRIPT[:4], Search("n3", ("n2",), "page again"), NOTE_2, ANSWER]
    played = play("raw_visual", script, limits=room(5_000), count=words)
    assert played.prompts[5][-1] == told("Found:\n[1] Badges: scan", PAGE_SHOWN)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_graph_and_question_never_go(strategy):
    with pytest.raises(ContextTooLong, match="question and memory graph need"):
        play(strategy, SCRIPT, limits=room(100), count=words)


def test_an_unknown_strategy_is_refused():
    with pytest.raises(ValueError, match="related_visual"):
        CrossModal(name="hearsay")
