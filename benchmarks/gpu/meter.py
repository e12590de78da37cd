"""Seconds and peak memory of named phases, on a GPU by CUDA's own counters, on a CPU by the process's resident memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch


def synchronise() -> None:
    """Wait for the device."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def used_bytes() -> int:
    """Allocated now: tensors of the device, or resident memory of this process."""
    return torch.cuda.memory_allocated() if torch.cuda.is_available() else _resident()


def _resident() -> int:
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * 4096


class Meter:
    """Peaks (bytes) and seconds by phase; a phase met again adds its seconds and keeps the larger peak."""

    def __init__(self) -> None:
        self.peak_bytes: dict[str, int] = {}
        self.seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measures what happens inside."""
        synchronise()
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        began = time.perf_counter()
        yield
        synchronise()
        spent = time.perf_counter() - began
        peak = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else _resident()
        self.seconds[name] = self.seconds.get(name, 0.0) + spent
        self.peak_bytes[name] = max(self.peak_bytes.get(name, 0), peak)

    def wrap(self, owner: Any, method: str, name: str) -> None:
        """From now on calls of ``owner.method`` are the phase ``name``."""
        inner: Callable[..., Any] = getattr(owner, method)

        def measured(*arguments: Any, **named: Any) -> Any:
            with self.phase(name):
                return inner(*arguments, **named)

        setattr(owner, method, measured)


def timed(work: Callable[[], Any]) -> float:
    """Seconds of one call, the device's included."""
    synchronise()
    began = time.perf_counter()
    work()
    synchronise()
    return time.perf_counter() - began


def rounded(values: dict[str, float]) -> dict[str, float]:
    """Six digits after the point."""
    return {name: round(value, 6) for name, value in values.items()}
