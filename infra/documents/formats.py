"""Which format a document has, by its content whatever it is called, and how it is read."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from infra.documents import marks
from infra.documents.archive import Archive
from infra.documents.blocks import Document, Gap, Paragraph, Section
from infra.documents.bounds import bounded
from infra.documents.compound import read_compound
from infra.documents.delimited import read_delimited
from infra.documents.encoding import decoded
from infra.documents.notebook import read_notebook
from infra.documents.ooxml.package import Package
from infra.documents.ooxml.sheets import read_sheets
from infra.documents.ooxml.slides import read_slides
from infra.documents.ooxml.word import read_word
from infra.documents.open_document import read_flat_open_document, read_open_document
from infra.documents.rtf import read_rtf
from infra.documents.text import clean
from infra.documents.web.epub import is_epub, read_epub
from infra.documents.web.mail import read_mail, read_mailbox
from infra.documents.web.page import read_page
from infra.documents.web.tnef import read_tnef
from infra.documents.xml_text import read_xml
from infra.errors import MediaError

HEAD_BYTES = 4096
_OFFICE: Mapping[str, Callable[[Package], Document]] = MappingProxyType(
    {"wordprocessingml": read_word, "presentationml": read_slides, "spreadsheetml": read_sheets}
)
_XML = (".xml", ".svg", ".fb2", ".rss", ".atom", ".kml", ".gpx", ".opml", ".dbk", ".tei", ".plist")
_FOLDERS = MappingProxyType({"word": read_word, "ppt": read_slides, "xl": read_sheets})
_UNREAD_ARCHIVES = (
    ("Index/Document.iwa", "iWork file (Pages, Numbers, Keynote): export it as .docx, .xlsx, .pptx or PDF"),
    ("FixedDocSeq.fdseq", "XPS document: print it to PDF"),
    ("FixedDocumentSequence.fdseq", "XPS document: print it to PDF"),
    ("AndroidManifest.xml", "Android package"),
    ("META-INF/MANIFEST.MF", "Java archive"),
)


def read_document(source: Path | bytes, name: str, fallback: str) -> Document:
    """The blocks of a document; ``name`` is what its file is called, ``fallback`` an encoding for text that states none.

    Raises:
        MediaError: if it cannot be read, with the reason; ``kind_unsupported`` says what it is and what to do.
    """
    head = _head(source)
    if head.startswith(marks.ZIP):
        return bounded(_zipped(Archive(source)))
    if head.startswith(marks.COMPOUND):
        return bounded(read_compound(source))
    data = source if isinstance(source, bytes) else source.read_bytes()
    return bounded(_text(data, Path(name).suffix.lower(), fallback))


def _head(source: Path | bytes) -> bytes:
    if isinstance(source, bytes):
        return source[:HEAD_BYTES]
    with source.open("rb") as file:
        return file.read(HEAD_BYTES)


def _text(data: bytes, suffix: str, fallback: str) -> Document:
    head = data[:HEAD_BYTES]
    if head.startswith(marks.TNEF):
        return read_tnef(data)
    if head.lstrip().startswith(marks.RTF):
        return read_rtf(data)
    if marks.is_page(head):
        return read_page(data, fallback=fallback)
    if marks.is_flat_open_document(head):
        return read_flat_open_document(data)
    if marks.is_notebook(head):
        return read_notebook(data)
    if marks.is_mailbox(head):
        return read_mailbox(data, fallback)
    if marks.is_mail(head):
        return read_mail(data, fallback)
    return _by_suffix(data, suffix, fallback)


def _by_suffix(data: bytes, suffix: str, fallback: str) -> Document:
    """A text that shows no format of its own."""
    if suffix in (".html", ".htm", ".xhtml", ".xht"):
        return read_page(data, fallback=fallback)
    if suffix in (".eml", ".emlx", ".mht", ".mhtml"):
        return read_mail(data, fallback)
    if suffix == ".ipynb":
        return read_notebook(data)
    head = data[:HEAD_BYTES]
    if unread := marks.unread_text(head):
        raise MediaError("kind_unsupported", unread)
    if (found := _xml(data) if marks.is_xml(head) or suffix in _XML else None) is not None:
        return found
    return _table_or_plain(data, suffix, fallback)


def _xml(data: bytes) -> Document | None:
    """The words of XML; None for what only looks like it. Raises ``MediaError`` for what is hostile."""
    try:
        return read_xml(data)
    except MediaError as error:
        if error.reason == "xml_entities":
            raise
        return None


def _table_or_plain(data: bytes, suffix: str, fallback: str) -> Document:
    if marks.is_binary(data[:HEAD_BYTES]):
        raise MediaError(
            "kind_unsupported", f"not what {suffix or 'its name'} says, nor any document that is known"
        )
    if suffix in (".csv", ".tsv", ".tab", ".xls", ".xlsx", ".ods"):
        return read_delimited(data, suffix=suffix, fallback=fallback)
    return _plain(decoded(data, fallback=fallback))


def _plain(text: str) -> Document:
    """A text that is called a document."""
    paragraphs = filter(None, map(clean, text.replace("\r\n", "\n").replace("\r", "\n").split("\n\n")))
    return Document("plain text", (Section("", tuple(map(Paragraph, paragraphs))),))


def _zipped(opened: Archive) -> Document:
    """What a ZIP archive is, and how it is read."""
    if "[Content_Types].xml" in opened and "_rels/.rels" in opened:
        return _with_bombs(_office(Package(opened)), opened)
    if is_epub(opened):
        return _with_bombs(read_epub(opened), opened)
    if "content.xml" in opened and ("mimetype" in opened or "META-INF/manifest.xml" in opened):
        return _with_bombs(read_open_document(opened), opened)
    for part, what in _UNREAD_ARCHIVES:
        if part in opened:
            raise MediaError("kind_unsupported", what)
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
