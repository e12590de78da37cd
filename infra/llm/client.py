"""Chat completions of any OpenAI-compatible server (vLLM, SGLang, llama.cpp, hosted).

Holds the client: whole replies and streamed ones, and what they cost. How often and how long is in ``endpoint.py``, one exchange
in ``transport.py``, the meaning of chunks in ``assembly.py``. Knows nothing of agents, images or tools; messages are
the JSON of the protocol.
"""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace

from infra.errors import EndpointError
from infra.llm.assembly import ReplyAssembler, TokenUsage, estimated_usage
from infra.llm.endpoint import Endpoint
from infra.llm.errors import RequestRefusedError
from infra.llm.prompt_log import PromptLog
from infra.llm.types import ChatMessages, ChatReply, ChatSettings, DecodingOptions

PROBE_RETRIES, PROBE_S = 1, 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _OpenStream:
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
        self._endpoint = Endpoint(settings, "chat endpoint")
        self._prompts = PromptLog()
        self.ledger, self._wire = self._endpoint.ledger, self._endpoint.wire

    @property
    def refused(self) -> frozenset[str]:
        """Parameters that the server was found not to take and that are left out."""
        return self._wire.shape.refused

    async def close(self) -> None:
        """Close all connections."""
        await self._endpoint.close()

    async def complete(self, messages: ChatMessages, request: DecodingOptions) -> ChatReply:
        """The whole reply."""
        model = await self.model()

        async def whole(stack: AsyncExitStack, _: float) -> ReplyAssembler:
            response = await self._wire.ask(stack, model, messages, request, stream=False)
            return await self._wire.whole(response)

        return self._reply(messages, await self._endpoint.repeated(whole))

    async def stream(
        self, messages: ChatMessages, request: DecodingOptions
    ) -> AsyncGenerator[str | ChatReply]:
        """Pieces of the reply's text as they come, the reply last; together the pieces are its text.

        Retried as long as no piece was handed out. Leaving early ends the request; what was said so far is booked.
        """
        opened = await self._opened(messages, request)
        complete = False
        try:
            async with opened.stack:
                piece = opened.first
                while piece is not None:
                    yield piece
                    async with self._endpoint.until(opened.deadline_s):
                        piece = await anext(opened.pieces, None)
            complete = True
        except EndpointError:
            self.ledger.add(failures=1)
            raise
        finally:
            if not complete:
                usage, is_estimated = _usage(messages, opened.assembly)
                self.ledger.add_tokens(*usage, estimated=is_estimated, complete=False)
        yield self._reply(messages, opened.assembly)

    async def models(self) -> list[str]:
        """Names of the models the server lists, in its order."""
        return await self._endpoint.models()

    async def model(self) -> str:
        """The model that is asked: the one of the settings, else the only one the server lists."""
        return await self._endpoint.model()

    async def _opened(self, messages: ChatMessages, request: DecodingOptions) -> _OpenStream:
        model = await self.model()

        async def begin(stack: AsyncExitStack, deadline_s: float) -> _OpenStream:
            response = await self._wire.ask(stack, model, messages, request, stream=True)
            assembly = ReplyAssembler()
            pieces = self._wire.pieces(response, assembly)
            stack.push_async_callback(pieces.aclose)
            first = await anext(pieces, None)
            return _OpenStream(
                stack=stack.pop_all(), pieces=pieces, first=first, assembly=assembly, deadline_s=deadline_s
            )

        return await self._endpoint.repeated(begin)

    def _reply(self, messages: ChatMessages, assembly: ReplyAssembler) -> ChatReply:
        usage, is_estimated = _usage(messages, assembly)
        self.ledger.add_tokens(*usage, estimated=is_estimated)
        return ChatReply(
            text=assembly.text,
            finish_reason=assembly.finish_reason or "stop",
            prompt_tokens=usage.prompt,
            completion_tokens=usage.completion,
            model=assembly.model or self._endpoint.model_name,
            estimated=is_estimated,
            least_prompt_tokens=0 if is_estimated else self._prompts.least(messages, usage.prompt),
        )


def _usage(messages: ChatMessages, assembly: ReplyAssembler) -> tuple[TokenUsage, bool]:
    """Tokens of a call, and whether they had to be estimated."""
    if assembly.usage is not None:
        return assembly.usage, False
    return estimated_usage(messages, assembly.text), True


async def probed(settings: ChatSettings) -> ChatSettings:
    """The settings with the model's name, once the server has answered.

    Raises:
        EndpointUnavailableError: within seconds, if it is down.
        RequestRefusedError: if no model is named and it lists none or several.
    """
    client = ChatClient(replace(settings, retries=PROBE_RETRIES, total_timeout_s=PROBE_S))
    try:
        if not settings.model:
            return replace(settings, model=await client.model())
        with suppress(RequestRefusedError):  # not every server lists its models
            await client.models()
        return settings
    finally:
        await client.close()
