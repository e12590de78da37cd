"""Rollouts for the next update: made in a thread while an update is computed, and kept across a restart.

They were sampled with the weights before that update, so they cannot be made again after it: the checkpoint says that they
exist, and the rollout file of the next update holds them. Holds the thread and the storage; when rollouts are prefetched is
decided by the training loop.
"""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from model.rl import trajectory_store
from orchestration.rollouts.rollout_phase import RolloutBatch

_Result = TypeVar("_Result")
PREFETCHED = "ahead"  # key in a checkpoint's progress


def in_background(function: Callable[[], _Result]) -> Future[_Result]:
    """The future result of ``function``, which runs in a thread of its own that ends with the process."""
    future: Future[_Result] = Future()

    def run() -> None:
        try:
            future.set_result(function())
        except BaseException as error:  # raised where the result is asked for
            future.set_exception(error)

    threading.Thread(target=run, name="prefetch", daemon=True).start()
    return future


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
