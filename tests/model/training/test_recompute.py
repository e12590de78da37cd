"""Ratios start from the trainer's own log-probabilities where the sampler's differ: nothing is clipped before a weight moved."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from model.config.algorithm import ALGORITHMS
from model.config.engine import EngineConfig
from tests.model.scene import Pictures, Setup, group, policy, sampled, trainer

TIGHT = ALGORITHMS["gspo"]  # 3e-4 and 4e-4, as published
BF16 = EngineConfig(zero_stage=2, bf16=True)
CLIPPED_BEFORE = 0.1  # of the segments, at least: the spec measured .29 on the shipped checkpoint


def rollouts(jitter: float = 0.0):
    """Drawn in float32 from the policy's weights as bfloat16 rounds them, as another engine would."""
    model = policy()
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(weight.bfloat16().float())
    return sampled(group("q1", 0) + group("q2", 1), model, Pictures(), jitter=jitter)


def test_nothing_is_clipped_at_unchanged_weights_in_bfloat16():
    found = trainer(Setup(algorithm=TIGHT, engine=BF16)).update(rollouts())
    assert found.clip_fraction == 0.0
    assert found.mean_ratio == 1.0
    assert found.max_log_ratio == 0.0


def test_with_the_samplers_values_segments_were_clipped():
    found = trainer(Setup(algorithm=TIGHT, engine=replace(BF16, recompute=False))).update(rollouts())
    assert found.clip_fraction > CLIPPED_BEFORE
    assert math.isnan(found.sampler_ratio)


def test_what_the_sampler_drew_differently_is_a_truncated_weight_whose_distribution_is_told():
    # the recorded values lie .5 nats a token above the trainer's in every token: each segment counts exp(-.5)
    off = [
        replace(
            each,
            segments=tuple(
                replace(
                    s, calls=tuple(replace(c, logprobs=tuple(v + 0.5 for v in c.logprobs)) for c in s.calls)
                )
                for s in each.segments
            ),
        )
        for each in sampled(group("q", 0), policy(), Pictures(), jitter=0.0)
    ]
    exact = EngineConfig(zero_stage=2, recompute=True)
    found = trainer(Setup(algorithm=TIGHT, engine=exact)).update(off)
    assert found.sampler_ratio == pytest.approx(math.exp(-0.5), rel=1e-3)
    assert found.sampler_truncated == 0.0
    assert found.mean_ratio == 1.0
    plain = trainer(Setup(algorithm=TIGHT, engine=exact)).update(
        sampled(group("q", 0), policy(), Pictures(), jitter=0.0)
    )
    assert found.gradient_norm == pytest.approx(plain.gradient_norm * math.exp(-0.5), rel=1e-2)


def test_a_segment_never_counts_more_than_the_cap():
    rare = [
        replace(
            each,
            segments=tuple(
                replace(
                    s, calls=tuple(replace(c, logprobs=tuple(v - 3 for v in c.logprobs)) for c in s.calls)
                )
                for s in each.segments
            ),
        )
        for each in sampled(group("q", 0), policy(), Pictures(), jitter=0.0)
    ]
    found = trainer(Setup(algorithm=TIGHT, engine=EngineConfig(zero_stage=2, recompute=True))).update(rare)
    assert (found.sampler_ratio, found.sampler_truncated) == (2.0, 1.0)


def test_several_steps_of_an_update_start_from_the_weights_before_the_first():
    # with one question a step, the second step's ratios are no longer 1: its values are from before the first
    setup = Setup(algorithm=TIGHT, engine=EngineConfig(zero_stage=2, recompute=True))
    made = trainer(replace_steps(setup, 2))
    found = made.update(sampled(group("q1", 0) + group("q2", 1), policy(), Pictures(), jitter=0.0))
    assert found.steps == 2
    assert found.max_log_ratio > 0


def replace_steps(setup: Setup, steps: int) -> Setup:
    return replace(setup, schedule=replace(setup.schedule, mini_batches=steps))


def test_float32_keeps_the_samplers_values_by_default():
    assert not EngineConfig().recomputes
    assert BF16.recomputes
