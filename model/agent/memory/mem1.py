"""MEM1: a text state of constant size, rewritten each turn (arXiv 2506.15841).

Shown are the instruction, the question, and the previous turn: its state and its action as one line of the graph's grammar
(``id <- parents | query | state``), and its observation under that id. Everything older is gone. The state is the summary
of a ``memorize`` (``cycle.TextStateSession``).

[ours] In the paper one reply holds the new state and the next action; here they are two calls, as for every policy. The
observation that a search brings extends the conversation until its summary, so that a cycle is one training sample.
When the previous observation does not fit, it is shortened: texts, then frames, then images; question and state never.
"""

from dataclasses import dataclass

from memory_graph.graph import SearchNode
from memory_graph.linearise import line_of
from model.agent.context import evidence_of, evidence_parts, excerpt, opening_turns, question_parts
from model.agent.events import ObservationAdded
from model.agent.memory.cycle import TextStateSession
from model.agent.memory.session import MemoryPolicy
from model.agent.truncation import truncate
from model.types import DisplayedHit, Message


class LastTurn(TextStateSession):
    """The previous turn: node and results."""

    _node: SearchNode | None = None
    _shown: tuple[DisplayedHit, ...] = ()

    def known(self) -> frozenset[str]:
        """What the previous turn still shows."""
        return frozenset(display.hit.item_id for display in self._shown)

    def remember(self, observed: ObservationAdded, node: SearchNode) -> None:
        """The turn before is forgotten."""
        self._node = node
        self._shown = truncate(
            observed.shown,
            lambda view: self._policy.count_tokens(self._context(view)),
            max_tokens=self.environment.limits.context_tokens,
        )

    def rebuilt(self) -> tuple[Message, ...]:
        """Instruction, question, state, last action, last observation."""
        return self._context(self._shown)

    def _context(self, shown: tuple[DisplayedHit, ...]) -> tuple[Message, ...]:
        profile, node = self._profile, self._node
        parts = [*question_parts(profile, self.environment.task)]
        if node is not None:
            chars = self.environment.limits.passage_chars
            results = [
                evidence_of(node, display, images=display.images, text=excerpt(display.hit.text, chars))
                for display in shown
            ]
            parts += [profile.state + line_of(node), *evidence_parts(profile.last_results, results)]
        return opening_turns(profile.system_state, parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mem1(MemoryPolicy):
    """Question, state, last action and last observation."""

    session = LastTurn

    name: str = "mem1"
