"""The Parquet tables of the corpus, written and read in batches so that none is ever held whole.

Holds the mapping between records and rows; which tables exist where is known by ``build.py`` and
``shards.py``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import IO, Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from assets.corpus.item import Item, Modality
from assets.corpus.question import AnswerKind, EvidenceStatus, Question
from infra.limits import PARQUET_BATCH_CHARACTERS, PARQUET_BATCH_ROWS, PARQUET_READ_ROWS

_COLUMNS: dict[Any, pa.DataType] = {
    int: pa.int32(),
    float: pa.float64(),
    tuple[str, ...]: pa.list_(pa.string()),
}


def _schema(record: type[Item] | type[Question]) -> pa.Schema:
    """A column for each field; texts, enums and optional texts are strings."""
    return pa.schema({field.name: _COLUMNS.get(field.type, pa.string()) for field in fields(record)})


ITEMS, QUESTIONS = _schema(Item), _schema(Question)
SKIPPED = pa.schema({"reason": pa.string(), "where": pa.string(), "detail": pa.string()})


class TableWriter:
    """Rows to one Parquet file (zstd), one bounded batch in memory at a time; equal rows give equal bytes."""

    def __init__(self, file: Any, schema: pa.Schema) -> None:
        """``file`` is a writable binary file; it is closed with the table."""
        self._file, self._schema = file, schema
        self._writer = pq.ParquetWriter(file, schema, compression="zstd")
        self._pending: list[Mapping[str, Any]] = []
        self._pending_characters = 0
        self.num_rows = 0

    def write(self, row: Mapping[str, Any]) -> None:
        """Append one row; columns that the schema does not know are refused by ``ValueError``."""
        if row.keys() != set(self._schema.names):
            raise ValueError(f"columns {sorted(row)} where {sorted(self._schema.names)} are due")
        self._pending.append(row)
        self._pending_characters += sum(len(value) for value in row.values() if isinstance(value, str))
        self.num_rows += 1
        if len(self._pending) >= PARQUET_BATCH_ROWS or self._pending_characters >= PARQUET_BATCH_CHARACTERS:
            self._flush()

    def _flush(self) -> None:
        if self._pending:
            self._writer.write_batch(pa.RecordBatch.from_pylist(self._pending, schema=self._schema))
            self._pending, self._pending_characters = [], 0

    def close(self) -> None:
        """Write what is pending and the footer."""
        self._flush()
        self._writer.close()
        self._file.close()

    def __enter__(self) -> Self:
        """The writer itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close, whether or not the block failed."""
        self.close()


def rows(file: IO[bytes] | str, *, columns: list[str] | None = None) -> Iterator[dict[str, Any]]:
    """The rows of a Parquet file in order, ``PARQUET_READ_ROWS`` in memory at a time."""
    with pq.ParquetFile(file) as table:
        for batch in table.iter_batches(batch_size=PARQUET_READ_ROWS, columns=columns):
            yield from batch.to_pylist()


def num_groups(file: IO[bytes]) -> int:
    """Row groups of a Parquet file, none of which has more than ``PARQUET_BATCH_ROWS`` rows if it is one of ours."""
    return pq.ParquetFile(file).num_row_groups


def group_rows(file: IO[bytes], group: int) -> list[dict[str, Any]]:
    """The rows of one row group (from 0), in order."""
    return pq.ParquetFile(file).read_row_group(group).to_pylist()


_ITEM_FIELDS = tuple(field.name for field in fields(Item))
_QUESTION_FIELDS = tuple(field.name for field in fields(Question))


def item_row(item: Item) -> dict[str, Any]:
    """The row of an item in ``ITEMS``."""
    return {name: getattr(item, name) for name in _ITEM_FIELDS}


def item_of(row: Mapping[str, Any]) -> Item:
    """The item of a row."""
    typed: dict[str, Any] = {"modality": Modality(row["modality"]), "aliases": tuple(row["aliases"])}
    return Item(**{**row, **typed})


def question_row(question: Question) -> dict[str, Any]:
    """The row of a question in ``QUESTIONS``."""
    return {name: getattr(question, name) for name in _QUESTION_FIELDS}


def question_of(row: Mapping[str, Any]) -> Question:
    """The question of a row."""
    texts: dict[str, Any] = {name: tuple(row[name]) for name in ("answers", "choices", "gold", "notes")}
    enums: dict[str, Any] = {"kind": AnswerKind(row["kind"]), "evidence": EvidenceStatus(row["evidence"])}
    return Question(**{**row, **texts, **enums})
