"""Tables in plain text: CSV and its kin, whatever stands between the cells, with line breaks in quotes."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator

from infra.documents.blocks import Block, Document, Gap, Paragraph, Section, Table
from infra.documents.encoding import decoded
from infra.documents.text import head_of, one_line, trimmed
from infra.errors import MediaError
from infra.limits import MAX_CELLS

DELIMITERS = (",", ";", "\t", "|")
_SAMPLE_LINES = 50
_MAX_FIELD = 8 << 20  # characters of one cell
_AS_TEXT = re.compile(r'\A="([^"]*)"\Z')  # a number that a spreadsheet is to leave as it is written
_ESCAPED = re.compile(r'[^\\]\\"[^,;\t|\n]')
_DOUBLED = re.compile(r'[^,;\t|\n]""')
_DECIMALS = re.compile(r"\s*[-+]?\d*(?:,\d+)?(?:;\s*[-+]?\d*(?:,\d+)?\s*)+")  # numbers with a comma in them
_RUNAWAY_LINES = 200  # in one cell: a quotation mark that nothing closes


def read_delimited(data: bytes, *, suffix: str, fallback: str) -> Document:
    """One table. Raises ``MediaError`` if there is nothing in it."""
    text = decoded(data, fallback=fallback).replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    delimiter, text = _declared(text) or (_delimiter(text, suffix), text)
    if not text.strip():
        raise MediaError("text_empty", "nothing but white space")
    csv.field_size_limit(_MAX_FIELD)
    return Document("table in plain text", (Section("", tuple(_blocks(text, delimiter))),))


def _blocks(text: str, delimiter: str) -> Iterator[Block]:
    rows, numbers = _rows(text, delimiter)
    cells = sum(map(len, rows))
    if cells > MAX_CELLS:
        yield Gap("too_many_cells", "the table", f"{cells:,} cells, limit {MAX_CELLS:,}")
        rows = rows[: max(1, MAX_CELLS * len(rows) // cells)]
    kept = trimmed(rows)
    if kept and len(kept[0]) > 1:
        yield Table(tuple(map(tuple, kept)), head_of(kept), tuple(numbers[: len(kept)]))
    else:
        yield from (Paragraph(row[0]) for row in kept)


def _rows(text: str, delimiter: str) -> tuple[list[list[str]], list[int]]:
    """The rows that hold anything, and their numbers; quotation marks mean nothing where one is never closed."""
    escape = "\\" if _is_escaped(text) else None
    try:
        parsed = list(
            csv.reader(
                io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, escapechar=escape
            )
        )
    except csv.Error:
        parsed = None
    if parsed is None or any(cell.count("\n") > _RUNAWAY_LINES for row in parsed for cell in row):
        parsed = [line.split(delimiter) for line in text.split("\n")]
    rows: list[list[str]] = []
    numbers: list[int] = []
    for number, row in enumerate(parsed, start=1):
        cells = [one_line(_AS_TEXT.sub(r"\1", cell)) for cell in row]
        if any(cells):
            rows.append(cells)
            numbers.append(number)
    return rows, numbers


def _is_escaped(text: str) -> bool:
    """Whether quotation marks within cells stand behind a backslash, and none is doubled as is usual."""
    return _ESCAPED.search(text) is not None and _DOUBLED.search(text) is None


def _declared(text: str) -> tuple[str, str] | None:
    """The delimiter that the first line states as spreadsheets write it, and the rest."""
    first, _, rest = text.removeprefix("\ufeff").partition("\n")
    stated = first.strip().lower().strip('"')
    return (first.strip().strip('"')[4], rest) if stated.startswith("sep=") and len(stated) == 5 else None


def _delimiter(text: str, suffix: str) -> str:
    """The one that divides most lines of the sample into equally many cells."""
    lines = [line for line in text[:200_000].split("\n") if line.strip()][:_SAMPLE_LINES]
    order = ("\t", ",", ";", "|") if suffix in (".tsv", ".tab") else DELIMITERS
    best = max(order, key=lambda delimiter: _agreement(lines, delimiter))
    if best == "," and all(map(_DECIMALS.fullmatch, lines)):
        return ";"
    return best


def _agreement(lines: list[str], delimiter: str) -> float:
    """How many lines have the most common number of delimiters outside of quotes, and how many these are."""
    counts = Counter(_outside_quotes(line, delimiter) for line in lines)
    counts.pop(0, None)
    if not counts:
        return 0.0
    number, times = max(counts.items(), key=lambda item: (item[1], item[0]))
    return times + 0.01 * min(number, 50)


def _outside_quotes(line: str, delimiter: str) -> int:
    return sum(part.count(delimiter) for part in line.split('"')[::2])
