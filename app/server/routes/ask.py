"""``POST /v1/ask``: one question, answered as a stream of server-sent events.

A stream holds a place for as long as it lasts and no longer: when the client goes away, when the time is up or when the
server stops, the rollout is cancelled and with it the request to the model.
"""

import asyncio
from contextlib import ExitStack, aclosing, suppress

import anyio
from anyio import to_thread
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.answers.events import (
    AskRequest,
    EndEvent,
    EventSerializer,
    FailureEvent,
    StreamEvent,
)
from app.answers.records import json_bytes
from app.errors import UsageError
from app.server.errors import ApiError, explain
from app.server.routes.search import require_datasets
from app.server.schema.requests import AskBody
from app.server.state import ServerState
from model.agent.events import NodeAdded, RolloutEnd

WAITING_EVENTS = 64  # for a client that is slow to read, before the rollout waits for it
EVENTS = (
    "Server-sent events, each with id, event and one JSON object as data: started, then asked, spoke, replied, rejected, "
    "observed, remembered and answered as they happen, at last finished or failed."
)
GRACE_S = 15.0  # for a slow client to read the end

router = APIRouter(tags=["ask"])


@router.post(
    "/v1/ask",
    response_class=Response,
    responses={200: {"content": {"text/event-stream": {}}, "description": EVENTS}},
)
async def ask(request: Request, body: AskBody) -> Response:
    """Answer a question over the corpus; what the agent does comes as events while it happens."""
    state: ServerState = request.app.state.server
    if not body.question.strip():
        raise ApiError(400, "malformed", "the question is empty")
    if state.model is None:
        raise ApiError(
            503,
            "no_model",
            "no model to ask: start vimrag serve with --model FOLDER, or --endpoint URL --model NAME",
        )
    snapshot = await to_thread.run_sync(state.corpus.snapshot, limiter=state.searchers)
    require_datasets(body.datasets, snapshot.datasets)
    question = AskRequest(body.question, body.memory, body.calls, body.datasets)
    try:
        return EventStream(state, EventSerializer(question, snapshot, state.model, state.catalogue))
    except UsageError as error:
        raise ApiError(400, "unknown_memory", str(error)) from None


class EventStream(Response):
    """The response of one question."""

    media_type = "text/event-stream"

    def __init__(self, state: ServerState, serializer: EventSerializer) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._state, self._serializer = state, serializer
        self._events: asyncio.Queue[StreamEvent | None] = asyncio.Queue(WAITING_EVENTS)
        self._sent = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hold a place and stream. Raises ``ApiError`` 429 before anything is sent if there is no place."""
        settings = self._state.settings
        with self._state.questions.take() as place, anyio.move_on_after(settings.question_s + GRACE_S):
            async with anyio.create_task_group() as group:
                group.start_soon(self._cancel_when_gone, receive, group.cancel_scope)
                group.start_soon(self._produce)
                with suppress(OSError):  # the client is gone
                    await self._send_all(send, place)
                group.cancel_scope.cancel()

    async def _cancel_when_gone(self, receive: Receive, whole: anyio.CancelScope) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        whole.cancel()

    async def _produce(self) -> None:
        """The rollout, then ``None``; ends in time, and at once when the server stops."""
        rollout = asyncio.ensure_future(self._run_rollout())
        closing = asyncio.ensure_future(self._state.closing.wait())
        try:
            limit_s = self._state.settings.question_s
            await asyncio.wait({rollout, closing}, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
            if not rollout.done():
                rollout.cancel()
                await asyncio.wait({rollout})
                await self._events.put(
                    FailureEvent(code="stopping", message="the server is being stopped")
                    if closing.done()
                    else FailureEvent(code="timeout", message=f"no answer within {limit_s:g} seconds")
                )
            await self._events.put(None)
        finally:
            for task in (rollout, closing):
                task.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.wait({rollout, closing})

    async def _run_rollout(self) -> None:
        """Every event of the rollout into the queue, its failure as the last one."""
        serializer = self._serializer
        try:
            await self._events.put(serializer.start)
            async with aclosing(serializer.events(stream=True)) as events:
                async for event in events:
                    if isinstance(event, NodeAdded | RolloutEnd):  # these draw the graph, and read the corpus
                        await self._events.put(await to_thread.run_sync(serializer.serialize, event))
                    else:
                        await self._events.put(serializer.serialize(event))
        except Exception as error:
            await self._events.put(_failure(error))

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
            await send({"type": "http.response.body", "body": self._encode(event), "more_body": True})

    def _encode(self, event: StreamEvent) -> bytes:
        """The event on the wire."""
        head = f"id: {self._sent}\nevent: {event.event}\ndata: ".encode()
        self._sent += 1
        return head + json_bytes(event.model_dump()) + b"\n\n"


def _failure(error: Exception) -> FailureEvent:
    if isinstance(error, ValueError):  # of the question: too long for the context, for example
        return FailureEvent(code="refused", message=" ".join(str(error).split()))
    refusal = explain(error)
    return FailureEvent(code=refusal.code, message=refusal.message)
