"""Office files written part by part, so that a construction is exactly what a test says."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

from infra.documents.blocks import Block, Document, Gap, Heading, Paragraph, Table
from infra.documents.formats import read_document

WORD = (
    'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" '
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math" '
    'xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing" '
    'xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape" '
    'xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart" '
    'xmlns:dgm="http://schemas.openxmlformats.org/drawingml/2006/diagram" '
    'xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office"'
)
SLIDE = WORD + ' xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
TYPES = "application/vnd.openxmlformats-officedocument"
MAIN_TYPES = {
    "word/document.xml": f"{TYPES}.wordprocessingml.document.main+xml",
    "ppt/presentation.xml": f"{TYPES}.presentationml.presentation.main+xml",
    "xl/workbook.xml": f"{TYPES}.spreadsheetml.sheet.main+xml",
}


def zipped(parts: Mapping[str, str | bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return target.getvalue()


def relationships(**targets: str) -> str:
    """Ids to ``kind target``; a target behind ``!`` lies outside of the file."""
    entries: list[str] = []
    for identity, described in targets.items():
        kind, target = described.split(" ", 1)
        mode = ' TargetMode="External"' if target.startswith("!") else ""
        entries.append(
            f'<Relationship Id="{identity}" Type="http://x/{kind}" Target="{target.lstrip("!")}"{mode}/>'
        )
    return f'<Relationships xmlns="http://x">{"".join(entries)}</Relationships>'


def office(main: str, parts: Mapping[str, str | bytes]) -> bytes:
    """An Office Open XML file with ``main`` as its main part."""
    return zipped(
        {
            "[Content_Types].xml": (
                f'<Types xmlns="http://x"><Override PartName="/{main}" ContentType="{MAIN_TYPES[main]}"/></Types>'
            ),
            "_rels/.rels": relationships(r1=f"officeDocument {main}"),
            **parts,
        }
    )


def docx(body: str, **parts: str | bytes) -> bytes:
    """A Word document; the keys of ``parts`` are paths below ``word/`` with ``__`` for a slash and ``_`` before the suffix."""
    named = {f"word/{name.replace('__', '/')}": data for name, data in parts.items()}
    return office(
        "word/document.xml",
        {"word/document.xml": f"<w:document {WORD}><w:body>{body}</w:body></w:document>", **named},
    )


def p(text: str, properties: str = "") -> str:
    return f"<w:p>{f'<w:pPr>{properties}</w:pPr>' if properties else ''}{r(text)}</w:p>"


def r(text: str) -> str:
    return f'<w:r><w:t xml:space="preserve">{text}</w:t></w:r>'


def cell(text: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{p(text)}</w:tc>"


def read(data: bytes, name: str = "file", encoding: str = "") -> Document:
    return read_document(data, name, encoding)


def blocks(data: bytes, name: str = "file", encoding: str = "") -> list[Block]:
    return [block for section in read(data, name, encoding).sections for block in section.blocks]


def texts(data: bytes, name: str = "file", encoding: str = "") -> list[str]:
    """The words of each block: a table's as rows."""
    found: list[str] = []
    for block in blocks(data, name, encoding):
        match block:
            case Heading(text) | Paragraph(text):
                found.append(text)
            case Table(rows):
                found.append("\n".join(" | ".join(row) for row in rows))
            case Gap(reason):
                found.append(reason)
            case _:
                found.append(type(block).__name__)
    return found
