"""VimRAG: the context is rebuilt from the memory graph each cycle (arXiv 2602.12735).

Shown are the instruction, the question, the linearised graph in creation order, and the kept visual items under their node
ids, at the sizes their energies buy. When that is too long, kept items go: the lowest energy first, the oldest among
equals; graph and question never.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from memory_graph.budget import Allocation
from memory_graph.graph import MemoryGraph, VisualItem, VisualKind
from model.agent.context import DisplayedEvidence, fit, opening_turns, sized, state_parts
from model.agent.environment import Environment
from model.agent.memory.cycle import CycleSession
from model.agent.memory.session import MemoryPolicy, Recollection
from model.config.limits import Limits
from model.protocols import Retriever
from model.types import ImageRef, Message, Task


class GraphSession(CycleSession):
    """The graph with what is kept in it, freshly granted."""

    _evidence: tuple[DisplayedEvidence, ...] = ()

    def known(self) -> frozenset[str]:
        """What the context already holds: evidence that is seen as well as among results, and texts noted in a summary."""
        limits = self.environment.limits
        natives = {item.item_id: item for node in self.environment.graph.nodes for item in node.items}
        return self.environment.noted | {
            evidence.item_id
            for evidence in self._evidence
            if limits.rules == 1 or shown_in_full(evidence.images, natives[evidence.item_id], limits)
        }

    def rebuilt(self) -> tuple[Message, ...]:
        """Instruction, question, graph, and what it keeps, with energies and grants computed anew."""
        self._evidence = fit(
            self._context,
            self.environment.evidence(),
            max_tokens=self.environment.limits.context_tokens,
            count=self._policy.count_tokens,
        )
        return self._context(self._evidence)

    def _context(self, evidence: tuple[DisplayedEvidence, ...]) -> tuple[Message, ...]:
        profile, environment = self._profile, self.environment
        sees_images = self._policy.allocation is not Allocation.NONE
        parts = state_parts(profile, environment.task, environment.graph, evidence)
        instruction = profile.system if sees_images else profile.system_summaries
        return opening_turns(instruction + (profile.by_picture if environment.by_picture else ""), parts)


def shown_in_full(images: Sequence[ImageRef], item: VisualItem, limits: Limits) -> bool:
    """Whether kept images are at least as large as the item would be among results; True where words stand for it."""
    pixels = limits.frame_pixels if item.kind is VisualKind.VIDEO else limits.observation_pixels
    full = sized(item.item_id, item.width, item.height, pixels=pixels)
    return all(image.width * image.height >= full.width * full.height for image in images)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vimrag(MemoryPolicy):
    """The memory of the paper and its ablations.

    ``allocation``: by energy at inference, fixed in training; equal and none (text summaries only) are the ablations.
    """

    session = GraphSession

    name: str = "vimrag"
    allocation: Allocation = Allocation.ENERGY
    by_picture: bool = False
    """Whether a search may ask for what looks like the kept pictures of a node, where the index sees."""

    def open(self, task: Task, retriever: Retriever, limits: Limits) -> GraphSession:
        """The session of one rollout."""
        return GraphSession(self, self._environment(task, retriever, limits))

    def recall(self, task: Task, retriever: Retriever, limits: Limits, graph: MemoryGraph) -> GraphSession:
        """A session that goes on from an unanswered graph; items are called by their ids, as it holds no titles."""
        environment = self._environment(task, retriever, limits)
        environment.graph = graph
        environment.noted = frozenset(item for node in graph.nodes for item in node.noted)
        return GraphSession(self, environment)

    def resume(self, task: Task, retriever: Retriever, limits: Limits, known: Recollection) -> GraphSession:
        """A session whose graph begins with what the conversation has found."""
        environment = self._environment(task, retriever, limits)
        if known.graph is not None:
            environment.recall(known.graph, titles=known.titles, texts=known.texts)
        session = GraphSession(self, environment)
        session.said = known.said
        return session

    def _environment(self, task: Task, retriever: Retriever, limits: Limits) -> Environment:
        return Environment(task, retriever, limits, allocation=self.allocation, by_picture=self.by_picture)
