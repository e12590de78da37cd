"""What MEM1's context holds.

1. A cycle starts from question, and the previous turn: its action and its state as one line, its observation below, as text and
   pictures at the sizes they were observed with. Everything older is gone.
2. Within a cycle the search and its observation extend the prompt, until the state is rewritten.
3. The state is the summary, rewritten whole; it is cut to the length of one passage, and a cut is counted as a repair.
4. What the previous turn shows is not shown again; what only an older turn showed is.
5. Repeated queries, errors and the forced answer are those of every policy.
6. When it does not fit, the previous observation is shortened; question and state never.
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
    NOTE_1,
    NOTE_2,
    NOW,
    PAGE,
    PAGE_SHOWN,
    RESULTS,
    SEARCH_1,
    SEARCH_2,
    clip_line,
    frame,
    instructed,
    play,
    room,
    said,
    told,
    user,
    words,
)

SYSTEM = instructed("Keep one text beside the last results.")

STATE_1 = user(
    "\nMemory:\nn1 <- root | who leads Belodu | Rakimo leads it."
    "\nEvidence:\n[n1] Belodu: Belodu is led by Rakimo.\n[n1] Badges: scan",
    PAGE_SHOWN,
)
STATE_2 = user(
    *clip_line(
        "\nMemory:\nn2 <- n1 | badge of Rakimo | Rakimo leads it. The badge says 41.\nEvidence:\n[n2] Tour: a walk"
    )
)


def test_the_context_of_every_step():
    played = play("mem1", [SEARCH_1, NOTE_1, SEARCH_2, NOTE_2, ANSWER])
    assert played.prompts == [
        (SYSTEM, ASKED),
        (SYSTEM, ASKED, said(SEARCH_1), told(*FIRST_RESULTS)),
        (SYSTEM, STATE_1),
        # the page is still in view, so only the clip is new
        (SYSTEM, STATE_1, said(SEARCH_2), told(*clip_line("Found:\n[1] Tour: a walk"))),
        (SYSTEM, STATE_2),
    ]
    assert played.segments == [("n1", 2), ("n2", 2), (None, 1)]


def test_nothing_of_an_older_turn_is_left_but_what_the_state_says():
    forgetful = Memorize("n2", "Nothing found.")
    played = play("mem1", [SEARCH_1, NOTE_1, SEARCH_2, forgetful, ANSWER])
    last = played.prompts[4][1].parts
    assert "Belodu" not in str(last) and "Nothing found." in last[0]
    assert (
        played.trajectory.graph.nodes[0].summary == "Rakimo leads it."
    )  # the graph still has it, for scores


def test_what_an_older_turn_showed_is_shown_again():
    script = [SEARCH_1, NOTE_1, SEARCH_2, NOTE_2, Search("n3", ("n2",), "page again"), NOTE_2, ANSWER]
    played = play("mem1", script)
    assert played.prompts[5][-1] == told("Found:\n[1] Badges: scan", PAGE_SHOWN)


def test_hits_that_are_all_in_view_are_not_shown_again():
    played = play("mem1", [SEARCH_1, NOTE_1, Search("n2", ("n1",), "page again"), NOTE_2, ANSWER])
    assert played.prompts[3][-1] == told("Nothing new.")
    assert played.prompts[4][1] == user(
        "\nMemory:\nn2 <- n1 | page again | Rakimo leads it. The badge says 41."
    )


def test_a_repeated_query_is_not_run_again_and_says_so():
    played = play("mem1", [SEARCH_1, NOTE_1, Search("n2", ("n1",), "Who leads Belodu?"), NOTE_2, ANSWER])
    assert played.prompts[3][-1] == told("Nothing new.")
    assert played.queries == ["who leads Belodu"]


def test_an_error_is_shown_below_and_gone_after_the_cycle():
    played = play("mem1", [SEARCH_1, SEARCH_2, NOTE_1, Answer(("n1",), "41")])
    reason = played.reasons[0]
    assert reason == "Memorize the results of n1 before the next search."
    assert played.prompts[2] == (*played.prompts[1], said(SEARCH_2), told(reason))
    assert played.prompts[3] == (SYSTEM, STATE_1)


def test_the_last_call_has_to_answer_with_the_observation_in_view():
    played = play("mem1", [SEARCH_1, Answer(("n1",), "41")], limits=replace(MINIATURE_LIMITS, calls=2))
    assert played.prompts[1] == (SYSTEM, ASKED, said(SEARCH_1), told(*FIRST_RESULTS, NOW))
    assert played.trajectory.outcome is Outcome.FORCED


def test_a_state_is_cut_to_the_length_of_one_passage_and_the_cut_is_counted():
    long = replace(NOTE_1, summary="x" * 21)
    played = play(
        "mem1", [SEARCH_1, long, Answer(("n1",), "41")], limits=replace(MINIATURE_LIMITS, passage_chars=20)
    )
    assert played.trajectory.graph.nodes[0].summary == "x" * 20
    assert f"| {'x' * 20}\n" in str(played.prompts[2][1].parts[0])
    assert played.trajectory.counters.repairs == 1


def test_a_state_of_just_the_length_is_whole():
    exact = replace(NOTE_1, summary="x" * 20)
    played = play(
        "mem1", [SEARCH_1, exact, Answer(("n1",), "41")], limits=replace(MINIATURE_LIMITS, passage_chars=20)
    )
    assert played.trajectory.counters.repairs == 0


def test_a_state_stays_on_its_line():
    lines = replace(NOTE_1, summary="one\nn9 <- root | two | three")
    played = play("mem1", [SEARCH_1, lines, Answer(("n1",), "41")])
    assert "| one n9 <- root ¦ two ¦ three\n" in str(played.prompts[2][1].parts[0])


def last_pictures(context_tokens):
    found = {**RESULTS, "badge of Rakimo": [CLIP, PAGE]}
    played = play(
        "mem1",
        [SEARCH_2, Memorize("n1", "41"), Answer((), "41")],
        limits=room(context_tokens),
        found=found,
        count=words,
    )
    return played.prompts[2][1].parts


def test_an_observation_that_does_not_fit_the_next_turn_loses_frames_then_pictures():
    # four frames and a page count 5,000; half the frames leaves 3,000, one frame 2,000; then the page goes, then the frame
    assert [
        len([part for part in last_pictures(size) if not isinstance(part, str)])
        for size in (6000, 4000, 2500, 1500, 900)
    ] == [5, 3, 2, 1, 0]
    assert frame(4.0) in last_pictures(1500) and PAGE_SHOWN not in last_pictures(1500)


def test_a_context_without_room_for_the_question_is_a_clear_error():
    with pytest.raises(ContextTooLong):
        last_pictures(60)
