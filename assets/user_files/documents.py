"""An office, web or mail document to items: passages of its text, its pictures, and what the files inside of it hold.

What stands where was found in the decoding process; here it becomes items. A file inside of a document is read by its content
as if it lay in the folder, and its items say whose they are.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from assets.corpus.item import Item, Modality
from assets.parsers.identity import text_hash
from assets.parsers.types import ParseContext, ParsedItem, SkippedRecord
from assets.user_files.document_passages import DocumentPassage, section_passages
from assets.user_files.encodings import decode
from assets.user_files.file_kinds import MAX_BYTES, FileKind
from assets.user_files.media import slides
from assets.user_files.media.pictures import PictureName, pieces
from assets.user_files.records import DATASET, FileRecord, ReaderNote
from infra.documents import marks
from infra.errors import MediaError
from infra.media import Attachment, Document, Gap, Picture, Section, media_decoder

MIN_PICTURE_SIDE = 24  # pixels; smaller ones are icons and rules
_NAME_CHARACTERS = 80
_USUAL_SUFFIXES = {
    "Word document": (".docx", ".docm", ".dotx", ".dotm"),
    "PowerPoint presentation": (".pptx", ".pptm", ".ppsx", ".ppsm", ".potx", ".potm"),
    "Excel workbook": (".xlsx", ".xlsm", ".xltx", ".xltm"),
    "web page": (".html", ".htm", ".xhtml", ".xht"),
    "mail": (".eml", ".mht", ".mhtml"),
    "RTF document": (".rtf",),
}

ReadFile = Callable[[Path], Iterator[FileRecord]]
"""Reads a file that came out of a document; raises ``MediaError``."""


class _Counter:
    """Numbers the items of one document from 1, in reading order; ``after`` so many that are numbered already."""

    def __init__(self, after: int = 0) -> None:
        self._number = after

    def next(self) -> int:
        self._number += 1
        return self._number


class DocumentSettings(NamedTuple):
    """What the reading of a document depends on beside the document."""

    reading: ParseContext
    passage_words: int
    read_file: ReadFile
    draw: slides.DrawSlides | None = None
    """Draws the slides of a deck; None leaves them to their words and pictures."""


def document_records(source: Path, name: str, settings: DocumentSettings) -> Iterator[FileRecord]:
    """Everything in a document, in reading order.

    Raises:
        MediaError: if the document as a whole cannot be read.
    """
    document = media_decoder().document(source, name=name, encoding=_encoding(source))
    yield from _remarks(document, name)
    if settings.draw is None or document.kind not in slides.KINDS:
        yield from block_records(document, 0, settings)
        return
    with ExitStack() as stack:
        drawn = None
        try:
            drawn = stack.enter_context(slides.opened(document, source, settings.draw, settings.reading))
        except MediaError as error:
            yield ReaderNote(f"slides are not drawn: {error.detail or error.reason}")
        yield from block_records(document, 0, settings, drawn)


def block_records(
    document: Document, after: int, settings: DocumentSettings, drawn: slides.DrawnSlides | None = None
) -> Iterator[FileRecord]:
    """The items of what a document holds, in reading order, behind ``after`` others of its file."""
    numbers = _Counter(after)
    for section in document.sections:
        records = _section_records(section, numbers, settings)
        yield from drawn.shown(section.place, records, numbers.next) if drawn else records


def _section_records(section: Section, numbers: _Counter, settings: DocumentSettings) -> Iterator[FileRecord]:
    num_pictures = 0
    for part in section_passages(section, settings.passage_words):
        match part:
            case DocumentPassage(title, text):
                yield _text_item(numbers.next(), title, text)
            case Picture():
                num_pictures += 1
                where = " ".join(filter(None, (section.place, f"picture {num_pictures}")))
                yield from _picture(part, where, numbers, settings.reading)
            case Attachment():
                yield from _attached(part, section.place, numbers, settings.read_file)
            case Gap(reason, where, detail):
                yield SkippedRecord(reason=reason, where=where, detail=detail)


def _encoding(source: Path) -> str:
    """What the bytes of a text seem to be; empty for what is no text."""
    if source.stat().st_size > MAX_BYTES[FileKind.TEXT]:
        return ""
    data = source.read_bytes()
    if data.startswith((marks.ZIP, marks.COMPOUND, marks.RTF)):
        return ""
    try:
        return decode(data).encoding
    except MediaError:
        return ""


def _remarks(document: Document, name: str) -> Iterator[ReaderNote]:
    usual = _USUAL_SUFFIXES.get(document.kind)
    if usual and not name.lower().endswith(usual):
        yield ReaderNote(f"read as {document.kind}, which it is")


def _text_item(number: int, title: str, text: str) -> ParsedItem:
    return ParsedItem(
        item=Item(
            id=f"text:#{number}",
            dataset=DATASET,
            modality=Modality.TEXT,
            content_hash=text_hash(title, text),
            title=title,
            text=text,
            position=float(number),
        )
    )


def _picture(picture: Picture, where: str, numbers: _Counter, context: ParseContext) -> Iterator[FileRecord]:
    """The picture with what is said about it and what OCR reads in it; what is said alone if it cannot be shown."""
    try:
        image = media_decoder().image(picture.data, max_pixels=context.max_pixels)
        if min(image.size) < MIN_PICTURE_SIDE:
            return
        records = list(pieces(image, PictureName(), context, said=picture.alt))
    except MediaError as error:
        yield SkippedRecord.of(error, f"{where} ({picture.name})" if picture.name else where)
        if picture.alt:
            yield _text_item(numbers.next(), f" {where}", picture.alt)
        return
    for record in records:
        yield _placed(record, where, numbers)


def _attached(file: Attachment, place: str, numbers: _Counter, read_file: ReadFile) -> Iterator[FileRecord]:
    """What a file inside of the document holds, each part named by the file."""
    name = _safe_name(file.name)
    label = f"{place} > {name}" if place else f"> {name}"
    with tempfile.TemporaryDirectory(prefix="vimrag-") as folder:
        path = Path(folder, name)
        path.write_bytes(file.data)
        try:
            for record in read_file(path):
                yield _placed(record, label, numbers)
        except MediaError as error:
            yield SkippedRecord.of(error, label)


def _placed(record: FileRecord, label: str, numbers: _Counter) -> FileRecord:
    match record:
        case ParsedItem(item=item):
            number = numbers.next()
            kept_id = f"{item.id.partition(':')[0]}:#{number}"
            placed = replace(
                item,
                id=kept_id,
                title=f" {label}{item.title}",
                media_key=kept_id if item.media_key else None,
                position=float(number),
            )
            return replace(record, item=placed)
        case SkippedRecord():
            return replace(record, where=f"{label}: {record.where}".rstrip(": "))
    return ReaderNote(f"{label}: {record.text}")


def _safe_name(name: str) -> str:
    """A file's name without folders and signs, its suffix kept; what it is called otherwise is no business of the disk."""
    last = name.replace("\\", "/").rpartition("/")[2]
    plain = "".join(char if char.isprintable() and char not in ':*?"<>|' else "_" for char in last).strip(
        ". "
    )
    stem, dot, suffix = plain.rpartition(".")
    if dot and len(suffix) <= 10:
        return f"{stem[:_NAME_CHARACTERS].encode()[:180].decode(errors='ignore') or 'file'}.{suffix}"
    return plain[:_NAME_CHARACTERS].encode()[:180].decode(errors="ignore") or "file"
