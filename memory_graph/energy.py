"""How much each kept item matters: Eq. 6 (its own energy) and Eq. 7 (with the feedback of later nodes).

Pure functions of the graph, linear in nodes + edges + items. What energies buy is in ``budget.py``.
"""

import math
from typing import TypeAlias

from memory_graph.graph import MAX_PRIORITY, MemoryGraph, VisualItem

ItemKey: TypeAlias = tuple[str, str]  # (node id, item id)

DECAY = 0.1  # lambda, per node of age
FEEDBACK = 0.3  # gamma, per edge


def intrinsic_energies(
    graph: MemoryGraph, *, decay: float = DECAY, by_priority: bool = True, by_topology: bool = True
) -> dict[ItemKey, float]:
    """E_int of Eq. 6 for every kept item: p/5 * (1 + outdegree) * exp(-decay * age).

    Ablations: without ``by_priority`` the first factor is 1, without ``by_topology`` the second.

    Age counts the nodes created later, so the newest node does not decay; the outdegree counts search nodes
    only.

    Raises:
        ValueError: a negative or non-finite ``decay``.
    """
    _require_rate("decay", decay)
    num_children = _children_counts(graph)
    newest = len(graph.nodes)
    return {
        (node.id, item.item_id): (item.priority / MAX_PRIORITY if by_priority else 1.0)
        * (1 + num_children[node.id] if by_topology else 1)
        * math.exp(-decay * age)
        for age, node in ((newest - index, node) for index, node in enumerate(graph.nodes, start=1))
        for item in node.items
    }


def energies(
    graph: MemoryGraph,
    *,
    decay: float = DECAY,
    feedback: float = FEEDBACK,
    bridge: bool = True,
    by_priority: bool = True,
    by_topology: bool = True,
) -> dict[ItemKey, float]:
    """Omega of Eq. 7 for every kept item: E_int + feedback * sum over the children of their mean Omega.

    ``bridge`` [ours]: a child that keeps no item hands on ``feedback`` times the sum over its own children,
    so a text-only step does not cut the chain; False is the strict reading, in which it counts 0. ``by_priority`` and
    ``by_topology`` are those of ``intrinsic_energies``.

    Raises:
        ValueError: a negative or non-finite rate.
    """
    _require_rate("feedback", feedback)
    own = intrinsic_energies(graph, decay=decay, by_priority=by_priority, by_topology=by_topology)
    omega = list(own.values())  # by place; the feedback is added below
    children_mean = dict.fromkeys(graph.ids, 0.0)  # sum over a node's children of their mean Omega
    start = len(omega)
    for node in reversed(graph.nodes):  # children before parents
        start, end = start - len(node.items), start
        received = feedback * children_mean[node.id]
        omega[start:end] = [energy + received for energy in omega[start:end]]
        without_items = received if bridge else 0.0
        mean = sum(omega[start:end]) / (end - start) if node.items else without_items
        for parent in node.parents:
            children_mean[parent] += mean
    return dict(zip(own, omega, strict=True))


def kept_items(graph: MemoryGraph) -> dict[ItemKey, VisualItem]:
    """Every kept item under its key, in creation order."""
    return {(node.id, item.item_id): item for node in graph.nodes for item in node.items}


def _children_counts(graph: MemoryGraph) -> dict[str, int]:
    counts = dict.fromkeys(graph.ids, 0)
    for node in graph.nodes:
        for parent in node.parents:  # distinct by construction
            counts[parent] += 1
    return counts


def _require_rate(name: str, rate: float) -> None:
    if not math.isfinite(rate) or rate < 0:
        raise ValueError(f"{name} must be finite and not negative, got {rate}")
