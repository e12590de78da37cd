"""``POST /v1/ask``: one question, answered as a stream of server-sent events; its run can be followed, hurried and stopped.

A stream holds a place for as long as it lasts and no longer: when the client goes away, when nothing happens for too long or
when the server stops, the rollout is cancelled and with it the request to the model. A ``detached`` question goes on when its
client goes away, until it is over or stopped.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import ExitStack, suppress
from typing import Annotated

import anyio
from anyio import to_thread
from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.answers.events import AskRequest, EndEvent, EventSerializer, FailureEvent, StreamEvent
from app.answers.history.follow_up import follow_up
from app.answers.history.recording import Recorder
from app.answers.history.store import Asked
from app.answers.json_line import json_bytes
from app.answers.library.changing import scope_of
from app.server.asking import open_question
from app.server.errors import ApiError
from app.server.running import KeptRun, Rollout
from app.server.schema.requests import AskBody
from app.server.state import ServerState

WAITING_EVENTS = 64  # for a client that is slow to read, before the rollout waits for it
EVENTS = (
    "Server-sent events, each with id, event and one JSON object as data: started, then asked, spoke, replied, rejected, "
    "observed, remembered and answered as they happen, at last finished or failed."
)
GRACE_S = 15.0  # for a slow client to read the end

STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

router = APIRouter(tags=["ask"])


@router.post(
    "/v1/ask",
    response_class=Response,
    responses={200: {"content": {"text/event-stream": {}}, "description": EVENTS}},
)
async def ask(request: Request, body: AskBody) -> Response:
    """Answer a question over the corpus; what the agent does comes as events while it happens."""
    state: ServerState = request.app.state.server
    if body.keep and not body.detached:
        raise ApiError(400, "malformed", "keep: what is kept has to be detached")
    question = await to_thread.run_sync(_request, state, body, limiter=state.readers)
    serializer = await open_question(state, question)
    silence_s = body.timeout_s or state.settings.question_s
    if not body.detached:
        return EventStream(state, serializer, silence_s)
    place = state.questions.take()
    recorder = Recorder(state.history, serializer) if body.keep else None
    try:
        if recorder is not None:
            await to_thread.run_sync(_begin, recorder, serializer, question, body.conversation)
    except BaseException:
        place.close()
        raise
    run = KeptRun(serializer, place, silence_s=silence_s, closing=state.closing, recorder=recorder)
    state.runs.add(run)
    return FollowStream(state, run, 0)


AskId = Annotated[str, Path(min_length=1, max_length=64)]


@router.get(
    "/v1/ask/{ask_id}",
    response_class=Response,
    responses={200: {"content": {"text/event-stream": {}}, "description": EVENTS}},
)
async def follow(
    request: Request, ask_id: AskId, after: Annotated[int, Query(ge=0, le=10_000_000)] = 0
) -> Response:
    """The events of a detached question from number ``after`` on, and those that are still to come."""
    state: ServerState = request.app.state.server
    return FollowStream(state, _kept(state, ask_id), after)


@router.delete("/v1/ask/{ask_id}", status_code=204)
async def stop(request: Request, ask_id: AskId) -> Response:
    """Stop a detached question."""
    _kept(request.app.state.server, ask_id).stop()
    return Response(status_code=204)


@router.post("/v1/ask/{ask_id}/answer", status_code=202)
async def answer_now(request: Request, ask_id: AskId) -> Response:
    """Cut off the reply that is being generated, and have the question answered with what was found."""
    state: ServerState = request.app.state.server
    serializer = state.controls.get(ask_id)
    if serializer is None:
        raise ApiError(404, "not_found", "this question is not under way")
    serializer.control.answer_now = True
    return Response(status_code=202)


def _request(state: ServerState, body: AskBody) -> AskRequest:
    """The question with its scope and its conversation. Raises ``ApiError`` for a file or a conversation that is not there."""
    files = None if body.files is None else _scope(state, body.files)
    request = AskRequest(body.question, body.memory, body.calls, body.datasets, files)
    if body.conversation is None:
        return request
    try:
        before = state.history.conversation(body.conversation)
        after = follow_up(state.history, before, state.catalogue, files=files, datasets=body.datasets)
    except KeyError:
        raise ApiError(404, "not_found", "there is no such conversation any more") from None
    except (sqlite3.Error, ValueError) as error:
        raise ApiError(503, "no_history", f"the history cannot be read: {error}") from error
    return request._replace(after=after)


def _scope(state: ServerState, keys: list[str]) -> tuple[str, ...]:
    known = [key for key in keys if state.library.file(key) is not None]
    if missing := sorted(set(keys) - set(known)):
        words = f"no such file any more: {', '.join(missing)[:200]}; look into the library again"
        raise ApiError(400, "unknown_file", words)
    return scope_of(state.corpus.storage, known)


def _begin(
    recorder: Recorder, serializer: EventSerializer, request: AskRequest, conversation: str | None
) -> None:
    start = serializer.start
    asked = Asked(
        id=start.ask_id,
        question=request.question,
        memory=start.memory,
        model=start.model,
        index=start.index,
        files=request.files,
        datasets=None if request.datasets is None else tuple(request.datasets),
    )
    try:
        recorder.begin(asked, conversation)
    except KeyError:
        raise ApiError(404, "not_found", "there is no such conversation any more") from None


def _kept(state: ServerState, ask_id: str) -> KeptRun:
    run = state.runs.find(ask_id)
    if run is None:
        raise ApiError(404, "not_found", "there is no such question any more")
    return run


class EventStream(Response):
    """The response of one question."""

    media_type = "text/event-stream"

    def __init__(self, state: ServerState, serializer: EventSerializer, silence_s: float) -> None:
        super().__init__(headers=STREAM_HEADERS)
        del self.headers["content-length"]
        self._state, self._silence_s = state, silence_s
        self._events: asyncio.Queue[StreamEvent | None] = asyncio.Queue(WAITING_EVENTS)
        self._rollout = Rollout(serializer, self._events.put, silence_s=silence_s, closing=state.closing)
        self._sent = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hold a place and stream. Raises ``ApiError`` 429 before anything is sent if there is no place."""
        with self._state.questions.take() as place:
            async with anyio.create_task_group() as group:
                group.start_soon(cancel_when_gone, receive, group.cancel_scope)
                group.start_soon(self._produce)
                with suppress(OSError, TimeoutError):  # the client is gone, or does not read
                    await self._send_all(send, place)
                group.cancel_scope.cancel()

    async def _produce(self) -> None:
        await self._rollout.run()
        await self._events.put(None)

    async def _send_all(self, send: Send, place: ExitStack) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        while True:
            try:
                async with asyncio.timeout(self._state.settings.keep_alive_s):
                    event = await self._events.get()
            except TimeoutError:
                await send({"type": "http.response.body", "body": b": keep-alive\n\n", "more_body": True})
                continue
            if event is None:
                return await send({"type": "http.response.body", "body": b"", "more_body": False})
            if isinstance(event, EndEvent | FailureEvent):
                place.close()  # the rollout is over, and who reads this may ask the next question at once
            async with asyncio.timeout(self._silence_s + GRACE_S):
                await send({"type": "http.response.body", "body": self.encoded(event), "more_body": True})

    def encoded(self, event: StreamEvent) -> bytes:
        """The event on the wire."""
        self._sent += 1
        return encoded(event, self._sent - 1)


class FollowStream(Response):
    """The events of a question that goes on without this response."""

    media_type = "text/event-stream"

    def __init__(self, state: ServerState, run: KeptRun, after: int) -> None:
        super().__init__(headers=STREAM_HEADERS)
        del self.headers["content-length"]
        self._state, self._run, self._next = state, run, after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream until the question is over or the client goes away."""
        async with anyio.create_task_group() as group:
            group.start_soon(cancel_when_gone, receive, group.cancel_scope)
            with suppress(OSError):
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                async for data in self._pieces():
                    await send({"type": "http.response.body", "body": data, "more_body": True})
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            group.cancel_scope.cancel()

    async def _pieces(self) -> AsyncIterator[bytes]:
        while True:
            try:
                async with asyncio.timeout(self._state.settings.keep_alive_s):
                    events = await self._run.after(self._next)
            except TimeoutError:
                yield b": keep-alive\n\n"
                continue
            if not events:
                return
            yield b"".join(encoded(event, self._next + place) for place, event in enumerate(events))
            self._next += len(events)


async def cancel_when_gone(receive: Receive, whole: anyio.CancelScope) -> None:
    """Cancel a response whose client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass
    whole.cancel()


def encoded(event: StreamEvent, number: int) -> bytes:
    """The event on the wire."""
    return f"id: {number}\nevent: {event.event}\ndata: ".encode() + json_bytes(event.model_dump()) + b"\n\n"
