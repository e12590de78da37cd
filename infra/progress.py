"""Progress as lines of text: how far a stage is, how fast it goes, when it will end.

Holds the throttling and the wording; the stages call it as ``(stage, done, total)`` and know nothing of terminals or logs.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol

LogFunction = Callable[[str], None]
"""Shows one line of text."""
MIN_INTERVAL_S = 2.0  # between two lines of one stage


class ProgressListener(Protocol):
    """Called as a stage goes on; ``total`` is None where it cannot be known before the end."""

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """``done`` of ``total`` units of ``stage`` are finished."""
        ...


def silent(stage: str, done: int, total: int | None) -> None:
    """The ``ProgressListener`` that shows nothing."""


@dataclass(slots=True)
class ProgressLogger:
    """Logs at most one line a stage every ``MIN_INTERVAL_S``, and always its last one."""

    log: Callable[[str], object]
    clock: Callable[[], float] = monotonic
    _began: dict[str, float] = field(default_factory=dict)
    _logged: dict[str, float] = field(default_factory=dict)

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """``done`` of ``total`` units of ``stage`` are finished; ``total`` is None where it is not known yet."""
        now = self.clock()
        began = self._began.setdefault(stage, now)
        finished = total is not None and done >= total
        if not finished and now - self._logged.get(stage, began) < MIN_INTERVAL_S:
            return
        self._logged[stage] = now
        self.log(line(stage, done, total, elapsed_s=now - began))
        if finished:
            del self._began[stage], self._logged[stage]


def line(stage: str, done: int, total: int | None, *, elapsed_s: float) -> str:
    """``rollouts: 120/400 (30%), 12.0/s, 23 s left``."""
    if total is None:
        return f"{stage}: {done:,}" + (f", {done / elapsed_s:,.1f}/s" if elapsed_s > 0 and done else "")
    if total == 0:
        return f"{stage}: nothing to do"
    share = f"{stage}: {done:,}/{total:,} ({done / total:.0%})"
    if done >= total:
        return f"{share} in {duration(elapsed_s)}"
    if not done or elapsed_s <= 0:
        return share
    return f"{share}, {done / elapsed_s:,.1f}/s, {duration(elapsed_s * (total - done) / done)} left"


def duration(seconds: float) -> str:
    """``8 s``, ``3 min 05 s`` or ``1 h 12 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
