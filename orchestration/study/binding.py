"""Where a budget lets energies decide anything: rollouts whose pictures would be shown in other sizes by equal shares.

Of graphs alone, no model is asked: what cannot change a prompt cannot change an answer, so that the share bounds any effect.
"""

from collections.abc import Iterable, Mapping

from memory_graph.budget import Allocation, GrantedSize, shown_size
from memory_graph.energy import ItemKey, kept_items
from memory_graph.graph import MemoryGraph
from model.agent.graph_state import graph_state
from model.config.limits import Limits

Sizes = Mapping[ItemKey, GrantedSize]


def shown(graph: MemoryGraph, limits: Limits, allocation: Allocation) -> Sizes:
    """Width and height at which each kept item of the finished graph is shown."""
    grants = graph_state(graph, limits=limits, allocation=allocation, titles={}).grants
    items = kept_items(graph)
    return {key: shown_size(items[key], pixels) for key, pixels in grants.items()}


def decided_by_energy(graphs: Iterable[MemoryGraph], limits: Limits) -> float:
    """The share of graphs whose items are shown in other sizes, or others are shown, than by equal shares; 0 of none."""
    differs = [
        shown(graph, limits, Allocation.ENERGY) != shown(graph, limits, Allocation.EQUAL) for graph in graphs
    ]
    return sum(differs) / len(differs) if differs else 0.0
