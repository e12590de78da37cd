"""Closed book: the question alone, one answer. What it scores is what needs no corpus."""

from __future__ import annotations

from dataclasses import dataclass

from memory_graph.actions import Memorize, Search
from model.agent.context import question_parts, with_notice
from model.agent.environment import Environment
from model.agent.events import Event
from model.agent.prompts import FULL, Profile
from model.config.limits import Limits
from model.protocols import Retriever
from model.types import Message, Role, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedBook:
    """No search at all."""

    profile: Profile = FULL
    name: str = "closed_book"

    def open(self, task: Task, retriever: Retriever, limits: Limits) -> SingleAnswer:
        """The session of one rollout; the retriever is never asked."""
        turns = opening_turns(self.profile, task)
        return SingleAnswer(self.profile, Environment(task, retriever, limits), turns)


def opening_turns(profile: Profile, task: Task) -> tuple[Message, ...]:
    """Instruction and question of a policy that is asked once."""
    return (
        Message(role=Role.SYSTEM, parts=(profile.system_single,)),
        Message(role=Role.USER, parts=question_parts(profile, task)),
    )


class SingleAnswer:
    """A rollout of one call that has to answer."""

    must_answer = True

    def __init__(self, profile: Profile, environment: Environment, turns: tuple[Message, ...]) -> None:
        self.environment = environment
        self._profile = profile
        self._turns = turns

    async def begin(self) -> tuple[Event, ...]:
        """Nothing happens before the call."""
        return ()

    def messages(self, *, forced: bool) -> tuple[Message, ...]:
        """The prepared turns; ``forced`` is always true here."""
        return with_notice(self._turns, self._profile.answer_now) if forced else self._turns

    def reject(self, reply: Message, reason: str) -> None:
        """Refused: the only call has to answer, so the loop never re-asks."""
        raise ValueError(f"a single-answer session takes no second call: {reason}")

    async def search(self, reply: Message, action: Search) -> tuple[Event, ...]:
        """Refused, see ``reject``."""
        raise ValueError("a single-answer session does not search at the policy's wish")

    async def memorize(self, reply: Message, action: Memorize) -> tuple[Event, ...]:
        """Refused, see ``reject``."""
        raise ValueError("a single-answer session keeps no memory")
