"""Replies of a chat server that are paid for once: each is kept under the hash of its request.

Holds the keeping and the counting of what is used. A program that asks the same again, because it was killed or repeated,
reads the reply it was given and sends nothing. Failures are not kept; whoever asks again asks the server.
"""

import asyncio
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from typing import Protocol
from weakref import WeakValueDictionary

from pydantic import TypeAdapter, ValidationError

from infra.llm.types import ChatCompleter, ChatMessages, ChatReply, DecodingOptions
from infra.storage.key_value import KeyValueFile

_REPLY = TypeAdapter(ChatReply)


class NamedChatModel(ChatCompleter, Protocol):
    """Answers the requests that nobody has made before; ``ChatClient`` does."""

    async def model(self) -> str:
        """The name of the model that is asked."""
        ...


@dataclass(slots=True, kw_only=True)
class UsageMeter:
    """Replies and tokens, kept ones like new ones: what the work costs whoever does it for the first time."""

    replies: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def add(self, reply: ChatReply) -> None:
        """Count one reply."""
        self.replies += 1
        self.prompt_tokens += reply.prompt_tokens
        self.completion_tokens += reply.completion_tokens


_meter: ContextVar[UsageMeter | None] = ContextVar("meter", default=None)


@contextmanager
def metered() -> Iterator[UsageMeter]:
    """Counts the replies that this task, and the tasks it starts, use inside the block."""
    usage = UsageMeter()
    token = _meter.set(usage)
    try:
        yield usage
    finally:
        _meter.reset(token)


class CachedChatClient:
    """A chat server that is asked each thing once. Use it from one event loop; file and client are closed by their owners."""

    def __init__(self, chat: NamedChatModel, replies: KeyValueFile) -> None:
        self._chat, self._replies = chat, replies
        self._busy: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self.found = 0  # replies that were there already

    async def complete(self, messages: ChatMessages, request: DecodingOptions) -> ChatReply:
        """The reply to exactly this request of this model; raises what the server's client raises."""
        key = request_key(await self._chat.model(), messages, request)
        lock = self._busy.setdefault(key, asyncio.Lock())
        async with lock:
            reply = self._found(key)
            if reply is None:
                reply = await self._chat.complete(messages, request)
                self._replies.keep(key, json.dumps(asdict(reply)))  # before anything can interrupt
        if (usage := _meter.get()) is not None:
            usage.add(reply)
        return reply

    def total(self) -> UsageMeter:
        """Of every reply that the file holds, whichever run asked for it."""
        usage = UsageMeter()
        for text in self._replies.texts():
            if (reply := _reply(text)) is not None:
                usage.add(reply)
        return usage

    def _found(self, key: str) -> ChatReply | None:
        text = self._replies.find(key)
        reply = None if text is None else _reply(text)
        self.found += reply is not None
        return reply


def request_key(model: str, messages: ChatMessages, request: DecodingOptions) -> str:
    """The sha256, in hex, of everything that a reply depends on."""
    drawing = [
        request.temperature,
        request.top_p,
        request.max_tokens,
        request.seed,
        [],
    ]  # no texts that end a reply
    return hashlib.sha256(json.dumps([model, drawing, list(messages)], sort_keys=True).encode()).hexdigest()


def _reply(text: str) -> ChatReply | None:
    """A kept reply; None if the text is none, as of another program."""
    try:
        return _REPLY.validate_json(text, strict=True)
    except ValidationError:
        return None
