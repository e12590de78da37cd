"""A memory graph as records of its nodes and as a drawing whose thumbnails the server gives."""

from urllib.parse import quote

from app.answers.records import ItemInNode, NodeRecord
from memory_graph.budget import TOKEN_PIXELS
from memory_graph.drawing.svg import draw
from memory_graph.graph import SearchNode, VisualItem
from memory_graph.roles import critical_path, dead_ends
from model.agent.graph_state import GraphState, node_notes

THUMBNAIL = 240  # pixels a side, about twice what a drawing shows, for dense screens


def node_records(state: GraphState) -> tuple[NodeRecord, ...]:
    """Every search node in creation order."""
    critical, dead = critical_path(state.graph), dead_ends(state.graph)
    return tuple(
        NodeRecord(
            id=node.id,
            parents=node.parents,
            query=node.query,
            summary=node.summary,
            dead_end=node.id in dead,
            on_critical_path=node.id in critical,
            items=tuple(_item_record(state, node, item) for item in node.items),
        )
        for node in state.graph.nodes
    )


def svg(state: GraphState) -> str:
    """The drawing, to be put into a page that styles it; thumbnails are fetched from the server."""
    return draw(state.graph, notes=node_notes(state, thumbnail_href), embedded=True)


def thumbnail_href(item_id: str, timestamp_s: float | None = None) -> str:
    """The address of a thumbnail of the item."""
    time = "" if timestamp_s is None else f"&t={timestamp_s:.3f}"
    return f"/v1/media?item={quote(item_id, safe='')}{time}&width={THUMBNAIL}&height={THUMBNAIL}"


def _item_record(state: GraphState, node: SearchNode, item: VisualItem) -> ItemInNode:
    key = (node.id, item.item_id)
    pixels = state.grants.get(key, 0)
    return ItemInNode(
        item_id=item.item_id,
        modality="video" if item.kind == "video" else "image",
        title=state.titles.get(item.item_id) or item.item_id,
        priority=item.priority,
        energy=state.energies.get(key),
        pixels=pixels,
        tokens=pixels // TOKEN_PIXELS,
        width=item.width,
        height=item.height,
        timestamps=item.timestamps,
    )
