"""When the next request may go out: a token bucket that holds one token, and pauses a server asks for.

Holds the arithmetic of waiting; how many requests are under way at once is limited by the client.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable


class RateLimiter:
    """Spaces requests evenly; first come, first served. Use it from one event loop.

    With room for one token the bucket gives no bursts: any minute holds at most ``requests_per_minute`` + 1 requests.

    Args:
        requests_per_minute: None for no limit of our own.
        clock: seconds on a clock that never goes back.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        requests_per_minute: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._interval_s = 60.0 / requests_per_minute if requests_per_minute else 0.0
        self._clock, self._sleep = clock, sleep
        self._next_s = clock()
        self._paused_until_s = self._next_s

    def pause(self, seconds: float) -> None:
        """Let nothing out for so long: the server is overloaded, and every caller would hear the same."""
        self._paused_until_s = max(self._paused_until_s, self._clock() + seconds)

    async def turn(self) -> None:
        """Wait for the next turn; a caller that gives up waiting loses it."""
        start_s = max(self._clock(), self._next_s)
        self._next_s = start_s + self._interval_s
        while (wait_s := max(start_s, self._paused_until_s) - self._clock()) > 0:
            await self._sleep(wait_s)
