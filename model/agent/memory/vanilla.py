"""Vanilla retrieval-augmented generation: one search with the question, its results in context, one answer.

[ours] The search stands in the conversation as if the policy had asked for it, so that a model trained on
searching sees turns of a shape it knows; in the graph it is node ``n1``, so that retrieval can be scored for
every method alike. Results that are too long are shortened: texts, then frames, then images.
"""

from dataclasses import dataclass

from model.agent.events import Event
from model.agent.memory.closed_book import SingleAnswer
from model.agent.memory.session import MemoryPolicy, search_with_question
from model.types import DisplayedHit


class OneSearch(SingleAnswer):
    """A single answer that is preceded by one search with the question."""

    async def begin(self) -> tuple[Event, ...]:
        """Search with the question."""
        asking, action = search_with_question(self.environment)
        observed = await self.environment.search(action, view=self.view)
        self.add_observation(asking, observed)
        return self.unjudged(observed)

    def view(self, shown: tuple[DisplayedHit, ...]) -> tuple[DisplayedHit, ...]:
        """What of the results is displayed: all of them, as far as they fit."""
        return self.fitting(shown)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vanilla(MemoryPolicy):
    """One retrieval, one call; the images of the results share the caps of every other method."""

    session = OneSearch

    name: str = "vanilla"
