"""Means over rollouts and shares of pruned segments, counted by hand."""

from __future__ import annotations

import math
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_graph.credit import Credit, PruneReason
from memory_graph.graph import MemoryGraph
from model.config.algorithm import Algorithm, Pruning
from model.rl.rollout_metrics import pruned_shares, rollout_metrics
from model.rl.segments import SampleKey, TrainingSample, training_samples
from model.types import Counters, Outcome, Task, Trajectory
from tests.model.scene import group


def rollout(correct: bool | None, outcome: Outcome = Outcome.ANSWERED, **counts: int) -> Trajectory:
    return Trajectory(
        task=Task(id="q", dataset="d", question="?", answers=()),
        graph=MemoryGraph(question="?"),
        segments=(),
        outcome=outcome,
        correct=correct,
        counters=Counters(**counts),
    )


def test_means_are_over_the_rollouts_that_ran_and_shares_over_those_with_a_verdict():
    found = rollout_metrics(
        [
            rollout(True, searches=1, prompt_tokens=100, completion_tokens=20, visual_tokens=64),
            rollout(False, searches=4, repeated_searches=2, dead_ends=1, prompt_tokens=300),
            rollout(None, searches=1, rejected_actions=3, completion_tokens=30),
            rollout(None, Outcome.FAILED, searches=9, prompt_tokens=900),
        ]
    )
    assert asdict(found) == pytest.approx(
        {
            "share_right": 1 / 2,  # one of two verdicts
            "mean_searches": (1 + 4 + 1) / 3,  # the failed one is left out
            "mean_repeated_searches": 2 / 3,
            "mean_dead_ends": 1 / 3,
            "mean_rejected_actions": 3 / 3,
            "mean_tokens": (120 + 300 + 30) / 3,
            "mean_visual_tokens": 64 / 3,
        }
    )


def test_without_rollouts_and_segments_nothing_is_measured():
    failed = rollout(None, Outcome.FAILED, searches=9)
    numbers = [*asdict(rollout_metrics([failed])).values(), *asdict(pruned_shares([])).values()]
    assert len(numbers) == 11 and all(math.isnan(number) for number in numbers)


def test_each_rule_of_the_mask_has_a_share_of_its_own():
    # 3 + 3 + 3 + 2 segments; a dead end of rollout 0, which is right, and gold found by rollout 2, which is wrong
    samples = training_samples(group("q", 0), algorithm=Algorithm()).samples
    assert asdict(pruned_shares(samples)) == pytest.approx(
        {"pruned_dead_end": 1 / 11, "pruned_gold": 1 / 11, "pruned_at_random": 0.0, "pruned_refused": 0.0}
    )


def test_a_random_mask_is_told_from_the_rules():
    samples = training_samples(group("q", 0), algorithm=Algorithm(pruning=Pruning.RANDOM)).samples
    assert asdict(pruned_shares(samples)) == pytest.approx(
        {"pruned_dead_end": 0.0, "pruned_gold": 0.0, "pruned_at_random": 2 / 11, "pruned_refused": 0.0}
    )


@given(st.lists(st.sampled_from(PruneReason), min_size=1))
def test_the_shares_add_up_to_what_is_pruned(reasons: list[PruneReason]):
    blank = TrainingSample(
        key=SampleKey("q", 0, 0), token_ids=(1, 2), loss_positions=(1,), old_logprobs=(0.0,)
    )
    credits = [Credit(reason.startswith("pruned"), reason) for reason in reasons]
    samples = [replace(blank, credit=credit) for credit in credits]
    assert sum(asdict(pruned_shares(samples)).values()) == pytest.approx(
        sum(credit.pruned for credit in credits) / len(reasons)
    )
