"""A question written into the history while it is answered: when it is asked, with every node, and when it ends.

A history that cannot be written costs no answer: it is said once, in the notices of the answer and in the log.
"""

import logging
import sqlite3
from typing import Any

from app.answers.events import (
    CallEvent,
    EndEvent,
    EventSerializer,
    FailureEvent,
    NodeEvent,
    StreamEvent,
    TokenEvent,
)
from app.answers.history import records
from app.answers.history.store import Asked, Found, History
from app.answers.records import AnswerRecord
from memory_graph import codec

LOG = logging.getLogger("vimrag.history")
STOPPING = "stopping"  # code of the failure when the server ends


class Recorder:
    """Keeps one question. ``on_event`` and ``stopped`` write to the disk, so call them in a thread."""

    def __init__(self, history: History, serializer: EventSerializer) -> None:
        self._history, self._serializer = history, serializer
        self._events: list[dict[str, Any]] = []
        self._svg = ""
        self._is_written = True
        self.is_over = False

    def begin(self, asked: Asked, conversation: str | None) -> None:
        """Write the question down; raises as ``History.begin``."""
        try:
            found, number = self._history.begin(asked, conversation)
        except (sqlite3.Error, OSError, ValueError) as error:
            self._give_up(error)
            return
        start = self._serializer.start
        self._serializer.start = start.model_copy(update={"conversation": found, "number": number})

    @staticmethod
    def takes(event: StreamEvent) -> bool:
        """Whether an event is kept: all but the pieces of replies."""
        return not isinstance(event, TokenEvent)

    def on_event(self, event: StreamEvent) -> None:
        """Keep an event; write when there is something that should not be lost."""
        self._keep(event)
        if isinstance(event, NodeEvent):
            self._svg = event.svg
            self._write(records.RUNNING, self._serializer.unfinished(""))
        elif isinstance(event, EndEvent):
            self.is_over, self._svg = True, event.svg
            record = AnswerRecord.model_validate(event)
            self._write(records.FINISHED, record, html=event.html)
        elif isinstance(event, FailureEvent):
            self.is_over = True
            state = records.INTERRUPTED if event.code == STOPPING else records.FAILED
            self._write(state, self._serializer.unfinished(event.message), message=event.message)

    def stopped(self) -> None:
        """The reader has stopped it."""
        self.is_over = True
        self._write(
            records.STOPPED, self._serializer.unfinished("stopped"), message="the question was stopped"
        )

    def _keep(self, event: StreamEvent) -> None:
        plain = event.model_dump()
        if isinstance(event, CallEvent):
            plain["turns"] = ()
        if "svg" in plain:
            plain["svg"] = ""
        name = plain.pop("event")
        self._events.append({"event": name, "data": plain})

    def _write(self, state: str, record: AnswerRecord, *, message: str = "", html: str = "") -> None:
        if not self._is_written:
            return
        graph = self._serializer.graph
        found = Found(
            state=state,
            answer=record.answer,
            message=message,
            html=html,
            svg=self._svg,
            graph=None if graph is None else codec.encode(graph),
            record=record.model_dump(),
            events=self._events,
        )
        try:
            self._history.update(self._serializer.start.ask_id, found)
        except (sqlite3.Error, OSError, ValueError) as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self._is_written = False
        LOG.error("the history %s cannot be written: %s", self._history.path, error)
        self._serializer.note(f"this question is not kept: the history cannot be written ({error})")
