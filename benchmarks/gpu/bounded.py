"""A step in a process of its own: what it reports is handed on at once, and at its limit the whole group is killed.

The parent loads torch and transformers once and forks; it never touches the device itself, which would spoil the forks.
``spawn`` is there for machines on which a fork cannot use the device.
"""

from __future__ import annotations

import contextlib
import faulthandler
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.gpu.records import Record, State

Emit = Callable[[Record], None]
Work = Callable[[Emit], None]
NOTE_CHARS = 600


def run_bounded(
    name: str, work: Work, *, limit_s: float, hand_on: Emit, log: Path, method: str = "fork"
) -> Record:
    """Runs ``work`` for at most ``limit_s`` seconds; returns how it ended, having handed on whatever it reported."""
    context: Any = multiprocessing.get_context(method)
    reader, writer = context.Pipe(duplex=False)
    began = time.monotonic()
    process = context.Process(target=_inside, args=(name, work, writer, str(log)), daemon=False)
    process.start()
    writer.close()
    ended = _listen(reader, hand_on, began + limit_s)
    seconds = time.monotonic() - began
    _end(process)
    figures = {"seconds": round(seconds, 3), "limit_s": round(limit_s, 3)}
    if ended is None:
        note = f"ran out of its {limit_s:.0f} s"
        return Record(step=name, state=State.CUT, figures=figures, note=note)
    if ended == "":
        return Record(step=name, state=State.DONE, figures=figures)
    return Record(step=name, state=State.FAILED, figures=figures, note=ended)


def _listen(reader: Connection, hand_on: Emit, deadline: float) -> str | None:
    """What the process said last: "" for a good end, else the reason; None at the deadline."""
    while (left := deadline - time.monotonic()) > 0:
        if not reader.poll(min(left, 0.5)):
            continue
        try:
            said = reader.recv()
        except (EOFError, OSError):
            return "the process ended without a word (killed, or out of memory)"
        if isinstance(said, str):
            return said
        hand_on(said)
    return None


def _end(process: Any) -> None:
    process.join(2.0)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.getpgid(process.pid) == process.pid:  # its own group, never ours
            os.killpg(process.pid, signal.SIGKILL)
    if process.is_alive():
        process.kill()
    process.join()


def _inside(name: str, work: Work, writer: Connection, log: str) -> None:
    os.setsid()
    with open(log, "a", buffering=1) as out:
        os.dup2(out.fileno(), sys.stdout.fileno())
        os.dup2(out.fileno(), sys.stderr.fileno())
    faulthandler.enable()
    print(f"== {name}", flush=True)
    try:
        work(writer.send)
    except BaseException as error:
        traceback.print_exc()
        writer.send(f"{type(error).__name__}: {error}"[:NOTE_CHARS] or type(error).__name__)
        writer.close()
        os._exit(1)
    writer.send("")
    writer.close()
    sys.stdout.flush()
    os._exit(
        0
    )  # no destructors of libraries: a process group that hangs at its end costs the next step its time
