"""Raw cutting of one page out of a PDF, as a PDF that shows the very same. Runs in the decoding process, under its lock.

What a page shows can depend on its document: filled forms are drawn by the form engine, layers are switched in the catalogue.
Such pages are not cut out. The bytes are equal for equal pages: date and identity that PDFium writes are blanked.
"""

import io
import re

import pypdfium2
import pypdfium2.raw as pdfium

from infra.limits import MAX_OWN_PAGE_BYTES

_DATE = re.compile(rb"(?<=/CreationDate\(D:)[0-9+\-Z']+(?=\))")
_IDENTITY = re.compile(rb"(?<=/ID\[<)([0-9A-F]+)><([0-9A-F]+)(?=>\])")
_LAYERS = (b"/OCG", b"/OCMD")


def own_page(document: pypdfium2.PdfDocument, number: int) -> bytes:
    """Page ``number`` (from 1) alone; empty where it could look another way, or would be large.

    Raises:
        pypdfium2.PdfiumError: if it cannot be copied.
    """
    if document.get_formtype() != pdfium.FORMTYPE_NONE:
        return b""
    data = _alone(document, number)
    if len(data) > MAX_OWN_PAGE_BYTES or any(mark in data for mark in _LAYERS):
        return b""
    return _IDENTITY.sub(_zeros, _DATE.sub(lambda date: b"0" * len(date.group()), data))


def names_layers(document: pypdfium2.PdfDocument, number: int) -> bool:
    """Whether something on page ``number`` (from 1) lies in a layer. Raises as ``own_page``."""
    data = _alone(document, number)
    return any(mark in data for mark in _LAYERS)


def _alone(document: pypdfium2.PdfDocument, number: int) -> bytes:
    alone = pypdfium2.PdfDocument.new()
    try:
        alone.import_pages(document, [number - 1])
        written = io.BytesIO()
        alone.save(written)
    finally:
        alone.close()
    return written.getvalue()


def _zeros(found: re.Match[bytes]) -> bytes:
    return b"0" * len(found[1]) + b"><" + b"0" * len(found[2])
