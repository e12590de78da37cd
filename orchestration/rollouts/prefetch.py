"""Rollouts for the next update: made in a thread while an update is computed, and kept across a restart.

They were sampled with the weights before that update, so they cannot be made again after it: the checkpoint says that they
exist, and the rollout file of the next update holds them. Holds the thread and the storage; when rollouts are prefetched is
decided by the training loop.
"""

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

from model.rl import trajectory_store
from orchestration.rollouts.rollout_phase import RolloutBatch

_Result = TypeVar("_Result")
PREFETCHED = "ahead"  # key in a checkpoint's progress


class BackgroundRollouts(Generic[_Result]):
    """A function running in a thread of its own, which ends with the process."""

    def __init__(self, function: Callable[[], _Result]) -> None:
        self._results: list[_Result] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(function,), name="prefetch", daemon=True)
        self._thread.start()

    def _run(self, function: Callable[[], _Result]) -> None:
        try:
            self._results.append(function())
        except BaseException as error:  # raised where the result is asked for
            self._error = error

    def result(self) -> _Result:
        """The function's result, once there is one; its exception is raised here."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._results[0]


def file_of(folder: Path, number: int) -> Path:
    """File of the rollouts of update ``number``, from 0."""
    return folder / f"update-{number + 1:05d}.parquet"


def state(batch: RolloutBatch | None) -> dict[str, Any]:
    """Entry of a checkpoint for rollouts that are ready for the next update; JSON values."""
    if batch is None:
        return {}
    counts = batch._asdict()
    del counts["trajectories"]
    return {PREFETCHED: {**counts, "rollouts": len(batch.trajectories)}}


def load(data_order: Mapping[str, Any], folder: Path, number: int) -> RolloutBatch | None:
    """The rollouts that were ready for update ``number`` when its checkpoint was made; None if there were none.

    Raises:
        ValueError: if their file is missing or holds others.
    """
    if (stored := data_order.get(PREFETCHED)) is None:
        return None
    path = file_of(folder, number)
    if not path.exists():
        raise ValueError(
            f"the checkpoint goes on with the rollouts in {path}, which is missing; "
            "without it, remove the checkpoint and go on from one before"
        )
    trajectories = list(trajectory_store.read(path))
    counts = dict(stored)
    if len(trajectories) != counts.pop("rollouts"):
        raise ValueError(f"{path} does not hold the rollouts that the checkpoint goes on with")
    return RolloutBatch(trajectories=trajectories, **counts)
