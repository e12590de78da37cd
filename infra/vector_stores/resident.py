"""All that a search looks at of a small collection, read into memory row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from infra.vector_stores.filter_columns import places_of
from infra.vector_stores.in_memory_texts import InMemoryTexts
from infra.vector_stores.in_memory_vectors import InMemoryVectors
from infra.vector_stores.types import FILTER_COLUMNS, PLACE_COLUMNS, TEXT_SPACE, Vectors, kind_of

Scan = Callable[[Sequence[str]], Iterable[Any]]
"""Columns to Arrow batches of them, every row once."""


class Resident(NamedTuple):
    """Vectors by space, and texts."""

    vectors: Mapping[str, InMemoryVectors]
    texts: InMemoryTexts


class _SpaceRows(NamedTuple):
    """The rows that have vectors in one space: their positions in the table, and ``[P, D]`` each."""

    at: list[int]
    vectors: list[Vectors]

    def add(self, lists: Any, start: int, dim: int) -> None:
        """Those of a batch whose first row has position ``start``."""
        ends, flat = _numbers(lists.offsets, np.int32), _numbers(lists.values.values, np.float32)
        rows = flat.reshape(-1, dim)[lists.values.offset :]
        for at in np.flatnonzero(_present(lists)).tolist():
            self.at.append(at + start)
            self.vectors.append(rows[ends[at] : ends[at + 1]])


# what Arrow's own conversions give too, but for them it imports pandas, and its functions for the rest
def _numbers(array: Any, kind: type[np.number]) -> NDArray[Any]:
    """The values of an array without nulls."""
    if not len(array):
        return np.zeros(0, kind)
    return np.frombuffer(array.buffers()[1], kind)[array.offset : array.offset + len(array)]


def _present(array: Any) -> NDArray[np.bool_]:
    """``[N]``, whether a value is no null."""
    if not array.null_count:
        return np.ones(len(array), np.bool_)
    bits = np.unpackbits(np.frombuffer(array.buffers()[0], np.uint8), bitorder="little")
    return bits[array.offset : array.offset + len(array)].astype(np.bool_)


def _num_vectors(lists: Any) -> int:
    ends = _numbers(lists.offsets, np.int32)
    return int(ends[-1] - ends[0])


def column_of(space: str) -> str:
    """Where the vectors of a space stand; the words' own has the name that tables had when there was one."""
    return "vectors" if space == TEXT_SPACE else f"vectors_{space}"


def columns_of(dims: Mapping[str, int], payload: Iterable[str]) -> list[str]:
    """The columns of a table with such spaces and payload columns that are read."""
    stored = set(payload)
    filters = [name for name in FILTER_COLUMNS if name == "scope" or name in stored]
    where = PLACE_COLUMNS if set(PLACE_COLUMNS) <= stored else ()
    return ["id", "terms", "pairs", *filters, *where, *map(column_of, dims)]


def counted(batches: Iterable[Any], dims: Mapping[str, int], most: int) -> Iterator[Any]:
    """The same batches. Raises ``TooManyError`` at the one with which there are more than ``most`` vectors."""
    passages = 0
    for batch in batches:
        passages += sum(_num_vectors(batch.column(column_of(space))) for space in dims)
        if passages > most:
            raise TooManyError(f"more than {most} vectors")
        yield batch


class TooManyError(Exception):
    """The collection is larger than what may be held."""


def read_resident(scan: Scan, dims: Mapping[str, int], payload: Iterable[str], most: int) -> Resident:
    """Read what ``scan`` gives.

    Raises:
        TooManyError: as soon as there are more than ``most`` vectors.
    """
    names = columns_of(dims, payload)
    places = [name for name in names if name in PLACE_COLUMNS]
    columns: dict[str, list[Any]] = {name: [] for name in names if name not in map(column_of, dims)}
    spaces = {space: _SpaceRows([], []) for space in dims}
    for batch in counted(scan(names), dims, most):
        start = len(columns["id"])
        for name, values in columns.items():
            found = batch.column(name).to_pylist()
            values += found if name in places else (value or "" for value in found)
        for space, rows in spaces.items():
            rows.add(batch.column(column_of(space)), start, dims[space])
    ids = columns["id"]
    kept = {name: columns[name] for name in FILTER_COLUMNS if name in columns}
    kept["kind"] = [kind_of(id_) for id_ in ids]
    where = places_of(*(columns[name] for name in PLACE_COLUMNS)) if places else None
    return Resident(
        {
            space: InMemoryVectors.of(
                [ids[at] for at in rows.at],
                {name: [values[at] for at in rows.at] for name, values in kept.items()},
                rows.vectors,
                None if where is None else where[rows.at],
            )
            for space, rows in spaces.items()
        },
        InMemoryTexts.of(ids, kept, columns["terms"], columns["pairs"], where),
    )
