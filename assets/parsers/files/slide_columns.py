"""Slides in the columns of SlideVQA's Parquet: 20 images stored again in every question of a deck.

A row is {"deck_name", ..., "page_1": {"bytes", "path"}, ..., "page_20"}; the columns are in no numeric order
and a page may be null. Only images that are wanted are taken out of the table, so that what a deck costs is
paid once. What a slide becomes is decided by ``slidevqa.py``.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from assets.parsers.files.raw_folder import RawFile
from assets.parsers.files.record_files import PARQUET_BUFFER, parquet_rows
from assets.parsers.types import SkippedRecord

if TYPE_CHECKING:
    import pyarrow as pa

QUESTION_COLUMNS = ("deck_name", "deck_url", "qa_id", "question", "answer", "evidence_pages")
ROWS_AT_ONCE = 4  # a row holds 20 images, some 4 MB
_PAGE_COLUMN = re.compile(r"page_(\d+)")


class StoredSlide(NamedTuple):
    """One image as it is stored."""

    deck: str
    page: int
    data: bytes
    where: str


def deck_names(file: RawFile) -> set[str]:
    """The decks that a file has rows of; what cannot be read is told when its rows are."""
    rows = (getattr(row, "value", None) for row in parquet_rows(file, ("deck_name",)))
    return {str(row["deck_name"]).strip() for row in rows if isinstance(row, dict) and row.get("deck_name")}


def slides_of(file: RawFile, is_wanted: Callable[[str, int], bool]) -> Iterator[StoredSlide | SkippedRecord]:
    """The images of a file, rows in order and pages in numeric order, that ``is_wanted`` by deck and page."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    row = 0
    try:
        with pq.ParquetFile(file.path, buffer_size=PARQUET_BUFFER, pre_buffer=False) as table:
            pages = _page_columns(table.schema_arrow.names)
            columns = ["deck_name", *pages.values()]
            for batch in table.iter_batches(batch_size=ROWS_AT_ONCE, columns=columns) if pages else ():
                for index in range(batch.num_rows):
                    deck = str(batch["deck_name"][index].as_py() or "").strip()
                    wanted = [page for page in pages if deck and is_wanted(deck, page)]
                    for page in wanted:
                        if data := _bytes(batch[pages[page]][index]):
                            yield StoredSlide(deck, page, data, f"{file.name}[{row}].{pages[page]}")
                    row += 1
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        yield SkippedRecord(reason="file_malformed", where=f"{file.name}[{row}]", detail=str(error))


def _page_columns(names: Sequence[str]) -> dict[int, str]:
    """The columns that hold slides, by page in numeric order."""
    numbered = [(_PAGE_COLUMN.fullmatch(name), name) for name in names]
    return dict(sorted((int(match.group(1)), name) for match, name in numbered if match))


def _bytes(value: "pa.Scalar") -> bytes:
    """The encoded image of a cell: bytes, or a record with a field of that name; empty if there is none."""
    cell = value.as_py()
    data = cell.get("bytes") if isinstance(cell, dict) else cell
    return data if isinstance(data, bytes) else b""
