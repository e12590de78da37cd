"""How far the reading of a file has come, for whoever waits for it: kept in memory, one reading at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of a reading: ``done`` of ``total`` units, begun at ``began_s`` of the monotonic clock."""

    name: str
    done: int
    total: int | None
    began_s: float


class ReadingNow:
    """A ``ProgressListener`` that keeps what it heard last; told by one thread, asked by others."""

    def __init__(self) -> None:
        self.stage: Stage | None = None
        """None while nothing is read, or nothing has been told yet."""

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """``done`` of ``total`` units of ``stage`` are finished; ``total`` is None where it is not known yet."""
        last = self.stage
        began_s = last.began_s if last is not None and last.name == stage else monotonic()
        self.stage = Stage(name=stage, done=done, total=total, began_s=began_s)

    @contextmanager
    def reading(self) -> Iterator["ReadingNow"]:
        """The listener of one reading; afterwards nothing is read."""
        try:
            yield self
        finally:
            self.stage = None
