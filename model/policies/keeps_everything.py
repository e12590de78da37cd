"""A policy that keeps every result in memory, whatever it thought of it: what a crowded memory is made of.

Only summaries are changed; a result that was called useless or not judged keeps the priority that was stated, or the least one.
"""

from dataclasses import replace

from memory_graph.actions import ActionError, Mark, Memorize, render
from memory_graph.graph import MIN_PRIORITY
from memory_graph.parsing import parse
from model.protocols import Policy
from model.types import Completion, PolicyRequest


class KeepsEverything:
    """``Policy`` of another one's replies; for evaluation, since the tokens of a changed reply are not those that were drawn."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    @property
    def fingerprint(self) -> str:
        """The other's, marked."""
        return f"{self._policy.fingerprint}+keeps-everything"

    async def complete(self, request: PolicyRequest) -> Completion:
        """The other's reply; in a summary of results all of them are useful."""
        completion = await self._policy.complete(request)
        return replace(completion, text=keeping_all(completion.text, len(request.displayed or ())))


def keeping_all(reply: str, results: int) -> str:
    """A summary with every one of ``results`` marked useful; any other reply, and one that cannot be read, as it is."""
    try:
        action = parse(reply).action
    except ActionError:
        return reply
    if not isinstance(action, Memorize):
        return reply
    stated = {mark.item: mark for mark in action.marks}
    marks = tuple(
        replace(stated.get(place, Mark(place, useful=True, priority=MIN_PRIORITY)), useful=True)
        for place in range(1, results + 1)
    )
    return render(replace(action, marks=marks))
