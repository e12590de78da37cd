"""Learning rates follow from the schedule and the count of optimiser steps alone."""

from dataclasses import replace

import pytest

from model.config.schedule import Schedule


def test_the_rate_rises_over_the_warm_up_and_stays():
    schedule = Schedule(learning_rate=1e-3, warmup_steps=4)
    assert [schedule.rate(step) for step in (0, 3, 9)] == [2.5e-4, 1e-3, 1e-3]


def test_a_decaying_rate_reaches_nearly_nothing_at_the_last_step():
    schedule = Schedule(learning_rate=1e-3, updates=5, mini_batches=2, warmup_steps=2, decay=True)
    rates = [schedule.rate(step) for step in range(10)]
    assert rates[:3] == [5e-4, 1e-3, 1e-3] and rates == sorted(rates[:2]) + sorted(rates[2:], reverse=True)
    assert rates[-1] == pytest.approx(1e-3 / 8)
    assert replace(schedule, decay=False).rate(9) == 1e-3


def test_a_run_that_ends_early_keeps_the_rates_of_the_longer_one():
    longer = Schedule(updates=6, mini_batches=2, learning_rate=1e-3, warmup_steps=2, decay=True)
    shorter = replace(longer, updates=3, decay_updates=6)
    assert [shorter.rate(step) for step in range(6)] == [longer.rate(step) for step in range(6)]
    for wrong in ({"updates": 7}, {"decay": False}):
        with pytest.raises(ValueError, match="decay_updates"):
            replace(shorter, **wrong)
