"""ReAct: the whole history, every observation and every picture; search, observation, next action.

There is no memorize step: one is answered as an illegal action. Every search still is a node of the graph, with the parents
it names and the items it returned, so that retrieval, repeats and credit are scored as for every policy; it enters the
graph as soon as it is observed, unjudged and without a summary.

What goes when the history before the newest observation is longer than the context, in this order: the pictures of
observations, oldest first; their texts, oldest first, for which one line stands; whole exchanges, oldest first.
Instruction and question never go. It is decided at each search and stays so, so that the calls between two searches are
one training sample.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from memory_graph.actions import Memorize, Search
from memory_graph.graph import Modality
from model.agent.context import (
    ContextTooLong,
    TokenCounter,
    estimate_tokens,
    question_parts,
    with_notice,
)
from model.agent.environment import Environment
from model.agent.events import Event, NodeAdded
from model.agent.memory.observation import ObservationRenderer
from model.agent.prompts import FULL, Profile
from model.config.limits import Limits
from model.protocols import Retriever
from model.types import DisplayedHit, Message, Role, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class React:
    """Everything stays."""

    profile: Profile = FULL
    count_tokens: TokenCounter = estimate_tokens
    name: str = "react"

    def open(self, task: Task, retriever: Retriever, limits: Limits) -> ReactSession:
        """The session of one rollout."""
        environment = Environment(task, retriever, limits)
        return ReactSession(
            environment, ObservationRenderer(profile=self.profile, limits=limits, count=self.count_tokens)
        )


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
            each.hit.item_id for each in self.shown if each.images or each.hit.modality is Modality.TEXT
        )


class ReactSession:
    """One rollout's history."""

    must_answer = False

    def __init__(self, environment: Environment, observing: ObservationRenderer) -> None:
        self.environment = environment
        self._observing = observing
        self._exchanges: tuple[Exchange, ...] = ()
        self._said: tuple[Message, ...] = ()  # since the newest observation

    async def begin(self) -> tuple[Event, ...]:
        """Nothing: the policy decides what to search."""
        return ()

    def messages(self, *, forced: bool) -> tuple[Message, ...]:
        """Instruction, question, and all that was said and found."""
        turns = self._history(self._exchanges, self._said)
        return with_notice(turns, self._observing.profile.answer_now) if forced else turns

    def reject(self, reply: Message, reason: str) -> None:
        """Show the error; the history goes on."""
        self._said += (reply, Message(role=Role.TOOL, parts=(reason,)))

    async def search(self, reply: Message, action: Search) -> tuple[Event, ...]:
        """Show what is new; the node enters the graph at once."""
        said = (*self._said, reply)
        self._exchanges = self._fitting(said)
        known = frozenset().union(*(each.visible() for each in self._exchanges))
        observed = await self.environment.search(action, known=known, view=self._observing.fitting)
        self._exchanges += (Exchange(said=said, shown=observed.shown, repeated=observed.repeated),)
        self._said = ()
        node = self.environment.close_pending()
        assert node is not None, "a search was just made"
        return (observed, NodeAdded(node=node, graph=self.environment.graph))

    async def memorize(self, reply: Message, action: Memorize) -> tuple[Event, ...]:
        """Refused by the environment before it comes here: nothing ever awaits a summary."""
        raise ValueError("a policy that keeps its whole history does not memorize")

    def _history(self, exchanges: tuple[Exchange, ...], said: tuple[Message, ...]) -> tuple[Message, ...]:
        profile, task = self._observing.profile, self.environment.task
        turns = [
            Message(role=Role.SYSTEM, parts=(profile.system_history,)),
            Message(role=Role.USER, parts=question_parts(profile, task)),
        ]
        for each in exchanges:
            turns += [*each.said, self._result(each)]
        return (*turns, *said)

    def _result(self, exchange: Exchange) -> Message:
        if exchange.left_out:
            return Message(role=Role.TOOL, parts=(self._observing.profile.left_out,))
        return self._observing.message(exchange.shown, repeated=exchange.repeated)

    def _fitting(self, said: tuple[Message, ...]) -> tuple[Exchange, ...]:
        """The exchanges, as little shortened as fits before ``said``.

        Raises:
            ContextTooLong: if question and reply alone do not fit.
        """
        exchanges, most = self._exchanges, self.environment.limits.context_tokens
        while (length := self._observing.count(self._history(exchanges, said))) > most:
            if not exchanges:
                raise ContextTooLong(
                    f"question and newest reply need {length} tokens, the context allows {most}"
                )
            exchanges = _shorter(exchanges)
        return exchanges


def _shorter(exchanges: tuple[Exchange, ...]) -> tuple[Exchange, ...]:
    """The history after the next thing to go is gone."""
    steps: tuple[tuple[Callable[[Exchange], bool], Callable[[Exchange], Exchange]], ...] = (
        (lambda each: not each.left_out and any(one.images for one in each.shown), _without_pictures),
        (lambda each: not each.left_out and bool(each.shown), lambda each: replace(each, left_out=True)),
    )
    for concerned, change in steps:
        for place, each in enumerate(exchanges):
            if concerned(each):
                return (*exchanges[:place], change(each), *exchanges[place + 1 :])
    return exchanges[1:]


def _without_pictures(exchange: Exchange) -> Exchange:
    return replace(exchange, shown=tuple(replace(each, images=(), interval_s=0.0) for each in exchange.shown))
