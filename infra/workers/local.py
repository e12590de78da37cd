"""Who does the work of many shards: this process, a pool of processes, or Ray (``ray.py``).

Holds the Protocol and the two local engines. What a shard is, and where its result is kept so that it is never made twice,
is known by those who call (``assets.corpus.ocr_prefetch``, ``assets.index.vector_parts``): workers write results of their own and
hand back little, so that neither the engine, nor the number of workers, nor the order in which they finish can change a
byte.
"""

import importlib.util
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol, TypeVar

from infra.errors import EngineError

_Shard = TypeVar("_Shard")

ENGINES = ("local", "ray")
ADDRESS_VARIABLE = "VIMRAG_RAY_ADDRESS"
GPUS_VARIABLE = "VIMRAG_RAY_GPUS_PER_WORKER"


class WorkerEngine(Protocol):
    """Runs one function over many shards."""

    @property
    def workers(self) -> int:
        """How many shards are worked on at once."""
        ...

    def run(self, make: Callable[[], Callable[[_Shard], int]], shards: Sequence[_Shard]) -> Iterator[int]:
        """One count a shard, in the order in which they are finished, which differs from run to run.

        ``make`` is called once in every worker, where it loads what is heavy. It and the shards must pickle; the function
        that it gives must not depend on what it was given before, and must be safe to repeat: a worker that dies is
        replaced, and its shard given to another.

        Raises:
            EngineError: if the engine cannot be started, or workers die again and again.
            Exception: what the function raises, or an ``EngineError`` that quotes it.
        """
        ...


class LocalEngine:
    """This process for one worker, else a pool of processes on this machine."""

    def __init__(self, *, workers: int = 1, max_deaths: int = 3) -> None:
        """``max_deaths``: pools that may be lost to a killed worker before the run is given up."""
        if workers < 1:
            raise ValueError(f"an engine needs at least 1 worker, not {workers}")
        self.workers, self._max_deaths = workers, max_deaths

    def run(self, make: Callable[[], Callable[[_Shard], int]], shards: Sequence[_Shard]) -> Iterator[int]:
        """See ``WorkerEngine.run``."""
        if not shards:
            return
        if self.workers == 1:
            work = make()
            for shard in shards:
                yield work(shard)
            return
        waiting = dict(enumerate(shards))
        for _ in range(self._max_deaths):
            yield from self._pooled(make, waiting)
            if not waiting:
                return
        raise EngineError(
            f"worker processes died {self._max_deaths} times, {len(waiting)} shards are left: was memory short? "
            "Run it again; what is finished is kept"
        )

    def _pooled(
        self, make: Callable[[], Callable[[_Shard], int]], waiting: dict[int, _Shard]
    ) -> Iterator[int]:
        """The results of one pool, taken out of ``waiting``; some are left there if a worker was killed."""
        context = multiprocessing.get_context("spawn")  # threads of ONNX Runtime do not survive a fork
        workers = min(self.workers, len(waiting))
        with ProcessPoolExecutor(workers, mp_context=context, initializer=_load, initargs=(make,)) as pool:
            try:
                futures = {pool.submit(_work, shard): index for index, shard in waiting.items()}
                for future in as_completed(futures):
                    count = future.result()
                    del waiting[futures[future]]
                    yield count
            except BrokenProcessPool:
                return
            finally:
                pool.shutdown(wait=True, cancel_futures=True)


_worker: list[Callable[[Any], int]] = []  # of a process of the pool: the function it has made


def _load(make: Callable[[], Callable[[Any], int]]) -> None:
    _worker[:] = [make()]


def _work(shard: Any) -> int:
    return _worker[0](shard)


def engine_of(name: str, *, workers: int | None = None, address: str | None = None) -> WorkerEngine:
    """The engine called ``name``; by default one worker for ``local``, one a core for ``ray``.

    Ray starts on this machine alone unless ``address``, else VIMRAG_RAY_ADDRESS, names a cluster, whose workers must see
    the same root; VIMRAG_RAY_GPUS_PER_WORKER is the share of a GPU that each worker asks of it.

    Raises:
        ValueError: for an unknown name, settings that mean nothing, or if Ray is not installed.
    """
    if name == "local":
        return LocalEngine(workers=1 if workers is None else workers)
    if name != "ray":
        raise ValueError(f"unknown engine {name!r}: known are {', '.join(ENGINES)}")
    if importlib.util.find_spec("ray") is None:
        raise ValueError('the engine ray needs Ray, which is not installed: pip install "vimrag[ray]"')
    from infra.workers.ray import RayEngine

    return RayEngine(
        workers=len(os.sched_getaffinity(0)) if workers is None else workers,
        gpus_per_worker=_share(os.environ.get(GPUS_VARIABLE, "0")),
        address=address or os.environ.get(ADDRESS_VARIABLE) or None,
    )


def _share(given: str) -> float:
    try:
        return float(given)
    except ValueError as error:
        raise ValueError(f"{GPUS_VARIABLE} must be a number, not {given!r}") from error
