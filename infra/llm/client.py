"""Chat completions of any OpenAI-compatible server (vLLM, SGLang, llama.cpp, hosted).

Holds the client: how many requests at once and a minute, how long, how often again, and what it all cost. One exchange is
in ``transport.py``, the meaning of chunks in ``assembly.py``. Knows nothing of agents, images or tools; messages are
the JSON of the protocol.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt

from infra.errors import EndpointError
from infra.llm.assembly import ReplyAssembler, TokenUsage, estimated_usage
from infra.llm.errors import (
    MAX_NAMED,
    EndpointUnavailableError,
    RequestBudgetError,
    RequestRefusedError,
    transport,
)
from infra.llm.rate_limit import RateLimiter
from infra.llm.transport import HttpTransport
from infra.llm.types import ChatMessages, ChatReply, ChatSettings, Decoding, DecodingOptions
from infra.llm.usage import Prices, UsageLedger, UsageTotals

__all__ = [
    "ChatClient",
    "ChatReply",
    "ChatSettings",
    "Decoding",
    "EndpointUnavailableError",
    "Prices",
    "RequestBudgetError",
    "RequestRefusedError",
    "UsageLedger",
    "UsageTotals",
]

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    """A stream whose first piece has come; ``stack`` closes it and gives its place free."""

    stack: AsyncExitStack
    pieces: AsyncGenerator[str]
    first: str | None  # None: the reply is empty
    assembly: ReplyAssembler
    deadline_s: float  # on the event loop's clock


class ChatClient:
    """One endpoint. Use it from one event loop, and close it.

    Every call raises one of three kinds of ``EndpointError``: ``RequestRefusedError`` where asking again will not help (key,
    model, prompt too long, address), ``EndpointUnavailableError`` after the last attempt (overload, broken connection,
    silence), ``RequestBudgetError`` where the settings allow no further request.
    """

    def __init__(self, settings: ChatSettings) -> None:
        self.settings = settings
        self.ledger = UsageLedger(settings.prices)
        self._wire = HttpTransport(settings, self.ledger)
        self._pace = RateLimiter(settings.requests_per_minute)
        self._places = asyncio.Semaphore(settings.concurrency)
        self._model = settings.model

    @property
    def refused(self) -> frozenset[str]:
        """Parameters that the server was found not to take and that are left out."""
        return self._wire.shape.refused

    async def close(self) -> None:
        """Close all connections."""
        await self._wire.close()

    async def complete(self, messages: ChatMessages, request: DecodingOptions) -> ChatReply:
        """The whole reply."""
        model = await self.model()

        async def whole(stack: AsyncExitStack, _: float) -> ReplyAssembler:
            response = await self._wire.ask(stack, model, messages, request, stream=False)
            return await self._wire.whole(response)

        return self._reply(messages, await self._repeated(whole))

    async def stream(
        self, messages: ChatMessages, request: DecodingOptions
    ) -> AsyncGenerator[str | ChatReply]:
        """Pieces of the reply's text as they come, the reply last; together the pieces are its text.

        Retried as long as no piece was handed out. Leaving early ends the request; what was said so far is booked.
        """
        begun = await self._begun(messages, request)
        complete = False
        try:
            async with begun.stack:
                piece = begun.first
                while piece is not None:
                    yield piece
                    async with self._until(begun.deadline_s):
                        piece = await anext(begun.pieces, None)
            complete = True
        except EndpointError:
            self.ledger.add(failures=1)
            raise
        finally:
            if not complete:
                usage, is_estimated = _usage(messages, begun.assembly)
                self.ledger.add_tokens(*usage, estimated=is_estimated, complete=False)
        yield self._reply(messages, begun.assembly)

    async def models(self) -> list[str]:
        """Names of the models the server lists, in its order."""
        return await self._repeated(lambda stack, _: self._wire.names(stack))

    async def model(self) -> str:
        """The model that is asked: the one of the settings, else the only one the server lists."""
        if not self._model:
            names = await self.models()
            if len(names) != 1:
                there = ", ".join(names[:MAX_NAMED]) or "it lists none"
                raise RequestRefusedError(f"{self._wire.where}: say which model to ask; there are: {there}")
            self._model = names[0]
        return self._model

    async def _begun(self, messages: ChatMessages, request: DecodingOptions) -> _Begun:
        model = await self.model()

        async def begin(stack: AsyncExitStack, deadline_s: float) -> _Begun:
            response = await self._wire.ask(stack, model, messages, request, stream=True)
            assembly = ReplyAssembler()
            pieces = self._wire.pieces(response, assembly)
            stack.push_async_callback(pieces.aclose)
            first = await anext(pieces, None)
            return _Begun(
                stack=stack.pop_all(), pieces=pieces, first=first, assembly=assembly, deadline_s=deadline_s
            )

        return await self._repeated(begin)

    async def _repeated(self, exchange: Callable[[AsyncExitStack, float], Awaitable[_Result]]) -> _Result:
        """``exchange`` until it succeeds or attempts or time are used up; the one place that counts failures.

        The exchange gets a stack, closed after it, and the moment by which it has to be over.
        """
        retrying = AsyncRetrying(
            stop=stop_after_attempt(self.settings.retries + 1),
            retry=retry_if_exception_type(EndpointUnavailableError),
            wait=self._wait_s,
            before_sleep=self._before_sleep,
            reraise=True,
        )

        async def attempt(limit: asyncio.Timeout) -> _Result:
            async with AsyncExitStack() as stack:
                deadline_s = await stack.enter_async_context(self._place(limit))
                async with self._until(deadline_s):
                    return await exchange(stack, deadline_s)

        try:
            async with asyncio.timeout(None) as limit:  # set when the first attempt gets its place
                return await retrying(attempt, limit)
        except TimeoutError:
            self.ledger.add(failures=1)
            total_s = self.settings.total_timeout_s
            raise EndpointUnavailableError(
                f"{self._wire.where}: no answer within {total_s:g} s, retries included"
            ) from None
        except EndpointError:
            self.ledger.add(failures=1)
            raise

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
                with transport(self._wire.where):
                    yield min(clock() + self.settings.timeout_s, ends_s)
            finally:
                self.ledger.add(generation_s=time.monotonic() - started_s)

    @asynccontextmanager
    async def _until(self, deadline_s: float) -> AsyncIterator[None]:
        """Raise ``EndpointUnavailableError`` for what is not over at ``deadline_s``."""
        try:
            async with asyncio.timeout_at(deadline_s):
                yield
        except TimeoutError:
            limit_s = self.settings.timeout_s
            raise EndpointUnavailableError(
                f"{self._wire.where}: no complete answer within {limit_s:g} s"
            ) from None

    def _reply(self, messages: ChatMessages, assembly: ReplyAssembler) -> ChatReply:
        usage, is_estimated = _usage(messages, assembly)
        self.ledger.add_tokens(*usage, estimated=is_estimated)
        return ChatReply(
            text=assembly.text,
            finish_reason=assembly.finish_reason or "stop",
            prompt_tokens=usage.prompt,
            completion_tokens=usage.completion,
            model=assembly.model or self._model,
            estimated=is_estimated,
        )


def _asked_wait_s(state: RetryCallState) -> float | None:
    """The wait the server asked for with its refusal."""
    error = state.outcome.exception() if state.outcome else None
    return error.retry_after_s if isinstance(error, EndpointUnavailableError) else None


def _usage(messages: ChatMessages, assembly: ReplyAssembler) -> tuple[TokenUsage, bool]:
    """Tokens of a call, and whether they had to be estimated."""
    if assembly.usage is not None:
        return assembly.usage, False
    return estimated_usage(messages, assembly.text), True
