"""Vanilla retrieval-augmented generation: one search with the question, its results in context, one answer.

[ours] The search stands in the conversation as if the policy had asked for it, so that a model trained on
searching sees turns of a shape it knows; in the graph it is node ``n1``, so that retrieval can be scored for
every method alike.
"""

from __future__ import annotations

from dataclasses import dataclass

from memory_graph.actions import Search, render
from memory_graph.graph import ROOT
from model.context import observation_parts
from model.environment import Environment, Limits
from model.events import Event, Remembered
from model.memory.closed_book import SingleAnswer, opening_turns
from model.prompts import FULL, Profile
from model.protocols import Retriever
from model.records import Message, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Vanilla:
    """One retrieval, one call; the pictures of the results share the caps of every other method."""

    profile: Profile = FULL
    name: str = "vanilla"

    def open(self, task: Task, retriever: Retriever, limits: Limits) -> VanillaSession:
        """The session of one rollout."""
        turns = opening_turns(self.profile, task)
        return VanillaSession(self.profile, Environment(task, retriever, limits, allocation="none"), turns)


class VanillaSession(SingleAnswer):
    """A single answer that is preceded by one search."""

    async def begin(self) -> tuple[Event, ...]:
        """Search with the question."""
        environment = self.environment
        action = Search("n1", (ROOT,), environment.task.question)
        observed = await environment.search(action)
        parts = observation_parts(
            self._profile, observed.shown, repeated=False, passage_chars=environment.limits.passage_chars
        )
        self._turns += (Message(role="assistant", parts=(render(action),)), Message(role="tool", parts=parts))
        node = environment.close_pending()
        assert node is not None, "a search was just made"
        return (observed, Remembered(node=node, graph=environment.graph))
