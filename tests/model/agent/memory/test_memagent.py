"""What MemAgent's context holds.

1. A cycle starts from question and memory, the memory being one line: the id of the last node and the text.
2. An observation is seen once, below the old memory, while the new one is written; then it is gone, pictures and all.
3. A forced answer is given from question and memory, also when an observation was not yet taken in.
4. The memory is overwritten whole, cut to the length of one passage, and a cut is counted as a repair.
5. Nothing counts as seen: what is found again is shown again. A repeated query is not run again.
6. Question and memory never go: if they do not fit, that is a clear error.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from memory_graph.actions import Answer, Search
from model.agent.context import ContextTooLong
from model.config.limits import MINIATURE_LIMITS
from model.types import Outcome
from tests.model.agent.memory_scene import (
    ANSWER,
    ASKED,
    FIRST_RESULTS,
    NOTE_1,
    NOTE_2,
    NOW,
    PAGE_SHOWN,
    QUESTION,
    SEARCH_1,
    SEARCH_2,
    clip_line,
    instructed,
    pictures,
    play,
    room,
    said,
    told,
    user,
    words,
)

SYSTEM = instructed("Keep one text and nothing else.")

MEMORY_1 = user("\nMemory:\nn1 | Rakimo leads it.")
MEMORY_2 = user("\nMemory:\nn2 | Rakimo leads it. The badge says 41.")


def test_the_context_of_every_step():
    played = play("memagent", [SEARCH_1, NOTE_1, SEARCH_2, NOTE_2, ANSWER])
    both = told(*clip_line("Found:\n[1] Tour: a walk"), "\n[2] Badges: scan", PAGE_SHOWN)
    assert played.prompts == [
        (SYSTEM, ASKED),
        (SYSTEM, ASKED, said(SEARCH_1), told(*FIRST_RESULTS)),
        (SYSTEM, MEMORY_1),
        (SYSTEM, MEMORY_1, said(SEARCH_2), both),
        (SYSTEM, MEMORY_2),
    ]
    assert played.segments == [("n1", 2), ("n2", 2), (None, 1)]


def test_no_picture_is_ever_kept():
    played = play("memagent", [SEARCH_1, NOTE_1, SEARCH_2, NOTE_2, ANSWER])
    assert [len(pictures(prompt)) for prompt in played.prompts] == [0, 1, 0, 5, 0]


def test_marks_are_scored_though_they_decide_nothing_of_what_is_shown():
    nodes = play("memagent", [SEARCH_1, NOTE_1, SEARCH_2, NOTE_2, ANSWER]).trajectory.graph.nodes
    assert nodes[0].noted == ("t:text:1",)
    assert [(item.item_id, item.timestamps) for item in nodes[1].items] == [("t:clip:3", (3.0,))]


def test_a_forced_answer_sees_question_and_memory_only():
    played = play(
        "memagent",
        [SEARCH_1, NOTE_1, SEARCH_2, Answer(("n1",), "41")],
        limits=replace(MINIATURE_LIMITS, calls=4),
    )
    assert played.prompts[3] == (SYSTEM, user("\nMemory:\nn1 | Rakimo leads it." + NOW))
    assert played.trajectory.outcome is Outcome.FORCED
    assert played.segments == [("n1", 2), ("n2", 1), (None, 1)]


def test_a_forced_answer_after_errors_still_shows_them_where_nothing_awaits_the_memory():
    played = play("memagent", ["a", "b", "c", Answer((), "?")])
    assert [message.role for message in played.prompts[3]] == ["system", "user"] + ["assistant", "tool"] * 3
    assert played.prompts[3][-1].parts[0].endswith(NOW)


def test_what_is_found_again_is_shown_again():
    script = [SEARCH_1, NOTE_1, Search("n2", ("n1",), "text again"), NOTE_2, ANSWER]
    assert play("memagent", script).prompts[3][-1] == told("Found:\n[1] Belodu: Belodu is led by Rakimo.")


def test_a_repeated_query_is_not_run_again_and_says_so():
    played = play("memagent", [SEARCH_1, NOTE_1, Search("n2", ("n1",), "who leads belodu"), NOTE_2, ANSWER])
    assert played.prompts[3][-1].parts[0].startswith("Nothing new.\nFound:")  # nothing counts as known
    assert played.queries == ["who leads Belodu"]
    assert played.trajectory.counters.repeated_searches == 1


def test_an_error_is_shown_below_and_gone_after_the_cycle():
    played = play("memagent", ["no idea", SEARCH_1, NOTE_1, Answer(("n1",), "41")])
    assert played.prompts[1] == (SYSTEM, ASKED, said("no idea"), told(played.reasons[0]))
    assert played.prompts[3] == (SYSTEM, MEMORY_1)


def test_a_memory_is_cut_to_the_length_of_one_passage_and_the_cut_is_counted():
    long = replace(NOTE_1, summary="y" * 30)
    played = play(
        "memagent",
        [SEARCH_1, long, Answer(("n1",), "41")],
        limits=replace(MINIATURE_LIMITS, passage_chars=20),
    )
    assert played.prompts[2][1] == user("\nMemory:\nn1 | " + "y" * 20)
    assert played.trajectory.counters.repairs == 1


def test_question_and_memory_that_do_not_fit_are_a_clear_error():
    need = len(QUESTION) + len("\nMemory:\nn1 | Rakimo leads it.")
    script = [SEARCH_1, NOTE_1, Answer(("n1",), "41")]
    assert play("memagent", script, limits=room(need), count=words).trajectory.answer == "41"
    with pytest.raises(ContextTooLong, match=f"need {need} tokens"):
        play("memagent", script, limits=room(need - 1), count=words)
