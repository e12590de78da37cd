"""What the corpus says of an item beyond what a search returns (page, licence, source), and of the items an answer rests on.

Reads single rows of the published tables; nothing is kept between two questions.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from app.answers.records import CitationRecord, ItemRecord
from assets.corpus.merge import ITEMS
from assets.corpus.read import built_datasets, directory
from infra.errors import StorageError, boundary
from infra.storage import manifest
from infra.storage.root import Storage
from memory_graph.citations import Citation

_COLUMNS = (*(ItemRecord.model_fields.keys() - {"page", "start_s", "file"}), "parent", "position")


class Catalogue:
    """The items of one root."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def find(self, item_ids: Iterable[str]) -> dict[str, ItemRecord]:
        """The records of those that exist, under the ids asked for; an alias finds the item that stands for it."""
        by_dataset: dict[str, set[str]] = {}
        for item_id in item_ids:
            by_dataset.setdefault(item_id.partition(":")[0], set()).add(item_id)
        records: dict[str, ItemRecord] = {}
        for dataset in set(built_datasets(self._storage)).intersection(by_dataset):
            records |= self._find(dataset, by_dataset[dataset])
        return records

    def _find(self, dataset: str, item_ids: set[str]) -> dict[str, ItemRecord]:
        found = manifest.read(self._storage, directory(dataset))
        path = self._storage.path(manifest.folder_of(directory(dataset), found), found.entry(ITEMS).name)
        with boundary(StorageError, f"look up items of {dataset!r}"):
            table = pl.scan_parquet(path, storage_options=self._storage.object_store_options())
            rows = table.filter(pl.col("id").is_in(sorted(item_ids))).select(_COLUMNS).collect()
            records = {row["id"]: _record(row) for row in rows.iter_rows(named=True)}
            if missing := sorted(item_ids - set(records)):
                has_alias = pl.col("aliases").list.eval(pl.element().is_in(missing)).list.any()
                rows = table.filter(has_alias).select(*_COLUMNS, "aliases").collect()
                for row in rows.iter_rows(named=True):
                    records |= {alias: _record(row) for alias in row["aliases"] if alias in missing}
        return records


def _record(row: Mapping[str, Any]) -> ItemRecord:
    position, modality = row["position"], row["modality"]
    is_page = modality == "image" and row["parent"] is not None and position >= 1
    return ItemRecord(
        page=int(position) if is_page else None,
        start_s=float(position) if modality == "video" else None,
        file=row["parent"],
        **{name: row[name] for name in ItemRecord.model_fields if name in row},
    )


def citation_records(cited: Sequence[Citation], catalogue: Catalogue) -> tuple[CitationRecord, ...]:
    """Citations with what the corpus knows of their items, numbered in their order."""
    items = catalogue.find(citation.item_id for citation in cited)
    records = []
    for number, citation in enumerate(cited, start=1):
        item = items.get(citation.item_id)
        known_title = item.title if item and citation.title == citation.item_id else ""
        records.append(
            CitationRecord(
                number=number,
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
