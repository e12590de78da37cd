"""What each node turned out to be: support of the answer, a dead end, or neither yet.

Holds the reading of the graph that its drawings and listings share. Which steps are trained is in ``credit.py``, and
depends on the verdict too.
"""

from memory_graph.graph import MemoryGraph, SearchNode

NOT_USED = "the answer does not rest on it"
NOT_USED_NOR_USEFUL = "nothing useful found, and the answer does without it"
NOTHING_USEFUL = "nothing useful found, and nothing builds on it so far"


def critical_path(graph: MemoryGraph) -> frozenset[str]:
    """Ids of the search nodes that the answer rests on, over every branch; empty without an answer."""
    return frozenset() if graph.answer is None else graph.ancestors(graph.answer.parents)


def is_useful(node: SearchNode) -> bool:
    """Whether the search found anything that was marked useful: an image or clip that is kept, or a text."""
    return bool(node.items or node.noted)


def dead_ends(graph: MemoryGraph) -> dict[str, str]:
    """Why each dead end is one, by node id in creation order; the texts are this module's constants.

    With an answer, a dead end is a node that the answer does not rest on. Without one, it is a node that found nothing
    useful and has no child; the newest node is spared, because the next step may still build on it.
    """
    if graph.answer is not None:
        support = critical_path(graph)
        return {
            node.id: NOT_USED if is_useful(node) else NOT_USED_NOR_USEFUL
            for node in graph.nodes
            if node.id not in support
        }
    built_on = {parent for node in graph.nodes for parent in node.parents}
    return {
        node.id: NOTHING_USEFUL
        for node in graph.nodes[:-1]
        if not is_useful(node) and node.id not in built_on
    }
