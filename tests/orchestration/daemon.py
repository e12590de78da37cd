"""A real Dagster daemon over the definitions of a module, for as long as a test needs it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

REPOSITORY = Path(__file__).resolve().parents[2]
Wait: TypeAlias = Callable[[Callable[[], object]], None]
"""Comes back as soon as its condition holds; fails, with the end of the log, if the daemon dies or time is up."""


def instance_environment(home: Path, root: str, **more: str) -> dict[str, str]:
    """A new instance's home with the repository's settings, and the environment of its processes."""
    home.mkdir()
    shutil.copy(REPOSITORY / "dagster.yaml", home)
    return {
        **os.environ,
        "DAGSTER_HOME": str(home),
        "VIMRAG_ROOT": root,
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONWARNINGS": "ignore",
        **more,
    }


@contextmanager
def running_daemon(
    module: str, environment: Mapping[str, str], log: Path, *, patience_s: float
) -> Iterator[Wait]:
    """The daemon as a process group of its own; each wait has ``patience_s`` seconds."""
    program = Path(sys.executable).with_name("dagster-daemon")
    with log.open("wb") as said:
        running = subprocess.Popen(
            [program, "run", "-m", module],
            env=dict(environment),
            cwd=REPOSITORY,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )

        def wait(until: Callable[[], object]) -> None:
            deadline = time.monotonic() + patience_s
            while not until():
                assert running.poll() is None and time.monotonic() < deadline, log.read_text()[-3000:]
                time.sleep(1)

        try:
            yield wait
        finally:
            os.killpg(running.pid, signal.SIGTERM)
            running.wait(60)
