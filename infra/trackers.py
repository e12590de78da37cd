"""Trackers that follow the metrics of a run: each in a thread of its own, so that none ever holds up or ends a training.

Holds the Protocol, the three trackers, the choice and the following. What they are given are records of the JSONL file, which
stays the truth. A tracker's library is imported when it is opened.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import queue
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from infra.progress import LogFunction
from infra.storage.atomic import replacing

MetricRecord = Mapping[str, Any]
VARIABLE = "VIMRAG_TRACKERS"
PROJECT = "vimrag"
MLFLOW_FILE, WANDB_FILE = "mlflow_run.txt", "wandb_run.json"
END_WAIT_S = 30.0  # that the end of a run waits for its trackers


class Tracker(Protocol):
    """Keeps numbers by update."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """The numbers of one update; steps increase."""
        ...

    def close(self) -> None:
        """Keep what is not kept yet."""
        ...


class TensorBoard:
    """Event files in ``tensorboard`` below the run's metrics, written anew by every process; ``log`` leaves nothing in memory."""

    def __init__(self, folder: Path, run: str) -> None:
        from torch.utils.tensorboard import SummaryWriter

        # past records are logged again, so that nothing of a killed process is shown twice
        shutil.rmtree(folder / "tensorboard", ignore_errors=True)
        self._writer = SummaryWriter(str(folder / "tensorboard"))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """One scalar for each value."""
        for name, value in values.items():
            self._writer.add_scalar(f"ggpo/{name}", value, step)
        self._writer.flush()

    def close(self) -> None:
        """End the file."""
        self._writer.close()


class MlflowRun:
    """One run of ``MLFLOW_TRACKING_URI``, its id kept beside the metrics; an update that the server has is not sent again."""

    def __init__(self, folder: Path, run: str) -> None:
        if not os.environ.get("MLFLOW_TRACKING_URI"):
            raise ValueError("set MLFLOW_TRACKING_URI to the server, or to file:<folder>")
        self._api: Any = importlib.import_module("mlflow")
        self._client = self._api.MlflowClient()
        kept = folder / MLFLOW_FILE
        if not kept.exists():
            experiment = self._client.get_experiment_by_name(PROJECT)
            where = experiment.experiment_id if experiment else self._client.create_experiment(PROJECT)
            kept.write_text(self._client.create_run(where, run_name=run).info.run_id)
        self._run = kept.read_text()
        self._known = {metric.step for metric in self._client.get_metric_history(self._run, "update")}

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """All values in one request."""
        if step not in self._known:
            now = int(time.time() * 1000)
            metric = self._api.entities.Metric
            self._client.log_batch(self._run, metrics=[metric(k, v, now, step) for k, v in values.items()])

    def close(self) -> None:
        """Mark the run as finished."""
        self._client.set_terminated(self._run)


class WandbRun:
    """Weights & Biases, offline unless ``WANDB_MODE`` says otherwise; id and last update are kept beside the metrics.

    An update is marked as sent before it is: a kill may lose one here, and none appears twice.
    """

    def __init__(self, folder: Path, run: str) -> None:
        self._api: Any = importlib.import_module("wandb")
        self._kept = folder / WANDB_FILE
        new = {"id": uuid.uuid4().hex[:8], "last": -1}
        self._state: dict[str, Any] = json.loads(self._kept.read_text()) if self._kept.exists() else new
        settings = self._api.Settings(console="off", disable_git=True, save_code=False, silent=True)
        self._run = self._api.init(
            project=PROJECT,
            name=run,
            id=self._state["id"],
            resume="allow",
            dir=str(folder),
            mode=os.environ.get("WANDB_MODE", "offline"),
            settings=settings,
        )

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """All values at once."""
        if step > self._state["last"]:
            self._state["last"] = step
            with replacing(self._kept) as partial:
                partial.write_text(json.dumps(self._state))
            self._run.log(dict(values), step=step)

    def close(self) -> None:
        """Write what is left."""
        self._run.finish()


TRACKERS: Mapping[str, Callable[[Path, str], Tracker]] = {
    "tensorboard": TensorBoard,
    "mlflow": MlflowRun,
    "wandb": WandbRun,
}
"""By the name of their package: opened for the folder of a run's metrics and the run's name."""


def chosen(text: str | None) -> tuple[str, ...]:
    """The trackers of a comma-separated list: TensorBoard if there is none, nothing for ``none``.

    Raises:
        ValueError: for an unknown name, or a package that is not installed; in one line.
    """
    listed = ("tensorboard" if text is None else text).split(",")
    names = tuple(name.strip() for name in listed if name.strip())
    if names == ("none",):
        return ()
    for name in names:
        if name not in TRACKERS:
            raise ValueError(f"{VARIABLE}: unknown tracker {name!r}; known: none, {', '.join(TRACKERS)}")
        if find_spec(name) is None:
            raise ValueError(f"{VARIABLE}: {name} is not installed: pip install 'vimrag[{name}]'")
    return names


class Trackers:
    """All trackers of a run; use as a context manager.

    Args:
        openers: by name.
        past: records that the run has already, which a tracker that lacks them is given too.
        report: is called once for a tracker that fails, which is left out from then on.
    """

    def __init__(
        self,
        openers: Mapping[str, Callable[[], Tracker]],
        *,
        past: Sequence[MetricRecord],
        report: LogFunction,
    ) -> None:
        self._followers = [_Follower(name, opener) for name, opener in openers.items()]
        self._report_failure = report
        for record in past:
            self.log(record)

    def log(self, record: MetricRecord) -> None:
        """Pass a record to every tracker; returns at once."""
        for follower in self._followers:
            follower.records.put(record)
        self._drop_failed()

    def __enter__(self) -> Trackers:
        return self

    def __exit__(self, *_: object) -> None:
        for follower in self._followers:
            follower.records.put(None)
        for follower in self._followers:
            follower.thread.join(END_WAIT_S)
            if follower.thread.is_alive():
                follower.error = follower.error or TimeoutError(f"no answer within {END_WAIT_S:g} s")
        self._drop_failed()

    def _drop_failed(self) -> None:
        for follower in self._followers:
            if follower.error is not None:
                reason = f"{type(follower.error).__name__}: {follower.error}".splitlines()[0]
                self._report_failure(
                    f"tracker {follower.name} is left out from here, training goes on: {reason}"
                )
        self._followers = [follower for follower in self._followers if follower.error is None]


class _Follower:
    """One tracker, its queue and its thread."""

    def __init__(self, name: str, opener: Callable[[], Tracker]) -> None:
        self.name = name
        self.error: Exception | None = None
        self.records: queue.Queue[MetricRecord | None] = queue.Queue()
        self.thread = threading.Thread(target=self._run, args=(opener,), name=f"track {name}", daemon=True)
        self.thread.start()

    def _run(self, opener: Callable[[], Tracker]) -> None:
        try:
            tracker = opener()
            for record in self._until_end():
                tracker.log(int(record["update"]), numbers(record))
            tracker.close()
        except Exception as error:  # whatever a tracker's library raises: it must not end a training
            self.error = error

    def _until_end(self) -> Iterator[MetricRecord]:
        while (record := self.records.get()) is not None:
            yield record


def numbers(record: MetricRecord) -> dict[str, float]:
    """What of a record can be drawn."""
    return {k: float(v) for k, v in record.items() if isinstance(v, int | float) and math.isfinite(v)}
