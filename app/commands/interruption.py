"""Coroutines of commands, run so that Ctrl-C is never mistaken for something else."""

import asyncio
import signal
import threading
from collections.abc import Coroutine
from types import FrameType
from typing import Any, TypeVar

_Result = TypeVar("_Result")


def run_coroutine(coroutine: Coroutine[Any, Any, _Result]) -> _Result:
    """As ``asyncio.run``; once Ctrl-C was pressed it ends with ``KeyboardInterrupt``, whatever else goes wrong meanwhile.

    A connection that breaks while its request is being cancelled, say, would be reported as the reason.
    """
    interrupted = False

    async def watched() -> _Result:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None, "a coroutine is run by a task"

        def stop(number: int, frame: FrameType | None) -> None:
            nonlocal interrupted
            if interrupted:
                raise KeyboardInterrupt  # it did not let go when it was asked to
            interrupted = True
            task.cancel()
            loop.call_soon_threadsafe(lambda: None)  # wakes the loop

        if not _takes_signals():
            return await coroutine
        before = signal.signal(signal.SIGINT, stop)
        try:
            return await coroutine
        finally:
            signal.signal(signal.SIGINT, before)

    try:
        result = asyncio.run(watched())
    except BaseException as error:
        if interrupted and not isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise
    if interrupted:
        raise KeyboardInterrupt
    return result


def _takes_signals() -> bool:
    """Only the main thread does, and not where Ctrl-C is ignored."""
    is_main = threading.current_thread() is threading.main_thread()
    return is_main and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
