"""What is kept of a conversation; the same records for the page, the command line and the export as JSON."""

from typing import Any

from app.answers.records import AnswerRecord, Record, Text

RUNNING, FINISHED, STOPPED, FAILED, INTERRUPTED = "running", "finished", "stopped", "failed", "interrupted"


class StoredTurn(Record):
    """One question and what came of it. ``state``: running, finished, stopped, failed, or interrupted with its server.

    ``record`` is null until something was found; of a question that did not finish it holds what was found until then.
    """

    id: str
    number: int
    question: Text
    state: str
    created_s: float
    """Seconds since 1970."""
    memory: str
    model: str
    index: str
    files: tuple[str, ...] | None
    """Keys of the files that it was limited to."""
    datasets: tuple[str, ...] | None
    message: Text
    """Why there is no answer, where there is none."""
    html: Text
    """The answer as HTML."""
    svg: Text
    """The drawing of its graph."""
    record: AnswerRecord | None


class StoredConversation(Record):
    """A conversation and its questions in their order."""

    schema_version: int
    id: str
    title: Text
    created_s: float
    updated_s: float
    turns: tuple[StoredTurn, ...]


class ConversationLine(Record):
    """A conversation in a list: its first question, and the state of its last one."""

    id: str
    title: Text
    created_s: float
    updated_s: float
    turns: int
    state: str
    answer: Text
    """The beginning of its last answer."""


class ConversationPage(Record):
    """Some conversations, the latest first; ``total`` counts those that fit."""

    total: int
    offset: int
    rows: tuple[ConversationLine, ...]


class StoredEvents(Record):
    """The events of one question, without the pieces of replies and the prompts."""

    state: str
    message: Text
    events: list[dict[str, Any]]
