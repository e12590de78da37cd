"""Questions under way: the rollout of each, and those that go on without a listener, to be followed again.

A ``Rollout`` hands its events to whoever asked. A ``KeptRun`` keeps them, so that a page that was loaded anew follows from
wherever it likes; it holds its place among the questions until it ends, and is forgotten ``KEPT_S`` after that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, aclosing

import anyio
from anyio import to_thread

from app.answers.events import EndEvent, EventSerializer, FailureEvent, StreamEvent
from app.answers.history.recording import Recorder
from app.server.errors import explain
from model.agent.events import NodeAdded, RolloutEnd

KEPT_S = 900.0
MOST_KEPT = 32  # runs that are over; the oldest goes first

Emit = Callable[[StreamEvent], Awaitable[None]]


class Rollout:
    """One question and its time: it ends when it is over, when nothing has happened for too long, or when ``closing`` is set."""

    def __init__(
        self,
        serializer: EventSerializer,
        emit: Emit,
        *,
        silence_s: float,
        closing: asyncio.Event,
        recorder: Recorder | None = None,
    ) -> None:
        self._serializer, self._emit, self._recorder = serializer, emit, recorder
        self._silence_s, self._closing = silence_s, closing
        self._happened_s = 0.0  # on the event loop's clock

    async def run(self) -> None:
        """Every event, the last one ``finished`` or ``failed``."""
        clock = asyncio.get_running_loop().time
        self._happened_s = clock()
        rollout = asyncio.ensure_future(self._events())
        closing = asyncio.ensure_future(self._closing.wait())
        try:
            while not rollout.done() and not closing.done():
                left_s = self._happened_s + self._silence_s - clock()
                if left_s <= 0:
                    break
                await asyncio.wait({rollout, closing}, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
            if not rollout.done():
                rollout.cancel()
                await asyncio.wait({rollout})
                await self._told(self._stopped(is_closing=closing.done()))
        finally:
            for task in (rollout, closing):
                task.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.wait({rollout, closing})
                if self._recorder is not None and not self._recorder.is_over:
                    await to_thread.run_sync(self._recorder.stopped)

    def _stopped(self, *, is_closing: bool) -> FailureEvent:
        if is_closing:
            return FailureEvent(code="stopping", message="the server is being stopped")
        return FailureEvent(code="timeout", message=f"nothing happened for {self._silence_s:g} seconds")

    async def _events(self) -> None:
        try:
            await self._told(self._serializer.start)
            async with aclosing(self._serializer.events(stream=True)) as events:
                async for event in events:
                    if isinstance(event, NodeAdded | RolloutEnd):  # these draw the graph, and read the corpus
                        await self._told(await to_thread.run_sync(self._serializer.serialize, event))
                    else:
                        await self._told(self._serializer.serialize(event))
        except Exception as error:
            await self._told(failure(error))

    async def _told(self, event: StreamEvent) -> None:
        if self._recorder is not None and self._recorder.takes(event):
            await to_thread.run_sync(self._recorder.on_event, event)
        await self._emit(event)
        self._happened_s = asyncio.get_running_loop().time()


class KeptRun:
    """A question that goes on whoever listens."""

    def __init__(
        self,
        serializer: EventSerializer,
        place: ExitStack,
        *,
        silence_s: float,
        closing: asyncio.Event,
        recorder: Recorder | None = None,
    ) -> None:
        self.serializer = serializer
        self.events: list[StreamEvent] = []
        self.is_over = False
        self._changed = asyncio.Condition()
        self._place = place
        self._rollout = Rollout(
            serializer, self._keep, silence_s=silence_s, closing=closing, recorder=recorder
        )
        self.task = asyncio.create_task(self._run())

    def stop(self) -> None:
        """End it; the last event says so."""
        self.task.cancel()

    async def after(self, number: int) -> list[StreamEvent]:
        """The events from ``number`` on, as soon as there are any; empty once it is over."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.is_over or len(self.events) > number)
            return self.events[number:]

    async def _keep(self, event: StreamEvent) -> None:
        async with self._changed:
            if isinstance(event, EndEvent | FailureEvent):
                self._place.close()  # who reads this may ask the next question at once
            self.events.append(event)
            self._changed.notify_all()

    async def _run(self) -> None:
        try:
            await self._rollout.run()
        except asyncio.CancelledError:
            self.events.append(FailureEvent(code="stopped", message="the question was stopped"))
        finally:
            self._place.close()
            self.is_over = True
            async with self._changed:
                self._changed.notify_all()


class KeptRuns:
    """The runs of one server by the id of their question."""

    def __init__(self) -> None:
        self._runs: dict[str, KeptRun] = {}

    def add(self, run: KeptRun) -> None:
        """Keep a run; forget the oldest of those that are over."""
        over = [ask_id for ask_id, each in self._runs.items() if each.is_over]
        for ask_id in over[: max(0, len(over) - MOST_KEPT + 1)]:
            del self._runs[ask_id]
        ask_id = run.serializer.start.ask_id
        self._runs[ask_id] = run
        loop = asyncio.get_running_loop()
        run.task.add_done_callback(lambda _: loop.call_later(KEPT_S, self._runs.pop, ask_id, None))

    def forget(self, ask_id: str) -> None:
        """Know nothing of that question any more."""
        self._runs.pop(ask_id, None)

    def find(self, ask_id: str) -> KeptRun | None:
        """The run of that question, if it is known."""
        return self._runs.get(ask_id)


def failure(error: Exception) -> FailureEvent:
    """The last event of a question that went wrong."""
    if isinstance(error, ValueError):  # of the question: too long for the context, for example
        return FailureEvent(code="refused", message=" ".join(str(error).split()))
    refusal = explain(error)
    return FailureEvent(code=refusal.code, message=refusal.message)
