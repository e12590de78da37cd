"""One exchange with a chat server: a request out, an answer in, within limits of size.

Holds no retries, no waiting and no counting of tokens; those are the client's (``client.py``). Whatever a server does wrong
becomes ``RequestRefusedError`` or ``EndpointUnavailableError`` here; errors of the connection are named by ``transport``
around the exchange.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, suppress
from typing import Any

import httpx

from infra.errors import EndpointError
from infra.llm.assembly import MalformedReplyError, ReplyAssembler, has_pictures
from infra.llm.errors import (
    EndpointUnavailableError,
    KeySource,
    RequestBudgetError,
    RequestRefusedError,
    ServerError,
    is_about_model,
    refusal,
    stated,
    unknown_model,
    without,
)
from infra.llm.request_body import RequestBodyBuilder
from infra.llm.sse import DONE, SseParser
from infra.llm.types import ChatMessages, ChatSettings, DecodingOptions
from infra.llm.usage import UsageLedger

MAX_ERROR_BYTES = 64 * 1024  # of a refusal; some servers echo the request
MAX_LISTING_BYTES = 4 * 1024 * 1024  # hosted routers list hundreds of models


class HttpTransport:
    """Requests to one server. The key goes into a header and nowhere else."""

    def __init__(self, settings: ChatSettings, ledger: UsageLedger, kind: str) -> None:
        self._settings, self._ledger = settings, ledger
        self._base = settings.base_url.rstrip("/")
        self.where = f"{kind} {self._base}"
        self.shape = RequestBodyBuilder(self.where)
        headers = {"Accept-Encoding": "identity"}  # nothing to inflate, and no buffering of streams
        if settings.api_key is not None:
            headers["Authorization"] = f"Bearer {settings.api_key}"
        self._http = httpx.AsyncClient(
            headers=headers,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=settings.concurrency),
            follow_redirects=False,
            trust_env=not settings.is_local,
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    @property
    def _key(self) -> KeySource:
        return KeySource(self._settings.key_variable, is_set=self._settings.api_key is not None)

    async def ask(
        self,
        stack: AsyncExitStack,
        model: str,
        messages: ChatMessages,
        request: DecodingOptions,
        *,
        stream: bool,
    ) -> httpx.Response:
        """The server's answer once it is a success; ``stack`` closes it.

        A request that is refused for something the protocol does not need is sent again without it.
        """
        settings = self._settings
        while True:
            body = self.shape.body(model, messages, request, stream=stream)
            whole_s = settings.whole_timeout_s or settings.timeout_s
            silence_s = settings.stall_timeout_s if body["stream"] else whole_s
            self._book()
            url = f"{self._base}/chat/completions"
            exchange = self._http.stream("POST", url, json=body, timeout=self._timeout(silence_s))
            response = await stack.enter_async_context(exchange)
            if response.status_code == 200:
                if "html" in response.headers.get("content-type", ""):
                    raise RequestRefusedError(
                        f"{self.where}: a web page is served under this address, which usually ends in /v1"
                    )
                return response
            words = await self._words(response)
            if response.status_code not in (400, 422) or not self.shape.adapt(words, body):
                raise await self._refusal(response, words, model, sent_pictures=has_pictures(messages))

    async def post(self, stack: AsyncExitStack, path: str, body: Mapping[str, Any]) -> Any:
        """The JSON that ``path`` below the address answers ``body`` with; booked as a request."""
        self._book()
        timeout = self._timeout(self._settings.timeout_s)
        exchange = self._http.stream("POST", f"{self._base}/{path}", json=body, timeout=timeout)
        response = await stack.enter_async_context(exchange)
        if response.status_code != 200:
            raise await self._refusal(response, await self._words(response), str(body.get("model", "")))
        return self._json(await read(response, self._settings.max_reply_bytes, self.where))

    def _book(self) -> None:
        """Count a request that is about to be sent; raise ``RequestBudgetError`` if it is one too many."""
        limit = self._settings.max_requests
        if limit is not None and self._ledger.snapshot().requests >= limit:
            raise RequestBudgetError(f"{self.where}: all {limit:,} requests allowed were sent")
        self._ledger.add(requests=1)

    async def whole(self, response: httpx.Response) -> ReplyAssembler:
        """The whole reply, streamed or not: some servers only stream."""
        if "event-stream" in response.headers.get("content-type", ""):
            assembly = ReplyAssembler()
            async for _ in self.pieces(response, assembly):
                pass
            return assembly
        answer = self._json(await read(response, self._settings.max_reply_bytes, self.where))
        if not isinstance(answer, dict) or not answer.get("choices"):
            raise EndpointUnavailableError(f"{self.where}: an answer without choices")
        assembly = ReplyAssembler()
        for _ in (*self._taken(assembly, answer), *assembly.end()):
            pass
        return assembly

    async def pieces(self, response: httpx.Response, assembly: ReplyAssembler) -> AsyncGenerator[str]:
        """The text of a reply as it comes, put together in ``assembly``; at once where the server does not stream."""
        if "json" in response.headers.get("content-type", ""):
            assembly.become(await self.whole(response))
            if assembly.text:
                yield assembly.text
            return
        done = False
        async for event in self._events(response):
            if event.strip() == DONE:
                done = True
                break
            for piece in self._taken(assembly, self._json(event)):
                yield piece
        if not done and not assembly.finish_reason:
            raise EndpointUnavailableError(f"{self.where}: the stream ended before the reply did")
        for piece in assembly.end():
            yield piece

    async def names(self, stack: AsyncExitStack) -> list[str]:
        """Names of the models the server lists, in its order; costs nothing and is not booked as a request."""
        exchange = self._http.stream(
            "GET", f"{self._base}/models", timeout=self._timeout(self._settings.timeout_s)
        )
        response = await stack.enter_async_context(exchange)
        if response.status_code != 200:
            raise await self._refusal(response, await self._words(response))
        listed = self._json(await read(response, MAX_LISTING_BYTES, self.where))
        entries = listed.get("data") if isinstance(listed, dict) else None
        models = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
        return [model["id"] for model in models if isinstance(model.get("id"), str)]

    async def _names_if_any(self) -> list[str]:
        """Empty if the server lists none or does not answer soon: this only makes an error more helpful."""
        with suppress(EndpointError, httpx.HTTPError, TimeoutError):
            async with AsyncExitStack() as stack, asyncio.timeout(self._settings.connect_timeout_s):
                return await self.names(stack)
        return []

    def _timeout(self, silence_s: float) -> httpx.Timeout:
        return httpx.Timeout(silence_s, connect=self._settings.connect_timeout_s, pool=None)

    async def _events(self, response: httpx.Response) -> AsyncIterator[str]:
        parser = SseParser()
        async for data in bounded(response, self._settings.max_reply_bytes, self.where):
            for event in parser.feed(data):
                yield event
        for event in parser.end():
            yield event

    def _taken(self, assembly: ReplyAssembler, chunk: object) -> list[str]:
        try:
            return [piece for piece in assembly.take(chunk) if piece]
        except MalformedReplyError as error:
            raise EndpointUnavailableError(f"{self.where}: {error}") from None

    def _json(self, data: bytes | str) -> Any:
        """What the server sent; an error object raises as a status would."""
        answer = parsed(data, self.where)
        if isinstance(answer, dict) and answer.get("error"):
            words = without(self._settings.api_key, stated(answer))
            status = int(words.code) if words.code in map(str, range(400, 600)) else 500
            raise refusal(self.where, status, words, self._key, sent_pictures=True)
        return answer

    async def _words(self, response: httpx.Response) -> ServerError:
        return await refusal_words(response, self._settings.api_key, self.where)

    async def _refusal(
        self, response: httpx.Response, words: ServerError, model: str = "", *, sent_pictures: bool = False
    ) -> EndpointError:
        status = response.status_code
        if model and status in (400, 404, 422) and (status == 404 or is_about_model(words)):
            names = await self._names_if_any()
            if names and model not in names:
                return unknown_model(self.where, model, names)
        retry_after = response.headers.get("retry-after")
        return refusal(
            self.where, status, words, self._key, retry_after=retry_after, sent_pictures=sent_pictures
        )


async def bounded(response: httpx.Response, most: int, where: str) -> AsyncIterator[bytes]:
    """The body as it comes; raises ``RequestRefusedError`` once it is longer than ``most`` bytes."""
    size = 0
    async for data in response.aiter_bytes():
        size += len(data)
        if size > most:
            raise RequestRefusedError(f"{where}: the answer is longer than {most} bytes")
        yield data


async def read(response: httpx.Response, most: int, where: str) -> bytes:
    """The whole body, of at most ``most`` bytes."""
    return b"".join([data async for data in bounded(response, most, where)])


async def refusal_words(response: httpx.Response, key: str | None, where: str) -> ServerError:
    """What the server says about its refusal, without the key; nothing if it goes on and on."""
    with suppress(RequestRefusedError):
        return without(key, stated(await read(response, MAX_ERROR_BYTES, where)))
    return ServerError()


def parsed(data: bytes | str, where: str) -> Any:
    """The JSON that a server sent."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise EndpointUnavailableError(f"{where}: the answer is no JSON") from None
