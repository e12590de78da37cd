"""The events of a question: what ``POST /v1/ask`` streams, named field by field, and how a rollout becomes them.

An ``EventSerializer`` serves one rollout: it keeps the titles of the hits it saw, because a graph holds ids.
"""

import time
import uuid
from collections.abc import AsyncGenerator
from dataclasses import asdict
from typing import Annotated, Literal, NamedTuple, TypeAlias

from pydantic import Field, TypeAdapter

from app.answers.agent import DEFAULT_MEMORY, open_agent
from app.answers.catalogue import Catalogue
from app.answers.corpus_handle import Snapshot
from app.answers.graph_view import node_records, svg
from app.answers.history.follow_up import FollowUp
from app.answers.models import AnswerModel
from app.answers.records import AnswerRecord, NodeRecord, Record, Text
from app.answers.rich_text.markdown import answer_html, page_mark
from app.answers.sources import ShownSources
from memory_graph.graph import MemoryGraph
from model.agent.context import render_turns
from model.agent.events import (
    AnswerGiven,
    Event,
    ModelCall,
    ModelReply,
    NodeAdded,
    Notice,
    ObservationAdded,
    ReplyRejected,
    RolloutEnd,
    TokenDelta,
)
from model.agent.graph_state import GraphState, graph_state
from model.agent.loop import Agent, Control
from model.types import Counters, DisplayedHit, ImageRef, Task, Trajectory


class StartEvent(Record):
    """The first event: what is asked of which model over which version of the index."""

    event: Literal["started"] = "started"
    ask_id: str
    question: Text
    memory: str
    model: str
    index: str
    conversation: str | None = None
    """The conversation it is kept in; null for a question that is not."""
    number: int = 1
    """Its place there."""


class ImageSize(Record):
    """An image at the size the model sees it, and its second in a clip."""

    width: int
    height: int
    timestamp_s: float | None


class ImageRecord(ImageSize):
    """An image of a prompt."""

    item_id: str


class TurnRecord(Record):
    """One turn of a prompt; each U+FFFC stands for an image, in the order of the call's images."""

    role: str
    text: Text


class CallEvent(Record):
    """The model is called; ``forced`` where only an answer is accepted."""

    event: Literal["asked"] = "asked"
    call: int
    forced: bool
    images: tuple[ImageRecord, ...]
    turns: tuple[TurnRecord, ...]


class TokenEvent(Record):
    """A piece of the reply that is being generated."""

    event: Literal["spoke"] = "spoke"
    call: int
    text: Text


class ReplyEvent(Record):
    """The whole reply of a call."""

    event: Literal["replied"] = "replied"
    call: int
    text: Text
    prompt_tokens: int
    completion_tokens: int
    estimated: bool
    finish_reason: str


class RejectionEvent(Record):
    """The reply was no legal action."""

    event: Literal["rejected"] = "rejected"
    call: int
    reason: Text


class ShownItem(Record):
    """A hit as the model sees it."""

    item_id: str
    modality: str
    title: Text
    text: Text
    width: int
    height: int
    images: tuple[ImageSize, ...]


class ObservationEvent(Record):
    """A search was run, or refused as ``repeated``; ``shown`` are those of ``retrieved`` that are new to the model."""

    event: Literal["observed"] = "observed"
    node_id: str
    parents: tuple[str, ...]
    query: Text
    repeated: bool
    retrieved: tuple[str, ...]
    shown: tuple[ShownItem, ...]


class NodeEvent(Record):
    """A search node entered the graph; ``nodes`` and ``svg`` are the whole graph as it is now."""

    event: Literal["remembered"] = "remembered"
    node_id: str
    nodes: tuple[NodeRecord, ...]
    svg: Text


class NoticeEvent(Record):
    """Something to know that is no step: ``code`` is shortened, no_pictures, prompt_cut, thought_only or answer_now."""

    event: Literal["noticed"] = "noticed"
    call: int
    code: str
    message: Text


class AnswerEvent(Record):
    """The model answered."""

    event: Literal["answered"] = "answered"
    text: Text
    parents: tuple[str, ...]
    forced: bool


class EndEvent(AnswerRecord):
    """The last event of a rollout that came to its end."""

    event: Literal["finished"] = "finished"
    ask_id: str
    svg: Text
    html: Text
    """The answer's Markdown as HTML; behind each sentence ``<span class="mark" data-claim="0">`` stands for its source."""


class FailureEvent(Record):
    """The last event of a question that could not be answered: a stable word, and a sentence for a person."""

    event: Literal["failed"] = "failed"
    code: str
    message: Text


StreamEvent: TypeAlias = Annotated[
    StartEvent
    | CallEvent
    | TokenEvent
    | ReplyEvent
    | RejectionEvent
    | ObservationEvent
    | NodeEvent
    | NoticeEvent
    | AnswerEvent
    | EndEvent
    | FailureEvent,
    Field(discriminator="event"),
]
ADAPTER: TypeAdapter[StreamEvent] = TypeAdapter(StreamEvent)


class AskRequest(NamedTuple):
    """What is asked, and over what."""

    question: str
    memory: str = DEFAULT_MEMORY
    calls: int | None = None
    """Most calls of the model."""
    datasets: list[str] | None = None
    """Only these are searched."""
    files: tuple[str, ...] | None = None
    """Only these of one's own files are searched, by their keys (``app.answers.library``)."""
    after: FollowUp | None = None
    """What is known of the conversation that it belongs to."""


class EventSerializer:
    """One rollout and its events."""

    def __init__(
        self, request: AskRequest, snapshot: Snapshot, model: AnswerModel, catalogue: Catalogue
    ) -> None:
        self.agent: Agent = open_agent(
            snapshot,
            model,
            request.memory,
            calls=request.calls,
            datasets=request.datasets,
            files=request.files,
        )
        self.start = StartEvent(
            ask_id=uuid.uuid4().hex,
            question=request.question,
            memory=request.memory,
            model=model.name,
            index=snapshot.version,
        )
        self._question, self._model, self._catalogue = request.question, model, catalogue
        self._after = request.after
        self.control = Control()
        self.graph: MemoryGraph | None = None  # as far as it has grown
        self._sources = ShownSources()
        if self._after is not None:
            self._sources.recall(self._after.items, self._after.found_by, self.agent.limits.passage_chars)
        self._notices: list[str] = []
        self._is_estimated = False
        self._calls = self._read = self._written = 0
        self._began_s = time.monotonic()

    def events(self, *, stream: bool) -> AsyncGenerator[Event]:
        """The rollout; with ``stream`` the tokens of replies too."""
        task = Task(id=self.start.ask_id, dataset="ask", question=self._question, answers=())
        known = None if self._after is None else self._after.known
        return self.agent.events(task, stream=stream, control=self.control, known=known)

    def serialize(self, event: Event) -> StreamEvent:
        """One event as it is streamed. Reads the corpus at the end of a rollout, so call it where that may take its time."""
        self.on_event(event)
        match event:
            case NodeAdded():
                state = self.state(event.graph)
                return NodeEvent(node_id=event.node.id, nodes=node_records(state), svg=svg(state))
            case RolloutEnd():
                answer = self.answer(event.trajectory)
                drawing = svg(self.state(event.trajectory.graph))
                shown = answer_html(answer.answer, answer.claims, page_mark)
                return EndEvent(**dict(answer), ask_id=self.start.ask_id, svg=drawing, html=shown)
            case _:
                return _record(event)

    def on_event(self, event: Event) -> None:
        """Keep what the answer will say of the events: titles, notices, estimates; ``serialize`` does so too."""
        if isinstance(event, NodeAdded):
            self.graph = event.graph
        if isinstance(event, Notice):
            self._notices.append(event.text)
        if isinstance(event, ModelReply):
            self._is_estimated |= event.completion.estimated
            self._read += event.completion.prompt_tokens
            self._written += event.completion.completion_tokens
            self._calls = event.call
        if isinstance(event, ObservationAdded):
            self._sources.add(event, self.agent.limits.passage_chars)

    def note(self, text: str) -> None:
        """Something that the answer has to say of how it came about."""
        self._notices.append(text)

    def state(self, graph: MemoryGraph) -> GraphState:
        """Energies and grants within the limits of this rollout."""
        agent = self.agent
        return graph_state(
            graph, limits=agent.limits, allocation=agent.memory.allocation, titles=self._sources.titles
        )

    def unfinished(self, reason: str) -> AnswerRecord:
        """What was found before something went wrong: an answer without text, whose last notice is the reason."""
        nodes = () if self.graph is None else node_records(self.state(self.graph))
        return AnswerRecord(
            outcome="failed",
            answer="",
            claims=(),
            citations=(),
            nodes=nodes,
            counters=Counters(
                model_calls=self._calls,
                searches=len(nodes),
                prompt_tokens=self._read,
                completion_tokens=self._written,
            ),
            seconds=round(time.monotonic() - self._began_s, 3),
            cost=self._model.cost(self._read, self._written),
            tokens_estimated=self._is_estimated,
            sees_pictures=self._model.sees,
            notices=(*dict.fromkeys(self._notices), reason),
        )

    def answer(self, trajectory: Trajectory) -> AnswerRecord:
        """The finished rollout."""
        counters = trajectory.counters
        claims, citations = self._sources.of(trajectory.graph, self._question, self._catalogue)
        return AnswerRecord(
            outcome=trajectory.outcome.value,
            answer=trajectory.answer,
            claims=claims,
            citations=citations,
            nodes=node_records(self.state(trajectory.graph)),
            counters=counters,
            seconds=round(time.monotonic() - self._began_s, 3),
            cost=self._model.cost(counters.prompt_tokens, counters.completion_tokens),
            tokens_estimated=self._is_estimated,
            sees_pictures=self._model.sees,
            notices=tuple(dict.fromkeys(self._notices)),
        )


def _record(
    event: ModelCall | TokenDelta | ModelReply | ReplyRejected | ObservationAdded | Notice | AnswerGiven,
) -> StreamEvent:
    """An event that needs neither the graph nor the corpus."""
    match event:
        case ModelCall():
            messages = event.request.messages
            parts = (part for message in messages for part in message.parts)
            return CallEvent(
                call=event.call,
                forced=event.request.forced,
                images=tuple(
                    ImageRecord.model_validate(part) for part in parts if isinstance(part, ImageRef)
                ),
                turns=tuple(TurnRecord.model_validate(turn) for turn in render_turns(messages)),
            )
        case TokenDelta():
            return TokenEvent.model_validate(event)
        case ModelReply(call=call, completion=completion):
            return ReplyEvent(
                call=call,
                text=completion.text,
                prompt_tokens=completion.prompt_tokens,
                completion_tokens=completion.completion_tokens,
                estimated=completion.estimated,
                finish_reason=completion.finish_reason,
            )
        case ReplyRejected():
            return RejectionEvent.model_validate(event)
        case ObservationAdded():
            return ObservationEvent(
                node_id=event.node_id,
                parents=event.parents,
                query=event.query,
                repeated=event.repeated,
                retrieved=event.retrieved,
                shown=tuple(_shown_item(display) for display in event.shown),
            )
        case Notice(call=call, code=code, text=text):
            return NoticeEvent(call=call, code=code, message=text)
        case AnswerGiven():
            return AnswerEvent(text=event.answer.text, parents=event.answer.parents, forced=event.forced)


def _shown_item(display: DisplayedHit) -> ShownItem:
    return ShownItem.model_validate({**asdict(display.hit), "images": display.images})
