"""Rewards by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_graph.graph import MemoryGraph, SearchNode
from model.config.algorithm import Algorithm
from model.config.reward import RewardWeights
from model.rl.reward import format_term, ndcg, retrieved_items, reward
from model.rl.segments import training_samples
from model.types import Counters, Outcome, Task, Trajectory
from tests.model.scene import group


def trajectory(*, correct=None, metric=None, outcome=Outcome.ANSWERED, rejected=0, retrieved=((),), gold=()):
    graph = MemoryGraph(question="q")
    for place, items in enumerate(retrieved, start=1):
        graph = graph.add(SearchNode(id=f"n{place}", parents=("root",), query="q", retrieved=tuple(items)))
    task = Task(id="1", dataset="d", question="q", answers=("a",), gold=frozenset(gold))
    return Trajectory(
        task=task,
        graph=graph,
        segments=(),
        outcome=outcome,
        correct=correct,
        metric=metric,
        counters=Counters(rejected_actions=rejected),
    )


def test_the_default_reward_is_the_verdict():
    assert reward(trajectory(correct=True, metric=False), RewardWeights()) == 1.0
    assert reward(trajectory(correct=False, metric=True, rejected=3), RewardWeights()) == 0.0


def test_a_rollout_without_a_verdict_or_that_failed_has_no_reward():
    assert reward(trajectory(), RewardWeights()) is None
    assert reward(trajectory(correct=True, outcome=Outcome.FAILED), RewardWeights()) is None


def test_without_the_metrics_verdict_a_rollout_is_unscored_only_where_that_verdict_counts():
    abstaining = trajectory(correct=True)
    assert reward(abstaining, RewardWeights(judge=0.5, exact=0.5)) is None
    assert reward(abstaining, RewardWeights(judge=0.5, format=0.5)) == 1.0
    # a question that the judge gives no verdict on trains nothing, though the metric has one
    assert reward(trajectory(metric=True), RewardWeights(judge=0.0, exact=1.0)) is None


def test_each_term_alone():
    # the gold item comes second: NDCG 1/log2(3)
    one = trajectory(correct=True, metric=False, rejected=1, retrieved=(("x", "g"),), gold=("g",))
    assert reward(one, RewardWeights(judge=1.0)) == 1.0
    assert reward(one, RewardWeights(judge=0.0, exact=1.0)) == 0.0
    assert reward(one, RewardWeights(judge=0.0, format=1.0)) == 0.0
    assert reward(one, RewardWeights(judge=0.0, retrieval=1.0)) == pytest.approx(1 / math.log2(3))


def test_all_four_terms_by_hand():
    # 0.4 * 0 + 0.3 * 1 + 0.1 * 1 + 0.2 * 1.5 / 1.63093 = 0.58394
    one = trajectory(correct=False, metric=True, retrieved=(("g", "x"), ("x", "h")), gold=("g", "h"))
    weights = RewardWeights(judge=0.4, exact=0.3, format=0.1, retrieval=0.2)
    assert reward(one, weights) == pytest.approx(0.58394, abs=1e-5)


SHARES = st.lists(st.integers(0, 7), min_size=4, max_size=4).filter(any)
ITEMS = st.lists(st.lists(st.sampled_from("abcdef"), max_size=3), max_size=4)


@given(SHARES, st.booleans(), st.booleans(), st.integers(0, 2), ITEMS, st.sets(st.sampled_from("abcdef")))
def test_a_reward_lies_between_zero_and_one(shares, correct, metric, rejected, retrieved, gold):
    total = sum(shares)
    judge, exact, form, retrieval = (share / total for share in shares)
    weights = RewardWeights(judge=judge, exact=exact, format=form, retrieval=retrieval)
    one = trajectory(correct=correct, metric=metric, rejected=rejected, retrieved=retrieved, gold=gold)
    worth = reward(one, weights)
    assert worth is not None
    assert 0.0 <= worth <= 1.0


def test_pruning_follows_the_verdict_whatever_the_reward_says():
    # rollout 0 is right and rollout 2 wrong; a shaped reward that says the opposite changes advantages, never the mask
    right, *others = group("q", 0)
    shaped = [replace(right, reward=0.1), *(replace(each, reward=0.9) for each in others)]
    plain, swapped = (
        training_samples(each, algorithm=Algorithm()).samples for each in ([right, *others], shaped)
    )
    assert any(each.pruned for each in plain)
    assert [(s.key, s.credit) for s in plain] == [(s.key, s.credit) for s in swapped]
    assert [s.advantage > 0 for s in plain if s.key.rollout == 0] != [
        s.advantage > 0 for s in swapped if s.key.rollout == 0
    ]


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
    one = trajectory(correct=True, rejected=1, retrieved=(("x", "g"),), gold=("g",))
    total = reward(one, RewardWeights(judge=0.7, format=0.1, retrieval=0.2))  # arXiv 2505.22019
    assert total == pytest.approx(0.7 + 0.2 / math.log2(3))


@pytest.mark.parametrize("weights", [(0.5, 0.2, 0.2), (1.2, -0.2, 0.0), (math.nan, 0.0, 0.0)])
def test_weights_that_are_no_shares_are_refused(weights):
    with pytest.raises(ValueError, match="sum to 1"):
        RewardWeights(judge=weights[0], format=weights[1], retrieval=weights[2])
