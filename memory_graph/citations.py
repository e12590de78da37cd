"""What an answer rests on, as a reader may check it: items of the corpus, not nodes of a graph.

Pure functions of a finished graph. Titles and modalities are not in the graph; whoever saw the hits hands them in.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from memory_graph.graph import MemoryGraph, Modality, SearchNode

NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """One item that supports the answer."""

    node_id: str
    """The node that found it first."""
    item_id: str
    modality: str
    """"text", "image" or "video"; empty where nobody knows."""
    title: str
    """The item's id where no title is known."""
    times_s: tuple[float, ...] = ()
    """Key frames of a clip, seconds from its start, in order; empty for anything else."""


def citations(
    graph: MemoryGraph, titles: Mapping[str, str] = NOTHING, modalities: Mapping[str, str] = NOTHING
) -> tuple[Citation, ...]:
    """Items of every node that the answer rests on: its parents and all their ancestors, in order of creation.

    Of a node that was judged: its kept images and clips, in the order they were kept, then its useful texts. Of a
    node that was never judged (a policy without a memorize step, or an answer straight after a search): all it returned, in
    rank order. An item is cited once, by the oldest of these nodes; its times are those of all of them. A graph
    without an answer has no citations, and neither has an answer that rests on the root alone.

    Args:
        graph: the graph of a finished rollout.
        titles: title by item id.
        modalities: modality by item id; needed only for items that no node judged.
    """
    if graph.answer is None:
        return ()
    support = graph.ancestors(graph.answer.parents)
    cited: dict[str, Citation] = {}
    for node in graph.nodes:
        if node.id in support:
            for citation in _of_node(node, titles, modalities):
                cited[citation.item_id] = _joined(cited.get(citation.item_id), citation)
    return tuple(cited.values())


def _of_node(
    node: SearchNode, titles: Mapping[str, str], modalities: Mapping[str, str]
) -> Iterator[Citation]:
    def cite(item_id: str, modality: str, times_s: tuple[float, ...] = ()) -> Citation:
        title = titles.get(item_id, item_id)
        return Citation(node_id=node.id, item_id=item_id, modality=modality, title=title, times_s=times_s)

    for item in node.items:
        yield cite(item.item_id, item.kind.modality, tuple(sorted(item.timestamps)))
    for item_id in node.noted:
        yield cite(item_id, Modality.TEXT)
    if not node.summary:  # a judged node has one, an unjudged one never
        for item_id in node.retrieved:
            yield cite(item_id, modalities.get(item_id, ""))


def _joined(first: Citation | None, later: Citation) -> Citation:
    if first is None:
        return later
    return Citation(
        node_id=first.node_id,
        item_id=first.item_id,
        modality=first.modality or later.modality,
        title=first.title,
        times_s=tuple(sorted({*first.times_s, *later.times_s})),
    )
