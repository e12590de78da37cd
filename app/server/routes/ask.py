"""``POST /v1/ask``: one question, answered as a stream of server-sent events.

A stream holds a place for as long as it lasts and no longer: when the client goes away, when the time is up or when the
server stops, the rollout is cancelled and with it the request to the model.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from functools import partial
from typing import Any, NamedTuple, cast

import anyio
from anyio import to_thread
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.answers.agent import open_agent
from app.answers.corpus_handle import Snapshot
from app.answers.models import AnswerModel
from app.commands.output import UsageError
from app.server.errors import ApiError, explain
from app.server.routes.search import require_datasets
from app.server.schema.events import AskContext, EventSerializer, SseEvent, failed
from app.server.schema.json_text import json_bytes
from app.server.schema.requests import AskBody
from app.server.state import ServerState, Slot
from model.agent.events import NodeAdded, RolloutEnd
from model.agent.loop import Agent
from model.types import Task

WAITING_EVENTS = 64  # told to a client that is slow to read, before the rollout waits for it
EVENTS = (
    "Server-sent events, each with id, event and one JSON object as data: started, then asked, spoke, replied, rejected, "
    "observed, remembered and answered as they happen, at last finished or failed."
)
LAST = ("finished", "failed")
GRACE_S = 15.0  # for a slow client to read the end

router = APIRouter(tags=["ask"])


class AskQuestion(NamedTuple):
    """A question that can be asked."""

    asking: AskContext
    agent: Agent
    model: AnswerModel


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
    snapshot = await to_thread.run_sync(state.world.snapshot, limiter=state.searchers)
    return EventStream(state, _question(body, state.model, snapshot))


def _question(body: AskBody, model: AnswerModel, snapshot: Snapshot) -> AskQuestion:
    require_datasets(body.datasets, snapshot.datasets)
    try:
        agent = open_agent(snapshot, model, body.memory, calls=body.calls, datasets=body.datasets)
    except UsageError as error:
        raise ApiError(400, "unknown_memory", str(error)) from None
    asking = AskContext(
        ask_id=uuid.uuid4().hex,
        question=body.question,
        memory=body.memory,
        model=model.name,
        index=snapshot.version,
    )
    return AskQuestion(asking, agent, model)


async def told(question: AskQuestion, state: ServerState) -> AsyncIterator[SseEvent]:
    """The events of one rollout from ``started`` to ``finished``; what goes wrong is raised."""
    asking = question.asking
    task = Task(id=asking.ask_id, dataset="ask", question=asking.question, answers=())
    narrator = EventSerializer(asking, question.agent, state.catalogue)
    yield narrator.started()
    async with aclosing(cast(Any, question.agent.events(task, stream=True))) as events:
        async for event in events:
            if isinstance(event, RolloutEnd):
                counters = event.trajectory.counters
                cost = question.model.cost(counters.prompt_tokens, counters.completion_tokens)
                yield await to_thread.run_sync(partial(narrator.tell, event, cost=cost))
            elif isinstance(event, NodeAdded):
                yield await to_thread.run_sync(narrator.tell, event)
            else:
                yield narrator.tell(event)


class EventStream(Response):
    """The response of one question."""

    media_type = "text/event-stream"

    def __init__(self, state: ServerState, question: AskQuestion) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._state, self._question = state, question
        self._told: asyncio.Queue[SseEvent | None] = asyncio.Queue(WAITING_EVENTS)
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
        rollout = asyncio.ensure_future(self._roll_out())
        closing = asyncio.ensure_future(self._state.closing.wait())
        try:
            limit_s = self._state.settings.question_s
            await asyncio.wait({rollout, closing}, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
            if not rollout.done():
                rollout.cancel()
                await asyncio.wait({rollout})
                await self._told.put(
                    failed("stopping", "the server is being stopped")
                    if closing.done()
                    else failed("timeout", f"no answer within {limit_s:g} seconds")
                )
            await self._told.put(None)
        finally:
            for task in (rollout, closing):
                task.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.wait({rollout, closing})

    async def _roll_out(self) -> None:
        try:
            async with aclosing(cast(Any, told(self._question, self._state))) as events:
                async for each in events:
                    await self._told.put(each)
        except Exception as error:
            await self._told.put(_failure(error))

    async def _send_all(self, send: Send, place: Slot) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        while True:
            try:
                async with asyncio.timeout(self._state.settings.keep_alive_s):
                    each = await self._told.get()
            except TimeoutError:
                await send({"type": "http.response.body", "body": b": keep-alive\n\n", "more_body": True})
                continue
            if each is None:
                return await send({"type": "http.response.body", "body": b"", "more_body": False})
            if each.event in LAST:
                place.release()  # the rollout is over, and who reads this may ask the next question at once
            await send({"type": "http.response.body", "body": self._written(each), "more_body": True})

    def _written(self, each: SseEvent) -> bytes:
        head = f"id: {self._sent}\nevent: {each.event}\ndata: ".encode()
        self._sent += 1
        return head + json_bytes(each.data) + b"\n\n"


def _failure(error: Exception) -> SseEvent:
    if isinstance(error, ValueError):  # of the question: too long for the context, for example
        return failed("refused", " ".join(str(error).split()))
    said = explain(error)
    return failed(said.code, said.message)
