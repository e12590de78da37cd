"""What an answer rests on, with its place in its source: the page of a document, the second of a video."""

from collections.abc import Mapping

from app.answers.catalogue import Catalogue
from app.answers.records import CitationRecord
from memory_graph.citations import citations
from memory_graph.graph import MemoryGraph


def citation_records(
    graph: MemoryGraph, titles: Mapping[str, str], catalogue: Catalogue
) -> tuple[CitationRecord, ...]:
    """The citations of a graph; none without an answer."""
    cited = citations(graph, titles)
    items = catalogue.find(citation.item_id for citation in cited)
    records = []
    for citation in cited:
        item = items.get(citation.item_id)
        known_title = item.title if item and citation.title == citation.item_id else ""
        records.append(
            CitationRecord(
                node_id=citation.node_id,
                item_id=citation.item_id,
                modality=citation.modality or (item.modality if item else ""),
                title=known_title or citation.title,
                page=item.page if item else None,
                start_s=item.start_s if item else None,
                times_s=citation.times_s,
            )
        )
    return tuple(records)
