"""Numbers of learning curves, derived by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.evaluation.learning_curves import area, band, first_reaching, roughness

RISING = [(0, 0.2), (2, 0.4), (6, 0.4)]


def test_the_area_is_the_mean_height_over_the_updates():
    # 2 * 0.3 + 4 * 0.4 = 2.2 over 6 updates
    assert area(RISING) == pytest.approx(2.2 / 6)


def test_an_area_needs_two_points_in_order():
    assert math.isnan(area([(0, 1.0)]))
    with pytest.raises(ValueError, match="increase"):
        area([(1, 0.0), (1, 1.0)])


@given(st.floats(0, 1), st.lists(st.integers(1, 9), min_size=1, max_size=9))
def test_a_flat_curve_has_its_own_height(height: float, gaps: list[int]):
    updates = [sum(gaps[:place]) for place in range(len(gaps) + 1)]
    assert area([(at, height) for at in updates]) == pytest.approx(height)


def test_the_first_update_that_reaches_a_score():
    assert first_reaching(RISING, 0.4) == 2
    assert first_reaching(RISING, 0.2) == 0
    assert first_reaching(RISING, 0.41) is None


def test_roughness_is_the_root_mean_square_of_steps():
    # steps 0.3 and -0.4: sqrt((0.09 + 0.16) / 2)
    assert roughness([0.1, 0.4, 0.0]) == pytest.approx(math.sqrt(0.125))
    assert roughness([0.3, 0.3, 0.3]) == 0.0
    assert math.isnan(roughness([0.3]))


def test_a_band_holds_the_updates_that_all_seeds_have():
    found = band([[(0, 0.2), (4, 0.6)], [(0, 0.4), (4, 0.6), (8, 0.9)]])
    assert [point.update for point in found] == [0, 4]
    assert found[0].score.estimate == pytest.approx(0.3)
    assert (found[0].score.low, found[0].score.high) == pytest.approx((0.2, 0.4))
    assert found[1].score.low == found[1].score.high == pytest.approx(0.6)
    assert band([]) == ()
