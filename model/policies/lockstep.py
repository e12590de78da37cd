"""Answers of the decoding thread handed over all at once, and the wait until those who got them have asked again.

Makes the meeting of a decoding thread and an event loop a matter of order instead of time: callbacks of one loop run in the order
in which they were scheduled, so the same answers lead to the same next requests. Holds the meeting only; the thread is
``transformers_policy.py``.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence

from model.policies.running_batch import RequestResult

SETTLED_TURNS = (
    32  # event-loop turns without a new request after which none is on its way; a turn takes microseconds
)
LOOK_S = 0.05  # between two looks whether the loop still runs


def tell_together(outcomes: Sequence[RequestResult], *, num_waiting: Callable[[], int] | None) -> bool:
    """Tell all in one turn of their event loop; whether a reply ended, so that requests may have followed.

    With ``num_waiting``, the number of requests that wait, returns only once the loop brings no further one.
    """
    ended = any(not isinstance(outcome.event, int) for outcome in outcomes)
    if not outcomes:
        return False
    loop, settled = outcomes[0].request.loop, threading.Event()

    def hand_over() -> None:
        for outcome in outcomes:
            outcome.request.events.put_nowait(outcome.event)
        if ended and num_waiting is not None:
            _settle(loop, num_waiting, settled)

    try:
        loop.call_soon_threadsafe(hand_over)
    except RuntimeError:  # the loop is closed, so nobody waits
        for outcome in outcomes:
            outcome.request.row.abandon()
        return ended
    while ended and num_waiting is not None and not settled.wait(LOOK_S) and loop.is_running():
        pass
    return ended


def _settle(
    loop: asyncio.AbstractEventLoop, num_waiting: Callable[[], int], settled: threading.Event
) -> None:
    """Set ``settled`` after ``SETTLED_TURNS`` turns of the loop in which ``num_waiting`` did not grow."""

    def look(seen: int, quiet: int) -> None:
        waiting = num_waiting()
        if quiet == SETTLED_TURNS:
            settled.set()
        else:
            loop.call_soon(look, waiting, quiet + 1 if waiting == seen else 0)

    look(num_waiting(), 0)
