"""What the corpus says of an item beyond what a search returns: page, licence, source.

Reads single rows of the published tables; nothing is kept between two questions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import polars as pl

from assets.corpus.merge import ITEMS
from assets.corpus.read import built_datasets
from infra.errors import StorageError, boundary
from infra.storage.root import Storage

_COLUMNS = (
    "id",
    "dataset",
    "modality",
    "title",
    "text",
    "parent",
    "position",
    "duration_s",
    "width",
    "height",
    "licence",
    "source",
)


class ItemRecord(NamedTuple):
    """One item as a reader is shown it. ``page`` counts from 1, ``start_s`` from the beginning of the video."""

    id: str
    dataset: str
    modality: str
    title: str
    text: str
    page: int | None
    start_s: float | None
    duration_s: float
    width: int
    height: int
    licence: str
    source: str


class Catalogue:
    """The items of one root."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def find(self, item_ids: Iterable[str]) -> dict[str, ItemRecord]:
        """The records of those that exist, under the ids asked for; an alias finds the item that stands for it."""
        by_dataset: dict[str, set[str]] = {}
        for item_id in item_ids:
            by_dataset.setdefault(item_id.partition(":")[0], set()).add(item_id)
        found: dict[str, ItemRecord] = {}
        for dataset in set(built_datasets(self._storage)).intersection(by_dataset):
            found |= self._find(dataset, by_dataset[dataset])
        return found

    def _find(self, dataset: str, wanted: set[str]) -> dict[str, ItemRecord]:
        path = self._storage.path("corpus", dataset, ITEMS)
        with boundary(StorageError, f"look up items of {dataset!r}"):
            table = pl.scan_parquet(path, storage_options=self._storage.polars_options())
            rows = table.filter(pl.col("id").is_in(sorted(wanted))).select(_COLUMNS).collect()
            found = {row["id"]: _record(row) for row in rows.iter_rows(named=True)}
            if missing := sorted(wanted - set(found)):
                named = pl.col("aliases").list.eval(pl.element().is_in(missing)).list.any()
                rows = table.filter(named).select(*_COLUMNS, "aliases").collect()
                for row in rows.iter_rows(named=True):
                    found |= {alias: _record(row) for alias in row["aliases"] if alias in missing}
        return found


def _record(row: dict[str, Any]) -> ItemRecord:
    position, parent, modality = row["position"], row["parent"], row["modality"]
    is_page = modality == "image" and parent is not None and position >= 1
    return ItemRecord(
        id=row["id"],
        dataset=row["dataset"],
        modality=modality,
        title=row["title"],
        text=row["text"],
        page=int(position) if is_page else None,
        start_s=float(position) if modality == "video" else None,
        duration_s=row["duration_s"],
        width=row["width"],
        height=row["height"],
        licence=row["licence"],
        source=row["source"],
    )
