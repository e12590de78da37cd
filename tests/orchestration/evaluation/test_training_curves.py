"""Curves of a run: which are drawn, how large they are in Dagster, and that they are pictures that open."""

from __future__ import annotations

import math
from base64 import b64decode
from typing import Any
from xml.etree import ElementTree

import pytest

from orchestration.evaluation.training_curves import (
    CURVES,
    MAX_BYTES,
    ggpo_curves,
    materialisation,
    thinned,
)


def records(count: int) -> list[dict[str, Any]]:
    names = [key for *_, lines in CURVES for key, _ in lines]
    return [
        {"update": number, **{name: math.sin(number * (at + 1)) for at, name in enumerate(names)}}
        for number in range(count)
    ]


def test_every_group_of_numbers_is_a_curve_and_what_was_not_measured_is_none():
    assert [curve.title for curve in ggpo_curves(records(3))] == [f"GGPO: {title}" for title, *_ in CURVES]
    (only,) = ggpo_curves([{"update": 0, "entropy": 0.5, "divergence": None}])
    assert only.series == (("entropy", ((1.0, 0.5),)),)
    assert ggpo_curves([]) == () and materialisation([]) == {}


@pytest.mark.parametrize("count", [2, 5000])
def test_dagster_gets_pictures_that_open_within_the_limit(count: int):
    found = materialisation(records(count))
    text = found["curves"]["raw_value"]
    assert len(text.encode()) < MAX_BYTES
    pictures = [part.split(")")[0] for part in text.split("base64,")[1:]]
    assert len(pictures) == len(CURVES)
    for picture in pictures:
        assert ElementTree.fromstring(b64decode(picture)).tag == "{http://www.w3.org/2000/svg}svg"


def test_numbers_are_the_last_update_s_and_seconds_the_sum_of_all():
    rows = [
        {"update": 0, "mean_reward": 0.25, "seconds_update": 1.5, "seconds_checkpoint": None},
        {"update": 1, "mean_reward": 0.5, "seconds_update": 2.0, "entropy": None},
    ]
    found = materialisation(rows)
    assert (found["last_mean_reward"], found["total_seconds_update"]) == (0.5, 3.5)
    assert "last_entropy" not in found and found["total_seconds_checkpoint"] == 0


def test_a_long_line_is_drawn_by_means_of_neighbours():
    # 200 points: pairs (1, 0) and (2, 1) -> (1.5, 0.5), and so on
    line = tuple((float(at + 1), float(at)) for at in range(200))
    drawn = thinned(line)
    assert len(drawn) == 100 and drawn[:2] == ((1.5, 0.5), (3.5, 2.5))
