"""The largest memory of each test process: told at the end; above the limit in red, and a failure if `VIMRAG_TEST_STRICT` is set.

A plugin of pytest, with and without pytest-xdist. Set `VIMRAG_TEST_MEMORY` to a file to have the memory after each test file
written there as JSON lines.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

LIMIT_MB = 2000
GROWTH_MB = 100  # since memory was last given back
M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
RECORD = "VIMRAG_TEST_MEMORY"
STRICT = "VIMRAG_TEST_STRICT"


class MemoryGuard:
    """Holds the peak of every process of one test session."""

    def __init__(self, config: pytest.Config) -> None:
        keep_little_memory()
        self.tidy_mb = current_mb()
        self.peaks: dict[str, float] = {}
        self.used = os.times()
        self.worker: dict[str, Any] | None = getattr(config, "workeroutput", None)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
        result = yield
        is_last = nextitem is None or nextitem.path != item.path
        if is_last or current_mb() > self.tidy_mb + GROWTH_MB:
            give_memory_back()
            self.tidy_mb = current_mb()
        if not is_last:
            return result
        if RECORD in os.environ:
            line = {"file": item.path.name, "now": current_mb(), "peak": peak_mb(), **self._cpu_seconds()}
            with Path(os.environ[RECORD]).open("a", encoding="utf-8") as record:
                record.write(json.dumps(line) + "\n")
        return result

    def _cpu_seconds(self) -> dict[str, float]:
        """What this process, and those that it waited for, have used since the last call."""
        before, self.used = self.used, os.times()
        return {
            "cpu": round(self.used.user + self.used.system - before.user - before.system, 2),
            "children": round(
                self.used.children_user
                + self.used.children_system
                - before.children_user
                - before.children_system,
                2,
            ),
        }

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A worker of pytest-xdist has ended."""
        self.peaks[node.gateway.id] = getattr(node, "workeroutput", {}).get("peak_mb", 0.0)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.worker is not None:
            self.worker["peak_mb"] = peak_mb()
            return
        self.peaks = self.peaks or {"tests": peak_mb()}
        is_large = max(self.peaks.values()) > LIMIT_MB
        if STRICT in os.environ and session.exitstatus == pytest.ExitCode.OK and is_large:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        processes = ", ".join(f"{name} {peak:,.0f} MB" for name, peak in sorted(self.peaks.items()))
        terminalreporter.write_line(f"largest memory: {processes}")
        if max(self.peaks.values(), default=0.0) > LIMIT_MB:
            message = (
                f"a test process may hold {LIMIT_MB:,} MB. {RECORD}=FILE records the memory after each test file: free what "
                "a module keeps, or do the work in a process of its own."
            )
            terminalreporter.write_line(message, red=True)


def keep_little_memory() -> None:
    """Have glibc share its arenas among threads and give large blocks back at once; elsewhere nothing.

    Each of the many short-lived threads of servers and engines would keep an arena of 64 MB for good, and each freed tensor
    would raise the size up to which blocks stay in the heap.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(M_ARENA_MAX, 2)
        libc.mallopt(M_MMAP_THRESHOLD, 1 << 20)


def give_memory_back() -> None:
    """Free what only cycles hold, and return what is free to the system."""
    gc.collect()
    if "pyarrow" in sys.modules:
        sys.modules["pyarrow"].default_memory_pool().release_unused()
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)


def peak_mb() -> float:
    """The largest resident memory of this process so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def current_mb() -> float:
    """The resident memory of this process now; Linux only, else the peak."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return peak_mb()
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
