"""Weights & Biases: offline unless ``WANDB_MODE`` says otherwise; id and last update are kept beside the metrics."""

import importlib
import json
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.storage.atomic import replacing

STATE_FILE = "wandb_run.json"


class WandbRun:
    """An update is marked as told before it is: a kill may lose one here, and none appears twice."""

    def __init__(self, folder: Path, run: str) -> None:
        self._api: Any = importlib.import_module("wandb")
        self._kept = folder / STATE_FILE
        self._state = (
            json.loads(self._kept.read_text())
            if self._kept.exists()
            else {"id": uuid.uuid4().hex[:8], "last": -1}
        )
        settings = self._api.Settings(console="off", disable_git=True, save_code=False, silent=True)
        self._run = self._api.init(
            project="vimrag",
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


def open_tracker(folder: Path, run: str) -> WandbRun:
    """The run of ``folder``, a new one if it has none yet."""
    return WandbRun(folder, run)
