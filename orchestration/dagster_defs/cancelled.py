"""A launched process ends with its run, also when the interrupt that Dagster sends is not noticed by whoever waits for it.

Dagster ends a step by a signal to the process that waits for the launched one. Under load such a wait was seen to go on, the run
was called cancelled after three minutes, and its training lived on. So the run's own status is looked at as well.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

import dagster as dg

POLL_S = 5.0
SUPERVISOR = b"infra.workers.supervisor"
ENDING = frozenset({dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED})


@contextmanager
def ended_with_its_run(
    instance: dg.DagsterInstance, run_id: str, *, poll_s: float = POLL_S
) -> Iterator[None]:
    """Ask the supervisors that this process has started to end when the run is cancelled while the block runs."""
    is_over = Event()

    def watch() -> None:
        while not is_over.wait(poll_s):
            with suppress(Exception):  # the database may be away for a moment: the next look tells
                run = instance.get_run_by_id(run_id)
                if run is not None and run.status in ENDING:
                    _end_supervisors()

    thread = Thread(target=watch, name="ended-with-its-run", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _end_supervisors() -> None:
    for task in Path("/proc/self/task").iterdir():  # whichever thread started it
        with suppress(OSError):
            for pid in (task / "children").read_text().split():
                if SUPERVISOR in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                    os.kill(int(pid), signal.SIGTERM)
