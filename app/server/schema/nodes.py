"""The nodes of a memory graph as plain JSON values, and the drawing whose thumbnails this server gives."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from memory_graph.budget import TOKEN_PIXELS
from memory_graph.drawing.svg import draw
from memory_graph.graph import SearchNode, VisualItem
from memory_graph.roles import critical_path, dead_ends
from model.agent.graph_state import GraphState, node_notes

THUMBNAIL = 240  # pixels a side, about twice what a drawing shows, for dense screens


def node_records(stand: GraphState) -> list[dict[str, Any]]:
    """Every search node in creation order, as plain JSON values."""
    critical, dead = critical_path(stand.graph), dead_ends(stand.graph)
    return [
        {
            "id": node.id,
            "parents": list(node.parents),
            "query": node.query,
            "summary": node.summary,
            "dead_end": node.id in dead,
            "on_critical_path": node.id in critical,
            "items": [_item_record(stand, node, item) for item in node.items],
        }
        for node in stand.graph.nodes
    ]


def svg(stand: GraphState) -> str:
    """The drawing, to be put into a page that styles it; thumbnails are fetched from this server."""
    return draw(stand.graph, notes=node_notes(stand, thumbnail_href), embedded=True)


def thumbnail_href(item_id: str, timestamp_s: float | None = None) -> str:
    """Where this server gives a small picture of the item."""
    time = "" if timestamp_s is None else f"&t={timestamp_s:.3f}"
    return f"/v1/media?item={quote(item_id, safe='')}{time}&width={THUMBNAIL}&height={THUMBNAIL}"


def _item_record(stand: GraphState, node: SearchNode, item: VisualItem) -> dict[str, Any]:
    key = (node.id, item.item_id)
    pixels = stand.grants.get(key, 0)
    return {
        "item_id": item.item_id,
        "modality": "video" if item.kind == "video" else "image",
        "title": stand.titles.get(item.item_id) or item.item_id,
        "priority": item.priority,
        "energy": stand.energies.get(key),
        "pixels": pixels,
        "tokens": pixels // TOKEN_PIXELS,
        "width": item.width,
        "height": item.height,
        "timestamps": list(item.timestamps),
    }
