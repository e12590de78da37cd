"""How often and how slowly a failed request is tried again; holds no network."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, wait_random_exponential

from infra.errors import DownloadError

T = TypeVar("T")


class RetryableError(DownloadError):
    """A failure that another try may mend; ``after_s`` is how long the server asks to be left alone."""

    def __init__(self, reason: str, detail: str, after_s: float = 0.0) -> None:
        super().__init__(reason, detail)
        self.after_s = after_s


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySchedule:
    """How long a download is tried; seconds."""

    attempts: int = 5
    """Tries in a row that bring no byte, until it is given up."""
    first_wait_s: float = 1.0
    longest_wait_s: float = 120.0
    """The longest pause between two tries; a server that asks for a longer one is left alone."""
    stall_s: float = 60.0
    """Silence after which a connection counts as dead."""
    total_s: float = 24 * 3600.0
    """All tries of one file together."""
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic


def with_retries(attempt: Callable[[], T], schedule: RetrySchedule, done: Callable[[], int]) -> T:
    """Call ``attempt`` until it works; a try that raised what ``done`` counts gives all tries back.

    Raises:
        DownloadError: the last one, when the tries are used up or the server asks for too long a pause.
    """
    pause = wait_random_exponential(multiplier=schedule.first_wait_s, max=schedule.longest_wait_s)
    barren, best = 0, done()

    def is_over(state: RetryCallState) -> bool:
        nonlocal barren, best
        barren, best = (0, done()) if done() > best else (barren + 1, best)
        return barren >= schedule.attempts or _asked_for(state) > schedule.longest_wait_s

    retrying = Retrying(
        retry=retry_if_exception(lambda error: isinstance(error, RetryableError)),
        wait=lambda state: max(pause(state), _asked_for(state)),
        stop=is_over,
        sleep=schedule.sleep,
        reraise=True,
    )
    return retrying(attempt)


def _asked_for(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return error.after_s if isinstance(error, RetryableError) else 0.0
