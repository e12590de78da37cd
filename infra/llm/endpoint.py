"""One model behind an address: how many requests at once and a minute, how long, how often again.

Holds what every kind of request has in common; chat is ``client.py``, embeddings are ``infra/embedders/endpoint.py``, one
exchange is ``transport.py``.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt

from infra.errors import EndpointError
from infra.llm.errors import (
    MAX_NAMED,
    EndpointUnavailableError,
    RequestRefusedError,
    ServerSilentError,
    transport,
)
from infra.llm.rate_limit import RateLimiter
from infra.llm.transport import HttpTransport
from infra.llm.types import ChatSettings
from infra.llm.usage import UsageLedger

_Result = TypeVar("_Result")


class Endpoint:
    """One endpoint. Use it from one event loop, and close it.

    Args:
        settings: address, model, limits.
        kind: what it is called in errors, e.g. ``chat endpoint``.
    """

    def __init__(self, settings: ChatSettings, kind: str) -> None:
        self.settings = settings
        self.ledger = UsageLedger(settings.prices)
        self.wire = HttpTransport(settings, self.ledger, kind)
        self.model_name = settings.model
        self._pace = RateLimiter(settings.requests_per_minute)
        self._places = asyncio.Semaphore(settings.concurrency)

    async def close(self) -> None:
        """Close all connections."""
        await self.wire.close()

    async def models(self) -> list[str]:
        """Names of the models the server lists, in its order."""
        return await self.repeated(lambda stack, _: self.wire.names(stack))

    async def model(self) -> str:
        """The model that is asked: the one of the settings, else the only one the server lists."""
        if not self.model_name:
            names = await self.models()
            if len(names) != 1:
                there = ", ".join(names[:MAX_NAMED]) or "it lists none"
                raise RequestRefusedError(f"{self.wire.where}: say which model to ask; there are: {there}")
            self.model_name = names[0]
        return self.model_name

    async def repeated(self, exchange: Callable[[AsyncExitStack, float], Awaitable[_Result]]) -> _Result:
        """``exchange`` until it succeeds or attempts or time are used up; the one place that counts failures.

        The exchange gets a stack, closed after it, and the moment by which it has to be over.
        """
        retrying = AsyncRetrying(
            stop=stop_after_attempt(self.settings.retries + 1),
            retry=retry_if_exception(self._is_retried),
            wait=self._wait_s,
            before_sleep=self._before_sleep,
            reraise=True,
        )

        async def attempt(limit: asyncio.Timeout) -> _Result:
            async with AsyncExitStack() as stack:
                deadline_s = await stack.enter_async_context(self._place(limit))
                async with self.until(deadline_s):
                    return await exchange(stack, deadline_s)

        try:
            async with asyncio.timeout(None) as limit:  # set when the first attempt gets its place
                return await retrying(attempt, limit)
        except TimeoutError:
            self.ledger.add(failures=1)
            total_s = self.settings.total_timeout_s
            raise EndpointUnavailableError(
                f"{self.wire.where}: no answer within {total_s:g} s, retries included"
            ) from None
        except EndpointError:
            self.ledger.add(failures=1)
            raise

    def _is_retried(self, error: BaseException) -> bool:
        silent = isinstance(error, ServerSilentError) and not self.settings.retries_silence
        return isinstance(error, EndpointUnavailableError) and not silent

    def _wait_s(self, state: RetryCallState) -> float:
        """Seconds until the next attempt: what the server asked for, else exponential with jitter."""
        if (asked_s := _asked_wait_s(state)) is not None:
            return min(asked_s, self.settings.max_wait_s)
        doubled_s = self.settings.backoff_s * 2.0 ** min(state.attempt_number - 1, 30)
        longest_s = min(doubled_s, self.settings.max_wait_s)
        return random.uniform(longest_s / 2, longest_s)

    def _before_sleep(self, state: RetryCallState) -> None:
        wait_s = state.next_action.sleep if state.next_action else 0.0
        self.ledger.add(retries=1, waiting_s=wait_s)
        if _asked_wait_s(state) is not None:
            self._pace.pause(wait_s)

    @asynccontextmanager
    async def _place(self, limit: asyncio.Timeout) -> AsyncIterator[float]:
        """A place among the requests under way; gives the moment by which the answer has to be complete."""
        clock = asyncio.get_running_loop().time
        asked_s = time.monotonic()
        async with self._places:
            await self._pace.turn()
            started_s = time.monotonic()
            self.ledger.add(waiting_s=started_s - asked_s)
            ends_s = limit.when()
            if ends_s is None:
                ends_s = clock() + self.settings.total_timeout_s
                limit.reschedule(ends_s)
            try:
                with transport(self.wire.where):
                    yield min(clock() + self.settings.timeout_s, ends_s)
            finally:
                self.ledger.add(generation_s=time.monotonic() - started_s)

    @asynccontextmanager
    async def until(self, deadline_s: float) -> AsyncIterator[None]:
        """Raise ``EndpointUnavailableError`` for what is not over at ``deadline_s``."""
        try:
            async with asyncio.timeout_at(deadline_s):
                yield
        except TimeoutError:
            limit_s = self.settings.timeout_s
            raise EndpointUnavailableError(
                f"{self.wire.where}: no complete answer within {limit_s:g} s"
            ) from None


def _asked_wait_s(state: RetryCallState) -> float | None:
    """The wait the server asked for with its refusal."""
    error = state.outcome.exception() if state.outcome else None
    return error.retry_after_s if isinstance(error, EndpointUnavailableError) else None
