"""The blocks of a document in passages that can be retrieved: whole paragraphs, and rows of tables below their head.

A passage never crosses sections, and begins at a heading where there is one. Each row of a table is a line of cells with ``|``
between them; a long table goes on in the next passage with its head repeated.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from assets.user_files.passages import Heading as MarkdownHeading
from assets.user_files.passages import markdown_blocks, num_words, pieces
from infra.media import Block, Heading, Markdown, Paragraph, Section, Table

HEADING_CHARACTERS = 120
MAX_HEAD_SHARE = 0.4  # of a passage's words that a repeated head may take


class DocumentPassage(NamedTuple):
    """``title`` is what follows the file's name: where it stands and the nearest heading above it."""

    title: str
    text: str


class _Filling:
    """The passage that is being filled."""

    def __init__(self, place: str, max_words: int) -> None:
        self._place, self._max = place, max_words
        self._heading = ""
        self._texts: list[str] = []
        self._words = 0.0
        self._bare = True  # it holds nothing but headings

    def heading(self, text: str) -> Iterator[DocumentPassage]:
        if not self._bare:
            yield from self.close()
        self._heading = _short(text)
        yield from self.add(text, bare=True)

    def add(self, text: str, *, bare: bool = False) -> Iterator[DocumentPassage]:
        for piece in pieces(text, self._max):
            words = num_words(piece)
            if self._texts and self._words + words > self._max:
                yield from self.close()
            self._texts.append(piece)
            self._words += words
            self._bare = bare and self._bare

    def table(self, table: Table) -> Iterator[DocumentPassage]:
        whole = _lines(table.rows)
        if self._words + num_words(whole) <= self._max and not table.numbers:
            yield from self.add(whole)
            return
        for first, last, text in _row_groups(table, self._max):
            yield from self.close() if not self._bare else ()
            self._texts.append(text)
            yield from self.close(_rows_named(table, first, last))

    def close(self, rows: str = "") -> Iterator[DocumentPassage]:
        if self._texts:
            where = " ".join(filter(None, (self._place, rows)))
            yield DocumentPassage(_title(where, self._heading), "\n\n".join(self._texts))
        self._texts, self._words, self._bare = [], 0.0, True


def section_passages(section: Section, max_words: int) -> Iterator[DocumentPassage | Block]:
    """The passages of a section; what is no text comes between them, behind the passage it stands in."""
    filling = _Filling(section.place, max_words)
    apart: list[Block] = []
    for block in section.blocks:
        finished = list(_added(filling, block))
        if not isinstance(block, Heading | Paragraph | Markdown | Table):
            apart.append(block)
        yield from finished
        if finished:
            yield from apart
            apart = []
    yield from filling.close()
    yield from apart


def _added(filling: _Filling, block: Block) -> Iterator[DocumentPassage]:
    match block:
        case Heading(text):
            yield from filling.heading(text)
        case Paragraph(text):
            yield from filling.add(text)
        case Table():
            yield from filling.table(block)
        case Markdown(text):
            for part in markdown_blocks(text):
                yield from (
                    filling.heading(part.text) if isinstance(part, MarkdownHeading) else filling.add(part)
                )


class _RowGroup(NamedTuple):
    """Rows ``first`` to ``last`` of a table, both included, as the text of a passage."""

    first: int
    last: int
    text: str


def _row_groups(table: Table, max_words: int) -> Iterator[_RowGroup]:
    head = "" if table.head is None else _line(table.rows[table.head])
    head_words = num_words(head)
    if head_words > MAX_HEAD_SHARE * max_words:
        head, head_words = "", 0.0
    start, words = 0, 0.0
    lines: list[str] = []
    for index, row in enumerate(table.rows):
        line = _line(row)
        size = num_words(" ".join(row))
        if lines and words + size > max_words:
            yield _RowGroup(start, index - 1, "\n".join(lines))
            start = index
            lines, words = ([head], head_words) if head and index > (table.head or 0) else ([], 0.0)
        lines.append(line)
        words += size
    if lines:
        yield _RowGroup(start, len(table.rows) - 1, "\n".join(lines))


def _rows_named(table: Table, first: int, last: int) -> str:
    if not table.numbers:
        return ""
    numbers = table.numbers[first], table.numbers[last]
    return f"row {numbers[0]}" if numbers[0] == numbers[1] else f"rows {numbers[0]}-{numbers[1]}"


def _lines(rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(map(_line, rows))


def _line(row: Sequence[str]) -> str:
    return " | ".join(row).rstrip(" |") if any(row) else ""


def _title(where: str, heading: str) -> str:
    return f"{' ' if where else ''}{where}" + (f": {heading}" if heading else "")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= HEADING_CHARACTERS else line[: HEADING_CHARACTERS - 1].rstrip() + "…"
