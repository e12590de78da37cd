"""The session of every policy that searches, summarises, and starts anew from a rebuilt context.

A cycle is one search and its summary. Within it the conversation grows (reply, observation, errors), so each prompt
extends the one before and the cycle is one training sample; once the summary is given, all of that is gone. What stands in
its place is decided by the policy.
"""

from abc import ABC, abstractmethod
from dataclasses import replace

from memory_graph.actions import Memorize, Search
from memory_graph.graph import SearchNode
from model.agent.environment import Environment
from model.agent.events import Event, NodeAdded, ObservationAdded
from model.agent.memory.session import MemoryPolicy, MemorySession, search_with_question
from model.types import DisplayedHit, Message


class CycleSession(MemorySession, ABC):
    """One rollout: the graph in the environment, and the turns of the current cycle."""

    answers_blind = False
    """Whether a forced answer is given from the rebuilt context, not from an observation that awaits its summary."""

    def __init__(self, policy: MemoryPolicy, environment: Environment) -> None:
        super().__init__(policy, environment)
        self._observed: ObservationAdded | None = None
        self._turns = self.rebuilt()

    def messages(self, *, forced: bool) -> tuple[Message, ...]:
        """The rebuilt context, then the turns of the current cycle."""
        blind = forced and self.answers_blind and self.environment.pending is not None
        return self._noticed(self.rebuilt() if blind else self._turns, forced=forced)

    async def search(self, reply: Message, action: Search) -> tuple[Event, ...]:
        """Show what is new; the cycle goes on."""
        self._observed = await self.environment.search(action, known=self.known(), view=self._view)
        self.add_observation(reply, self._observed)
        return (self._observed,)

    async def look_up(self) -> tuple[Event, ...]:
        """Search with the question as if the model had asked for it."""
        return await self.search(*search_with_question(self.environment))

    async def memorize(self, reply: Message, action: Memorize) -> tuple[Event, ...]:
        """Finalise the node and start a new cycle from a rebuilt context."""
        assert self._observed is not None, "a summary is legal after a search only"
        node = self.environment.memorize(replace(action, summary=self.wording(action.summary)))
        self.remember(self._observed, node)
        self._turns = self.rebuilt()
        return (NodeAdded(node=node, graph=self.environment.graph),)

    def _view(self, shown: tuple[DisplayedHit, ...]) -> tuple[DisplayedHit, ...]:
        return self.fitting(self.display(shown))

    @abstractmethod
    def rebuilt(self) -> tuple[Message, ...]:
        """The context that a cycle starts from."""

    def display(self, shown: tuple[DisplayedHit, ...]) -> tuple[DisplayedHit, ...]:
        """What is looked at of new results, before they are shortened to fit: all of it."""
        return shown

    def known(self) -> frozenset[str]:
        """Items that need not be shown again: none."""
        return frozenset()

    def wording(self, summary: str) -> str:
        """The summary as it is kept: as it was given."""
        return summary

    def remember(self, observed: ObservationAdded, node: SearchNode) -> None:
        """A node has entered the graph: take what the next context holds of it."""


class TextStateSession(CycleSession):
    """What the policies with a text state share: the state travels as the summary, is rewritten whole, and is bounded.

    Wire form [ours]: the three actions and their JSON are those of every policy. The ``summary`` of a ``memorize`` is the whole
    new state; marks are judged as ever, so that retrieval, citations and credit are scored alike, but decide nothing of what is
    shown. Who states no parents rests on the node before.
    """

    def wording(self, summary: str) -> str:
        """The state cut to the length of one passage; a cut is counted as a repair."""
        most = self.environment.limits.passage_chars
        if len(summary) > most:
            self.environment.count_repairs(1)
        return summary[:most]
