"""The session of every policy that searches, summarises, and starts anew from a rebuilt context.

A cycle is one search and its summary. Within it the conversation grows (reply, observation, errors), so each prompt
extends the one before and the cycle is one training sample; once the summary is given, all of that is gone. What stands in
its place is decided by the policy's ``MemoryContents``.
"""

from dataclasses import replace
from typing import Protocol

from memory_graph.actions import Memorize, Search
from memory_graph.graph import SearchNode
from model.agent.context import with_notice
from model.agent.environment import Environment
from model.agent.events import Event, NodeAdded, ObservationAdded
from model.agent.memory.observation import ObservationRenderer
from model.types import DisplayedHit, Message, Role


class MemoryContents(Protocol):
    """What is particular to one memory policy in one rollout; single use."""

    def display(self, shown: tuple[DisplayedHit, ...]) -> tuple[DisplayedHit, ...]:
        """What is looked at of new results, before they are shortened to fit."""
        ...

    def known(self) -> frozenset[str]:
        """Items that need not be shown again."""
        ...

    def wording(self, summary: str) -> str:
        """The summary as it is kept."""
        ...

    def remember(self, observed: ObservationAdded, node: SearchNode) -> None:
        """A node has entered the graph: take what the next context holds of it."""
        ...

    def rebuilt(self) -> tuple[Message, ...]:
        """The context that a cycle starts from."""
        ...


class CycleSession:
    """One rollout: the graph in the environment, the policy's contents, and the turns of the current cycle.

    ``answers_blind``: a forced answer is given from the rebuilt context, not from an observation that awaits its summary.
    """

    must_answer = False

    def __init__(
        self,
        environment: Environment,
        contents: MemoryContents,
        observing: ObservationRenderer,
        *,
        answers_blind: bool = False,
    ) -> None:
        self.environment = environment
        self._contents, self._observing, self._answers_blind = contents, observing, answers_blind
        self._observed: ObservationAdded | None = None
        self._turns = contents.rebuilt()

    async def begin(self) -> tuple[Event, ...]:
        """Nothing: the policy decides what to search."""
        return ()

    def messages(self, *, forced: bool) -> tuple[Message, ...]:
        """The rebuilt context, then the turns of the current cycle."""
        if not forced:
            return self._turns
        blind = self._answers_blind and self.environment.pending is not None
        turns = self._contents.rebuilt() if blind else self._turns
        return with_notice(turns, self._observing.profile.answer_now)

    def reject(self, reply: Message, reason: str) -> None:
        """Show the error; the cycle goes on."""
        self._turns += (reply, Message(role=Role.TOOL, parts=(reason,)))

    async def search(self, reply: Message, action: Search) -> tuple[Event, ...]:
        """Show what is new; the cycle goes on."""
        self._observed = await self.environment.search(action, known=self._contents.known(), view=self._view)
        self._turns += (reply, self._observing.turn(self._observed))
        return (self._observed,)

    async def memorize(self, reply: Message, action: Memorize) -> tuple[Event, ...]:
        """Finalise the node and start a new cycle from a rebuilt context."""
        assert self._observed is not None, "a summary is legal after a search only"
        kept = self._contents.wording(action.summary)
        node = self.environment.memorize(replace(action, summary=kept))
        self._contents.remember(self._observed, node)
        self._turns = self._contents.rebuilt()
        return (NodeAdded(node=node, graph=self.environment.graph),)

    def _view(self, shown: tuple[DisplayedHit, ...]) -> tuple[DisplayedHit, ...]:
        return self._observing.fitting(self._contents.display(shown))
