"""Trackers: files really written and read back, resumed without an update twice, failing without ending anything."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from infra.trackers import TRACKERS, Trackers, chosen

RECORDS: list[dict[str, Any]] = [{"update": n, "reward": n / 4, "gradient": None} for n in range(4)]


def follow(name: str, folder: Path, past: int, new: int) -> list[str]:
    reports: list[str] = []
    openers = {name: partial(TRACKERS[name], folder, "run")}
    with Trackers(openers, past=RECORDS[:past], report=reports.append) as trackers:
        for record in RECORDS[past:new]:
            trackers.log(record)
    return reports


def test_tensorboard_files_hold_each_update_once_after_a_resume(tmp_path: Path):
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    assert follow("tensorboard", tmp_path, 0, 3) == []
    assert (
        follow("tensorboard", tmp_path, 2, 4) == []
    )  # the third update was lost with its process and is made again
    read = event_accumulator.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(scalar.step, scalar.value) for scalar in read.Scalars("ggpo/reward")] == [
        (n, n / 4) for n in range(4)
    ]
    assert "ggpo/gradient" not in read.Tags()["scalars"]


def test_mlflow_has_each_update_once_after_a_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file:{tmp_path / 'store'}")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    assert follow("mlflow", tmp_path, 0, 3) == []
    assert follow("mlflow", tmp_path, 2, 4) == []
    history = mlflow.MlflowClient().get_metric_history((tmp_path / "mlflow_run.txt").read_text(), "reward")
    assert [(scalar.step, scalar.value) for scalar in history] == [(n, n / 4) for n in range(4)]


def test_wandb_runs_offline_under_one_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("wandb")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    assert follow("wandb", tmp_path, 0, 3) == []
    assert follow("wandb", tmp_path, 2, 4) == []
    files = list((tmp_path / "wandb").glob("offline-run-*/*.wandb"))
    assert len({file.name for file in files}) == 1


class Broken:
    def log(self, step: int, values: object) -> None:
        raise OSError("no space left on device\nand more")

    def close(self) -> None: ...


class Working:
    def __init__(self) -> None:
        self.steps: list[int] = []

    def log(self, step: int, values: object) -> None:
        self.steps.append(step)

    def close(self) -> None: ...


def test_a_failing_tracker_is_named_once_and_the_others_go_on():
    reports: list[str] = []
    working = Working()
    with Trackers(
        {"broken": Broken, "working": lambda: working}, past=RECORDS[:1], report=reports.append
    ) as trackers:
        for record in RECORDS[1:]:
            trackers.log(record)
    assert reports == [
        "tracker broken is left out from here, training goes on: OSError: no space left on device"
    ]
    assert working.steps == [0, 1, 2, 3]


def test_the_choice_is_checked_before_anything_starts():
    assert chosen(None) == ("tensorboard",) and chosen("none") == () == chosen("")
    with pytest.raises(ValueError, match="unknown tracker 'comet'; known: none, tensorboard, mlflow, wandb"):
        chosen("tensorboard,comet")
