"""Rewards by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_graph.graph import MemoryGraph, SearchNode
from model.records import Counters, Outcome, Task, Trajectory
from model.reward import VRAG_RL_WEIGHTS, RewardWeights, format_term, ndcg, retrieved_items, reward


def trajectory(*, outcome=Outcome.ANSWERED, rejected=0, retrieved=((),), gold=()):
    graph = MemoryGraph(question="q")
    for place, items in enumerate(retrieved, start=1):
        graph = graph.add(SearchNode(id=f"n{place}", parents=("root",), query="q", retrieved=tuple(items)))
    task = Task(id="1", dataset="d", question="q", answers=("a",), gold=frozenset(gold))
    return Trajectory(
        task=task, graph=graph, segments=(), outcome=outcome, counters=Counters(rejected_actions=rejected)
    )


def test_the_default_reward_is_the_verdict():
    assert reward(trajectory(), True, RewardWeights()) == 1.0
    assert reward(trajectory(rejected=3), False, RewardWeights()) == 0.0


def test_a_rollout_without_a_verdict_or_that_failed_has_no_reward():
    assert reward(trajectory(), None, RewardWeights()) is None
    assert reward(trajectory(outcome=Outcome.FAILED), True, RewardWeights()) is None


def test_ndcg_of_a_gold_item_at_the_second_place():
    # gain 1/log2(3) over the ideal 1/log2(2) = 0.6309
    assert ndcg(["x", "g"], {"g"}) == pytest.approx(0.63093, abs=1e-5)


def test_ndcg_of_two_gold_items_at_places_one_and_three():
    # (1 + 1/2) / (1 + 0.63093)
    assert ndcg(["g", "x", "h"], {"g", "h"}) == pytest.approx(1.5 / 1.63093, abs=1e-5)


def test_ndcg_at_its_ends():
    assert ndcg([], {"g"}) == 0.0
    assert ndcg(["g", "h"], {"g", "h"}) == 1.0
    assert ndcg(["x"], set()) == 1.0


@given(st.lists(st.sampled_from("abcdef"), unique=True), st.sets(st.sampled_from("abcdef")))
def test_ndcg_lies_between_zero_and_one(ranked, gold):
    assert 0.0 <= ndcg(ranked, gold) <= 1.0 + 1e-12


def test_items_count_at_their_first_place():
    assert retrieved_items(trajectory(retrieved=(("a", "b"), ("b", "c")))) == ("a", "b", "c")


def test_form_is_lost_by_a_rejected_reply_or_a_missing_answer():
    assert format_term(trajectory()) == 1.0
    assert format_term(trajectory(outcome=Outcome.FORCED)) == 1.0
    assert format_term(trajectory(rejected=1)) == 0.0
    assert format_term(trajectory(outcome=Outcome.ABSTAINED)) == 0.0


def test_the_weighted_terms_of_vrag_rl():
    # 0.7 * 1 + 0.1 * 0 + 0.2 * 0.6309
    worth = reward(trajectory(rejected=1, retrieved=(("x", "g"),), gold=("g",)), True, VRAG_RL_WEIGHTS)
    assert worth == pytest.approx(0.7 + 0.2 / math.log2(3))


@pytest.mark.parametrize("weights", [(0.5, 0.2, 0.2), (1.2, -0.2, 0.0)])
def test_weights_that_are_no_shares_are_refused(weights):
    with pytest.raises(ValueError, match="sum to 1"):
        RewardWeights(correct=weights[0], format=weights[1], retrieval=weights[2])
