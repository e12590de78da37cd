"""Intervals, paired tests and power that know of documents: hand-derived values, and calibration by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.evaluation.clustered import clustered_mean, paired_test

NULLS, MOST_SIGNIFICANT = 100, 7
DOCUMENTS, QUESTIONS_OF_ONE = 30, 4


def null_run(rng: np.random.Generator) -> tuple[list[float], list[float], list[int]]:
    """Two runs that are equally good: each document is easy or hard for both, and a run has its luck with a document."""
    first, second, clusters = [], [], []
    for document in range(DOCUMENTS):
        ease = rng.beta(1, 1)
        for values in (first, second):
            luck = np.clip(ease + rng.normal(0, 0.25), 0, 1)
            values += list((rng.random(QUESTIONS_OF_ONE) < luck).astype(float))
        clusters += [document] * QUESTIONS_OF_ONE
    return first, second, clusters


def test_of_a_hundred_comparisons_of_equals_at_most_seven_are_significant():
    rng = np.random.default_rng(20261129)
    tested = [paired_test(*null_run(rng), seed=number) for number in range(NULLS)]
    assert sum(test.p_value < 0.05 for test in tested) <= MOST_SIGNIFICANT
    outside = sum(not test.difference.low <= 0 <= test.difference.high for test in tested)
    assert outside <= MOST_SIGNIFICANT + 3  # a percentile bootstrap of 30 documents is a little narrow
    # taking the questions of a document for independent ones would call far more of them significant
    naive = [paired_test(a, b, range(len(a))) for a, b, _ in (null_run(rng) for _ in range(NULLS))]
    assert sum(test.p_value < 0.05 for test in naive) > sum(test.p_value < 0.05 for test in tested)


def test_the_power_figure_is_what_a_simulation_finds():
    """With as many questions as it asks for, about 80 % of runs show the effect."""
    rng, effect = np.random.default_rng(1), 0.2
    pilot_before = list((rng.random(400) < 0.5).astype(float))
    pilot_after = list((rng.random(400) < 0.7).astype(float))
    needed = paired_test(pilot_before, pilot_after, range(400)).questions_needed(effect)
    # by hand: the variance of a difference of two coins is .25 + .21; (1.96 + 0.8416)^2 * .46 / .04 = 90
    assert needed == pytest.approx(90, rel=0.15)
    size, shown = round(needed), 0
    for number in range(200):
        before, after = (rng.random(size) < 0.5).astype(float), (rng.random(size) < 0.7).astype(float)
        shown += paired_test(list(before), list(after), range(size), seed=number).p_value < 0.05
    assert 0.7 <= shown / 200 <= 0.9


def test_signs_of_whole_documents_are_flipped():
    # two documents: +3 and -1 of 4 questions; of the four sign patterns both of +-(3 + 1) and both of +-(3 - 1) reach 2: p = 1
    test = paired_test([0, 0, 0, 1], [1, 1, 1, 0], ["a", "a", "a", "b"])
    assert (test.clusters, test.p_value) == (2, 1.0)
    assert test.difference.estimate == 0.5
    # five documents that all gain: of 32 patterns only the two extreme ones reach it
    assert paired_test([0] * 5, [1] * 5, range(5)).p_value == pytest.approx(2 / 32)


def test_what_cannot_be_known_is_not_told():
    single = clustered_mean([1.0, 0.0], ["one", "one"])
    assert single.estimate == 0.5 and math.isnan(single.low)
    assert math.isnan(clustered_mean([], []).estimate)
    alike = paired_test([1, 0], [1, 0], ["a", "b"])
    assert (alike.p_value, alike.difference.low, alike.questions_needed(0.05)) == (1.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="of a cluster"):
        clustered_mean([1.0], [])
    with pytest.raises(ValueError, match="effect"):
        alike.questions_needed(0)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=30))
def test_the_order_of_questions_does_not_matter_and_the_estimate_lies_within(rows: list[tuple[bool, int]]):
    values, clusters = [float(value) for value, _ in rows], [cluster for _, cluster in rows]
    found = clustered_mean(values, clusters, resamples=200)
    assert found.estimate == pytest.approx(sum(values) / len(values))
    if len(set(clusters)) > 1:
        assert (found.low <= found.estimate + 1e-12 and found.high >= found.estimate - 1e-12) or min(
            values
        ) < max(values)


def test_questions_of_a_single_document_show_nothing_and_break_nothing():
    tested = paired_test([0.0, 0.0, 1.0], [1.0, 1.0, 1.0], ["d"] * 3)
    assert (tested.questions, tested.clusters, tested.p_value) == (3, 1, 1.0)
    assert tested.difference.estimate == pytest.approx(2 / 3) and math.isnan(tested.difference.low)
    assert math.isnan(tested.questions_needed(0.05))
