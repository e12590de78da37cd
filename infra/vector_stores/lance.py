"""A collection of rows in one Lance table, on disk or on S3: the embedded default store.

Texts are columns of ready terms; each space of vectors is a multi-vector column whose cosine is the best passage's. A table
without spaces holds words and payloads only, for a store that keeps its vectors elsewhere. Up to ``RESIDENT_PASSAGES``
vectors or rows both are searched exactly in memory (``resident.py``), read from the file beside a published table
(``search_file.py``), for which LanceDB is not even imported, else from the table; above
that on disk, by Lance's full-text search, which is the same BM25 (k1 1.2, b 0.75), and through a vector index once there are
``ANN_MIN_ROWS`` rows. Every call of the moving LanceDB API is in this file.
"""

from __future__ import annotations

import math
import os
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import numpy as np
import pyarrow as pa

from infra.errors import VectorStoreError, boundary
from infra.vector_stores import search_file
from infra.vector_stores.resident import (
    Resident,
    TooManyError,
    column_of,
    columns_of,
    counted,
    read_resident,
)
from infra.vector_stores.search_file import SearchFile
from infra.vector_stores.types import (
    EVERY_ROW,
    PLACE_COLUMNS,
    RowFilter,
    Scalar,
    StoredVectors,
    StoreHit,
    TextQuery,
    VectorRow,
    Vectors,
    check_batch,
    content_fingerprint,
    ranked,
)

if TYPE_CHECKING:  # LanceDB takes longer to import than all else of a first search
    from lancedb.query import FullTextQuery, LanceVectorQueryBuilder
    from lancedb.table import Table

TABLE = "items"
RESIDENT_PASSAGES = 65_536  # 100 MB of vectors at 384 dimensions, as much again of terms
ANN_MIN_ROWS = 5_000  # below, an exact scan is as fast as an index
ROWS_PER_PARTITION = 4_096
TRAINING_ROWS = 64  # of each of many partitions; Lance's own 256 take four times as long and find no more
FEWEST_TRAINING_ROWS = 2_048  # of all together; fewer make the index of a few partitions slow
IDS_PER_FILTER = 500
SCAN_ROWS = 8_192
_KIND = "split_part(id, ':', 2)"  # ``kind_of`` in SQL
_KEY = {"lance-schema:unenforced-primary-key": "true"}  # without it concurrent upserts write rows twice
_TYPES: dict[type, pa.DataType] = {str: pa.string(), int: pa.int64(), float: pa.float64()}
_Query = TypeVar("_Query")


class LanceStore:
    """One Lance table. ``VectorStore`` says what each method does."""

    def __init__(  # noqa: PLR0913 - what a table is opened with, by name
        self,
        uri: str,
        *,
        dims: Mapping[str, int],
        payload: Mapping[str, type],
        storage_options: Mapping[str, str] | None = None,
        live: bool = True,
        resident_passages: int = RESIDENT_PASSAGES,
        sole_writer: bool = False,
    ) -> None:
        """Open the collection at ``uri``, or make it when ``live``.

        Args:
            uri: directory or ``s3://`` prefix; the table is a folder in it.
            dims: width of the vectors of each space.
            payload: name and type (str, int or float) of each payload column; any value may be None.
            storage_options: of the object store.
            live: whether others may write: every search then looks for the newest version. False for a
                published index, which nobody changes.
            resident_passages: up to so many vectors (rows, where there are none) are held in memory; 0 searches on disk.
            sole_writer: of a table made here, nobody else writes: new rows are appended without looking for old ones, which
                takes a quarter of the time.

        Raises:
            ValueError: if ``live`` is False and there is no table.
        """
        self._dims, self._payload, self._live = dict(dims), dict(payload), live
        self._uri, self._options = uri, dict(storage_options or {})
        self._resident_passages, self._sole_writer = resident_passages, sole_writer
        self._lock = threading.Lock()
        self._held: _Held | None = None
        self._written: set[str] | None = None  # the ids there are, where that is known
        with boundary(VectorStoreError, f"open what is searched at {uri}"):
            self._file = None if live else SearchFile.beside(uri)
        if self._file is None:
            _ = self._table  # opened now, so that an error comes now

    def upsert(self, rows: Sequence[VectorRow]) -> None:
        """See ``VectorStore``."""
        check_batch(rows, dims=self._dims)
        if not rows:
            return
        with self._lock, boundary(VectorStoreError, f"upsert {len(rows)} rows, the first {rows[0].id!r}"):
            search_file.forget(self._uri)
            if self._written is not None and self._written.isdisjoint(ids := {row.id for row in rows}):
                self._table.add(self._batch(rows))
                self._written |= ids
                return
            merge = self._table.merge_insert("id")
            merge.when_matched_update_all().when_not_matched_insert_all().execute(self._batch(rows))

    def carry(self, rows: Sequence[VectorRow]) -> None:
        """See ``VectorStore``; each version is a table of its own."""
        self.upsert(rows)

    def row_ids(self) -> set[str]:
        """Of every row."""
        with boundary(VectorStoreError, "read ids"):
            batches = self._table.search().select(["id"]).to_batches(batch_size=SCAN_ROWS)
            return {id_ for batch in batches for id_ in batch.column("id").to_pylist()}

    def delete(self, ids: Sequence[str]) -> None:
        """See ``VectorStore``."""
        with self._lock, boundary(VectorStoreError, f"delete {len(ids)} rows"):
            search_file.forget(self._uri)
            for condition in _id_conditions(ids):
                self._table.delete(condition)

    def publish(self) -> None:
        """Index texts, ids and, in a large collection, vectors; compact; drop what only old versions need."""
        from lancedb.index import FTS, BTree, IvfSq

        with self._lock, boundary(VectorStoreError, "index the Lance table"):
            words = FTS(
                base_tokenizer="whitespace",
                lower_case=False,
                stem=False,
                remove_stop_words=False,
                ascii_folding=False,
                max_token_length=None,
            )
            self._table.create_index("terms", config=words, replace=True)
            self._table.create_index("pairs", config=words, replace=True)
            self._table.create_index("id", config=BTree(), replace=True)
            for space in self._dims:
                if (rows := self._table.count_rows(f"{column_of(space)} IS NOT NULL")) >= ANN_MIN_ROWS:
                    partitions = max(rows // ROWS_PER_PARTITION, 1)
                    sample = max(TRAINING_ROWS, FEWEST_TRAINING_ROWS // partitions)
                    quantised = IvfSq(distance_type="cosine", num_partitions=partitions, sample_rate=sample)
                    self._table.create_index(column_of(space), config=quantised, replace=True)
            with (
                warnings.catch_warnings()
            ):  # it warns of readers of older versions: before publishing there are none
                warnings.simplefilter("ignore", UserWarning)
                self._table.optimize(cleanup_older_than=timedelta(0))
            self._write_search_file()

    def search_vectors(
        self, space: str, queries: Vectors, *, limit: int, where: RowFilter = EVERY_ROW
    ) -> list[list[StoreHit]]:
        """See ``VectorStore``."""
        if resident := self._in_memory():
            return resident.vectors[space].search(queries, limit=limit, where=where)
        condition, column = _condition(where), column_of(space)

        def search(query: Vectors) -> list[StoreHit]:
            builder = cast("LanceVectorQueryBuilder", self._table.search(query, vector_column_name=column))
            builder = (
                builder.distance_type("cosine")
                .nprobes(self._probes())
                .refine_factor(4)
                .select(["id", "_distance"])
                .limit(limit)
            )
            if condition:
                builder = builder.where(condition, prefilter=True)
            hits = builder.to_arrow().to_pydict()  # rows without a vector in the space are not among them
            return ranked(zip(hits["id"], (1.0 - distance for distance in hits["_distance"]), strict=True))

        return _each(search, list(queries), action="vector search")

    def search_texts(
        self, queries: Sequence[TextQuery], *, limit: int, where: RowFilter = EVERY_ROW
    ) -> list[list[StoreHit]]:
        """See ``VectorStore``; on disk, terms are weighed by their frequency in the whole collection."""
        if resident := self._in_memory():
            return resident.texts.search(queries, limit=limit, where=where)
        condition = _condition(where)

        def search(query: TextQuery) -> list[StoreHit]:
            if not query.terms:
                return []
            found = (
                self._table.search(_full_text(query), query_type="fts").select(["id", "_score"]).limit(limit)
            )
            hits = (found.where(condition, prefilter=True) if condition else found).to_arrow().to_pydict()
            return ranked(zip(hits["id"], hits["_score"], strict=True))

        return _each(search, list(queries), action="text search")

    def payloads(self, ids: Sequence[str]) -> dict[str, dict[str, Scalar]]:
        """See ``VectorStore``."""
        if self._file:
            with boundary(VectorStoreError, "read rows by id"):
                return {row.pop("id"): row for row in self._file.rows(ids, [*self._payload])}
        rows = self._rows(ids, columns=["id", *self._payload])
        return {row.pop("id"): row for row in rows}

    def stored(self, ids: Sequence[str]) -> dict[str, StoredVectors]:
        """See ``VectorStore``."""
        rows = self._rows(ids, columns=["id", "content_hash", *map(column_of, self._dims)])
        return {
            row["id"]: StoredVectors(
                row["content_hash"],
                {
                    space: np.array(row[column_of(space)], np.float32)
                    for space in self._dims
                    if row[column_of(space)] is not None
                },
            )
            for row in rows
        }

    def content_hashes(self, ids: Sequence[str]) -> dict[str, str]:
        """See ``VectorStore``."""
        return {row["id"]: row["content_hash"] for row in self._rows(ids, columns=["id", "content_hash"])}

    def count(self, where: RowFilter = EVERY_ROW) -> int:
        """See ``VectorStore``."""
        with boundary(VectorStoreError, "count rows"):
            return self._table.count_rows(_condition(where))

    def fingerprint(self) -> str:
        """See ``VectorStore``."""
        with boundary(VectorStoreError, "read content hashes"):
            batches = self._table.search().select(["id", "content_hash"]).to_batches(batch_size=SCAN_ROWS)
            return content_fingerprint(
                (row["id"], row["content_hash"]) for batch in batches for row in batch.to_pylist()
            )

    def _schema(self) -> pa.Schema:
        texts = [pa.field(name, pa.string()) for name in ("scope", "content_hash", "terms", "pairs")]
        vectors = [
            pa.field(column_of(space), pa.list_(pa.list_(pa.float32(), dim)))
            for space, dim in self._dims.items()
        ]
        payload = [pa.field(name, _TYPES[kind]) for name, kind in self._payload.items()]
        key = pa.field("id", pa.string(), nullable=False, metadata=_KEY)
        return pa.schema([key, *texts, *vectors, *payload])

    def _batch(self, rows: Sequence[VectorRow]) -> pa.Table:
        columns: dict[str, Any] = {
            name: [getattr(row, name) for row in rows]
            for name in ("id", "scope", "content_hash", "terms", "pairs")
        }
        columns |= {
            column_of(space): _lists_of_vectors([row.vectors.get(space) for row in rows], dim)
            for space, dim in self._dims.items()
        }
        columns.update({name: [row.payload.get(name) for row in rows] for name in self._payload})
        return pa.table(columns, schema=self._schema())

    def _rows(self, ids: Sequence[str], *, columns: list[str]) -> Iterator[dict[str, Any]]:
        for condition in _id_conditions(ids):
            with boundary(VectorStoreError, "read rows by id"):
                rows = self._table.search().where(condition).select(columns).limit(IDS_PER_FILTER).to_list()
            yield from rows

    def _probes(self) -> int:
        """All partitions of a small index, and never fewer than an eighth of them."""
        return max(32, self._table.count_rows() // ROWS_PER_PARTITION // 8)

    def _in_memory(self) -> Resident | None:
        """What search needs, in memory and read again after a write; None if it is too much."""
        if not self._resident_passages:
            return None
        with self._lock, boundary(VectorStoreError, "read vectors and terms"):
            if self._held is None or (self._live and self._held.version != self._table.version):
                version = 0 if self._file else self._table.version
                self._held = _Held(version, self._read())
        return self._held.resident

    def _read(self) -> Resident | None:
        """None as soon as it is too much."""
        scan = self._file.batches if self._file else self._scan
        if not self._file and self._table.count_rows() > self._resident_passages:
            return None
        try:
            return read_resident(scan, self._dims, self._payload, self._resident_passages)
        except TooManyError:
            return None

    def _scan(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        yield from self._table.search().select(list(columns)).to_batches(batch_size=SCAN_ROWS)

    def _write_search_file(self) -> None:
        """For those who open what is published here, unless it is more than they hold in memory."""
        if not self._sole_writer or "://" in self._uri or self._table.count_rows() > self._resident_passages:
            return
        names = list(dict.fromkeys([*columns_of(self._dims, self._payload), *self._payload]))
        schema = pa.schema([self._schema().field(name) for name in names])
        try:
            batches = counted(self._scan(names), self._dims, self._resident_passages)
            search_file.write(Path(self._uri), schema, batches)
        except TooManyError:
            search_file.forget(self._uri)

    @cached_property
    def _table(self) -> Table:
        """Opened, or made where others may write. Raises ``ValueError`` if there is none."""
        import lancedb

        interval = timedelta(0) if self._live else None
        with boundary(VectorStoreError, f"open the Lance table at {self._uri}"):
            database = lancedb.connect(
                self._uri, storage_options=self._options, read_consistency_interval=interval
            )
            if TABLE in database.list_tables().tables:
                return database.open_table(TABLE)
            if self._live:
                self._written = set[str]() if self._sole_writer else None
                return database.create_table(TABLE, schema=self._schema(), exist_ok=True)
        raise ValueError(f"no index table at {self._uri}")


class _Held(NamedTuple):
    """What is held of a version of the table; nothing if it is too much."""

    version: int
    resident: Resident | None


def _lists_of_vectors(vectors: Sequence[Vectors | None], dim: int) -> pa.ListArray:
    """A list of vectors for each row, null for a row without."""
    present = [matrix for matrix in vectors if matrix is not None]
    flat = np.concatenate(present).astype(np.float32).ravel() if present else np.zeros(0, np.float32)
    ends = np.cumsum([0] + [0 if matrix is None else len(matrix) for matrix in vectors]).astype(np.int32)
    return pa.ListArray.from_arrays(
        pa.array(ends),
        pa.FixedSizeListArray.from_arrays(pa.array(flat), dim),
        mask=pa.array([matrix is None for matrix in vectors]),
    )


def _full_text(query: TextQuery) -> FullTextQuery:
    from lancedb.query import BooleanQuery, Occur

    terms = _match(query.terms, "terms", 1.0)
    if not query.pairs:
        return terms  # a tenth of the time of a query of clauses
    return BooleanQuery(
        [(Occur.SHOULD, terms), (Occur.SHOULD, _match(query.pairs, "pairs", query.pair_weight))]
    )


def _match(words: str, column: str, boost: float) -> FullTextQuery:
    from lancedb.query import MatchQuery

    return MatchQuery(words, column, boost=boost)  # its defaults are pydantic's


def _each(
    search: Callable[[_Query], list[StoreHit]], queries: Sequence[_Query], *, action: str
) -> list[list[StoreHit]]:
    """Lance works outside the interpreter lock, so that threads use every core."""
    with boundary(VectorStoreError, action):
        if len(queries) < 2:
            return [search(query) for query in queries]
        with ThreadPoolExecutor(max_workers=len(os.sched_getaffinity(0))) as pool:
            return list(pool.map(search, queries))


def _quoted(values: Sequence[str]) -> str:
    return ", ".join("'" + value.replace("'", "''") + "'" for value in values)


def _condition(where: RowFilter) -> str | None:
    if where.allows_none:
        return "scope IS NULL"
    conditions = [
        f"{_KIND if name == 'kind' else name} IN ({_quoted(values)})"
        for name, values in where.columns().items()
    ]
    if where.between is not None:
        conditions += _between(*where.between)
    return " AND ".join(conditions) or None


def _between(first: float, last: float) -> Iterator[str]:
    """As ``filter_columns`` says it of rows in memory."""
    position, duration = PLACE_COLUMNS
    yield f"({position} > 0 OR {duration} > 0)"
    if math.isfinite(last):
        yield f"{position} <= {last!r}"
    if math.isfinite(first):
        yield f"({position} >= {first!r} OR {position} + {duration} > {first!r})"


def _id_conditions(ids: Sequence[str]) -> Iterator[str]:
    unique = sorted(set(ids))
    for start in range(0, len(unique), IDS_PER_FILTER):
        yield f"id IN ({_quoted(unique[start : start + IDS_PER_FILTER])})"
