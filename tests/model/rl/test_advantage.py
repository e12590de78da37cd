"""Advantages compare a rollout with its peers of the same question."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_graph.graph import MemoryGraph
from model.config.algorithm import ALGORITHMS, Algorithm, Baseline, Pruning
from model.config.schedule import Schedule
from model.rl.advantage import advantages
from model.rl.credit import credited
from model.types import Outcome, Task, Trajectory

GROUPED_REWARDS = st.lists(
    st.tuples(st.sampled_from("abc"), st.one_of(st.none(), st.floats(-2, 2))), min_size=1, max_size=24
)


def test_a_reward_is_centred_and_divided_by_the_deviation_of_its_group():
    # rewards 1 0 0 1: mean 1/2, deviation 1/2, so +1 and -1; group b: 1 0 0 0: mean 1/4, deviation sqrt(3)/4
    found = advantages(list("aaaabbbb"), [1, 0, 0, 1, 1, 0, 0, 0], algorithm=Algorithm())
    assert found[:4] == pytest.approx([1, -1, -1, 1], abs=1e-5)
    assert found[4:] == pytest.approx([3**0.5, *[-(3**-0.5)] * 3], abs=1e-5)


def test_without_the_deviation_only_the_mean_is_taken_off():
    found = advantages(list("aaaa"), [1, 0, 0, 0], algorithm=Algorithm(normalise_std=False))
    assert found == (0.75, -0.25, -0.25, -0.25)


def test_an_unscored_rollout_counts_neither_in_the_mean_nor_in_the_deviation():
    with_hole = advantages(list("aaa"), [1.0, None, 0.0], algorithm=Algorithm())
    assert with_hole[1] is None
    assert (with_hole[0], with_hole[2]) == advantages(list("aa"), [1.0, 0.0], algorithm=Algorithm())


def test_a_group_of_equal_rewards_gets_exactly_zero():
    # the mean of three times 0.1 is not 0.1 in floating point
    assert advantages(list("aaa"), [0.1] * 3, algorithm=Algorithm()) == (0.0, 0.0, 0.0)


def test_noise_of_a_judge_is_not_blown_up_and_right_and_wrong_are_untouched():
    # rewards 0.9999 1 0.9999 1: deviation 5e-5, far below the floor of 0.05, so 5e-5 / 0.05 = 0.001
    found = advantages(list("aaaa"), [0.9999, 1.0, 0.9999, 1.0], algorithm=Algorithm())
    assert found == pytest.approx([-0.001, 0.001, -0.001, 0.001], abs=1e-6)
    for right in range(1, 8):  # of 8, any mixture of right and wrong has a deviation of at least sqrt(7)/8
        rewards = [1.0] * right + [0.0] * (8 - right)
        printed = advantages(["q"] * 8, rewards, algorithm=Algorithm(std_floor=0.0))
        assert advantages(["q"] * 8, rewards, algorithm=Algorithm()) == printed


def test_the_batch_baseline_compares_across_questions():
    # all of question a right, all of b wrong: no signal within groups, +1 and -1 over the batch
    groups, rewards = list("aabb"), [1.0, 1.0, 0.0, 0.0]
    assert advantages(groups, rewards, algorithm=Algorithm()) == (0.0,) * 4
    over_batch = advantages(groups, rewards, algorithm=Algorithm(baseline=Baseline.BATCH))
    assert over_batch == pytest.approx([1, 1, -1, -1], abs=1e-5)


@given(GROUPED_REWARDS, st.randoms(use_true_random=False))
def test_shuffling_rollouts_never_changes_a_bit_of_any_advantage(rows: list, rng: random.Random):
    order = list(range(len(rows)))
    rng.shuffle(order)
    straight = advantages([g for g, _ in rows], [r for _, r in rows], algorithm=Algorithm())
    mixed = advantages([rows[i][0] for i in order], [rows[i][1] for i in order], algorithm=Algorithm())
    assert [straight[i] for i in order] == list(mixed)


def test_each_rollout_carries_the_advantage_it_is_trained_with():
    def rollout(question: str, reward: float | None) -> Trajectory:
        task = Task(id=question, dataset="d", question="?", answers=())
        return Trajectory(
            task=task,
            graph=MemoryGraph(question="?"),
            segments=(),
            outcome=Outcome.ABSTAINED,
            reward=reward,
            correct=None if reward is None else False,
        )

    noted = credited(
        [rollout("a", 1.0), rollout("b", 1.0), rollout("a", 0.0), rollout("a", None)], algorithm=Algorithm()
    )
    assert [each.advantage for each in noted] == [
        pytest.approx(1, abs=1e-5),
        0,
        pytest.approx(-1, abs=1e-5),
        None,
    ]


def test_a_reward_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="finite"):
        advantages(["a", "a"], [float("nan"), 1.0], algorithm=Algorithm())


def test_every_named_algorithm_is_valid_and_ggpo_differs_from_gspo_in_pruning_only():
    assert ALGORITHMS["ggpo"].pruning is Pruning.GGPO
    assert Algorithm(pruning=Pruning.NONE) == ALGORITHMS["gspo"]
    assert [algorithm.name for algorithm in ALGORITHMS.values()] == list(ALGORITHMS)
    assert Algorithm(pruning=Pruning.NONE, baseline=Baseline.BATCH).name == "custom"


@pytest.mark.parametrize(
    "bad", [{"clip_low": 0.0}, {"clip_low": 1.5}, {"group_size": 1}, {"kl_coefficient": -1.0}]
)
def test_an_algorithm_out_of_range_is_refused(bad: dict):
    with pytest.raises(ValueError):
        Algorithm(**bad)


def test_the_learning_rate_rises_and_falls_linearly():
    # 2 steps up, 4 down: 1/2, 1, then 1, 3/4, 1/2, 1/4, 0
    schedule = Schedule(learning_rate=1.0, warmup_steps=2, decay=True, updates=6)
    assert [schedule.rate(step) for step in range(8)] == [0.5, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
