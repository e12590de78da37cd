"""A run stops itself for what teaches nothing, with the cause, after its patience and not before."""

from __future__ import annotations

import math
from typing import Any

import pytest

from model.config.watch import WatchLimits
from model.training.watch import TrainingStoppedError, Watch

HEALTHY = {
    "loss": 0.1,
    "gradient_norm": 1.0,
    "entropy": 0.5,
    "num_rollouts": 16,
    "num_segments": 40,
    "num_trained": 20,
    "mean_rejected_actions": 0.2,
    "rollouts_failed": 0,
}
NOTHING = {
    "num_segments": 0,
    "num_trained": 0,
    "loss": math.nan,
    "gradient_norm": math.nan,
    "entropy": math.nan,
}


def watched(*changes: dict[str, Any], patience: int = 3) -> int:
    """The updates that pass."""
    watch = Watch(WatchLimits(patience=patience))
    for update, change in enumerate(changes):
        watch.check(HEALTHY | {"update": update} | change)
    return len(changes)


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (NOTHING, r"0 segments.*the index is gone"),
        ({"num_trained": 0, "loss": math.nan, "gradient_norm": math.nan}, r"rewards .* all equal"),
        ({"rollouts_failed": 40}, r"40 of 56 rollouts failed"),
        ({"mean_rejected_actions": 9.0}, r"9\.0 replies a rollout"),
        ({"entropy": 6.5}, r"6\.5 nats"),
    ],
)
def test_each_fault_stops_the_run_after_its_patience(change: dict[str, Any], cause: str):
    assert watched(change, change, {}, change, change)  # it ended in between
    with pytest.raises(TrainingStoppedError, match=rf"updates 2 to 4: .*{cause}"):
        watched({}, change, change, change)


def test_not_a_number_stops_it_at_once():
    with pytest.raises(TrainingStoppedError, match="update 2: the loss is nan"):
        watched({}, {"loss": math.nan})


def test_different_faults_do_not_add_up():
    assert watched({"entropy": 6.0}, {"entropy": 6.0}, {"rollouts_failed": 40}, {"rollouts_failed": 40})


@pytest.mark.parametrize("limits", [{"patience": 0}, {"max_failed_share": 0.0}, {"max_entropy": 0.0}])
def test_limits_that_stop_everything_are_refused(limits: dict[str, Any]):
    with pytest.raises(ValueError, match=r"patience|limits"):
        WatchLimits(**limits)
