"""What the context of vanilla retrieval-augmented generation holds.

1. One search with the question, as if the policy had asked for it, then its results in rank order and the notice to answer.
2. The search is node n1 with all returned ids; the only call is the terminal segment.
3. Results that are too long are shortened: texts, then frames, then pictures, the last result's first.
4. Without results the notice says so.
"""

from __future__ import annotations

from dataclasses import replace

from memory_graph.actions import Answer, Search
from model.types import Outcome
from tests.model.agent.memory_scene import (
    ASKED,
    CLIP,
    NOW,
    PAGE,
    PAGE_SHOWN,
    SEARCH_1,
    TASK,
    TEXT,
    clip_line,
    instructed,
    pictures,
    play,
    room,
    said,
    told,
    words,
)

SYSTEM = instructed("Answer from what was found.")

FOUND = (
    "Found:\n[1] Badges: scan",
    PAGE_SHOWN,
    *clip_line("\n[2] Belodu: Belodu is led by Rakimo.\n[3] Tour: a walk"),
)
SEARCHED = said(Search("n1", ("root",), TASK.question))


def test_the_only_call_sees_question_and_results():
    played = play("vanilla", [Answer(("n1",), "41")])
    assert played.prompts == [(SYSTEM, ASKED, SEARCHED, told(*FOUND, NOW))]
    assert (played.queries, played.forced) == ([TASK.question], [True])
    assert played.segments == [("n1", 0), (None, 1)]
    assert played.trajectory.graph.nodes[0].retrieved == ("t:page:9", "t:text:1", "t:clip:3")
    assert played.trajectory.outcome is Outcome.FORCED


def test_without_results_the_notice_says_so():
    played = play("vanilla", [Answer((), "?")], found={})
    assert played.prompts[0][-1] == told("Nothing new." + NOW)


def test_a_second_search_abstains():
    played = play("vanilla", [SEARCH_1] * 4)
    assert played.trajectory.outcome is Outcome.ABSTAINED and played.queries == [TASK.question]


def test_results_that_are_too_long_lose_texts_then_frames_then_pictures():
    found = {TASK.question: [PAGE, replace(TEXT, text="x" * 400), CLIP]}

    def seen(tokens):
        prompt = play("vanilla", [Answer((), "?")], found=found, limits=room(9, tokens), count=words).prompts[
            0
        ]
        return sum(str(part).count("x") for part in prompt[-1].parts if isinstance(part, str)), [
            image.item_id for image in pictures(prompt)
        ]

    page, clip = "t:page:9", "t:clip:3"
    assert seen(9_000) == (400, [page, *[clip] * 4])
    assert seen(5_400) == (200, [page, *[clip] * 4])  # halved once: 5,000 + 200 + titles and times
    assert seen(5_250) == (100, [page, *[clip] * 4])
    assert seen(4_000) == (100, [page, *[clip] * 2])
    assert seen(2_500) == (100, [page, clip])
    assert seen(1_500) == (100, [page])
    assert seen(500) == (100, [])
