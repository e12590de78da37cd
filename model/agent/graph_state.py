"""Where the kept items of a finished or running graph stand: energies, grants, and what a drawing says of them.

Energies and grants are computed from the graph, for the next context of the agent and for whoever looks at it later.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from memory_graph.budget import TOKEN_PIXELS, Allocation, allocate
from memory_graph.drawing.notes import ItemNote, NodeNote
from memory_graph.energy import ItemKey, energies
from memory_graph.graph import MemoryGraph, SearchNode, VisualItem
from model.config.limits import Limits

Thumbnail: TypeAlias = Callable[[str, float | None], str | None]
"""Address of a small image of an item, of the frame at a time of a clip; None for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphState:
    """Where every kept item and node of one graph stands."""

    graph: MemoryGraph
    energies: Mapping[ItemKey, float]
    """Empty where the memory policy knows no energies."""
    grants: Mapping[ItemKey, int]
    """Pixels; an item without a grant is remembered and not shown."""
    titles: Mapping[str, str]
    """Of items, as far as they are known."""


def graph_state(
    graph: MemoryGraph, *, limits: Limits, allocation: Allocation, titles: Mapping[str, str]
) -> GraphState:
    """Energies by Eq. 7 and grants by Eq. 8 within ``limits``."""
    if allocation is Allocation.NONE:
        return GraphState(graph=graph, energies={}, grants={}, titles=titles)
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
    return GraphState(graph=graph, energies=omega, grants=grants, titles=titles)


def no_thumbnail(item_id: str, time_s: float | None) -> None:
    """For drawings without images."""


def node_notes(stand: GraphState, thumbnail: Thumbnail = no_thumbnail) -> dict[str, NodeNote]:
    """What a drawing says beyond the graph."""
    return {
        node.id: NodeNote(items=tuple(_item_note(stand, node, item, thumbnail) for item in node.items))
        for node in stand.graph.nodes
        if node.items
    }


def _item_note(stand: GraphState, node: SearchNode, item: VisualItem, thumbnail: Thumbnail) -> ItemNote:
    key = (node.id, item.item_id)
    pixels = stand.grants.get(key)
    return ItemNote(
        item_id=item.item_id,
        title=stand.titles.get(item.item_id, ""),
        modality=item.kind,
        priority=item.priority,
        energy=stand.energies.get(key),
        pixels=pixels,
        tokens=None if pixels is None else pixels // TOKEN_PIXELS,
        width=item.width,
        height=item.height,
        thumbnail_href=thumbnail(item.item_id, item.timestamps[0] if item.timestamps else None),
        timestamps=item.timestamps,
    )
