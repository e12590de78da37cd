"""What happens in a rollout, as a stream of frozen records in the order of happening.

Holds records only. The same stream feeds the command line, the viewer, evaluation and training; ``RolloutEnd``
is always the last event and carries all that is stored.
"""

from dataclasses import dataclass
from typing import TypeAlias

from memory_graph.graph import AnswerNode, MemoryGraph, SearchNode
from model.types import Completion, DisplayedHit, PolicyRequest, Trajectory


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCall:
    """The policy is about to be called."""

    call: int  # from 1
    request: PolicyRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenDelta:
    """A piece of a reply that is being generated; only where streaming was asked for."""

    call: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReply:
    """The policy has replied."""

    call: int
    completion: Completion


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyRejected:
    """The reply was no legal action; ``reason`` is what the policy is told, if it is asked again."""

    call: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservationAdded:
    """A search was run, or refused as a repetition."""

    node_id: str
    parents: tuple[str, ...]
    query: str
    retrieved: tuple[str, ...]  # every item id found, in rank order
    shown: tuple[DisplayedHit, ...]  # those that are new to the policy, in display order
    repeated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeAdded:
    """A search node entered the graph."""

    node: SearchNode
    graph: MemoryGraph
    by_answer: bool = False  # the policy answered without summarising it first


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something a reader has to know that is no step: a shortened prompt, a model without eyes, a server that drops text."""

    call: int
    code: str  # a stable word
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerGiven:
    """The policy answered."""

    answer: AnswerNode
    forced: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutEnd:
    """The rollout is over."""

    trajectory: Trajectory


Event: TypeAlias = (
    ModelCall
    | TokenDelta
    | ModelReply
    | ReplyRejected
    | ObservationAdded
    | NodeAdded
    | Notice
    | AnswerGiven
    | RolloutEnd
)
