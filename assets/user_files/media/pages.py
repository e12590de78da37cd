"""A PDF to items: a page each, with its words from the text layer or by OCR; posters and rolls in legible parts too."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from assets.corpus.item import Item, Modality
from assets.corpus.shards import PAGE
from assets.parsers.identity import bytes_hash
from assets.parsers.images import MIN_LAYER_CHARACTERS, image_item, pages_to_render, read_text
from assets.parsers.types import MediaBlob, ParseContext, ParsedItem, SkippedRecord
from assets.user_files.media import text_layers
from assets.user_files.records import DATASET, FileRecord, ReaderNote
from infra.errors import MediaError
from infra.limits import MAX_PAGE_PIXELS, PAGE_DPI
from infra.media import (
    Box,
    Document,
    PdfDocument,
    PdfPage,
    grid_boxes,
    is_strip,
    media_decoder,
    strip_boxes,
    widened,
)

POSTER_PIXELS = (
    2.5 * MAX_PAGE_PIXELS
)  # of a page at full resolution; what is smaller is legible as one picture
ReadBeside = Callable[[Document, int], Iterator[FileRecord]]
"""Reads what lies beside the pages of a PDF, of which there are so many."""
MAX_PARTS = 32  # of one page; larger pages have a lower resolution
THIN_SIDE = 1_400  # pixels of a roll's shorter side, up to which its parts have their full resolution


class PageName(NamedTuple):
    """What an item is called: its id without the file, what follows the file's name, and where it stands among the others."""

    kept_id: str
    title: str
    position: float


@dataclass(slots=True)
class _Remarks:
    """Numbers of the pages to which something happened, by what it is."""

    pages: dict[str, list[int]] = field(default_factory=dict)

    def add(self, what: str, number: int) -> None:
        self.pages.setdefault(what, []).append(number)

    def notes(self) -> Iterator[ReaderNote]:
        for what, numbers in self.pages.items():
            shown = ", ".join(map(str, numbers[:5])) + (" ..." if len(numbers) > 5 else "")
            yield ReaderNote(f"page{'s' * (len(numbers) > 1)} {shown}: {what}")


def page_records(
    path: Path, page_limit: int, context: ParseContext, read_beside: ReadBeside
) -> Iterator[FileRecord]:
    """Every page of a document, in order, then what ``read_beside`` makes of what lies beside them.

    Raises:
        MediaError: as ``MediaDecoder.open_pdf``.
    """
    remarks = _Remarks()
    with media_decoder().open_pdf(path, page_limit=page_limit) as pdf:
        if pdf.is_damaged:
            yield ReaderNote(
                f"damaged at its end: {pdf.num_pages} pages were found, there may have been more"
            )
        for number in pages_to_render(pdf, context):
            try:
                yield from _page_records(pdf, number, context, remarks)
            except MediaError as error:
                yield SkippedRecord.of(error, f"page {number}")
        yield from read_beside(pdf.beside(), pdf.num_pages)
    yield from remarks.notes()


def _page_records(
    pdf: PdfDocument, number: int, context: ParseContext, remarks: _Remarks
) -> Iterator[ParsedItem]:
    page = _Page(pdf, number, context)
    size = (page.facts.full_width, page.facts.full_height)
    if is_strip(*size):
        yield from _parts(pdf, page, context, remarks)
        return
    name = PageName(f"page:#{number}", f" page {number}", float(number))
    yield _shown(page, name, _text(page, context, remarks))
    if math.prod(size) > POSTER_PIXELS:
        yield from _parts(pdf, page, context, remarks)


def drawn_page(
    pdf: PdfDocument, number: int, context: ParseContext, name: PageName, text: str | None
) -> ParsedItem:
    """A page as an item with ``text``; with the page's own words where that is None. Raises ``MediaError``."""
    page = _Page(pdf, number, context)
    return _shown(page, name, _text(page, context, _Remarks()) if text is None else text)


class _Page:
    """A page whose pixels are rendered when they are asked for: most are read and kept without."""

    def __init__(self, pdf: PdfDocument, number: int, context: ParseContext) -> None:
        self._pdf, self._dpi, self.number = pdf, context.dpi, number
        plain = pdf.plain_page(number, dpi=context.dpi)
        self.text, self.facts = plain.text, plain.facts
        self.size = plain.width, plain.height
        # a reader of the shards knows one resolution
        self.own = b"" if context.page_images or context.dpi != PAGE_DPI else plain.own

    @cached_property
    def image(self) -> Image.Image:
        """The rendered page."""
        return self._pdf.page(self.number, dpi=self._dpi).image


def _text(page: PdfPage | _Page, context: ParseContext, remarks: _Remarks) -> str:
    """The text layer, what OCR reads, or both."""
    text, facts = page.text, page.facts
    is_broken = text_layers.is_broken(text, facts.unmapped_share)
    if text_layers.num_characters(text) < MIN_LAYER_CHARACTERS and not is_broken:
        return max(text, read_text(page.image, "", context), text_layers.together(text, ""), key=len)
    if is_broken or text_layers.is_suspicious(text):
        read = read_text(page.image, "", context)
        if (whole := text_layers.mended(text, read)) != text:
            remarks.add("the text layer is garbled in part, OCR takes its place there", page.number)
        elif text_layers.disagree(text, read):
            remarks.add("the text layer is garbled, OCR takes its place", page.number)
            return read
        elif is_broken:
            remarks.add("the text layer is garbled", page.number)
        return whole
    if text_layers.is_scan(facts.picture_share, facts.word_share, text):
        return text_layers.together(text, read_text(page.image, "", context))
    return text


def _parts(pdf: PdfDocument, page: _Page, context: ParseContext, remarks: _Remarks) -> Iterator[ParsedItem]:
    """Legible parts of a page that is too large to be shown as a whole; blank ones are left out."""
    dpi, boxes = _cut(page, context.dpi)
    if dpi < context.dpi:
        inches = [round(side / context.dpi) for side in (page.facts.full_width, page.facts.full_height)]
        remarks.add(f"{inches[0]} x {inches[1]} inches, shown at {dpi:.0f} dpi", page.number)
    remarks.add(f"cut into {len(boxes)} parts", page.number)
    for index, box in enumerate(boxes, start=1):
        part = pdf.page(page.number, dpi=dpi, box=box)
        if not part.text and part.image.getcolors(1):
            continue
        name = PageName(
            f"page:#{page.number}-{index}",
            f" page {page.number} part {index} of {len(boxes)}",
            page.number + index / 1000,
        )
        yield _item(name, _text(part, context, _Remarks()), widened(part.image))


def _cut(page: _Page, dpi: float) -> tuple[float, Sequence[Box]]:
    """The resolution of the parts, and where they are at it."""
    width, height = page.facts.full_width, page.facts.full_height
    area = width * height
    scale = 1.0
    if min(width, height) > THIN_SIDE or not is_strip(width, height):
        scale = min(1.0, math.sqrt(0.7 * MAX_PARTS * MAX_PAGE_PIXELS / area))
    size = (max(1, math.floor(width * scale)), max(1, math.floor(height * scale)))
    thin = is_strip(*size) and min(size) <= THIN_SIDE
    return dpi * scale, strip_boxes(*size) if thin else grid_boxes(*size, MAX_PAGE_PIXELS)


def _shown(page: _Page, name: PageName, text: str) -> ParsedItem:
    return _own_item(page, name, text) if page.own else _item(name, text, page.image)


def _own_item(page: _Page, name: PageName, text: str) -> ParsedItem:
    """The page as a PDF of its own."""
    item = Item(
        id=name.kept_id,
        dataset=DATASET,
        modality=Modality.IMAGE,
        content_hash=bytes_hash(page.own),
        title=name.title,
        text=text,
        position=name.position,
        media_key=name.kept_id,
        width=page.size[0],
        height=page.size[1],
    )
    return ParsedItem(item=item, media=MediaBlob(members=((PAGE, page.own),)))


def _item(name: PageName, text: str, image: Image.Image) -> ParsedItem:
    item = Item(
        id=name.kept_id,
        dataset=DATASET,
        modality=Modality.IMAGE,
        content_hash="",
        title=name.title,
        text=text,
        position=name.position,
    )
    return image_item(item, image)
