"""MemAgent: a text memory of bounded size, overwritten after each observation (arXiv 2507.02259).

Shown are the instruction, the question and the memory (``id of the last node | text``); an observation is seen once, while
the memory is written anew from it and the old one. The answer is given from question and memory only: when an answer is
forced before the memory was written, the observation is not in view. (Who answers unasked straight after a search has seen
its results; that is legal as for every policy.) The memory is the summary of a ``memorize`` (``text_state.py``).
"""

from dataclasses import dataclass

from memory_graph.graph import SearchNode
from memory_graph.linearise import FIELD, one_line
from model.agent.context import (
    ContextTooLong,
    TokenCounter,
    estimate_tokens,
    joined,
    question_parts,
)
from model.agent.environment import Environment
from model.agent.events import ObservationAdded
from model.agent.memory.cycle import CycleSession
from model.agent.memory.observation import ObservationRenderer
from model.agent.memory.text_state import bounded
from model.agent.prompts import FULL, Profile
from model.config.limits import Limits
from model.protocols import Retriever
from model.types import DisplayedHit, Message, Role, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class MemAgent:
    """Question and memory."""

    profile: Profile = FULL
    count_tokens: TokenCounter = estimate_tokens
    name: str = "memagent"

    def open(self, task: Task, retriever: Retriever, limits: Limits) -> CycleSession:
        """The session of one rollout."""
        environment = Environment(task, retriever, limits)
        observing = ObservationRenderer(profile=self.profile, limits=limits, count=self.count_tokens)
        return CycleSession(environment, TextMemory(self, environment), observing, answers_blind=True)


class TextMemory:
    """The memory as it was written last."""

    def __init__(self, policy: MemAgent, environment: Environment) -> None:
        self._policy, self._environment = policy, environment
        self._node: SearchNode | None = None

    def display(self, shown: tuple[DisplayedHit, ...]) -> tuple[DisplayedHit, ...]:
        """All of it."""
        return shown

    def known(self) -> frozenset[str]:
        """Nothing: the memory may have let go of what it once held."""
        return frozenset()

    def wording(self, summary: str) -> str:
        """The new memory, bounded."""
        return bounded(summary, self._environment)

    def remember(self, observed: ObservationAdded, node: SearchNode) -> None:
        """The old memory is overwritten. Raises ``ContextTooLong`` if question and memory do not fit."""
        self._node = node
        length, most = self._policy.count_tokens(self.rebuilt()), self._environment.limits.context_tokens
        if length > most:
            raise ContextTooLong(f"question and memory need {length} tokens, the context allows {most}")

    def rebuilt(self) -> tuple[Message, ...]:
        """Instruction, question, memory."""
        profile, node = self._policy.profile, self._node
        parts = [*question_parts(profile, self._environment.task)]
        if node is not None:
            parts.append(profile.state + node.id + FIELD + one_line(node.summary))
        return (
            Message(role=Role.SYSTEM, parts=(profile.system_text_memory,)),
            Message(role=Role.USER, parts=joined(parts)),
        )
