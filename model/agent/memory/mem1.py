"""MEM1: a text state of constant size, rewritten each turn (arXiv 2506.15841).

Shown are the instruction, the question, and the previous turn: its state and its action as one line of the graph's grammar
(``id <- parents | query | state``), and its observation under that id. Everything older is gone. The state is the summary
of a ``memorize`` (``text_state.py``).

[ours] In the paper one reply holds the new state and the next action; here they are two calls, as for every policy. The
observation that a search brings extends the conversation until its summary, so that a cycle is one training sample.
When the previous observation does not fit, it is shortened: texts, then frames, then pictures; question and state never.
"""

from dataclasses import dataclass

from memory_graph.graph import SearchNode
from memory_graph.linearise import line_of
from model.agent.context import (
    DisplayedEvidence,
    TokenCounter,
    estimate_tokens,
    evidence_parts,
    excerpt,
    joined,
    question_parts,
)
from model.agent.environment import Environment
from model.agent.events import ObservationAdded
from model.agent.memory.cycle import CycleSession
from model.agent.memory.observation import ObservationRenderer
from model.agent.memory.text_state import bounded
from model.agent.prompts import FULL, Profile
from model.agent.truncation import truncate
from model.config.limits import Limits
from model.protocols import Retriever
from model.types import DisplayedHit, Message, Role, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Mem1:
    """Question, state, last action and last observation."""

    profile: Profile = FULL
    count_tokens: TokenCounter = estimate_tokens
    name: str = "mem1"

    def open(self, task: Task, retriever: Retriever, limits: Limits) -> CycleSession:
        """The session of one rollout."""
        environment = Environment(task, retriever, limits)
        observing = ObservationRenderer(profile=self.profile, limits=limits, count=self.count_tokens)
        return CycleSession(environment, LastTurn(self, environment), observing)


class LastTurn:
    """The previous turn."""

    def __init__(self, policy: Mem1, environment: Environment) -> None:
        self._policy, self._environment = policy, environment
        self._node: SearchNode | None = None
        self._shown: tuple[DisplayedHit, ...] = ()

    def display(self, shown: tuple[DisplayedHit, ...]) -> tuple[DisplayedHit, ...]:
        """All of it."""
        return shown

    def known(self) -> frozenset[str]:
        """What the previous turn still shows."""
        return frozenset(each.hit.item_id for each in self._shown)

    def wording(self, summary: str) -> str:
        """The new state, bounded."""
        return bounded(summary, self._environment)

    def remember(self, observed: ObservationAdded, node: SearchNode) -> None:
        """The turn before is forgotten."""
        self._node = node
        self._shown = truncate(
            observed.shown,
            lambda view: self._policy.count_tokens(self._context(view)),
            max_tokens=self._environment.limits.context_tokens,
        )

    def rebuilt(self) -> tuple[Message, ...]:
        """Instruction, question, state, last action, last observation."""
        return self._context(self._shown)

    def _context(self, shown: tuple[DisplayedHit, ...]) -> tuple[Message, ...]:
        profile, environment, node = self._policy.profile, self._environment, self._node
        parts = [*question_parts(profile, environment.task)]
        if node is not None:
            chars = environment.limits.passage_chars
            results = [_result(node, each, chars) for each in shown]
            parts += [profile.state + line_of(node), *evidence_parts(profile.last_results, results)]
        return (
            Message(role=Role.SYSTEM, parts=(profile.system_state,)),
            Message(role=Role.USER, parts=joined(parts)),
        )


def _result(node: SearchNode, each: DisplayedHit, chars: int) -> DisplayedEvidence:
    return DisplayedEvidence(
        node_id=node.id,
        item_id=each.hit.item_id,
        title=each.hit.title,
        images=each.images,
        text=excerpt(each.hit.text, chars),
    )
