"""What a launched process reports to Dagster, read one complete line at a time.

Dagster's own reader takes what ``readline`` gives for a line, although a line that is being written may end anywhere; a training
run of some thousand messages met half a line, and the rest was lost. Holds the reader alone, on a public interface.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from time import sleep

import dagster as dg
from dagster_pipes import PipesDefaultMessageWriter, PipesParams

PAUSE_S = 0.05


class CompleteLineMessageReader(dg.PipesMessageReader):
    """Tails a file of its own that the launched process writes to, and waits for the end of each line."""

    @contextmanager
    def read_messages(self, handler: dg.PipesMessageHandler) -> Iterator[PipesParams]:
        """Hand on every message while the block runs; what was written before it ended too."""
        with TemporaryDirectory() as folder:
            path, is_over = Path(folder, "messages"), Event()
            path.touch()
            thread = Thread(target=_handle_messages, args=(path, handler, is_over.is_set), daemon=True)
            thread.start()
            try:
                yield {
                    PipesDefaultMessageWriter.FILE_PATH_KEY: str(path),
                    PipesDefaultMessageWriter.INCLUDE_STDIO_IN_MESSAGES_KEY: False,
                }
            finally:
                is_over.set()
                thread.join()

    def no_messages_debug_text(self) -> str:
        """What Dagster says of a process that sent no message."""
        return "Attempted to read messages from a temporary file."


def _handle_messages(path: Path, handler: dg.PipesMessageHandler, is_over: Callable[[], bool]) -> None:
    try:
        for line in complete_lines(path, is_over):
            handler.handle_message(json.loads(line))
    except Exception:
        handler.report_pipes_framework_exception("message reader thread", sys.exc_info())
        raise


def complete_lines(path: Path, is_over: Callable[[], bool]) -> Iterator[str]:
    """Lines as they are completed; once ``is_over``, the file is read to its end and an incomplete line is left out."""
    rest = b""
    with path.open("rb") as file:
        while True:
            is_last = is_over()  # asked before reading: nothing is written after it
            piece = file.read()
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                yield line.decode()
            if is_last and not piece:
                return
            if not piece:
                sleep(PAUSE_S)
