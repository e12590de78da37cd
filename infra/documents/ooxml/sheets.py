"""Workbooks: every sheet as a table of the values that it shows, then its pictures, charts, text boxes and comments.

A formula is its stored result; where none is stored, the formula itself. Sheets are read row by row.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from infra.documents.blocks import Block, Document, Gap, Paragraph, Section, Table
from infra.documents.markup import (
    Element,
    attribute,
    child,
    children,
    descendants,
    local,
    relation,
    stream_xml,
    value,
    whole_number,
)
from infra.documents.ooxml.drawing_text import chosen, drawing_text
from infra.documents.ooxml.drawings import Drawings
from infra.documents.ooxml.number_formats import PLAIN, NumberFormat, cell_formats, shown
from infra.documents.ooxml.package import Package
from infra.documents.text import head_of, one_line, trimmed
from infra.errors import MediaError
from infra.limits import MAX_CELLS, MAX_SHEET_BYTES

_DIGITS = "0123456789"
# parts, fonts, sizes and fields of a printed header
_EDGE_CODE = re.compile(r'&(?:"[^"]*"|K[0-9A-Fa-f+-]{6}|\d{1,3}|[A-JL-Za-z])')
# a character that XML cannot hold, as a workbook writes it
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
# what stands in a comment for programs that know no conversations, and is said by the conversation itself
_STAND_IN = "[Threaded comment]"
_MAX_LETTERS = 3  # of a column's name
_MAX_COLUMNS = 16_384


class _Row(NamedTuple):
    number: int
    cells: dict[int, str]


def read_sheets(package: Package) -> Document:
    """One section for each sheet; hidden ones say so. Raises ``MediaError``."""
    return Document("Excel workbook", tuple(_Workbook(package).sections()))


class _Workbook:
    def __init__(self, package: Package) -> None:
        self._package, main = package, package.main
        self._book = package.xml(main)
        self._drawings = Drawings(package, main)
        self._from_1904 = value(child(self._book, "workbookPr"), "date1904") in ("1", "true")
        styles = package.related(main, "styles")
        self._formats = cell_formats(package.xml_or_none(styles[0]) if styles else None)
        self._strings = list(self._shared(main))
        self._cells_left = MAX_CELLS

    def sections(self) -> Iterator[Section]:
        listed = child(self._book, "sheets")
        for sheet in children(listed, "sheet"):
            name, state = one_line(attribute(sheet, "name")), attribute(sheet, "state", "visible")
            place = f"sheet {name}" if state == "visible" else f"hidden sheet {name}"
            part = self._drawings.target(relation(sheet, "id"))
            try:
                blocks = tuple(self._sheet(part))
            except MediaError as error:
                blocks = (Gap(error.reason, place, error.detail),)
            yield Section(place, blocks)

    def _shared(self, main: str) -> Iterator[str]:
        for part in self._package.related(main, "sharedStrings"):
            with self._package.archive.open(part, max_bytes=MAX_SHEET_BYTES) as stream:
                for item in stream_xml(stream, part, "si"):
                    yield one_line(_rich_text(item))

    def _sheet(self, part: str) -> Iterator[Block]:
        rows: list[_Row] = []
        edges: list[Block] = []
        with self._package.archive.open(part, max_bytes=MAX_SHEET_BYTES) as stream:
            for element in stream_xml(stream, part, "row", "headerFooter"):
                if local(element) == "headerFooter":
                    edges += _printed_edges(element)
                    continue
                row = self._row(element, rows[-1].number + 1 if rows else 1)
                if not row.cells:
                    continue
                self._cells_left -= len(row.cells)
                if self._cells_left < 0:
                    yield Gap("too_many_cells", f"from row {row.number} on", f"more than {MAX_CELLS:,} cells")
                    break
                rows.append(row)
        yield from _tables(rows)
        yield from edges
        yield from self._beside(part)

    def _row(self, element: Element, after: int) -> _Row:
        cells: dict[int, str] = {}
        column = 0
        for cell in element:  # a million of them is usual: attributes of cells have no prefixes
            if not cell.tag.endswith("c"):
                continue
            if place := cell.get("r"):
                column = _column(place.rstrip(_DIGITS))
            if column < _MAX_COLUMNS and (text := self._value(cell)):
                cells[column] = text
            column += 1
        return _Row(whole_number(element.get("r", ""), after) or after, cells)

    def _value(self, cell: Element) -> str:
        parts = {inner.tag.rpartition("}")[2]: inner for inner in cell}
        if (held := parts.get("is")) is not None:
            return one_line(_rich_text(held))
        formula, stored = parts.get("f"), parts.get("v")
        # programs that do not calculate leave the place of a result empty
        is_calculated = formula is None or cell.get("t") == "str" or (stored is not None and stored.text)
        if stored is not None and is_calculated:
            return self._stored(cell.get("t", "n"), stored.text or "", cell.get("s", ""))
        return f"={one_line(formula.text)}" if formula is not None and formula.text else ""

    def _stored(self, kind: str, text: str, style: str) -> str:
        match kind:
            case "s":
                index = whole_number(text, -1)
                return self._strings[index] if 0 <= index < len(self._strings) else ""
            case "b":
                return "TRUE" if text.strip() == "1" else "FALSE"
            case "n":
                return shown(text.strip(), self._format(style), from_1904=self._from_1904)
            case "d":
                return text.strip().removesuffix("T00:00:00").replace("T", " ")
        return one_line(_unescaped(text))

    def _format(self, style: str) -> NumberFormat:
        index = whole_number(style, 0)
        return self._formats[index] if 0 <= index < len(self._formats) else PLAIN

    def _beside(self, part: str) -> Iterator[Block]:
        """What lies on a sheet or belongs to its cells."""
        for drawing in self._package.related(part, "drawing"):
            if (root := self._package.xml_or_none(drawing)) is not None:
                yield from _drawn(root, Drawings(self._package, drawing))
        threads = self._package.related(part, "threadedComment")
        for comments in (*threads, *self._package.related(part, "comments")):
            root = self._package.xml_or_none(comments)
            for comment in [] if root is None else descendants(root, "comment", "threadedComment"):
                words = one_line(_rich_text(comment))
                if words and not (threads and words.startswith(_STAND_IN)):
                    yield Paragraph(f"Comment at {attribute(comment, 'ref')}: {words}")


def _printed_edges(element: Element) -> Iterator[Block]:
    """The header and the footer of the printed sheet, without what is counted or dated."""
    said = (one_line(_EDGE_CODE.sub(" ", edge.text or "").replace("&&", "&")) for edge in element)
    yield from (Paragraph(words) for words in dict.fromkeys(said) if any(map(str.isalpha, words)))


def _rich_text(holder: Element) -> str:
    """The text of a string, its runs joined; how it is pronounced is left out."""
    pieces: list[str] = []
    for inner in holder:
        name = local(inner)
        if name in ("t", "text") and not len(inner):
            pieces.append(_unescaped(inner.text or ""))
        elif name != "rPh":
            pieces.append(_rich_text(inner))
    return "".join(pieces)


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match.group(1), 16)), text) if "_x" in text else text


@lru_cache(maxsize=_MAX_COLUMNS)
def _column(letters: str) -> int:
    number = 0
    for letter in letters.upper()[:_MAX_LETTERS]:
        number = 26 * number + ord(letter) - ord("A") + 1
    return max(0, number - 1)


def _tables(rows: Sequence[_Row]) -> Iterator[Block]:
    """The rows of a sheet as a table of the columns that it uses."""
    used = sorted({column for row in rows for column in row.cells})
    cells = trimmed([[row.cells.get(column, "") for column in used] for row in rows])
    if cells:
        yield Table(tuple(map(tuple, cells)), head_of(cells), tuple(row.number for row in rows))


def _drawn(element: Element, drawings: Drawings) -> Iterator[Block]:
    for inner in element:
        match local(inner):
            case "txBody":
                if text := drawing_text(inner):
                    yield Paragraph(text)
            case "blip":
                yield from drawings.picture(inner)
            case "chart" | "relIds":
                yield from drawings.graphic(inner)
            case "AlternateContent":
                if (form := chosen(inner)) is not None:
                    yield from _drawn(form, drawings)
            case _:
                yield from _drawn(inner, drawings)
