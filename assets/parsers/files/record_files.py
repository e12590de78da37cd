"""Files of records in whatever container they are published: JSON, JSON lines, gzip of either, Parquet.

Which files of a raw folder hold records of the dataset is told by their first records, not by their names, so
that renamed files are read and foreign ones (an index, a list of results, another benchmark) are named and
left. What a record means is the parsers' business.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from assets.parsers.files.json_reader import legible
from assets.parsers.files.json_stream import LINE_SUFFIXES, JsonElement, elements
from assets.parsers.files.raw_folder import RawFile, RawFolder
from assets.parsers.types import ParsedRecord, SkippedRecord

PARQUET_SUFFIX = ".parquet"
RECORD_SUFFIXES = (".json", *LINE_SUFFIXES, PARQUET_SUFFIX)
LOOKED_AT = 20  # first elements by which a file is known
NAMED_FIELDS = 8  # of a foreign record, in the report
PARQUET_BATCH = 64  # rows in memory
PARQUET_BUFFER = 1 << 20  # bytes of a column read at a time
ABOUT_A_HUB_FOLDER = ("dataset_infos.json", "dataset_info.json", "dataset_dict.json", "state.json")

Marks = Sequence[frozenset[str]]
"""Sets of field names; who has all of one set is a record."""


class RecordFiles(NamedTuple):
    """The files that hold records, in name order, and what was found of the others."""

    files: list[RawFile]
    skipped: list[SkippedRecord]


def find_records(
    folder: RawFolder, marks: Marks, *, wanted: Callable[[RawFile], bool] | None = None
) -> RecordFiles:
    """The files of records among those ``wanted``, by ``marks`` of their first elements.

    A file that cannot be read is among them, so that reading it tells why; one without a single record is
    skipped with its reason.
    """
    records = RecordFiles([], [])
    for file in folder.take(RECORD_SUFFIXES, wanted):
        if file.path.name in ABOUT_A_HUB_FOLDER:
            continue
        first = list(islice(read_records(file, marks), LOOKED_AT))
        values = [element.value for element in first if isinstance(element, JsonElement)]
        if any(is_marked(value, marks) for value in values) or (first and not values):
            records.files.append(file)
        elif not first:
            records.skipped.append(SkippedRecord(reason="file_without_records", where=file.name))
        else:
            records.skipped.append(
                SkippedRecord(
                    reason="file_unrecognised", where=file.name, detail=_difference(values[0], marks)
                )
            )
    return records


def read_records(
    file: RawFile, marks: Marks, *, columns: Sequence[str] | None = None
) -> Iterator[JsonElement | SkippedRecord]:
    """Stream the elements of one file; of Parquet only ``columns``, where they are given and there."""
    if file.suffix == PARQUET_SUFFIX:
        return parquet_rows(file, columns)
    return elements(file.path, where=file.name, is_record=lambda value: is_marked(value, marks))


def parsed_records(
    file: RawFile,
    marks: Marks,
    parse: Callable[[JsonElement], Iterator[ParsedRecord]],
    *,
    columns: Sequence[str] | None = None,
) -> Iterator[ParsedRecord]:
    """What ``parse`` makes of each element of a file, and a skip for what is none."""
    for element in read_records(file, marks, columns=columns):
        if isinstance(element, SkippedRecord):
            yield element
        else:
            yield from parse(element)


def is_marked(value: object, marks: Marks) -> bool:
    """Whether ``value`` has all fields of one of ``marks``."""
    return isinstance(value, Mapping) and any(fields <= value.keys() for fields in marks)


def parquet_rows(
    file: RawFile, columns: Sequence[str] | None = None
) -> Iterator[JsonElement | SkippedRecord]:
    """The rows of a Parquet file as elements "<name>[<row>]"; NaN is null, as in JSON."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    row = 0
    try:
        with pq.ParquetFile(file.path, buffer_size=PARQUET_BUFFER, pre_buffer=False) as table:
            there = table.schema_arrow.names
            chosen = None if columns is None else [name for name in there if name in columns]
            for batch in table.iter_batches(batch_size=PARQUET_BATCH, columns=chosen):
                for value in batch.to_pylist():
                    yield JsonElement(f"{file.name}[{row}]", "", _without_nan(value))
                    row += 1
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        yield SkippedRecord(reason="file_malformed", where=f"{file.name}[{row}]", detail=str(error))


def _without_nan(row: Mapping[str, object]) -> dict[str, object]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in row.items()
    }


def _difference(value: object, marks: Marks) -> str:
    wanted = " or ".join(", ".join(sorted(fields)) for fields in marks)
    if not isinstance(value, Mapping):
        return f"its first element is no record with {wanted}"
    names = [str(legible(name)[0]) for name in list(value)[:NAMED_FIELDS]]
    return f"no record with {wanted}; the first has {', '.join(names)}"
