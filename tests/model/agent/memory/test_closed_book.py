"""What the closed-book context holds.

1. Instruction, question and the notice to answer; nothing is ever searched.
2. There is one call; anything but an answer abstains.
"""

from __future__ import annotations

from memory_graph.actions import Answer, Memorize
from model.types import Message, Outcome, Role
from tests.model.agent.memory_scene import NOW, QUESTION, SEARCH_1, instructed, play

SYSTEM = instructed("Answer from what was found.")


def test_the_only_call_sees_the_question_and_has_to_answer():
    played = play("closed_book", [Answer((), "41")])
    assert played.prompts == [(SYSTEM, Message(role=Role.USER, parts=(QUESTION + NOW,)))]
    assert (played.queries, played.forced, played.segments) == ([], [True], [(None, 1)])
    assert played.trajectory.graph.answer is not None
    assert played.trajectory.graph.answer.parents == ("root",)


def test_anything_but_an_answer_abstains_and_searches_nothing():
    for reply in (SEARCH_1, Memorize("n1", "x"), "41"):
        played = play("closed_book", [reply] * 4)  # two re-asks, and one last call
        assert (played.trajectory.outcome, played.queries) == (Outcome.ABSTAINED, [])
        assert played.trajectory.counters.rejected_actions == (3 if reply is SEARCH_1 else 4)
