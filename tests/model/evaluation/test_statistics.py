"""Intervals by hand and by law."""

from __future__ import annotations

import math
from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.evaluation.statistics import (
    UNKNOWN,
    bootstrap_macro_mean,
    bootstrap_mean,
    crossed_mean,
    mean_of_runs,
    paired_difference,
    sign_test,
    wilson,
)

FAST = {"resamples": 500}


def test_wilson_of_eight_in_ten():
    # z = 1.95996, z^2 = 3.84146: centre (0.8 + 0.192073) / 1.384146 = 0.716738,
    # half width 1.95996 / 1.384146 * sqrt(0.016 + 0.00960365) = 0.226577
    assert astuple(wilson(8, 10)) == pytest.approx((0.8, 0.490162, 0.943318), abs=1e-5)


def test_wilson_at_zero_and_at_all():
    # 0 of 10: upper bound z^2 / (n + z^2) = 3.84146 / 13.84146
    assert astuple(wilson(0, 10)) == pytest.approx((0.0, 0.0, 0.277533), abs=1e-5)
    assert astuple(wilson(10, 10)) == pytest.approx((1.0, 1 - 0.277533, 1.0), abs=1e-5)


def test_nothing_tried_is_unknown():
    assert all(math.isnan(value) for value in astuple(wilson(0, 0)))
    assert all(math.isnan(value) for value in astuple(bootstrap_mean([])))
    assert all(math.isnan(value) for value in astuple(UNKNOWN))


def test_more_successes_than_trials_are_refused():
    with pytest.raises(ValueError):
        wilson(3, 2)


@given(st.integers(0, 200), st.integers(0, 200))
def test_wilson_holds_its_estimate_inside_zero_and_one(successes, failures):
    found = wilson(successes, successes + failures)
    if successes + failures:
        assert 0 <= found.low <= found.estimate <= found.high <= 1


def test_the_bootstrap_of_a_constant_has_no_width():
    assert astuple(bootstrap_mean([0.25] * 7, **FAST)) == (0.25, 0.25, 0.25)


def test_the_bootstrap_interval_of_a_fair_coin_is_near_the_normal_one():
    # 400 tosses: 0.5 +- 1.96 * 0.5 / 20 = 0.451 to 0.549
    assert astuple(bootstrap_mean([0.0, 1.0] * 200)) == pytest.approx((0.5, 0.451, 0.549), abs=0.004)


def test_the_bootstrap_is_the_same_for_the_same_seed():
    values = [0.0, 1.0, 1.0, 0.0, 1.0]
    assert bootstrap_mean(values, seed=3, **FAST) == bootstrap_mean(values, seed=3, **FAST)


def test_a_macro_mean_weighs_groups_alike():
    assert bootstrap_macro_mean([[1.0], [0.0] * 9], **FAST).estimate == 0.5
    assert math.isnan(bootstrap_macro_mean([[1.0], []], **FAST).estimate)


def test_pairing_finds_a_difference_that_separate_intervals_hide():
    # each question is hard or easy alike in both runs, and the second run is 0.1 better on every one
    first = [0.0, 0.2, 0.4, 0.6, 0.8]
    second = [value + 0.1 for value in first]
    found = paired_difference(first, second, **FAST)
    assert astuple(found) == pytest.approx((0.1, 0.1, 0.1))
    assert not bootstrap_mean(first, **FAST).high < bootstrap_mean(second, **FAST).low


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_swapping_the_runs_turns_the_difference_around(pairs):
    first, second = [float(a) for a, _ in pairs], [float(b) for _, b in pairs]
    forth, back = (
        paired_difference(first, second, resamples=50),
        paired_difference(second, first, resamples=50),
    )
    assert astuple(forth) == pytest.approx((-back.estimate, -back.high, -back.low))
    assert sign_test(first, second) == sign_test(second, first)


def test_pairs_need_partners():
    with pytest.raises(ValueError):
        paired_difference([1.0], [1.0, 2.0])
    with pytest.raises(ValueError):
        sign_test([1.0], [])


def test_sign_test_by_hand():
    # five gains, no loss: 2 * (1/2)^5
    assert sign_test([0.0] * 5 + [1.0], [1.0] * 5 + [1.0]) == pytest.approx(0.0625)
    # one gain, one loss: everything is as extreme
    assert sign_test([0.0, 1.0], [1.0, 0.0]) == 1.0
    assert sign_test([1.0], [1.0]) == 1.0


def test_a_table_of_one_run_is_as_uncertain_as_its_questions():
    values = [0.0, 1.0, 1.0, 0.0, 1.0, 1.0]
    one, plain = crossed_mean([values]), bootstrap_mean(values)
    assert one.estimate == plain.estimate
    assert one.low == pytest.approx(plain.low, abs=0.02) and one.high == pytest.approx(plain.high, abs=0.02)


def test_runs_that_disagree_widen_the_interval_though_every_question_of_a_run_agrees():
    # two of four rows all ones, two all zeros: the mean of four redrawn rows is 0 or 1 with (1/2)^4 = 6.25 % each, so
    # both 2.5 % points are 0.5 from the middle, times sqrt(4/3); over the questions alone nothing would vary
    found = crossed_mean([[1.0] * 5, [0.0] * 5, [1.0] * 5, [0.0] * 5])
    far = 0.5 * math.sqrt(4 / 3)
    assert astuple(found) == pytest.approx((0.5, 0.5 - far, 0.5 + far))
    assert crossed_mean([]) is UNKNOWN
    with pytest.raises(ValueError, match="equal lengths"):
        crossed_mean([[1.0], [1.0, 0.0]])


def test_the_mean_of_a_few_runs_has_students_interval():
    # mean 2, deviation 1, error 1 / sqrt(3), t of 2 degrees of freedom 4.3027
    found = mean_of_runs([1.0, 2.0, 3.0])
    assert (found.estimate, found.low, found.high) == pytest.approx((2.0, 2 - 2.4841, 2 + 2.4841), abs=1e-3)
    assert mean_of_runs([0.5]).estimate == 0.5
    assert math.isnan(mean_of_runs([0.5]).low)
    assert math.isnan(mean_of_runs([]).estimate)
