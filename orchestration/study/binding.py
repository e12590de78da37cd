"""Where a budget lets energies decide anything: rollouts whose pictures would be shown in other sizes by equal shares.

Of graphs alone, no model is asked: what cannot change a prompt cannot change an answer, so that the share bounds any effect.
"""

from collections.abc import Iterable, Mapping

from memory_graph.budget import Allocation, GrantedSize, allocate, shown_size
from memory_graph.energy import ItemKey, energies, kept_items
from memory_graph.graph import MemoryGraph
from model.config.limits import Limits

Sizes = Mapping[ItemKey, GrantedSize]


def shown(graph: MemoryGraph, limits: Limits, allocation: Allocation) -> Sizes:
    """Width and height at which each kept item of the finished graph is shown."""
    omega = energies(
        graph,
        decay=limits.decay,
        feedback=limits.feedback,
        by_priority=limits.by_priority,
        by_topology=limits.by_topology,
    )
    grants = allocate(
        graph,
        omega,
        total_pixels=limits.total_pixels,
        top_k=limits.kept_items,
        min_pixels=limits.min_pixels,
        allocation=allocation,
    )
    items = kept_items(graph)
    return {key: shown_size(items[key], pixels) for key, pixels in grants.items()}


def decided_by_energy(graphs: Iterable[MemoryGraph], limits: Limits) -> float:
    """The share of graphs whose items are shown in other sizes, or others are shown, than by equal shares; 0 of none."""
    differs = [
        shown(graph, limits, Allocation.ENERGY) != shown(graph, limits, Allocation.EQUAL) for graph in graphs
    ]
    return sum(differs) / len(differs) if differs else 0.0
