"""The events of a rollout as the JSON of the stream.

Holds the translation only. A ``EventSerializer`` serves one rollout: it remembers the titles of what was shown, because a graph
holds ids.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from app.answers.catalogue import Catalogue
from app.answers.citations import citation_records
from app.server.schema.nodes import node_records, svg
from memory_graph.graph import MemoryGraph
from model.agent.context import DisplayedHit, render_turns
from model.agent.events import (
    AnswerGiven,
    Event,
    ModelCall,
    ModelReply,
    NodeAdded,
    ObservationAdded,
    ReplyRejected,
    RolloutEnd,
    TokenDelta,
)
from model.agent.graph_state import GraphState, allocation_of, graph_state
from model.agent.loop import Agent
from model.types import Completion, ImageRef, Message, Trajectory

JsonObject = dict[str, Any]


class SseEvent(NamedTuple):
    """One event of the stream."""

    event: str
    data: JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class AskContext:
    """One question that is being answered."""

    ask_id: str
    question: str
    memory: str
    model: str
    index: str  # version


class EventSerializer:
    """Tells one rollout."""

    def __init__(self, asking: AskContext, agent: Agent, catalogue: Catalogue) -> None:
        self._asking, self._agent, self._catalogue = asking, agent, catalogue
        self._allocation = allocation_of(asking.memory)
        self._titles: dict[str, str] = {}
        self._began_s = time.monotonic()

    def started(self) -> SseEvent:
        """The first event."""
        return SseEvent("started", asdict(self._asking))

    def tell(self, event: Event, *, cost: float | None = None) -> SseEvent:
        """The JSON of one event. Reads the corpus at the end of a rollout, so run it where that may take its time."""
        self.watch(event)
        match event:
            case NodeAdded():
                return SseEvent("remembered", {"node_id": event.node.id, **self._drawn(event.graph)})
            case RolloutEnd():
                drawing = svg(self.stand(event.trajectory.graph))
                return SseEvent("finished", {**self.summary(event.trajectory, cost), "svg": drawing})
            case _:
                return SseEvent(type(event).__name__.lower(), _plain(event))

    def watch(self, event: Event) -> None:
        """Remember the titles of what was shown; ``tell`` does so too."""
        if isinstance(event, ObservationAdded):
            self._titles |= {each.hit.item_id: each.hit.title for each in event.shown}

    def stand(self, graph: MemoryGraph) -> GraphState:
        """Energies and grants within the limits of this rollout."""
        limits = self._agent.limits
        return graph_state(graph, limits=limits, allocation=self._allocation, titles=self._titles)

    def summary(self, trajectory: Trajectory, cost: float | None) -> JsonObject:
        """The finished rollout, without its drawing."""
        return {
            "ask_id": self._asking.ask_id,
            "outcome": trajectory.outcome.value,
            "answer": trajectory.answer,
            "citations": citation_records(trajectory.graph, self._titles, self._catalogue),
            "nodes": node_records(self.stand(trajectory.graph)),
            "counters": asdict(trajectory.counters),
            "seconds": round(time.monotonic() - self._began_s, 3),
            "cost": cost,
        }

    def _drawn(self, graph: MemoryGraph) -> JsonObject:
        stand = self.stand(graph)
        return {"svg": svg(stand), "nodes": node_records(stand)}


def failed(code: str, message: str) -> SseEvent:
    """The last event of a question that could not be answered."""
    return SseEvent("failed", {"code": code, "message": message})


def _plain(
    event: ModelCall | TokenDelta | ModelReply | ReplyRejected | ObservationAdded | AnswerGiven,
) -> JsonObject:
    """What an event says by itself."""
    match event:
        case ModelCall():
            return _asked(event)
        case TokenDelta():
            return {"call": event.call, "text": event.text}
        case ModelReply():
            return {"call": event.call, **_reply(event.completion)}
        case ReplyRejected():
            return {"call": event.call, "reason": event.reason}
        case ObservationAdded():
            return _observed(event)
        case AnswerGiven():
            return {"text": event.answer.text, "parents": list(event.answer.parents), "forced": event.forced}


def _asked(event: ModelCall) -> JsonObject:
    return {
        "call": event.call,
        "forced": event.forced,
        "images": [image_record(each) for each in _images(event.messages)],
        "turns": [asdict(turn) for turn in render_turns(event.messages)],
    }


def _images(messages: Sequence[Message]) -> list[ImageRef]:
    """In reading order, as the marks in the turns stand."""
    return [part for message in messages for part in message.parts if isinstance(part, ImageRef)]


def _reply(completion: Completion) -> JsonObject:
    return {
        "text": completion.text,
        "prompt_tokens": completion.prompt_tokens,
        "completion_tokens": completion.completion_tokens,
        "finish_reason": completion.finish_reason,
    }


def _observed(event: ObservationAdded) -> JsonObject:
    return {
        "node_id": event.node_id,
        "parents": list(event.parents),
        "query": event.query,
        "repeated": event.repeated,
        "retrieved": list(event.retrieved),
        "shown": [_shown(each) for each in event.shown],
    }


def _shown(each: DisplayedHit) -> JsonObject:
    hit = each.hit
    return {
        "item_id": hit.item_id,
        "modality": hit.modality,
        "title": hit.title,
        "text": hit.text,
        "width": hit.width,
        "height": hit.height,
        "images": [_size(image) for image in each.images],
    }


def _size(image: ImageRef) -> JsonObject:
    return {"width": image.width, "height": image.height, "timestamp_s": image.timestamp_s}


def image_record(image: ImageRef) -> JsonObject:
    """A picture at the size the model saw it."""
    return {"item_id": image.item_id, **_size(image)}
