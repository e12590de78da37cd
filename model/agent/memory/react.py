"""ReAct: the whole history, every observation and every image; search, observation, next action.

There is no memorize step: one is answered as an illegal action. Every search still is a node of the graph, with the parents
it names and the items it returned, so that retrieval, repeats and credit are scored as for every policy; it enters the
graph as soon as it is observed, unjudged and without a summary.

What goes when the history before the newest observation is longer than the context, in this order: the images of
observations, oldest first; their texts, oldest first, for which one line stands; whole exchanges, oldest first.
Instruction and question never go. It is decided at each search and stays so, so that the calls between two searches are
one training sample.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from memory_graph.actions import Search
from memory_graph.graph import Modality
from model.agent.context import ContextTooLong, opening_turns, question_parts
from model.agent.display import without_images
from model.agent.environment import Environment
from model.agent.events import Event
from model.agent.memory.session import MemoryPolicy, MemorySession, search_with_question
from model.types import DisplayedHit, Message, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One search as the history holds it."""

    said: tuple[Message, ...]
    """Rejected replies with their errors, then the reply that searched."""
    shown: tuple[DisplayedHit, ...]
    repeated: bool
    left_out: bool = False
    """One line stands for the results."""

    def visible(self) -> frozenset[str]:
        """Items that can still be read or seen."""
        if self.left_out:
            return frozenset()
        return frozenset(
            display.hit.item_id
            for display in self.shown
            if display.images or display.hit.modality is Modality.TEXT
        )

    def without_images(self) -> Exchange:
        """The search with its results as titles and texts."""
        return replace(self, shown=tuple(map(without_images, self.shown)))


class ReactSession(MemorySession):
    """One rollout's history; ``_turns`` are those since the newest observation."""

    def __init__(self, policy: MemoryPolicy, environment: Environment) -> None:
        super().__init__(policy, environment)
        self._exchanges: tuple[Exchange, ...] = ()

    def messages(self, *, forced: bool) -> tuple[Message, ...]:
        """Instruction, question, and all that was said and found."""
        return self._noticed(self._history(self._exchanges, self._turns), forced=forced)

    async def search(self, reply: Message, action: Search) -> tuple[Event, ...]:
        """Show what is new; the node enters the graph at once."""
        said = (*self._turns, reply)
        self._exchanges = self._shortened(said)
        known = frozenset().union(*(exchange.visible() for exchange in self._exchanges))
        observed = await self.environment.search(action, known=known, view=self.fitting)
        self._exchanges += (Exchange(said=said, shown=observed.shown, repeated=observed.repeated),)
        self._turns = ()
        return self.unjudged(observed)

    async def look_up(self) -> tuple[Event, ...]:
        """Search with the question as if the model had asked for it."""
        return await self.search(*search_with_question(self.environment))

    def _history(self, exchanges: tuple[Exchange, ...], said: tuple[Message, ...]) -> tuple[Message, ...]:
        question = question_parts(self._profile, self.environment.task)
        turns = [*opening_turns(self._profile.system_history, question)]
        for exchange in exchanges:
            turns += [*exchange.said, self._result(exchange)]
        return (*turns, *said)

    def _result(self, exchange: Exchange) -> Message:
        if exchange.left_out:
            return Message(role=Role.TOOL, parts=(self._profile.left_out,))
        return self.observation(exchange.shown, repeated=exchange.repeated)

    def _shortened(self, said: tuple[Message, ...]) -> tuple[Exchange, ...]:
        """The exchanges, as little shortened as fits before ``said``.

        Raises:
            ContextTooLong: if question and reply alone do not fit.
        """
        exchanges, most = self._exchanges, self.environment.limits.context_tokens
        while (length := self._policy.count_tokens(self._history(exchanges, said))) > most:
            if not exchanges:
                raise ContextTooLong(
                    f"question and newest reply need {length} tokens, the context allows {most}"
                )
            exchanges = _shorter(exchanges)
        return exchanges


def _shorter(exchanges: tuple[Exchange, ...]) -> tuple[Exchange, ...]:
    """The history after the next thing to go is gone."""
    steps: tuple[tuple[Callable[[Exchange], bool], Callable[[Exchange], Exchange]], ...] = (
        (lambda exchange: any(display.images for display in exchange.shown), Exchange.without_images),
        (lambda exchange: bool(exchange.shown), lambda exchange: replace(exchange, left_out=True)),
    )
    for concerned, change in steps:
        for place, exchange in enumerate(exchanges):
            if not exchange.left_out and concerned(exchange):
                return (*exchanges[:place], change(exchange), *exchanges[place + 1 :])
    return exchanges[1:]


@dataclass(frozen=True, slots=True, kw_only=True)
class React(MemoryPolicy):
    """Everything stays."""

    session = ReactSession

    name: str = "react"
