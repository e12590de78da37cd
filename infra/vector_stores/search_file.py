"""What a search needs of a small published collection, in one Arrow file beside its table.

Read without LanceDB, whose import alone takes more than twice as long as everything else that a first search does. Rows lie in
compressed groups, of which the wanted columns are read. The table stays what is built on: a collection without the file is
searched in the table.
"""

from __future__ import annotations

import mmap
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import accumulate, groupby
from pathlib import Path
from typing import Any

import pyarrow as pa

NAME = "search.arrow"
GROUP_ROWS = 64  # of which all are unpacked to read one
_OPTIONS = pa.ipc.IpcWriteOptions(compression="zstd")


class SearchFile:
    """An open file. It stays readable when it is deleted; threads may share it."""

    def __init__(self, path: Path) -> None:
        """Map the file. Raises ``OSError``, or ``ValueError`` for an empty one."""
        with path.open("rb") as file:
            self._data = pa.py_buffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))

    @classmethod
    def beside(cls, uri: str) -> SearchFile | None:
        """That of the table at ``uri``; None where there is none, and on S3, where all of it would have to be fetched."""
        path = Path(uri) / NAME
        return cls(path) if "://" not in uri and path.is_file() else None

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Every row, in the order of the table.

        Raises:
            pyarrow.ArrowInvalid: if the file is damaged.
        """
        reader = self._reader(columns)
        for group in range(reader.num_record_batches):
            yield reader.get_batch(group)

    def rows(self, ids: Iterable[str], columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Those of ``ids`` that there are, with their ids, in the order of the table; raises as ``batches``."""
        at = sorted(self._places[id_] for id_ in ids if id_ in self._places)
        reader = self._reader(["id", *columns])
        for group, places in groupby(at, key=lambda place: bisect_right(self._starts, place) - 1):
            batch = reader.get_batch(group)
            for place in places:
                yield batch.slice(place - self._starts[group], 1).to_pylist()[0]

    @cached_property
    def _groups(self) -> list[list[str]]:
        return [batch.column("id").to_pylist() for batch in self.batches(["id"])]

    @cached_property
    def _starts(self) -> list[int]:
        """The first row of each group."""
        return [0, *accumulate(map(len, self._groups))][:-1]

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {id_: at for at, id_ in enumerate(id_ for group in self._groups for id_ in group)}

    def _reader(self, columns: Sequence[str]) -> pa.RecordBatchFileReader:
        schema = pa.ipc.open_file(pa.BufferReader(self._data)).schema
        wanted = [schema.get_field_index(name) for name in columns]
        return pa.ipc.open_file(
            pa.BufferReader(self._data), options=pa.ipc.IpcReadOptions(included_fields=wanted)
        )


def write(folder: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    """Write the file, in groups of ``GROUP_ROWS`` at most."""
    with pa.OSFile(str(folder / NAME), "wb") as file, pa.ipc.new_file(file, schema, options=_OPTIONS) as out:
        for batch in batches:
            for start in range(0, batch.num_rows, GROUP_ROWS):
                out.write_batch(batch.slice(start, GROUP_ROWS))


def forget(uri: str) -> None:
    """Remove the file of a table that is written to."""
    if "://" not in uri:
        (Path(uri) / NAME).unlink(missing_ok=True)
