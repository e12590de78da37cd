"""The two responses of a chat question: a stream of chunks, or one object. Both end the rollout when the client goes away.

A stream tells the steps as ``reasoning_content`` while they happen; the answer follows sentence by sentence once its sources are
known, for a number cannot stand in a text before it is checked. The last chunk holds annotations and our record.
"""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import anyio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.answers.cited_text import cited_sentences
from app.answers.events import (
    EndEvent,
    EventSerializer,
    FailureEvent,
    NodeEvent,
    NoticeEvent,
    ObservationEvent,
    RejectionEvent,
    StreamEvent,
)
from app.answers.json_line import json_bytes
from app.server.chat.completion import Completion
from app.server.errors import ApiError, Utf8Json, error_response, openai_error
from app.server.routes.ask import EventStream, cancel_when_gone
from app.server.running import Rollout
from app.server.state import ServerState

DONE = b"data: [DONE]\n\n"
_STATUS = {"refused": 400, "timeout": 504, "internal": 500}


class ChatStream(EventStream):
    """The chunks of one question."""

    def __init__(
        self,
        state: ServerState,
        serializer: EventSerializer,
        silence_s: float,
        completion: Completion,
        *,
        counts: bool,
    ) -> None:
        super().__init__(state, serializer, silence_s)
        self._completion, self._counts = completion, counts

    def encoded(self, event: StreamEvent) -> bytes:
        """The chunks of one event; none for most."""
        chunks = list(self._chunks(event))
        if not self._sent:
            chunks.insert(0, self._completion.chunk({"role": "assistant", "content": ""}))
        self._sent += 1
        lines = b"".join(b"data: " + json_bytes(chunk) + b"\n\n" for chunk in chunks)
        return lines + (DONE if isinstance(event, EndEvent | FailureEvent) else b"")

    def _chunks(self, event: StreamEvent) -> Iterator[dict[str, Any]]:
        if isinstance(event, FailureEvent):
            yield openai_error(as_error(event))
        elif isinstance(event, EndEvent):
            yield from self._answer(event)
        elif step := step_of(event):
            yield self._completion.chunk({"reasoning_content": step + "\n"})

    def _answer(self, end: EndEvent) -> Iterator[dict[str, Any]]:
        completion, sentences = self._completion, list(cited_sentences(end))
        for sentence in sentences:
            yield completion.chunk({"content": sentence.whole})
        if tail := completion.tail(end):
            yield completion.chunk({"content": tail})
        annotations = completion.annotations(end, sentences)
        yield {
            **completion.chunk({"annotations": annotations} if annotations else {}, "stop"),
            "vimrag": completion.record(end),
        }
        if self._counts:
            yield completion.usage_chunk(end)


class ChatWhole(Response):
    """The answer of one question as one object."""

    def __init__(
        self, state: ServerState, serializer: EventSerializer, silence_s: float, completion: Completion
    ) -> None:
        super().__init__()
        self._state, self._completion = state, completion
        self._last: StreamEvent | None = None
        self._rollout = Rollout(serializer, self._keep, silence_s=silence_s, closing=state.closing)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hold a place, run, and send. Raises ``ApiError`` 429 before anything is sent if there is no place."""
        with self._state.questions.take():
            async with anyio.create_task_group() as group:
                group.start_soon(cancel_when_gone, receive, group.cancel_scope)
                await self._rollout.run()
                group.cancel_scope.cancel()
        if isinstance(self._last, EndEvent):
            response: Response = Utf8Json(
                self._completion.whole(self._last), headers={"Cache-Control": "no-store"}
            )
        elif isinstance(self._last, FailureEvent):
            response = error_response(as_error(self._last))
        else:  # the client is gone
            return
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(self._state.settings.question_s):
                await response(scope, receive, send)

    async def _keep(self, event: StreamEvent) -> None:
        self._last = event


def step_of(event: StreamEvent) -> str:
    """What a person is told of a step; nothing for most events."""
    match event:
        case ObservationEvent(repeated=True):
            return f"Searched before: {event.query}"
        case ObservationEvent():
            return f"Searched: {event.query} ({len(event.retrieved)} found, {len(event.shown)} new)"
        case NodeEvent():
            summary = next((node.summary for node in event.nodes if node.id == event.node_id), "")
            return f"Noted: {summary or 'nothing useful'}"
        case NoticeEvent():
            return f"Note: {event.message}"
        case RejectionEvent():
            return f"Not accepted: {event.reason}"
    return ""


def as_error(event: FailureEvent) -> ApiError:
    """A question that failed, as a refusal."""
    return ApiError(_STATUS.get(event.code, 503), event.code, event.message)
