"""What is done to a process, or beside it, when it reaches its point."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

from tests.faults.orders import Act

FILLER = "filler"
REPOSITORY = Path(__file__).resolve().parents[2]


def do(act: Act, *, hurt: int = 0) -> None:
    """Do it; ``hurt`` is the process that is hurt, by default this one."""
    if act.kind == "signal":
        os.kill(act.pid or hurt or os.getpid(), act.number)
    elif act.kind == "fill":
        fill(Path(act.folder))
    elif act.kind == "limit":
        signal.signal(
            signal.SIGXFSZ, signal.SIG_IGN
        )  # else it is a signal that ends the process, not an error
        resource.setrlimit(resource.RLIMIT_FSIZE, (act.number, resource.RLIM_INFINITY))
    elif act.kind == "run":
        run(act)
    elif act.kind != "cut":  # what is cut is what passes through the proxy, which does it
        raise ValueError(f"unknown act {act.kind!r}")


def fill(folder: Path) -> None:
    """Take what is left of the disk, to the last byte."""
    with (folder / FILLER).open("ab", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue


def make_room(folder: Path) -> None:
    """Give it back."""
    (folder / FILLER).unlink(missing_ok=True)


def run(act: Act) -> None:
    """Other processes, one after another, until they end or ``wait_s`` is over for one."""
    for order in act.orders:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.worker", order],
            cwd=REPOSITORY,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            process.wait(act.wait_s)
        except subprocess.TimeoutExpired:
            continue
