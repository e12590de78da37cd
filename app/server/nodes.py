"""The nodes of a memory graph as a reader is shown them: energies, grants, what became of each, and the drawing.

Energies and grants are computed here from the graph, exactly as the agent does for its next context. Which memory policies
grant pixels at all is asked of the policies themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from memory_graph.budget import TOKEN_PIXELS, allocate
from memory_graph.energy import ItemKey, energies
from memory_graph.graph import MemoryGraph, SearchNode, VisualItem
from memory_graph.notes import ItemNote, NodeNote
from memory_graph.roles import critical_path, dead_ends
from memory_graph.svg import draw
from model.limits import Limits
from model.memory.registry import MEMORIES, memory_policy
from model.prompts import FULL

THUMBNAIL = 96  # pixels a side


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where every kept item and node of one graph stands."""

    graph: MemoryGraph
    energies: Mapping[ItemKey, float]
    """Empty where the memory policy knows no energies."""
    grants: Mapping[ItemKey, int]
    """Pixels; an item without a grant is remembered and not shown."""
    titles: Mapping[str, str]
    """Of items, as far as they are known."""


def allocation_of(memory: str) -> str | None:
    """How the memory policy of that name grants pixels; None if it keeps no energies, or is not known."""
    if memory not in MEMORIES:
        return None
    allocation = getattr(memory_policy(memory, profile=FULL), "allocation", None)
    return allocation if allocation in ("energy", "equal", "fixed") else None


def standing(
    graph: MemoryGraph, *, limits: Limits, allocation: str | None, titles: Mapping[str, str]
) -> Standing:
    """Energies by Eq. 7 and grants by Eq. 8 within ``limits``."""
    if allocation is None:
        return Standing(graph=graph, energies={}, grants={}, titles=titles)
    omega = energies(graph)
    grants = allocate(
        graph,
        omega,
        total_pixels=limits.total_pixels,
        top_k=limits.kept_items,
        min_pixels=limits.min_pixels,
        mode=allocation,
    )
    return Standing(graph=graph, energies=omega, grants=grants, titles=titles)


def node_records(stand: Standing) -> list[dict[str, Any]]:
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


def node_notes(stand: Standing) -> dict[str, NodeNote]:
    """What the drawings say beyond the graph."""
    return {
        node.id: NodeNote(items=tuple(_item_note(stand, node, item) for item in node.items))
        for node in stand.graph.nodes
        if node.items
    }


def svg(stand: Standing) -> str:
    """The drawing, to be put into a page that styles it; thumbnails are fetched from this server."""
    return draw(stand.graph, notes=node_notes(stand), embedded=True)


def thumbnail_href(item_id: str, timestamp_s: float | None = None) -> str:
    """Where this server gives a small picture of the item."""
    time = "" if timestamp_s is None else f"&t={timestamp_s:.3f}"
    return f"/v1/media?item={quote(item_id, safe='')}{time}&width={THUMBNAIL}&height={THUMBNAIL}"


def _item_record(stand: Standing, node: SearchNode, item: VisualItem) -> dict[str, Any]:
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


def _item_note(stand: Standing, node: SearchNode, item: VisualItem) -> ItemNote:
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
        thumbnail_href=thumbnail_href(item.item_id, item.timestamps[0] if item.timestamps else None),
        timestamps=item.timestamps,
    )
