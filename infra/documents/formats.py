"""Which format a document has, by its content whatever it is called, and how it is read."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from infra.documents import archive
from infra.documents.archive import Archive
from infra.documents.blocks import Document, Gap, Section
from infra.documents.bounds import bounded
from infra.documents.delimited import read_delimited
from infra.documents.ooxml.package import Package
from infra.documents.ooxml.sheets import read_sheets
from infra.documents.ooxml.slides import read_slides
from infra.documents.ooxml.word import read_word
from infra.documents.web import looks_like_page, read_page
from infra.errors import MediaError

HEAD_BYTES = 4096
_OFFICE: Mapping[str, Callable[[Package], Document]] = MappingProxyType(
    {"wordprocessingml": read_word, "presentationml": read_slides, "spreadsheetml": read_sheets}
)
_FOLDERS = MappingProxyType({"word": read_word, "ppt": read_slides, "xl": read_sheets})


def read_document(source: Path | bytes, name: str, fallback: str) -> Document:
    """The blocks of a document; ``name`` is what its file is called, ``fallback`` an encoding for text that states none.

    Raises:
        MediaError: if it cannot be read, with the reason; ``kind_unsupported`` says what it is and what to do.
    """
    head = _head(source)
    if head.startswith(archive.MARK):
        return bounded(_zipped(Archive(source)))
    data = source if isinstance(source, bytes) else source.read_bytes()
    return bounded(_text(data, Path(name).suffix.lower(), fallback))


def _text(data: bytes, suffix: str, fallback: str) -> Document:
    if looks_like_page(data[:HEAD_BYTES]) or suffix in (".html", ".htm", ".xhtml", ".xht"):
        return read_page(data, fallback=fallback)
    return read_delimited(data, suffix=suffix, fallback=fallback)


def _head(source: Path | bytes) -> bytes:
    if isinstance(source, bytes):
        return source[:HEAD_BYTES]
    with source.open("rb") as file:
        return file.read(HEAD_BYTES)


def _zipped(opened: Archive) -> Document:
    if "[Content_Types].xml" in opened:
        return _with_bombs(_office(Package(opened)), opened)
    raise MediaError("kind_unsupported", "ZIP archive: unpack it and ingest the folder")


def _office(package: Package) -> Document:
    main = package.main
    kind = package.content_types.get(main.lower(), "")
    if "binary" in kind:
        raise MediaError("kind_unsupported", "binary Excel workbook (.xlsb): save it as .xlsx")
    for word, read in _OFFICE.items():
        if word in kind:
            return read(package)
    if (read := _FOLDERS.get(main.partition("/")[0])) is not None:
        return read(package)
    raise MediaError("kind_unsupported", f"Office file of another kind ({kind or main}): save it as PDF")


def _with_bombs(document: Document, opened: Archive) -> Document:
    """The document, and a remark on each part that would expand as only a bomb does."""
    gaps = tuple(
        Gap("archive_bomb", name, "expands as no document does; not opened") for name in opened.bombs()
    )
    known = {
        block.where for section in document.sections for block in section.blocks if isinstance(block, Gap)
    }
    rest = tuple(gap for gap in gaps if gap.where not in known)
    if not rest:
        return document
    return Document(document.kind, (*document.sections, Section("", rest)))
