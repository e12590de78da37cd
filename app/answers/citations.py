"""What an answer rests on, with where it stands in its source: the page of a document, the second of a video."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.answers.catalogue import Catalogue
from memory_graph.citations import citations
from memory_graph.graph import MemoryGraph


def citation_records(
    graph: MemoryGraph, titles: Mapping[str, str], catalogue: Catalogue
) -> list[dict[str, Any]]:
    """The citations of a graph as plain JSON values; none without an answer. What the corpus does not know is null."""
    cited = citations(graph, titles)
    found = catalogue.find(each.item_id for each in cited)
    records = []
    for each in cited:
        item = found.get(each.item_id)
        known_title = item.title if item and each.title == each.item_id else ""
        records.append(
            {
                "node_id": each.node_id,
                "item_id": each.item_id,
                "modality": each.modality or (item.modality if item else ""),
                "title": known_title or each.title,
                "page": item.page if item else None,
                "start_s": item.start_s if item else None,
                "times_s": list(each.times_s),
            }
        )
    return records
