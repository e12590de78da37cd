"""The slides of a deck as pictures, where LibreOffice is there to draw them.

The words of a slide come from the deck itself; what is made here is the page of a PDF that its first item is shown with. The PDF
is kept below the root under the deck's hash as long as the deck is, so that it is drawn once.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from assets.corpus.item import Modality
from assets.parsers.types import ParseContext, ParsedItem, SkippedRecord
from assets.user_files.media.pages import PageName, drawn_page
from assets.user_files.records import FileRecord
from infra.errors import MediaError
from infra.limits import MAX_PDF_PAGES
from infra.media import Document, PdfDocument, media_decoder, slides_pdf
from infra.storage import manifest
from infra.storage.root import Storage

FOLDER = "slides"
SUFFIXES = (".pptx", ".pptm", ".ppsx", ".ppsm", ".potx", ".potm", ".odp", ".otp", ".fodp")
KINDS = ("PowerPoint presentation", "OpenDocument presentation")
_SLIDE = re.compile(r"slide (\d+)( \(hidden\))?")

DrawSlides = Callable[[Path], bytes]
"""The slides that a deck shows as pages of a PDF; raises ``MediaError``."""


def kept_at(digest: str) -> str:
    """Where the PDF of the deck with this hash lies below the root."""
    return f"{FOLDER}/{digest}.pdf"


def keeper(storage: Storage, wall_s: float) -> DrawSlides:
    """Draws decks once, in ``wall_s`` seconds each at most."""

    def draw(deck: Path) -> bytes:
        place = kept_at(manifest.sha256_of(deck))
        if storage.exists(place):
            return storage.read_bytes(place)
        data = slides_pdf(deck, wall_s=wall_s)
        storage.write_bytes(place, data)
        return data

    return draw


def sweep(storage: Storage, used: Iterable[str]) -> None:
    """Remove what is kept of decks whose hash is not ``used``."""
    wanted = {kept_at(digest) for digest in used}
    for name in storage.list(FOLDER):
        if (place := f"{FOLDER}/{name}") not in wanted:
            storage.remove_file(place)


@contextmanager
def opened(
    document: Document, path: Path, draw: DrawSlides, context: ParseContext
) -> Iterator["DrawnSlides"]:
    """The pages of a deck's slides, open while the block lasts.

    Raises:
        MediaError: ``slides_not_drawn``, or as ``MediaDecoder.open_pdf``.
    """
    shown = [place for place in map(_slide, (section.place for section in document.sections)) if place]
    numbers = [place.number for place in shown if not place.is_hidden]
    with media_decoder().open_pdf(draw(path), page_limit=MAX_PDF_PAGES) as pdf:
        if pdf.num_pages != len(numbers):
            raise MediaError(
                "slides_not_drawn",
                f"LibreOffice made {pdf.num_pages} pages of {len(numbers)} slides that are shown",
            )
        yield DrawnSlides(pdf, {number: page for page, number in enumerate(numbers, start=1)}, context)


class _Place(NamedTuple):
    number: int
    is_hidden: bool


class DrawnSlides:
    """The open PDF of a deck, and the page of each slide that is shown."""

    def __init__(self, pdf: PdfDocument, pages: Mapping[int, int], context: ParseContext) -> None:
        self._pdf, self._pages, self._context = pdf, pages, context

    def shown(
        self, place: str, records: Iterable[FileRecord], next_number: Callable[[], int]
    ) -> Iterator[FileRecord]:
        """The records of the section at ``place``, its first words with the slide's picture; their positions are the slide's."""
        slide = _slide(place)
        page = self._pages.get(slide.number) if slide and not slide.is_hidden else None
        placed = list(_positions(records, slide.number) if slide else records)
        if page is None or slide is None:
            yield from placed
            return
        words = next((record for record in placed if _is_text(record)), None)
        try:
            drawn = self._drawn(page, slide.number, place, words, next_number)
        except MediaError as error:
            yield SkippedRecord.of(error, place)
            yield from placed
            return
        yield drawn
        yield from (record for record in placed if record is not words)

    def _drawn(
        self, page: int, slide: int, place: str, words: FileRecord | None, next_number: Callable[[], int]
    ) -> ParsedItem:
        if isinstance(words, ParsedItem):
            number, title, text = words.item.id.partition("#")[2], words.item.title, words.item.text
        else:
            number, title, text = str(next_number()), f" {place}", None
        name = PageName(f"slide:#{number}", title, float(slide))
        return drawn_page(self._pdf, page, self._context, name, text)


def _slide(place: str) -> _Place | None:
    found = _SLIDE.fullmatch(place)
    return _Place(int(found[1]), bool(found[2])) if found else None


def _positions(records: Iterable[FileRecord], slide: int) -> Iterator[FileRecord]:
    for number, record in enumerate(records, start=1):
        if isinstance(record, ParsedItem):
            position = slide + min(number, 999) / 1000
            yield replace(record, item=replace(record.item, position=position))
        else:
            yield record


def _is_text(record: FileRecord) -> bool:
    return isinstance(record, ParsedItem) and record.item.modality is Modality.TEXT
