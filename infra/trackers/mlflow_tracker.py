"""MLflow: one run, whose id is kept beside the metrics; the server is ``MLFLOW_TRACKING_URI``, which must be set."""

import importlib
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ID_FILE = "mlflow_run.txt"


class MlflowRun:
    """An update that the server has already is not told again."""

    def __init__(self, folder: Path, run: str) -> None:
        if not os.environ.get("MLFLOW_TRACKING_URI"):
            raise ValueError("set MLFLOW_TRACKING_URI to the server, or to file:<folder>")
        self._api: Any = importlib.import_module("mlflow")
        self._client = self._api.MlflowClient()
        kept = folder / ID_FILE
        if not kept.exists():
            found = self._client.get_experiment_by_name("vimrag")
            where = found.experiment_id if found else self._client.create_experiment("vimrag")
            kept.write_text(self._client.create_run(where, run_name=run).info.run_id)
        self._run = kept.read_text()
        self._known = {each.step for each in self._client.get_metric_history(self._run, "update")}

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """All values in one request."""
        if step not in self._known:
            now = int(time.time() * 1000)
            metric = self._api.entities.Metric
            self._client.log_batch(self._run, metrics=[metric(k, v, now, step) for k, v in values.items()])

    def close(self) -> None:
        """Mark the run as finished."""
        self._client.set_terminated(self._run)


def open_tracker(folder: Path, run: str) -> MlflowRun:
    """The run of ``folder``, a new one if it has none yet."""
    return MlflowRun(folder, run)
