"""Raw decoding of PDF pages to images and text, through PDFium. Runs in the decoding process only.

PDFium is not thread-safe: every call into it holds one lock of the process.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import cast

import pypdfium2
import pypdfium2.raw as pdfium
from PIL import Image

from infra.errors import MediaError
from infra.limits import MAX_PAGE_PIXELS, MAX_PDF_PAGES, PAGE_DPI
from infra.media.types import PdfPage

POINTS_PER_INCH = 72.0  # the PDF unit
TRAILER_WINDOW = 65_536  # bytes at the end that must point to the cross-reference table; junk may follow it
_LOCK = RLock()
_LINE_END_HYPHEN = re.compile("[\x02\ufffe]\\s*")  # PDFium's marker of a word broken at the line's end
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ufffe\uffff]")


class Pdf:
    """An open document. Pages are independent: one that fails leaves the others readable."""

    def __init__(self, document: pypdfium2.PdfDocument) -> None:
        self._document = document
        with _LOCK:
            self.num_pages = len(document)

    def page(self, number: int, *, dpi: int = PAGE_DPI, max_pixels: int = MAX_PAGE_PIXELS) -> PdfPage:
        """Page ``number`` (from 1) rendered at ``dpi``, or at less where it would exceed ``max_pixels``.

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
                    image, text = _render(page, dpi, max_pixels), _text(page)
                finally:
                    page.close()
            except (pypdfium2.PdfiumError, MemoryError, OSError) as error:
                raise MediaError("pdf_page_unreadable", f"page {number}: {error}") from error
        return PdfPage(number, image, text, image.width, image.height)


@contextmanager
def open_pdf(source: Path | bytes, *, page_limit: int = MAX_PDF_PAGES) -> Iterator[Pdf]:
    """Open a document.

    Raises:
        MediaError: as ``MediaDecoder.open_pdf``.
    """
    _check_ends(source)
    with _LOCK:
        try:
            document = pypdfium2.PdfDocument(source)
        except pypdfium2.PdfiumError as error:
            encrypted = error.err_code in (pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY)
            raise MediaError("pdf_encrypted" if encrypted else "pdf_unreadable", str(error)) from error
    try:
        pdf = Pdf(document)
        if pdf.num_pages > page_limit:
            raise MediaError("pdf_too_long", f"{pdf.num_pages} pages, limit {page_limit}")
        yield pdf
    finally:
        with _LOCK:
            document.close()


def _check_ends(source: Path | bytes) -> None:
    in_memory = isinstance(source, bytes)
    head, tail = (source[:1024], source[-TRAILER_WINDOW:]) if in_memory else _read_ends(source)
    if not head:
        raise MediaError("pdf_empty", "no bytes")
    if b"%PDF-" not in head:
        raise MediaError("pdf_unreadable", "no %PDF- header")
    # PDFium rebuilds the table of a file cut short and silently shows the pages that are left
    if b"startxref" not in tail:
        raise MediaError("pdf_truncated", "no cross-reference pointer at the end")


def _read_ends(path: Path) -> tuple[bytes, bytes]:
    try:
        with path.open("rb") as file:
            head = file.read(1024)
            file.seek(max(0, path.stat().st_size - TRAILER_WINDOW))
            return head, file.read()
    except FileNotFoundError as error:
        raise MediaError("pdf_missing", path.name) from error
    except OSError as error:
        raise MediaError("pdf_unreadable", f"{path.name}: {error.strerror}") from error


def _render(page: pypdfium2.PdfPage, dpi: int, max_pixels: int) -> Image.Image:
    width, height = page.get_size()
    scale = dpi / POINTS_PER_INCH
    if (area := width * height * scale * scale) > max_pixels:
        scale *= (max_pixels / area) ** 0.5 * 0.999  # PDFium rounds each side up
    image = page.render(scale=cast(int, scale), rev_byteorder=True).to_pil()
    return image if image.mode == "RGB" else image.convert("RGB")  # a page has megabytes: no copy for nothing


def _text(page: pypdfium2.PdfPage) -> str:
    layer = page.get_textpage()
    try:
        raw = layer.get_text_bounded()
    finally:
        layer.close()
    return _CONTROLS.sub("", _LINE_END_HYPHEN.sub("", raw).replace("\r\n", "\n").replace("\r", "\n")).strip()
