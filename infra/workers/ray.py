"""The work of many shards on Ray Data: a pool of actors, each with its model loaded once.

Holds starting Ray on this machine alone, and the pass over the shards. Ray's workers read and write the root themselves, so
that only the names of shards travel. Importing this module does not import Ray.
"""

import importlib
import logging
import os
import secrets
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from infra.errors import EngineError, boundary

_Shard = TypeVar("_Shard")

OBJECT_STORE_BYTES = 128 * 1024 * 1024  # of shared memory: names of shards and counts travel, no images
SHORT_FOLDER = "/tmp"  # sockets lie in it, whose paths may have 107 bytes
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is reported anywhere
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # of its C++ half; what matters comes as an exception
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
}
_ALONE = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # what makes Ray take the loopback for the address of this node, on Linux too
    "RAY_AUTH_MODE": "token",  # who is on this machine, but not this process, may not send it code
}


class RayEngine:
    """Ray Data with ``workers`` actors. Without an address it starts Ray here, on the loopback, and ends it again."""

    def __init__(
        self,
        *,
        workers: int = 2,
        cpus_per_worker: float = 1.0,
        gpus_per_worker: float = 0.0,
        address: str | None = None,
    ) -> None:
        """``address`` of a running cluster, as ``ray.init`` takes it; a share of a GPU may be less than 1."""
        if workers < 1 or cpus_per_worker <= 0 or gpus_per_worker < 0:
            raise ValueError(
                f"an engine needs at least 1 worker with some CPU, not {workers} with {cpus_per_worker} CPU "
                f"and {gpus_per_worker} GPU"
            )
        self.workers, self._address = workers, address
        self._cpus, self._gpus = cpus_per_worker, gpus_per_worker

    def run(self, make: Callable[[], Callable[[_Shard], int]], shards: Sequence[_Shard]) -> Iterator[int]:
        """See ``Engine.run``. Ray replaces actors that die for as long as it can start new ones."""
        if not shards:
            return
        with self._connected(), boundary(EngineError, "run Ray Data"):
            yield from self._mapped(make, list(shards))

    def _mapped(self, make: Callable[[], Callable[[_Shard], int]], shards: list[_Shard]) -> Iterator[int]:
        import ray.data

        ray.data.DataContext.get_current().enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        actors = min(self.workers, len(shards))
        numbered = ray.data.from_items(
            [{"shard": at} for at in range(len(shards))], override_num_blocks=len(shards)
        )
        done = numbered.map_batches(
            _Worker,
            fn_constructor_args=(make, shards),
            compute=ray.data.ActorPoolStrategy(size=actors),
            batch_size=1,
            num_cpus=self._cpus,
            num_gpus=self._gpus or None,
        )
        for row in done.iter_rows():
            if row["failure"]:
                raise EngineError(f"a worker failed: {row['failure']}")
            yield int(row["count"])

    @contextmanager
    def _connected(self) -> Iterator[None]:
        """Ray for the length of the block; one that the caller has started is used and left running."""
        if self._address is None:
            with local_ray(cpus=self._cpus * self.workers):
                yield
            return
        with boundary(EngineError, f"connect to Ray at {self._address}"):
            ray = _imported(_QUIET)
            ray.init(address=self._address, log_to_driver=False, logging_level=logging.ERROR)
        try:
            yield
        finally:
            ray.shutdown()


@contextmanager
def local_ray(*, cpus: float) -> Iterator[None]:
    """Ray of this process only, ended with the block: on the loopback, under a token, without dashboard and reports.

    Where Ray runs already in this process, that one is used and left running. Raises ``EngineError``.
    """
    with tempfile.TemporaryDirectory(prefix="ray-", dir=SHORT_FOLDER, ignore_cleanup_errors=True) as scratch:
        with boundary(EngineError, "start Ray"):
            ray = _imported({**_QUIET, **_ALONE, "RAY_AUTH_TOKEN": secrets.token_hex(32)})
            mine = not ray.is_initialized()
            if mine:
                ray.init(
                    address="local",
                    num_cpus=max(1, round(cpus)),
                    include_dashboard=False,
                    log_to_driver=False,
                    logging_level=logging.CRITICAL,
                    object_store_memory=OBJECT_STORE_BYTES,
                    _temp_dir=scratch,
                )
        try:
            yield
        finally:
            if mine:
                ray.shutdown()


def _imported(settings: dict[str, str]) -> Any:
    """The module ``ray``. It reads its settings once, from the environment: a program that imported it before has its own."""
    if "ray" not in sys.modules:
        os.environ.update(settings)
    return importlib.import_module("ray")


class _Worker:
    """An actor of the pool: numbers of shards to counts, or to what went wrong."""

    def __init__(self, make: Callable[[], Callable[[Any], int]], shards: list[Any]) -> None:
        self._work, self._shards = make(), shards

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        done = [self._done(self._shards[int(at)]) for at in batch["shard"]]
        return {"count": [count for count, _ in done], "failure": [failure for _, failure in done]}

    def _done(self, shard: Any) -> tuple[int, str]:
        try:
            return self._work(shard), ""
        except Exception as error:  # told to the driver as data: Ray would wrap it in pages of its own
            return 0, f"{type(error).__name__}: {error}"
