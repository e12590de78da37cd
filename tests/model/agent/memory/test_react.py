"""What ReAct's context holds.

1. Each prompt is the instruction, the question, and everything said and found since, pictures included.
2. A search enters the graph as soon as it is observed: no summary, no kept items, parents and returned ids as they are.
3. A memorize is an illegal action like any other: one rejection, and the history goes on.
4. What is still visible is not shown again; a repeated query is not run again.
5. The last call has to answer; the notice stands below the newest results.
6. History that is too long loses pictures first, oldest first, then texts, oldest first, then whole exchanges; the newest
   observation, the instruction and the question stay.
7. There is one segment a search and the terminal one.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from memory_graph.actions import Answer, Memorize, Search
from model.agent.context import ContextTooLong
from model.config.limits import MINIATURE_LIMITS
from model.types import Outcome
from tests.model.agent.memory_scene import (
    ANSWER,
    ASKED,
    CLIP,
    FIRST_RESULTS,
    FRAMES,
    NOW,
    PAGE,
    PAGE_SHOWN,
    SEARCH_1,
    SEARCH_2,
    TEXT,
    clip_line,
    instructed,
    play,
    room,
    said,
    told,
    words,
)

SYSTEM = instructed("Search until you can answer.")

AGAIN = Search("n2", ("n1",), "Who leads  BELODU?")


def test_every_prompt_holds_the_whole_history():
    played = play("react", [SEARCH_1, SEARCH_2, ANSWER])
    first = (SYSTEM, ASKED)
    second = (*first, said(SEARCH_1), told(*FIRST_RESULTS))
    third = (*second, said(SEARCH_2), told(*clip_line("Found:\n[1] Tour: a walk")))
    assert played.prompts == [first, second, third]


def test_a_search_is_a_node_at_once_unjudged():
    played = play("react", [SEARCH_1, SEARCH_2, ANSWER])
    graph, counters = played.trajectory.graph, played.trajectory.counters
    assert [(node.id, node.parents, node.summary, node.items, node.noted) for node in graph.nodes] == [
        ("n1", ("root",), "", (), ()),
        ("n2", ("n1",), "", (), ()),
    ]
    assert [node.retrieved for node in graph.nodes] == [("t:text:1", "t:page:9"), ("t:clip:3", "t:page:9")]
    assert graph.ancestors(("n2",)) == {"n1", "n2"}
    assert (counters.searches, counters.dead_ends, counters.model_calls) == (2, 0, 3)
    assert played.segments == [("n1", 1), ("n2", 1), (None, 1)]


def test_a_memorize_is_refused_and_costs_one_rejection():
    note = Memorize("n1", "Rakimo leads it.")
    played = play("react", [SEARCH_1, note, Answer(("n1",), "41")])
    (reason,) = played.reasons
    assert reason == "There is nothing to memorize: search first, or answer."
    assert played.prompts[2] == (*played.prompts[1], said(note), told(reason))
    assert played.trajectory.counters.rejected_actions == 1
    assert played.trajectory.outcome is Outcome.ANSWERED


def test_an_error_stays_in_the_history_of_later_steps():
    played = play("react", ["no idea", SEARCH_1, Answer(("n1",), "41")])
    assert played.prompts[2][:5] == (SYSTEM, ASKED, said("no idea"), told(played.reasons[0]), said(SEARCH_1))
    assert played.segments == [("n1", 2), (None, 1)]


def test_a_repeated_query_is_not_run_again_and_says_so():
    played = play("react", [SEARCH_1, AGAIN, Answer(("n1",), "41")])
    assert played.prompts[2][-1] == told("Nothing new.")
    assert played.queries == ["who leads Belodu"]
    assert played.trajectory.counters.repeated_searches == 1


def test_hits_that_are_all_in_view_are_not_shown_again():
    played = play("react", [SEARCH_1, Search("n2", ("n1",), "page again"), Answer(("n1",), "41")])
    assert played.prompts[2][-1] == told("Nothing new.")
    assert played.trajectory.graph.nodes[1].retrieved == ("t:page:9",)


def test_the_last_call_has_to_answer_below_the_results():
    played = play("react", [SEARCH_1, Answer(("n1",), "41")], limits=replace(MINIATURE_LIMITS, calls=2))
    assert played.forced == [False, True]
    assert played.prompts[1][-1] == told(*FIRST_RESULTS, NOW)
    assert played.trajectory.outcome is Outcome.FORCED


def test_re_asks_run_out_for_a_policy_that_only_memorizes():
    note = Memorize("n1", "x")
    played = play("react", [note, note, note, Answer((), "?")])
    assert played.forced == [False, False, False, True]
    assert len(set(played.prompts)) == 4


# What must stay is the question, 42 characters, and three replies of 93; a picture counts 1,000.
THREE = [
    SEARCH_1,
    SEARCH_2,
    Search("n3", ("n2",), "text again"),
    Search("n4", ("n3",), "page again"),
    Answer(("n1",), "41"),
]


def shown_at_the_end(context_tokens, found=None):
    limits = room(context_tokens)
    results = {
        "who leads Belodu": [TEXT, PAGE],
        "badge of Rakimo": [CLIP],
        "text again": [replace(TEXT, item_id="t:text:2", title="Third")],
        "page again": [replace(TEXT, item_id="t:text:3", title="Fourth")],
    }
    played = play("react", THREE, limits=limits, found=found or results, count=words)
    return [message.parts for message in played.prompts[-1] if message.role == "tool"]


THIRD = ("Found:\n[1] Third: Belodu is led by Rakimo.",)
FOURTH = ("Found:\n[1] Fourth: Belodu is led by Rakimo.",)
TOUR = clip_line("Found:\n[1] Tour: a walk")
WITHOUT_PICTURE = (FIRST_RESULTS[0],)
WITHOUT_FRAMES = ("Found:\n[1] Tour: a walk",)


def test_history_that_fits_is_whole():
    assert shown_at_the_end(10_000) == [FIRST_RESULTS, TOUR, THIRD, FOURTH]


def test_the_oldest_pictures_go_first():
    # five pictures count 5,000: with 5,000 in all, texts included, the oldest one has to go
    assert shown_at_the_end(5_000) == [WITHOUT_PICTURE, TOUR, THIRD, FOURTH]
    assert shown_at_the_end(3_000) == [WITHOUT_PICTURE, WITHOUT_FRAMES, THIRD, FOURTH]


def test_then_the_oldest_texts_give_way_to_one_line():
    # without pictures: replies 4 x ~91, question 42, texts 65 + 24 + 41, so at most 500 takes the first text
    left_out = ("Found:",)
    lengths = [context for context in range(300, 700, 5) if _survives(context)]
    outcomes = [shown_at_the_end(context)[:-1] for context in lengths]
    ladder = [each for place, each in enumerate(outcomes) if place == 0 or each != outcomes[place - 1]]
    assert ladder[::-1][:4] == [
        [WITHOUT_PICTURE, WITHOUT_FRAMES, THIRD],
        [left_out, WITHOUT_FRAMES, THIRD],
        [left_out, left_out, THIRD],
        [left_out, left_out, left_out],
    ]


def test_at_last_whole_exchanges_go_and_the_question_and_the_newest_results_stay():
    shortest = next(context for context in range(100, 700, 5) if _survives(context))
    limits = room(shortest)
    played = play("react", THREE, limits=limits, count=words)
    assert played.prompts[-1][:2] == (SYSTEM, ASKED)
    assert len(played.prompts[-1]) < len(THREE) * 2
    assert played.prompts[-1][-1].role == "tool"


def _survives(context_tokens):
    try:
        shown_at_the_end(context_tokens)
    except ContextTooLong:
        return False
    return True


def test_a_context_without_room_for_the_question_is_a_clear_error():
    with pytest.raises(ContextTooLong, match="question and newest reply need"):
        shown_at_the_end(50)


def test_a_picture_that_went_is_shown_again_when_it_is_found_again():
    limits = room(700)
    script = [SEARCH_1, Search("n2", ("n1",), "text again"), Search("n3", ("n2",), "page again"), ANSWER]
    played = play("react", script, limits=limits, count=words)
    assert played.prompts[-1][-1] == told("Found:\n[1] Badges: scan", PAGE_SHOWN)


def test_an_observation_that_is_too_long_alone_loses_frames():
    # a title and a text of 24 characters, eight times of 13 characters at most, and 4,000 for the frames
    limits = room(10_000, observation_tokens=2_500)
    played = play(
        "react",
        [SEARCH_2, Answer(("n1",), "41")],
        limits=limits,
        found={"badge of Rakimo": [CLIP]},
        count=words,
    )
    # two frames of 8 s stand at 2 and 6
    observed = played.prompts[1][-1].parts
    assert observed[0] == "Found:\n[1] Tour: a walk<2.0 seconds>"
    assert [part.timestamp_s for part in observed if not isinstance(part, str)] == [2.0, 6.0]
    assert len(FRAMES) == 8
