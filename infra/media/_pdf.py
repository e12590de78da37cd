"""Raw decoding of PDF pages to images and text, through PDFium. Runs in the decoding process only.

PDFium is not thread-safe: every call into it holds one lock of the process.
"""

import ctypes
import logging
import math
import mmap
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock
from typing import cast

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium
from PIL import Image

from infra.documents.blocks import Document, Section
from infra.errors import MediaError
from infra.limits import MAX_PAGE_PIXELS, MAX_PDF_PAGES, PAGE_DPI
from infra.media._pdf_beside import blocks_beside, has_pinned
from infra.media._pdf_forms import field_lines
from infra.media._pdf_layers import leave_out_hidden
from infra.media._pdf_pages import names_layers, own_page
from infra.media.columns import Sign, in_columns, may_have_columns
from infra.media.tiles import Box
from infra.media.types import PageFacts, PdfPage, PlainPage
from infra.media.word_places import Piece, PlaceBox, find

POINTS_PER_INCH = 72.0  # the PDF unit
HEADER_WINDOW = 1 << 20  # bytes in which a document may begin; PDFium looks at the first 1,024 only
GRID = 40  # cells of a page's width and height, by which it is told what pictures and words cover
MAX_OBJECTS = 20_000  # of a page, that are looked at
DEVICE = 1_000_000  # steps of a page's width and height, where places are told
MAX_PIECES = 20_000  # of a page's text, whose places are looked at
MAX_CHARACTERS = 100_000  # of a page, whose places are looked at
_LOCK = RLock()
_LINE_END_HYPHEN = re.compile(
    "(?:[\x02\ufffe]|\u00ad(?=\\s*\n))\\s*"
)  # PDFium's marker of a word broken at the line's end
_TRAILER = b"\nendobj\ntrailer\n<< /Root %b %b R >>\nstartxref\n0\n%%%%EOF\n"
MOST_TRIED = 50  # pages of a document without an end, of which one must be there
_OF_LAYERS = (b"/OCProperties", b"/ObjStm")  # a document with neither has none: the second may hide the first
_OF_PASSWORDS = (pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY)
_CATALOG = re.compile(rb"(\d{1,7}) (\d{1,5}) obj\s*<<(?:(?!endobj).){0,2000}?/Type\s*/Catalog\b", re.DOTALL)
_PAGE = re.compile(rb"/Type\s*/Page\b")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ufffe\uffff]")
_INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff]")  # soft hyphens and spaces of no width, within words
logging.getLogger("pypdfium2").setLevel(
    logging.ERROR
)  # forms that it has no engine for: their fallback is read


class Pdf:
    """An open document. Pages are independent: one that fails leaves the others readable.

    ``is_damaged``: the table of its objects is gone, so that pages may be too.
    """

    def __init__(
        self, document: pypdfium2.PdfDocument, *, is_damaged: bool, may_have_layers: bool = True
    ) -> None:
        self._document, self._may_have_layers = document, may_have_layers
        self.is_damaged = is_damaged
        self._pinned: set[int] = set()  # pages that were read and have files pinned to them
        with _LOCK:
            self.num_pages = len(document)

    def page(
        self, number: int, *, dpi: float = PAGE_DPI, max_pixels: int = MAX_PAGE_PIXELS, box: Box | None = None
    ) -> PdfPage:
        """Page ``number`` (from 1) rendered at ``dpi``, or at less where it would exceed ``max_pixels``.

        ``box``: only this part of it, in pixels at ``dpi``.

        Raises:
            ValueError: if there is no such page.
            MediaError: ``pdf_page_unreadable``.
        """
        if not 1 <= number <= self.num_pages:
            raise ValueError(f"page {number} of a document with {self.num_pages} pages")
        with _LOCK:
            try:
                page = self._document[number - 1]
                try:
                    return self._read(page, number, dpi / POINTS_PER_INCH, max_pixels, box)
                finally:
                    page.close()
            except (pypdfium2.PdfiumError, MemoryError, OSError) as error:
                raise MediaError("pdf_page_unreadable", f"page {number}: {error}") from error

    def plain_page(
        self, number: int, *, dpi: float = PAGE_DPI, max_pixels: int = MAX_PAGE_PIXELS
    ) -> PlainPage:
        """Page ``number`` (from 1) as text and as a PDF of its own, not rendered. Raises as ``page``."""
        if not 1 <= number <= self.num_pages:
            raise ValueError(f"page {number} of a document with {self.num_pages} pages")
        with _LOCK:
            try:
                page = self._document[number - 1]
                try:
                    scale = dpi / POINTS_PER_INCH
                    text, facts = self._words(page, number, scale, None)
                    size = _size(*page.get_size(), _fitting(*page.get_size(), scale, max_pixels))
                    return PlainPage(number, text, *size, facts, own_page(self._document, number))
                finally:
                    page.close()
            except (pypdfium2.PdfiumError, MemoryError, OSError) as error:
                raise MediaError("pdf_page_unreadable", f"page {number}: {error}") from error

    def find(self, number: int, words: str) -> list[PlaceBox]:
        """Where ``words`` stand on page ``number`` as it is rendered; raises as ``page`` does."""
        if not 1 <= number <= self.num_pages:
            raise ValueError(f"page {number} of a document with {self.num_pages} pages")
        with _LOCK:
            try:
                page = self._document[number - 1]
                try:
                    layer = self._layer(page, number)
                    try:
                        return find(_characters(page, layer), words)
                    finally:
                        layer.close()
                finally:
                    page.close()
            except (pypdfium2.PdfiumError, MemoryError, OSError) as error:
                raise MediaError("pdf_page_unreadable", f"page {number}: {error}") from error

    def _read(
        self, page: pypdfium2.PdfPage, number: int, scale: float, max_pixels: int, box: Box | None
    ) -> PdfPage:
        image = _render(page, scale, max_pixels, box)
        text, facts = self._words(page, number, scale, box)
        return PdfPage(number, image, text, image.width, image.height, facts)

    def _words(
        self, page: pypdfium2.PdfPage, number: int, scale: float, box: Box | None
    ) -> tuple[str, PageFacts]:
        """The text of the page or of a part of it, and what is known of the page."""
        full = _size(*page.get_size(), scale)
        layer = self._layer(page, number)
        try:
            text = layer.get_text_bounded(*_bounds(page, scale, box))
            text = _clean(text if box is not None else _in_columns(layer, text))
            facts = PageFacts(*full, _pictures(page), *_words(page, layer))
        finally:
            layer.close()
        if box is None and has_pinned(page):
            self._pinned.add(number)
        if box is None and (filled := field_lines(self._document, page)):
            text = "\n".join(filter(None, (text, *map(_clean, filled))))
        return text, facts

    def _layer(self, page: pypdfium2.PdfPage, number: int) -> pypdfium2.PdfTextPage:
        """The words of a page, without those that are switched off."""
        if self._may_have_layers:
            leave_out_hidden(page, lambda: names_layers(self._document, number))
        return page.get_textpage()

    def beside(self) -> Document:
        """What the document holds beside its pages: attached files, and the values of a form that PDFium does not draw."""
        with _LOCK:
            return Document("PDF", (Section("", tuple(blocks_beside(self._document, sorted(self._pinned)))),))


@contextmanager
def open_pdf(source: Path | bytes, *, page_limit: int = MAX_PDF_PAGES) -> Iterator[Pdf]:
    """Open a document.

    Raises:
        MediaError: as ``MediaDecoder.open_pdf``.
    """
    start, has_table, may_have_layers = _header(source)
    if start >= 1024 - len(b"%PDF-1.7"):
        source = _data_of(source)[start:]
    with _LOCK:
        try:
            document = _document(source)
            with suppress(pypdfium2.PdfiumError):
                document.init_forms()  # before anything else: without, what was filled in is not drawn
            pdf = Pdf(document, is_damaged=not has_table, may_have_layers=may_have_layers)
        except pypdfium2.PdfiumError as error:
            # of a document without pages PDFium tells the error of the one before
            encrypted = error.err_code in _OF_PASSWORDS and b"/Encrypt" in _data_of(source)
            reason = "pdf_encrypted" if encrypted else "pdf_unreadable" if has_table else "pdf_truncated"
            raise MediaError(reason, str(error)) from error
    try:
        if not (pdf.num_pages or has_table):
            raise MediaError("pdf_truncated", "no page is left of it")
        if pdf.num_pages > page_limit:
            raise MediaError("pdf_too_long", f"{pdf.num_pages} pages, limit {page_limit}")
        yield pdf
    finally:
        with _LOCK:
            document.close()


def _document(source: Path | bytes) -> pypdfium2.PdfDocument:
    """The document; where everything behind its objects is gone, with a new pointer to the first of them."""
    try:
        return pypdfium2.PdfDocument(source)
    except pypdfium2.PdfiumError as error:
        if error.err_code != pdfium.FPDF_ERR_FORMAT:
            raise
        data = _data_of(source)
        roots = _CATALOG.findall(data)
        if not roots or not _PAGE.search(data) or b"/Encrypt" in data:
            raise
        mended = pypdfium2.PdfDocument(data + _TRAILER % roots[-1])
        if not any(_has_page(mended, index) for index in range(min(MOST_TRIED, len(mended)))):
            mended.close()
            raise
        return mended


def _data_of(source: Path | bytes) -> bytes:
    return source.read_bytes() if isinstance(source, Path) else source


def _has_page(document: pypdfium2.PdfDocument, index: int) -> bool:
    try:
        document[index].close()
    except pypdfium2.PdfiumError:
        return False
    return True


def _header(source: Path | bytes) -> tuple[int, bool, bool]:
    """Where the document begins, whether a pointer to the table of its objects stands behind that, whether it can have layers."""
    try:
        if isinstance(source, bytes):
            return _marks(source)
        with source.open("rb") as file:
            if not source.stat().st_size:
                raise MediaError("pdf_empty", "no bytes")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _marks(data)
    except FileNotFoundError as error:
        raise MediaError("pdf_missing", cast(Path, source).name) from error
    except OSError as error:
        raise MediaError("pdf_unreadable", f"{cast(Path, source).name}: {error.strerror}") from error


def _marks(data: bytes | mmap.mmap) -> tuple[int, bool, bool]:
    if not len(data):
        raise MediaError("pdf_empty", "no bytes")
    if (start := data.find(b"%PDF-", 0, HEADER_WINDOW)) < 0:
        raise MediaError("pdf_unreadable", "no %PDF- header")
    # PDFium rebuilds the table of a file cut short and silently shows the pages that are left
    return start, data.rfind(b"startxref") > start, any(data.find(mark) >= 0 for mark in _OF_LAYERS)


def _render(page: pypdfium2.PdfPage, scale: float, max_pixels: int, box: Box | None) -> Image.Image:
    width, height = page.get_size()
    crop = (0.0, 0.0, 0.0, 0.0)
    if box is not None:
        # what is cut off at the left, bottom, right and top, in points
        crop = (box.left / scale, height - box.bottom / scale, width - box.right / scale, box.top / scale)
        crop = tuple(max(0.0, side) for side in crop)
    width, height = width - crop[0] - crop[2], height - crop[1] - crop[3]
    scale = _fitting(width, height, scale, max_pixels)
    image = page.render(
        scale=cast(int, scale), crop=cast(tuple[int, int, int, int], crop), rev_byteorder=True
    ).to_pil()
    return image if image.mode == "RGB" else image.convert("RGB")  # a page has megabytes: no copy for nothing


def _size(width: float, height: float, scale: float) -> tuple[int, int]:
    """Pixels of so many points."""
    return math.ceil(width * scale), math.ceil(height * scale)


def _fitting(width: float, height: float, scale: float, max_pixels: int) -> float:
    """``scale``, or less where the page would have too many pixels."""
    while (area := math.prod(_size(width, height, scale))) > max_pixels:
        scale *= min(0.999, (max_pixels / area) ** 0.5)
    return scale


def _bounds(
    page: pypdfium2.PdfPage, scale: float, box: Box | None
) -> tuple[float | None, float | None, float | None, float | None]:
    """Left, bottom, right and top of ``box`` in the coordinates of the page, which may be turned."""
    if box is None:
        return (None, None, None, None)
    width, height = (max(1, round(side * scale)) for side in page.get_size())
    corners = [_on_page(page, width, height, x, y) for x, y in ((box.left, box.bottom), (box.right, box.top))]
    (left, bottom), (right, top) = corners
    return min(left, right), min(bottom, top), max(left, right), max(bottom, top)


def _on_page(page: pypdfium2.PdfPage, width: int, height: int, x: int, y: int) -> tuple[float, float]:
    found = ctypes.c_double(), ctypes.c_double()
    pdfium.FPDF_DeviceToPage(page, 0, 0, width, height, 0, x, y, *found)
    return found[0].value, found[1].value


def _characters(page: pypdfium2.PdfPage, layer: pypdfium2.PdfTextPage) -> list[Piece]:
    """The characters of a page with their places on it as it is shown, which may be turned."""
    pieces: list[Piece] = []
    for index in range(min(MAX_CHARACTERS, layer.count_chars())):
        code = pdfium.FPDFText_GetUnicode(layer, index)
        if not 0 < code < 0x110000 or 0xD800 <= code < 0xE000:
            continue
        left, bottom, right, top = layer.get_charbox(index, loose=True)
        (x0, y0), (x1, y1) = (_on_device(page, x, y) for x, y in ((left, bottom), (right, top)))
        box = PlaceBox(min(x0, x1), min(y0, y1), abs(x1 - x0), abs(y1 - y0))
        pieces.append(Piece(chr(code), box))
    return pieces


def _in_columns(layer: pypdfium2.PdfTextPage, text: str) -> str:
    """``text`` of the whole page, its columns one after the other where lines of two stand in it in turn."""
    if not may_have_columns([layer.get_rect(index) for index in range(min(MAX_PIECES, layer.count_rects()))]):
        return text
    codes = [
        (index, pdfium.FPDFText_GetUnicode(layer, index))
        for index in range(min(MAX_CHARACTERS, layer.count_chars()))
    ]
    ordered = in_columns(
        [
            Sign(chr(code), *layer.get_charbox(index, loose=True))
            for index, code in codes
            if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000
        ]
    )
    # what stands beyond the page's edge, or is written in another way, keeps its order
    return ordered if ordered is not None and _letters(ordered) == _letters(text) else text


def _letters(text: str) -> Counter[str]:
    return Counter(char for char in text if char.isalnum())


def _on_device(page: pypdfium2.PdfPage, x: float, y: float) -> tuple[float, float]:
    """A point of the page as shares of the picture that is made of it."""
    found = ctypes.c_int(), ctypes.c_int()
    pdfium.FPDF_PageToDevice(page, 0, 0, DEVICE, DEVICE, 0, x, y, *found)
    return found[0].value / DEVICE, found[1].value / DEVICE


def _pictures(page: pypdfium2.PdfPage) -> float:
    """The share of the page that pictures cover, about."""
    covered = np.zeros((GRID, GRID), dtype=bool)
    left, bottom, right, top = page.get_bbox()
    cell = np.array([max(right - left, 1e-6), max(top - bottom, 1e-6)] * 2) / GRID
    for index, shape in enumerate(page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE], max_depth=4)):
        if index >= MAX_OBJECTS:
            break
        try:
            edges = (np.array(shape.get_bounds()) - np.array([left, bottom, left, bottom])) / cell
        except pypdfium2.PdfiumError:
            continue
        x0, y0, x1, y1 = np.clip(np.rint(edges), 0, GRID).astype(int)
        covered[y0:y1, x0:x1] = True
    return float(covered.mean())


def _words(page: pypdfium2.PdfPage, layer: pypdfium2.PdfTextPage) -> tuple[float, float]:
    """The share of the page's height that has words, and of the words' characters that stand for no known one."""
    _, bottom, _, top = page.get_bbox()
    rows = np.zeros(GRID, dtype=bool)
    count = min(MAX_CHARACTERS, layer.count_chars())
    unmapped = 0
    for index in range(count):
        unmapped += pdfium.FPDFText_HasUnicodeMapError(layer, index) == 1
        box = layer.get_charbox(index)
        row = (box[1] + box[3]) / 2 - bottom
        rows[min(GRID - 1, max(0, int(GRID * row / max(top - bottom, 1e-6))))] = True
    return float(rows.mean()), unmapped / count if count else 0.0


def _clean(raw: str) -> str:
    raw = _INVISIBLE.sub("", _LINE_END_HYPHEN.sub("", raw))
    return _CONTROLS.sub("", raw.replace("\r\n", "\n").replace("\r", "\n")).strip()
