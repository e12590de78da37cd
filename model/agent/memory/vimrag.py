"""VimRAG: the context is rebuilt from the memory graph each cycle (arXiv 2602.12735).

Shown are the instruction, the question, the linearised graph in creation order, and the kept visual items under their node
ids, at the sizes their energies buy. When that is too long, kept items go: the lowest energy first, the oldest among
equals; graph and question never.
"""

from dataclasses import dataclass

from memory_graph.budget import Allocation
from memory_graph.graph import MemoryGraph, SearchNode
from model.agent.context import (
    DisplayedEvidence,
    TokenCounter,
    estimate_tokens,
    fit,
    state_parts,
)
from model.agent.environment import Environment
from model.agent.events import ObservationAdded
from model.agent.memory.cycle import CycleSession
from model.agent.memory.observation import ObservationRenderer
from model.agent.prompts import FULL, Profile
from model.config.limits import Limits
from model.protocols import Retriever
from model.types import DisplayedHit, Message, Role, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Vimrag:
    """The memory of the paper and its ablations.

    ``allocation``: by energy at inference, fixed in training; equal and none (text summaries only) are the ablations.
    """

    profile: Profile = FULL
    allocation: Allocation = Allocation.ENERGY
    count_tokens: TokenCounter = estimate_tokens
    name: str = "vimrag"

    def open(self, task: Task, retriever: Retriever, limits: Limits) -> CycleSession:
        """The session of one rollout."""
        return self.recall(task, retriever, limits, MemoryGraph(question=task.question))

    def recall(self, task: Task, retriever: Retriever, limits: Limits, graph: MemoryGraph) -> CycleSession:
        """A session that goes on from an unanswered graph; items are called by their ids, as it holds no titles."""
        environment = Environment(task, retriever, limits, allocation=self.allocation)
        environment.graph = graph
        environment.noted = frozenset(item for node in graph.nodes for item in node.noted)
        observing = ObservationRenderer(profile=self.profile, limits=limits, count=self.count_tokens)
        contents = GraphContents(self, environment)
        contents.refresh()
        return CycleSession(environment, contents, observing)


class GraphContents:
    """The graph with what is kept in it, freshly granted."""

    def __init__(self, policy: Vimrag, environment: Environment) -> None:
        self._policy, self._environment = policy, environment
        self._evidence: tuple[DisplayedEvidence, ...] = ()

    def display(self, shown: tuple[DisplayedHit, ...]) -> tuple[DisplayedHit, ...]:
        """All of it."""
        return shown

    def known(self) -> frozenset[str]:
        """What the context already holds: visible evidence, and texts whose content is in a summary."""
        return frozenset(each.item_id for each in self._evidence) | self._environment.noted

    def wording(self, summary: str) -> str:
        """As it was given."""
        return summary

    def remember(self, observed: ObservationAdded, node: SearchNode) -> None:
        """Recompute energies and grants."""
        self.refresh()

    def refresh(self) -> None:
        """Grant pixels anew to what the graph keeps."""
        self._evidence = fit(
            self._context,
            self._environment.evidence(),
            max_tokens=self._environment.limits.context_tokens,
            count=self._policy.count_tokens,
        )

    def rebuilt(self) -> tuple[Message, ...]:
        """Instruction, question, graph, evidence."""
        return self._context(self._evidence)

    def _context(self, evidence: tuple[DisplayedEvidence, ...]) -> tuple[Message, ...]:
        profile, environment = self._policy.profile, self._environment
        system = profile.system_summaries if self._policy.allocation is Allocation.NONE else profile.system
        parts = state_parts(profile, environment.task, environment.graph, evidence)
        return (Message(role=Role.SYSTEM, parts=(system,)), Message(role=Role.USER, parts=parts))
