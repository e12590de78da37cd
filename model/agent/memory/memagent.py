"""MemAgent: a text memory of bounded size, overwritten after each observation (arXiv 2507.02259).

Shown are the instruction, the question and the memory (``id of the last node | text``); an observation is seen once, while
the memory is written anew from it and the old one. The answer is given from question and memory only: when an answer is
forced before the memory was written, the observation is not in view. (Who answers unasked straight after a search has seen
its results; that is legal as for every policy.) The memory is the summary of a ``memorize`` (``cycle.TextStateSession``).
"""

from dataclasses import dataclass

from memory_graph.graph import SearchNode
from memory_graph.linearise import FIELD, one_line
from model.agent.context import ContextTooLong, opening_turns, question_parts
from model.agent.events import ObservationAdded
from model.agent.memory.cycle import TextStateSession
from model.agent.memory.session import MemoryPolicy
from model.types import Message


class TextMemory(TextStateSession):
    """The memory as it was written last; it may have let go of what it once held, so that nothing counts as known."""

    answers_blind = True

    _node: SearchNode | None = None

    def remember(self, observed: ObservationAdded, node: SearchNode) -> None:
        """The old memory is overwritten. Raises ``ContextTooLong`` if question and memory do not fit."""
        self._node = node
        length, most = self._policy.count_tokens(self.rebuilt()), self.environment.limits.context_tokens
        if length > most:
            raise ContextTooLong(f"question and memory need {length} tokens, the context allows {most}")

    def rebuilt(self) -> tuple[Message, ...]:
        """Instruction, question, memory."""
        parts = [*question_parts(self._profile, self.environment.task)]
        if self._node is not None:
            parts.append(self._profile.state + self._node.id + FIELD + one_line(self._node.summary))
        return opening_turns(self._profile.system_text_memory, parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemAgent(MemoryPolicy):
    """Question and memory."""

    session = TextMemory

    name: str = "memagent"
