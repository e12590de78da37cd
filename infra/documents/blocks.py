"""What a document holds, in reading order: sections of headings, paragraphs, tables, pictures and attachments.

Holds the records and the form in which they cross from the decoding process; nothing is parsed here.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading; ``level`` counts from 1."""

    text: str
    level: int = 1


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph, or a few lines that belong together."""

    text: str


@dataclass(frozen=True, slots=True)
class Markdown:
    """A text that is Markdown itself, as notebooks hold it."""

    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells. A cell that is merged with others has its words once, the others are empty."""

    rows: tuple[tuple[str, ...], ...]
    head: int | None = None
    """Index of the row that names the columns; None if there is none."""
    numbers: tuple[int, ...] = ()
    """The numbers of the rows as the document counts them, from 1; empty if it does not."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An image file; ``alt`` is what the document says about it."""

    data: bytes = field(repr=False)
    name: str = ""
    alt: str = ""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A whole file inside of the document: what a mail brings, what a slide embeds."""

    data: bytes = field(repr=False)
    name: str = ""


@dataclass(frozen=True, slots=True)
class Gap:
    """A part that could not be read; ``reason`` is a stable word."""

    reason: str
    where: str
    detail: str = ""


Block = Heading | Paragraph | Markdown | Table | Picture | Attachment | Gap


@dataclass(frozen=True, slots=True)
class Section:
    """A part that a reader would name: ``slide 3``, ``sheet Sales``; ``place`` is empty if the document has no parts."""

    place: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """``kind`` is what the file really is, whatever its name says: ``Word document``."""

    kind: str
    sections: tuple[Section, ...]


_CODES: dict[type[Any], str] = {
    Heading: "heading",
    Paragraph: "paragraph",
    Markdown: "markdown",
    Table: "table",
    Picture: "picture",
    Attachment: "attachment",
    Gap: "gap",
}
_TYPES = {code: block for block, code in _CODES.items()}


def to_parts(document: Document) -> list[bytes]:
    """The document as JSON, then the bytes of its pictures and attachments in order."""
    files: list[bytes] = []
    sections = [
        [section.place, [_packed(block, files) for block in section.blocks]] for section in document.sections
    ]
    described = json.dumps({"kind": document.kind, "sections": sections}, ensure_ascii=False)
    return [described.encode("utf-8", "replace"), *files]


def from_parts(parts: Sequence[bytes | bytearray | memoryview]) -> Document:
    """What ``to_parts`` took apart.

    Raises:
        ValueError: if the parts are not those of a document; the other side is not to be believed.
    """
    files = iter(parts[1:])
    try:
        described = json.loads(bytes(parts[0]))
        sections = tuple(
            Section(_text(place), tuple(_unpacked(block, files) for block in blocks))
            for place, blocks in described["sections"]
        )
        return Document(_text(described["kind"]), sections)
    except (IndexError, KeyError, TypeError, RecursionError, StopIteration) as error:
        raise ValueError(f"no document: {error!r}"[:500]) from error


def _packed(block: Block, files: list[bytes]) -> list[Any]:
    code = _CODES[type(block)]
    match block:
        case Heading(text, level):
            return [code, text, level]
        case Paragraph(text) | Markdown(text):
            return [code, text]
        case Table(rows, head, numbers):
            return [code, rows, head, numbers]
        case Picture(data, name, alt):
            files.append(data)
            return [code, name, alt]
        case Attachment(data, name):
            files.append(data)
            return [code, name]
        case Gap(reason, where, detail):
            return [code, reason, where, detail]


def _unpacked(packed: list[Any], files: Any) -> Block:
    match packed:
        case ["heading", str(text), int(level)]:
            return Heading(text, level)
        case ["paragraph" | "markdown" as code, str(text)]:
            return _TYPES[code](text)
        case ["table", list(rows), int() | None as head, list(numbers)]:
            cells = tuple(tuple(map(_text, row)) for row in rows)
            if not (head is None or 0 <= head < len(cells)) or len(numbers) not in (0, len(cells)):
                raise ValueError("a table whose head or numbers do not fit")
            return Table(cells, head, tuple(map(int, numbers)))
        case ["picture", str(name), str(alt)]:
            return Picture(bytes(next(files)), name, alt)
        case ["attachment", str(name)]:
            return Attachment(bytes(next(files)), name)
        case ["gap", str(reason), str(where), str(detail)]:
            return Gap(reason, where, detail)
    raise ValueError(f"no block: {packed!r}"[:500])


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"text expected, not {value!r}"[:200])
    return value
