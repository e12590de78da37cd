"""What rollouts spend: tokens by call and repeated searches, derived by hand."""

from __future__ import annotations

import pytest

from memory_graph.graph import MemoryGraph, SearchNode
from model.evaluation.spending import by_step, repeated_searches, saving, spending, tokens_by_call
from model.types import Call, Outcome, Segment, Task, Trajectory


def call(prompt: int, reply: int) -> Call:
    return Call(
        prompt_ids=(), token_ids=(), logprobs=(), images=(), prompt_tokens=prompt, completion_tokens=reply
    )


def graph(*queries: str) -> MemoryGraph:
    found = MemoryGraph(question="?")
    for number, query in enumerate(queries, start=1):
        found = found.add(SearchNode(id=f"n{number}", parents=("root",), query=query, summary=""))
    return found


def rollout(name: str, calls: list[Call], *queries: str, outcome: Outcome = Outcome.ANSWERED) -> Trajectory:
    return Trajectory(
        task=Task(id=name, dataset="d", question="?", answers=()),
        graph=graph(*queries),
        segments=(
            Segment(node_id="n1", calls=tuple(calls[:1])),
            Segment(node_id=None, calls=tuple(calls[1:])),
        ),
        outcome=outcome,
    )


SHORT = rollout("a", [call(10, 2), call(20, 4)], "who leads", "Who leads?")
LONG = rollout("b", [call(30, 6), call(40, 8), call(50, 10)], "where", "when", "where")


def test_tokens_are_those_of_prompt_and_reply_call_by_call():
    assert tokens_by_call(SHORT) == (12, 24)


def test_a_search_repeats_when_its_words_were_searched_before():
    assert repeated_searches(LONG.graph) == (False, False, True)
    assert repeated_searches(SHORT.graph) == (False, True)


def test_a_step_is_a_mean_over_those_who_reach_it():
    # calls 12 24 and 36 48 60: means 24, 36 over two rollouts, then 60 over one
    steps = by_step([tokens_by_call(SHORT), tokens_by_call(LONG)])
    assert [(step.step, step.estimate, step.rollouts) for step in steps] == [
        (1, 24, 2),
        (2, 36, 2),
        (3, 60, 1),
    ]


def test_a_method_is_summed_up_over_the_rollouts_that_ran():
    # tokens 36 and 144: mean 90; searches 2 and 3; one repeat each
    failed = rollout("c", [], outcome=Outcome.FAILED)
    found = spending([SHORT, LONG, failed])
    assert (found.tokens.estimate, found.searches.estimate, found.repeats.estimate) == (90, 2.5, 1)
    assert [step.estimate for step in found.repeats_by_search] == [0, 0.5, 1]
    assert found.tokens.low == pytest.approx(36)
    assert found.tokens.high == pytest.approx(144)


def test_a_saving_is_paired_by_question():
    # question a: 144 tokens with the one, 36 with the other; b only with one of them
    other = rollout("a", [call(30, 6), call(40, 8), call(50, 10)], "x")
    found = saving([other, LONG], [SHORT])
    assert (found.tokens.estimate, found.repeats.estimate, found.questions) == (36 - 144, 1, 1)


def test_without_rollouts_nothing_is_known():
    found = spending([])
    assert found.tokens_by_call == ()
    assert found.tokens.estimate != found.tokens.estimate  # nan
