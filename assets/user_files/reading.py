"""One file to the items in it, by kind, and the settings that decide what these are.

Items come without a place: their ids are ``page:#3``, ``image:``, ``clip:#60`` and ``text:#2``, their titles what
follows the file's name. Which file they belong to is added by ``publishing.py``, so that a copy, or a file that was
moved, need not be read again. Decoding is left to ``infra.media``, which does it in another process.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from assets.corpus.item import Item, Modality
from assets.parsers.identity import text_hash
from assets.parsers.images import read_by
from assets.parsers.types import ParseContext, ParsedItem
from assets.user_files.data_texts import readable
from assets.user_files.documents import DocumentSettings, block_records, document_records
from assets.user_files.encodings import decode
from assets.user_files.file_kinds import MAX_BYTES, SUBTITLE_SUFFIXES, FileKind, head_of, kind_of
from assets.user_files.foreign_kinds import foreign_kind, foreign_name
from assets.user_files.media import slides
from assets.user_files.media.films import Hear, film_records
from assets.user_files.media.hearing import Speech
from assets.user_files.media.inline_pictures import split
from assets.user_files.media.pages import page_records
from assets.user_files.media.pictures import inline_picture_records, picture_records
from assets.user_files.media.subtitle_files import subtitles_of
from assets.user_files.media.transcripts import cues
from assets.user_files.passages import passages
from assets.user_files.records import DATASET, FileRecord, ReaderNote
from infra.errors import ExternalError, MediaError
from infra.limits import MAX_NESTED_FILES, MAX_PDF_PAGES, SLIDES_SECONDS
from infra.media import OcrError, ocr_reader, soffice

READER_VERSION = 7  # raised when the same file and settings would give other items
PASSAGE_WORDS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestSettings:
    """Everything the reading of a file depends on beside the file."""

    reading: ParseContext = field(default_factory=lambda: read_by(ocr_reader()))
    """Resolution of pages, OCR, length of clips and their frames, as for the benchmarks."""
    passage_words: int = PASSAGE_WORDS
    """Words of a passage of a text, at most."""
    slides: bool = True
    """Draw the slides of decks, where LibreOffice is installed."""
    slide_seconds: float = SLIDES_SECONDS
    """For the drawing of one deck, at most."""
    page_limit: int = MAX_PDF_PAGES
    """A PDF with more pages is refused."""
    max_bytes: Mapping[FileKind, int] = field(default_factory=lambda: MAX_BYTES)
    """A file that is larger is refused."""

    speech: Speech | None = None
    """Who hears what is said in films without subtitles; of files within others nothing is heard."""

    def __post_init__(self) -> None:
        """Refuse settings that mean nothing."""
        if self.slide_seconds <= 0:
            raise ValueError(f"slide_seconds must be positive: {self.slide_seconds}")
        if self.passage_words < 1 or self.page_limit < 1:
            raise ValueError(
                f"passage_words and page_limit must be positive: {self.passage_words}, {self.page_limit}"
            )
        if missing := sorted(set(FileKind) - set(self.max_bytes)):
            raise ValueError(f"max_bytes says nothing of {', '.join(missing)}")

    def matters(self, kind: FileKind, *, is_drawn: bool = False) -> dict[str, Any]:
        """The settings that change what is read of a file of this kind; json-able."""
        context = self.reading
        ocr: dict[str, Any] = {"ocr": context.ocr is not None}
        if context.ocr_model:
            ocr["ocr_model"] = context.ocr_model
        of_kind: dict[FileKind, dict[str, Any]] = {
            FileKind.PDF: {
                "dpi": context.dpi,
                "max_pages": context.max_pages,
                "page_images": context.page_images,
            }
            | ocr,
            FileKind.PICTURE: ocr,
            FileKind.TEXT: {"passage_words": self.passage_words},
            FileKind.MARKDOWN: {"passage_words": self.passage_words} | ocr,
            FileKind.DOCUMENT: {"passage_words": self.passage_words, "dpi": context.dpi} | ocr,
            FileKind.VIDEO: {
                **{name: getattr(context, name) for name in ("fps", "max_frames", "clip_s", "min_tail_s")},
                "passage_words": self.passage_words,
            }
            | ({"speech": self.speech.heard_by} if self.speech else {}),
        }
        drawn = {"slides": True} if is_drawn else {}  # what was read before slides were drawn has none
        return {"reader": READER_VERSION, "kind": kind.value, **of_kind[kind], **drawn}


class SourceFile(NamedTuple):
    """A file that is of some kind, small enough to be read; ``transcripts`` lie beside a video.

    ``is_drawn``: it is called as a deck is, and its slides can be and are to be drawn.
    """

    path: Path
    kind: FileKind
    transcripts: tuple[Path, ...] = ()
    is_drawn: bool = False


def source_of(path: Path, settings: IngestSettings) -> SourceFile:
    """What ``path`` is.

    Raises:
        MediaError: ``file_unreadable``, ``file_empty``, ``file_too_large``, ``kind_unsupported``, ``kind_unknown``.
    """
    try:
        with path.open("rb") as file:
            head = head_of(file, path.suffix)
        size = path.stat().st_size
    except OSError as error:
        raise MediaError("file_unreadable", error.strerror or type(error).__name__) from error
    if not head:
        raise MediaError("file_empty")
    if foreign := foreign_kind(head):
        raise MediaError("kind_unsupported", foreign)
    kind = kind_of(head, path.suffix)
    if kind is None:
        if foreign := foreign_name(path.suffix):
            raise MediaError("kind_unsupported", foreign)
        raise MediaError("kind_unknown", path.suffix or "no suffix")
    if size > (limit := settings.max_bytes[kind]):
        raise MediaError("file_too_large", f"{size:,} bytes, limit {limit:,}")
    transcripts = _transcripts(path, settings) if kind is FileKind.VIDEO else ()
    is_deck = kind is FileKind.DOCUMENT and path.suffix.lower() in slides.SUFFIXES
    return SourceFile(path, kind, transcripts, is_deck and settings.slides and soffice() is not None)


def _transcripts(path: Path, settings: IngestSettings) -> tuple[Path, ...]:
    limit = settings.max_bytes[FileKind.TEXT]
    return tuple(beside for beside in subtitles_of(path) if beside.stat().st_size <= limit)


def read(
    source: SourceFile,
    settings: IngestSettings,
    *,
    hear: Hear | None = None,
    depth: int = 0,
    draw: slides.DrawSlides | None = None,
) -> Iterator[FileRecord]:
    """Everything in a file, in reading order. What one part lacks is a ``SkippedRecord`` whose ``where`` is the part.

    ``hear`` hears what is said in a film without subtitles; ``draw`` draws the slides of a deck; ``depth``: how many files this
    one lies in.

    Raises:
        MediaError: if the file as a whole cannot be read. Whatever a decoder fails with is one: no file ends a run.
    """
    try:
        yield from _records(source, settings, hear, depth, draw)
    except OcrError as error:
        raise MediaError("ocr_failed", str(error)) from error
    except ExternalError:
        raise
    except OSError as error:
        raise MediaError("file_unreadable", error.strerror or type(error).__name__) from error
    except Exception as error:
        raise MediaError("reading_failed", f"{type(error).__name__}: {error}") from error


def _records(
    source: SourceFile,
    settings: IngestSettings,
    hear: Hear | None,
    depth: int,
    draw: slides.DrawSlides | None,
) -> Iterable[FileRecord]:
    match source.kind:
        case FileKind.PDF:
            beside = partial(block_records, settings=_inner(settings, depth))
            return page_records(source.path, settings.page_limit, settings.reading, beside)
        case FileKind.PICTURE:
            return picture_records(source.path, settings.reading)
        case FileKind.VIDEO:
            context, words = settings.reading, settings.passage_words
            return film_records(source.path, source.transcripts, context, words, hear)
        case FileKind.TEXT | FileKind.MARKDOWN:
            return _texts(source, settings)
        case FileKind.DOCUMENT:
            return document_records(source.path, source.path.name, _inner(settings, depth, draw))


def _inner(settings: IngestSettings, depth: int, draw: slides.DrawSlides | None = None) -> DocumentSettings:
    """How a document is read that lies ``depth`` files deep, and what is in it."""

    def read_inside(inside: Path) -> Iterator[FileRecord]:
        if depth >= MAX_NESTED_FILES:
            raise MediaError("nested_too_deeply", f"{MAX_NESTED_FILES} files around it")
        yield from read(source_of(inside, settings), settings, depth=depth + 1)

    return DocumentSettings(settings.reading, settings.passage_words, read_inside, draw)


def _texts(source: SourceFile, settings: IngestSettings) -> Iterator[FileRecord]:
    decoded = decode(source.path.read_bytes())
    yield from map(ReaderNote, decoded.notes)
    markdown = source.kind is FileKind.MARKDOWN
    text, pictures = split(readable(decoded.text, source.path.suffix))
    if source.path.suffix.lower() in SUBTITLE_SUFFIXES[:-1] and (timed := cues(decoded.text)):
        # of a film that is not there
        text = "\n".join(cue.text for cue in timed)
    cut = passages(text, markdown=markdown, max_words=settings.passage_words)
    if not cut:
        raise MediaError("text_empty", "nothing but white space")
    for number, passage in enumerate(cut, start=1):
        yield ParsedItem(
            item=Item(
                id=f"text:#{number}",
                dataset=DATASET,
                modality=Modality.TEXT,
                content_hash=text_hash(passage.heading, passage.text),
                title=f": {passage.heading}" if passage.heading else "",
                text=passage.text,
                position=float(number),
            )
        )
    yield from inline_picture_records(pictures, settings.reading)
