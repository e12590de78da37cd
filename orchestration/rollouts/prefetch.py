"""Rollouts made one update ahead: drawn in a thread while an update is computed, and kept across a restart.

They were sampled with the weights before that update, so they cannot be drawn again after it: a checkpoint says that there are
some, and the file of rollouts of the next update holds them. Holds the thread and the keeping; when to go ahead is decided
in ``training/ggpo_run.py``.
"""

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

from model.rl import trajectory_store
from orchestration.rollouts.rollout_phase import RolloutBatch

_Result = TypeVar("_Result")
AHEAD = "ahead"


class BackgroundRollouts(Generic[_Result]):
    """A function under way in a thread of its own, which ends with the process."""

    def __init__(self, function: Callable[[], _Result]) -> None:
        self._results: list[_Result] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(function,), name="ahead", daemon=True)
        self._thread.start()

    def _run(self, function: Callable[[], _Result]) -> None:
        try:
            self._results.append(function())
        except BaseException as error:  # raised where the result is asked for
            self._error = error

    def result(self) -> _Result:
        """What the function gave, once it has; what it raised is raised here."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._results[0]


def file_of(folder: Path, number: int) -> Path:
    """Where the rollouts of update ``number``, from 0, lie."""
    return folder / f"update-{number + 1:05d}.parquet"


def state(gathered: RolloutBatch | None) -> dict[str, Any]:
    """What a checkpoint says about rollouts that are ready for the next update; JSON values."""
    if gathered is None:
        return {}
    counts = gathered._asdict()
    del counts["trajectories"]
    return {AHEAD: {**counts, "rollouts": len(gathered.trajectories)}}


def load(data_order: Mapping[str, Any], folder: Path, number: int) -> RolloutBatch | None:
    """The rollouts that were ready for update ``number`` when its checkpoint was made; None if there were none.

    Raises:
        ValueError: if their file is missing or holds others.
    """
    if (kept := data_order.get(AHEAD)) is None:
        return None
    path = file_of(folder, number)
    if not path.exists():
        raise ValueError(
            f"the checkpoint goes on with the rollouts in {path}, which is missing; "
            "without it, remove the checkpoint and go on from one before"
        )
    found = list(trajectory_store.read(path))
    counts = dict(kept)
    if len(found) != counts.pop("rollouts"):
        raise ValueError(f"{path} does not hold the rollouts that the checkpoint goes on with")
    return RolloutBatch(trajectories=found, **counts)
