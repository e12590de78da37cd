"""Vanilla retrieval-augmented generation: one search with the question, its results in context, one answer.

[ours] The search stands in the conversation as if the policy had asked for it, so that a model trained on
searching sees turns of a shape it knows; in the graph it is node ``n1``, so that retrieval can be scored for
every method alike. Results that are too long are shortened: texts, then frames, then pictures.
"""

from __future__ import annotations

from dataclasses import dataclass

from memory_graph.actions import Search, render
from memory_graph.graph import ROOT
from model.agent.context import TokenCounter, estimate_tokens
from model.agent.environment import Environment, View
from model.agent.events import Event, NodeAdded
from model.agent.memory.closed_book import SingleAnswer, opening_turns
from model.agent.memory.observation import ObservationRenderer
from model.agent.prompts import FULL, Profile
from model.config.limits import Limits
from model.protocols import Retriever
from model.types import Message, Role, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Vanilla:
    """One retrieval, one call; the pictures of the results share the caps of every other method."""

    profile: Profile = FULL
    count_tokens: TokenCounter = estimate_tokens
    name: str = "vanilla"

    def open(self, task: Task, retriever: Retriever, limits: Limits) -> OneSearch:
        """The session of one rollout."""
        observing = ObservationRenderer(profile=self.profile, limits=limits, count=self.count_tokens)
        environment = Environment(task, retriever, limits)
        return OneSearch(environment, observing, view=observing.fitting)


class OneSearch(SingleAnswer):
    """A single answer that is preceded by one search with the question; ``view`` is what of it is displayed."""

    def __init__(self, environment: Environment, observing: ObservationRenderer, *, view: View) -> None:
        super().__init__(observing.profile, environment, opening_turns(observing.profile, environment.task))
        self._observing, self._view = observing, view

    async def begin(self) -> tuple[Event, ...]:
        """Search with the question."""
        environment = self.environment
        action = Search("n1", (ROOT,), environment.task.question)
        observed = await environment.search(action, view=self._view)
        asked = Message(role=Role.ASSISTANT, parts=(render(action),))
        self._turns += (asked, self._observing.turn(observed))
        node = environment.close_pending()
        assert node is not None, "a search was just made"
        return (observed, NodeAdded(node=node, graph=environment.graph))
