"""VimRAG: the context is rebuilt from the memory graph each cycle (arXiv 2602.12735).

A cycle is one search and its summary. Within it the conversation grows (reply, observation, errors), so each
prompt extends the one before; once the node is in the graph, all of that is gone and graph and kept evidence
are shown instead.
"""

from __future__ import annotations

from dataclasses import dataclass

from memory_graph.actions import Memorize, Search
from model.context import (
    Evidence,
    TokenCounter,
    estimate_tokens,
    fit,
    observation_parts,
    state_parts,
    with_notice,
)
from model.environment import Environment, Limits
from model.events import Event, Observed, Remembered
from model.prompts import FULL, Profile
from model.protocols import Retriever
from model.records import Message, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Vimrag:
    """The memory of the paper and its ablations.

    ``allocation``: "energy" at inference, "fixed" in training; "equal" and "none" (text summaries only) are
    the ablations.
    """

    profile: Profile = FULL
    allocation: str = "energy"
    count_tokens: TokenCounter = estimate_tokens
    name: str = "vimrag"

    def __post_init__(self) -> None:
        if self.allocation not in ("energy", "equal", "fixed", "none"):
            raise ValueError(f"allocation must be energy, equal, fixed or none, got {self.allocation!r}")

    def open(self, task: Task, retriever: Retriever, limits: Limits) -> VimragSession:
        """The session of one rollout."""
        return VimragSession(self, Environment(task, retriever, limits, allocation=self.allocation))


class VimragSession:
    """One rollout's memory: the graph in the environment, and the turns of the current cycle."""

    must_answer = False

    def __init__(self, policy: Vimrag, environment: Environment) -> None:
        self.environment = environment
        self._policy = policy
        self._evidence: tuple[Evidence, ...] = ()
        self._turns: tuple[Message, ...] = ()
        self._rebuild()

    async def begin(self) -> tuple[Event, ...]:
        """Nothing: the policy decides what to search."""
        return ()

    def messages(self, *, forced: bool) -> tuple[Message, ...]:
        """Instruction, question, graph, evidence, then the turns of the current cycle."""
        return with_notice(self._turns, self._policy.profile.answer_now) if forced else self._turns

    def reject(self, reply: Message, reason: str) -> None:
        """Show the error; the cycle goes on."""
        self._turns += (reply, Message(role="tool", parts=(reason,)))

    async def search(self, reply: Message, action: Search) -> tuple[Event, ...]:
        """Show what is new; the cycle goes on."""
        observed = await self.environment.search(action, known=self._in_memory())
        self._turns += (reply, self._observation(observed))
        return (observed,)

    async def memorize(self, reply: Message, action: Memorize) -> tuple[Event, ...]:
        """Finalise the node and start a new cycle from a rebuilt context."""
        node = self.environment.memorize(action)
        self._rebuild()
        return (Remembered(node=node, graph=self.environment.graph),)

    def _in_memory(self) -> frozenset[str]:
        """What the context already holds: visible evidence, and texts whose content is in a summary."""
        return frozenset(each.item_id for each in self._evidence) | self.environment.noted

    def _observation(self, observed: Observed) -> Message:
        chars = self.environment.limits.passage_chars
        parts = observation_parts(
            self._policy.profile, observed.shown, repeated=observed.repeated, passage_chars=chars
        )
        return Message(role="tool", parts=parts)

    def _rebuild(self) -> None:
        self._evidence = fit(
            self._context,
            self.environment.evidence(),
            max_tokens=self.environment.limits.context_tokens,
            count=self._policy.count_tokens,
        )
        self._turns = self._context(self._evidence)

    def _context(self, evidence: tuple[Evidence, ...]) -> tuple[Message, ...]:
        profile, environment = self._policy.profile, self.environment
        parts = state_parts(profile, environment.task, environment.graph, evidence)
        return (Message(role="system", parts=(profile.system,)), Message(role="user", parts=parts))
