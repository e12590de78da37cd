"""Credit assignments of other papers, each with a number derived by hand from its equation."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from memory_graph.graph import AnswerNode, MemoryGraph
from model.audit.published import distances, fatal, gigpo, graphgpo, spo
from model.audit.rollouts import Rollout, rollouts_of
from model.types import Call, Outcome, Segment, Task, Trajectory

START, SEEN, OTHER = (1,), (1, 2), (1, 3)


def call(state: tuple[int, ...], text: str = "a", *, rejected: bool = False) -> Call:
    return Call(prompt_ids=state, token_ids=(7,), logprobs=(-1.0,), images=(), text=text, rejected=rejected)


def rollout(*calls: Call, right: bool) -> Trajectory:
    graph = MemoryGraph(question="q", answer=AnswerNode(parents=("root",), text="a"))
    return Trajectory(
        task=Task(id="q", dataset="d", question="q", answers=("a",)),
        graph=graph,
        segments=tuple(Segment(node_id=None, calls=(each,)) for each in calls),
        outcome=Outcome.ANSWERED,
        reward=float(right),
        correct=right,
    )


def judged(*trajectories: Trajectory) -> tuple[Rollout, ...]:
    return rollouts_of(trajectories)


def test_gigpo_adds_the_advantage_among_steps_of_the_same_state_to_that_of_the_episode():
    # returns .95 and 1 (right), 0 (wrong, two steps); START is shared by both, SEEN and OTHER by nobody
    group = judged(
        rollout(call(START), call(SEEN), right=True), rollout(call(START), call(OTHER), right=False)
    )
    found = gigpo(group)
    half = 1 / math.sqrt(2)  # (1 - .5) over the sample deviation of 1 and 0, and of .95 and 0 alike
    # four segments of a token each
    assert found[0][0][0] == pytest.approx(2 * half / 4, rel=1e-4)
    assert found[0][1][0] == pytest.approx(half / 4, rel=1e-4)
    assert found[1][0][0] == pytest.approx(-2 * half / 4, rel=1e-4)


def test_graphgpo_measures_distance_over_the_transitions_of_all_rollouts():
    # wrong rollout passes through SEEN, from which the right one reached success: its first step made progress
    group = judged(
        rollout(call(START), call(SEEN), right=True),
        rollout(call(START), call(SEEN), call(OTHER), right=False),
        rollout(call(START), call(OTHER), right=False),
    )
    found = distances(group)
    assert (found[START], found[SEEN]) == (2, 1)
    assert found[OTHER] == 3  # one beyond the furthest that reaches success
    first = [weights[0][0] for weights in graphgpo(group)]
    # first steps: returns .1, .1, .001; the last one's is below the mean, so the two others gain as much
    episode = [2 / 3, -1 / 3, -1 / 3]
    deviation = math.sqrt(sum(each**2 for each in episode) / 2)
    graph = (0.1 - 0.067) / math.sqrt((2 * 0.033**2 + 0.066**2) / 2)
    assert first[0] == pytest.approx((episode[0] / deviation + graph) / 7, abs=1e-4)
    assert first[1] == pytest.approx((episode[1] / deviation + graph) / 7, abs=1e-4)


def test_graphgpo_without_a_right_rollout_says_nothing():
    group = judged(rollout(call(START), right=False), rollout(call(START), call(SEEN), right=False))
    assert all(value == 0 for weights in graphgpo(group) for row in weights for value in row)


def test_spo_weighs_its_baseline_by_likeness():
    # two rollouts with the same words and a third one unlike both: each of the two is its own and the other's baseline
    group = judged(
        rollout(call(START, "x"), right=True),
        rollout(call(START, "x"), right=False),
        rollout(call(START, "y"), right=True),
    )
    found = [weights[0][0] * 3 for weights in spo(group)]
    assert found == pytest.approx([0.5, -0.5, 0.0])


def test_fatal_rollouts_keep_what_came_before_the_third_refusal_and_are_never_blamed():
    broken = [call(START), *(call((1, n), rejected=True) for n in (4, 5, 6)), call(OTHER)]
    group = judged(rollout(*broken, right=False), rollout(call(START), right=True))
    assert [row[0] for row in fatal(group)[0]] == [0.0] * 5
    praised = judged(rollout(*broken, right=True), rollout(call(START), right=False))
    kept = [row[0] for row in fatal(praised)[0]]
    assert [value > 0 for value in kept] == [True, True, True, False, False]


def test_equal_rewards_give_no_credit_anywhere():
    group = judged(rollout(call(START), right=True), rollout(call(START), right=True))
    for objective in (gigpo, spo, fatal):
        assert all(value == 0 for weights in objective(group) for row in weights for value in row)


def test_a_step_without_tokens_is_no_error():
    empty = replace(call(START), token_ids=(), logprobs=())
    group = judged(rollout(empty, right=True), rollout(call(START), right=False))
    assert gigpo(group)[0] == ((),)
