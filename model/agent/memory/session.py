"""What every memory policy is: frozen configuration, and the single-use session that it opens for one rollout.

The agent loop reads replies, forces answers and counts; a session only says what the next call is shown and what a
search or a summary does to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from memory_graph.actions import Memorize, Search, render
from memory_graph.budget import Allocation
from memory_graph.graph import ROOT, MemoryGraph
from model.agent.context import TokenCounter, estimate_tokens, observation_parts, with_notice
from model.agent.environment import Environment
from model.agent.events import Event, NodeAdded, ObservationAdded
from model.agent.prompts import FULL, Profile
from model.agent.truncation import truncate
from model.config.limits import Limits
from model.protocols import Retriever
from model.types import DisplayedHit, Message, Role, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Recollection:
    """What a follow-up question knows of the conversation before it."""

    said: str = ""
    """Earlier questions and answers as text; shown before the question under every policy."""
    graph: MemoryGraph | None = None
    """Unanswered: what was found before. A policy without a memory graph does without it."""
    titles: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    """Title and text by item, of what the graph keeps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPolicy:
    """How an agent remembers; another one is one file."""

    session: ClassVar[Callable[[MemoryPolicy, Environment], MemorySession]]

    name: str
    """What reports call it."""
    profile: Profile = FULL
    count_tokens: TokenCounter = estimate_tokens
    allocation: Allocation = Allocation.NONE
    """How kept evidence gets its pixels; with ``NONE`` memory holds no images."""

    def open(self, task: Task, retriever: Retriever, limits: Limits) -> MemorySession:
        """The session of one rollout."""
        return type(self).session(self, Environment(task, retriever, limits, allocation=self.allocation))

    def resume(self, task: Task, retriever: Retriever, limits: Limits, known: Recollection) -> MemorySession:
        """The session of a follow-up; this policy knows the text of the conversation only."""
        session = self.open(task, retriever, limits)
        session.said = known.said
        return session


class MemorySession:
    """What one rollout remembers; single use. Here: a conversation that grows by what is said, found and refused."""

    said = ""
    """What the conversation held before the question."""
    must_answer = False
    """Whether the next reply has to be an answer whatever the limits say."""

    def __init__(self, policy: MemoryPolicy, environment: Environment) -> None:
        self.environment = environment
        self._policy, self._profile = policy, policy.profile
        self._turns: tuple[Message, ...] = ()

    async def begin(self) -> tuple[Event, ...]:
        """What happens before the first model call, e.g. a search that the policy did not ask for."""
        return ()

    def messages(self, *, forced: bool) -> tuple[Message, ...]:
        """What the next call is shown; ``forced`` adds the notice that it has to answer."""
        return self._noticed(self._turns, forced=forced)

    def _noticed(self, turns: tuple[Message, ...], *, forced: bool) -> tuple[Message, ...]:
        return with_notice(turns, self._profile.answer_now) if forced else turns

    def reject(self, reply: Message, reason: str) -> None:
        """Take note of a reply that was no legal action, so that the next prompt differs and says why."""
        self._turns += (reply, Message(role=Role.TOOL, parts=(reason,)))

    async def search(self, reply: Message, action: Search) -> tuple[Event, ...]:
        """Run a legal search."""
        raise ValueError(f"the memory policy {self._policy.name!r} does not search at the model's wish")

    async def look_up(self) -> tuple[Event, ...]:
        """One search with the question for a model that asked for none; nothing under a policy that searches by itself."""
        return ()

    async def memorize(self, reply: Message, action: Memorize) -> tuple[Event, ...]:
        """Apply a legal summary."""
        raise ValueError(f"the memory policy {self._policy.name!r} does not memorize")

    def observation(self, shown: Sequence[DisplayedHit], *, repeated: bool = False) -> Message:
        """The turn that shows the results of a search, or says why there are none."""
        chars = self.environment.limits.passage_chars
        parts = observation_parts(self._profile, shown, repeated=repeated, passage_chars=chars)
        return Message(role=Role.TOOL, parts=parts)

    def fitting(self, shown: Sequence[DisplayedHit]) -> tuple[DisplayedHit, ...]:
        """The results, shortened to the length of one observation."""
        return truncate(
            shown,
            lambda view: self._policy.count_tokens((self.observation(view),)),
            max_tokens=self.environment.limits.observation_tokens,
        )

    def add_observation(self, reply: Message, observed: ObservationAdded) -> None:
        """Go on with a reply that searched and with what it is shown."""
        self._turns += (reply, self.observation(observed.shown, repeated=observed.repeated))

    def unjudged(self, observed: ObservationAdded) -> tuple[Event, ...]:
        """The events of a search whose node enters the graph at once, without a summary."""
        node = self.environment.close_pending()
        assert node is not None, "a search was just made"
        return (observed, NodeAdded(node=node, graph=self.environment.graph))


def search_with_question(environment: Environment) -> tuple[Message, Search]:
    """The first search of a rollout with the words of its question, and the turn in which a model would ask for it."""
    action = Search("n1", (ROOT,), environment.task.question)
    return Message(role=Role.ASSISTANT, parts=(render(action),)), action
