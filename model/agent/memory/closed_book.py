"""Closed book: the question alone, one answer. What it scores is what needs no corpus."""

from dataclasses import dataclass

from model.agent.context import opening_turns, question_parts
from model.agent.environment import Environment
from model.agent.memory.session import MemoryPolicy, MemorySession


class SingleAnswer(MemorySession):
    """A rollout of one call that has to answer."""

    must_answer = True

    def __init__(self, policy: MemoryPolicy, environment: Environment) -> None:
        super().__init__(policy, environment)
        question = question_parts(policy.profile, environment.task)
        self._turns = opening_turns(policy.profile.system_single, question)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedBook(MemoryPolicy):
    """No search at all."""

    session = SingleAnswer

    name: str = "closed_book"
