"""Trackers that follow the metrics of a run: each in a thread of its own, so that none ever holds up or ends a training.

Holds the Protocol, the choice and the following; one file beside this one is one tracker. What they are told are records of the
JSONL file, which stays the truth.
"""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from infra.progress import LogFunction

MetricRecord = Mapping[str, Any]
VARIABLE = "VIMRAG_TRACKERS"
PACKAGES = {"tensorboard": "tensorboard", "mlflow": "mlflow", "wandb": "wandb"}
LAST_WORDS_S = 30.0  # that the end of a run waits for its trackers


class Tracker(Protocol):
    """Keeps numbers by update."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """The numbers of one update; steps increase."""
        ...

    def close(self) -> None:
        """Keep what is not kept yet."""
        ...


Opener = Callable[[], Tracker]


def chosen(text: str | None) -> tuple[str, ...]:
    """The trackers of a comma-separated list: TensorBoard if there is none, nothing for ``none``.

    Raises:
        ValueError: for an unknown name, or a package that is not installed; in one line.
    """
    names = tuple(
        name.strip() for name in ("tensorboard" if text is None else text).split(",") if name.strip()
    )
    if names == ("none",):
        return ()
    for name in names:
        if name not in PACKAGES:
            raise ValueError(f"{VARIABLE}: unknown tracker {name!r}; known: none, {', '.join(PACKAGES)}")
        if find_spec(PACKAGES[name]) is None:
            raise ValueError(f"{VARIABLE}: {name} is not installed: pip install 'vimrag[{name}]'")
    return names


def opener(name: str, folder: Path, run: str) -> Opener:
    """Opens the tracker called ``name`` for ``run``, whose metrics lie in ``folder``; its library is imported then."""
    return lambda: import_module(f"infra.trackers.{name}_tracker").open_tracker(folder, run)


class Trackers:
    """All trackers of a run; use as a context manager.

    Args:
        openers: by name.
        past: records that the run has already, which a tracker that lacks them is told too.
        say: hears of a tracker that fails, once; it is left out from then on.
    """

    def __init__(
        self, openers: Mapping[str, Opener], *, past: Sequence[MetricRecord], say: LogFunction
    ) -> None:
        self._followers = [_Follower(name, opening) for name, opening in openers.items()]
        self._say = say
        for record in past:
            self.log(record)

    def log(self, record: MetricRecord) -> None:
        """Tell everybody; returns at once."""
        for follower in self._followers:
            follower.told.put(record)
        self._report()

    def __enter__(self) -> Trackers:
        return self

    def __exit__(self, *_: object) -> None:
        for follower in self._followers:
            follower.told.put(None)
        for follower in self._followers:
            follower.thread.join(LAST_WORDS_S)
            if follower.thread.is_alive():
                follower.error = follower.error or TimeoutError(f"no answer within {LAST_WORDS_S:g} s")
        self._report()

    def _report(self) -> None:
        for follower in self._followers:
            if follower.error is not None:
                reason = f"{type(follower.error).__name__}: {follower.error}".splitlines()[0]
                self._say(f"tracker {follower.name} is left out from here, training goes on: {reason}")
        self._followers = [each for each in self._followers if each.error is None]


class _Follower:
    """One tracker, its queue and its thread."""

    def __init__(self, name: str, opening: Opener) -> None:
        self.name, self.error = name, None
        self.error: Exception | None
        self.told: queue.Queue[MetricRecord | None] = queue.Queue()
        self.thread = threading.Thread(target=self._run, args=(opening,), name=f"track {name}", daemon=True)
        self.thread.start()

    def _run(self, opening: Opener) -> None:
        try:
            tracker = opening()
            for record in self._records():
                tracker.log(int(record["update"]), numbers(record))
            tracker.close()
        except Exception as error:  # whatever a tracker's library raises: it must not end a training
            self.error = error

    def _records(self) -> Iterator[MetricRecord]:
        while (record := self.told.get()) is not None:
            yield record


def numbers(record: MetricRecord) -> dict[str, float]:
    """What of a record can be drawn."""
    return {k: float(v) for k, v in record.items() if isinstance(v, int | float) and math.isfinite(v)}
