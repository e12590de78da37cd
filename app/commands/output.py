"""What commands print: results on standard output, everything else on standard error, errors in one line.

Holds the rules that all commands share. With ``--json`` standard output carries one JSON object and nothing else, whatever
libraries print in between.
"""

import contextlib
import io
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from infra.progress import ProgressListener as ProgressCallback
from infra.progress import ProgressLogger


class _Unread(io.TextIOWrapper):
    """A stream that is written to whether or not somebody reads it."""

    def write(self, text: str, /) -> int:
        with contextlib.suppress(BrokenPipeError):
            return super().write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            super().flush()


def write_whatever_comes() -> None:
    """No output ends a run: what a terminal cannot show is spelled out, a closed pipe swallows the rest."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - lives as long as the process
        elif type(stream) is io.TextIOWrapper:
            line_buffering = stream.line_buffering
            encoding = stream.encoding
            unread = _Unread(
                stream.detach(), encoding=encoding, errors="backslashreplace", line_buffering=line_buffering
            )
            setattr(sys, name, unread)
            setattr(sys, f"__{name}__", unread)  # the old one is detached, and answers nothing any more


@contextlib.contextmanager
def results() -> Iterator[Callable[[str | Mapping[str, Any]], None]]:
    """Give a function that writes a line, or a JSON object as one, to standard output; other prints go to standard error."""
    out = sys.stdout

    def write(value: str | Mapping[str, Any]) -> None:
        from app.answers.json_line import json_bytes

        line = value if isinstance(value, str) else json_bytes(value).decode()
        if not isinstance(value, str) and not _can_show(line, out):
            line = json.dumps(json.loads(line), separators=(",", ":"))
        out.write(line + "\n")
        out.flush()

    with contextlib.redirect_stdout(sys.stderr):
        yield write


def _can_show(text: str, out: TextIO) -> bool:
    try:
        text.encode(out.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def table_console() -> Console:
    """Where tables go: standard output, wide enough that nothing is cut when it is not a terminal."""
    # a name is shown as it is: no signs for what stands between colons
    console = Console(highlight=False, emoji=False)
    return console if console.is_terminal else Console(highlight=False, emoji=False, width=160)


def printable(text: str) -> str:
    """Without control characters, which a terminal would obey: names of files and texts of the network may hold any."""
    return "".join(char if char.isprintable() else " " for char in text)


def note(text: str) -> None:
    """A line for the person, not for pipes."""
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def progress_bars() -> Iterator[ProgressCallback]:
    """A progress callback: moving bars on a terminal, a line now and then elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield ProgressLogger(note)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bars:
        tasks: dict[str, TaskID] = {}

        def show(stage: str, done: int, total: int | None) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield show
