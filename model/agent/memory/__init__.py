"""Memory policies: what a context holds, one file each. The contract they share is here.

A policy is frozen configuration; ``open`` gives the single-use session of one rollout. The agent loop reads
replies, forces answers and counts; a session only says what the next call is shown and what a search or a
summary does to it.
"""

from typing import Protocol

from memory_graph.actions import Memorize, Search
from model.agent.environment import Environment
from model.agent.events import Event
from model.config.limits import Limits
from model.protocols import Retriever
from model.types import Message, Task


class MemorySession(Protocol):
    """What one rollout remembers; single use."""

    environment: Environment

    @property
    def must_answer(self) -> bool:
        """Whether the next reply has to be an answer whatever the limits say."""
        ...

    async def begin(self) -> tuple[Event, ...]:
        """What happens before the first model call, e.g. a search that the policy did not ask for."""
        ...

    def messages(self, *, forced: bool) -> tuple[Message, ...]:
        """What the next call is shown; ``forced`` adds the notice that it has to answer."""
        ...

    def reject(self, reply: Message, reason: str) -> None:
        """Take note of a reply that was no legal action, so that the next prompt differs and says why."""
        ...

    async def search(self, reply: Message, action: Search) -> tuple[Event, ...]:
        """Run a legal search."""
        ...

    async def memorize(self, reply: Message, action: Memorize) -> tuple[Event, ...]:
        """Apply a legal summary."""
        ...


class MemoryPolicy(Protocol):
    """How an agent remembers; a new one is one file."""

    @property
    def name(self) -> str:
        """What reports call it."""
        ...

    def open(self, task: Task, retriever: Retriever, limits: Limits) -> MemorySession:
        """The session of one rollout."""
        ...
