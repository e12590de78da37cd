"""Questions are drawn by what their rollouts taught so far, and a resumed run draws the same ones."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.rl.curriculum import FLOOR, Curriculum

NAMES = [f"q{number}" for number in range(8)]


def test_the_weight_is_the_variance_of_a_smoothed_share():
    curriculum = Curriculum(NAMES, seed=0)
    curriculum.record("q0", right=2, rollouts=8)  # p = 3/10
    curriculum.record("q1", right=8, rollouts=8)  # p = 9/10
    assert curriculum.weight("q0") == pytest.approx(0.21 + FLOOR)
    assert curriculum.weight("q1") == pytest.approx(0.09 + FLOOR)
    assert curriculum.weight("q2") == pytest.approx(0.25 + FLOOR)  # not seen: p = 1/2


def test_a_question_that_is_always_right_comes_rarely():
    # weights after 80 right of 80: 81/82 * 1/82 + 0.05 = 0.062, against 0.3 of the seven others: 2.9 % of single draws
    curriculum = Curriculum(NAMES, seed=3)
    curriculum.record("q0", right=80, rollouts=80)
    drawn = Counter(curriculum.draw(1)[0] for _ in range(4000))
    assert drawn["q0"] / 4000 == pytest.approx(0.0621 / (0.0621 + 7 * 0.3), abs=0.01)


def test_without_regard_to_success_every_epoch_has_every_question_in_an_order_of_its_own():
    curriculum = Curriculum(NAMES, seed=3, by_success=False)
    epochs = []
    for _ in range(3):
        epoch: list[str] = []
        while len(epoch) < len(NAMES):
            drawn = curriculum.draw(4)
            for name in drawn:
                curriculum.record(name, right=4, rollouts=4)
            epoch += drawn
        epochs.append(epoch)
    assert all(sorted(epoch) == NAMES for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


@given(st.integers(0, 12), st.sets(st.sampled_from(NAMES)))
def test_a_draw_repeats_nothing_and_leaves_out_what_it_must(count: int, without: set[str]):
    drawn = Curriculum(NAMES, seed=1).draw(count, without=without)
    assert len(set(drawn)) == len(drawn) == min(count, len(NAMES) - len(without))
    assert not without & set(drawn)


def test_a_resumed_run_draws_what_the_undisturbed_one_would():
    undisturbed, ended = Curriculum(NAMES, seed=2), Curriculum(NAMES, seed=2)
    for curriculum in (undisturbed, ended):
        curriculum.record(curriculum.draw(3)[0], right=1, rollouts=4)
    resumed = Curriculum(reversed(NAMES), seed=2)
    resumed.load(json.loads(json.dumps(ended.state())))
    assert [resumed.draw(3) for _ in range(5)] == [undisturbed.draw(3) for _ in range(5)]


def test_impossible_counts_and_no_questions_are_refused():
    with pytest.raises(ValueError, match="3 right rollouts of 2"):
        Curriculum(NAMES, seed=0).record("q0", right=3, rollouts=2)
    with pytest.raises(ValueError, match="no questions"):
        Curriculum([], seed=0)
