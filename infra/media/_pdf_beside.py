"""What a PDF holds beside its pages: attached files, and the values of an XFA form. Runs in the decoding process only.

PDFium draws no XFA form; of one that has no other pages than a request for another viewer the values are all there is.
Every call is made under the lock of ``_pdf.py``.
"""

import ctypes
from collections.abc import Iterable, Iterator
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

from infra.documents.blocks import Attachment, Block, Gap, Paragraph
from infra.documents.markup import Element, descendants, local, parse_xml
from infra.documents.text import one_line
from infra.errors import MediaError
from infra.limits import MAX_EMBEDDED_BYTES, MAX_EMBEDDED_FILES, MAX_PART_BYTES

MAX_PACKETS = 100
MAX_FORM_PAGES = 50  # on which fields are looked for
MAX_VALUES = 20_000
MAX_ANNOTATIONS = 5_000  # of one page


def blocks_beside(document: pypdfium2.PdfDocument, pinned: Iterable[int]) -> Iterator[Block]:
    """The values of the form, then the files of the document and those pinned to the pages ``pinned`` (from 1)."""
    yield from _form_values(document)
    for index in range(min(MAX_EMBEDDED_FILES, pdfium.FPDFDoc_GetAttachmentCount(document))):
        yield from _attached(pdfium.FPDFDoc_GetAttachment(document, index))
    for number in pinned:
        yield from _pinned(document, number)


def has_pinned(page: pypdfium2.PdfPage) -> bool:
    """Whether a file is pinned to a page."""
    return any(
        pdfium.FPDFAnnot_GetSubtype(note) == pdfium.FPDF_ANNOT_FILEATTACHMENT for note in _annotations(page)
    )


def _pinned(document: pypdfium2.PdfDocument, number: int) -> Iterator[Block]:
    """The files that are pinned to a page as annotations."""
    try:
        page = document[number - 1]
    except pypdfium2.PdfiumError:
        return
    try:
        for annotation in _annotations(page):
            if pdfium.FPDFAnnot_GetSubtype(annotation) == pdfium.FPDF_ANNOT_FILEATTACHMENT:
                yield from _attached(pdfium.FPDFAnnot_GetFileAttachment(annotation))
    finally:
        page.close()


def _annotations(page: pypdfium2.PdfPage) -> Iterator[Any]:
    """Each annotation, open until the next is asked for."""
    for index in range(min(MAX_ANNOTATIONS, pdfium.FPDFPage_GetAnnotCount(page))):
        if annotation := pdfium.FPDFPage_GetAnnot(page, index):
            try:
                yield annotation
            finally:
                pdfium.FPDFPage_CloseAnnot(annotation)


def _attached(attachment: Any) -> Iterator[Block]:
    if not attachment:
        return
    name = _name(attachment)
    size = ctypes.c_ulong()
    if not pdfium.FPDFAttachment_GetFile(attachment, None, 0, size) or not size.value:
        return
    if size.value > MAX_EMBEDDED_BYTES:
        yield Gap("embedded_too_large", name, f"{size.value:,} bytes")
        return
    buffer = ctypes.create_string_buffer(size.value)
    if pdfium.FPDFAttachment_GetFile(attachment, buffer, size.value, size):
        yield Attachment(buffer.raw[: size.value], name)


def _name(attachment: Any) -> str:
    size = pdfium.FPDFAttachment_GetName(attachment, None, 0)
    if not 2 < size <= 4096:
        return ""
    buffer = ctypes.create_string_buffer(size)
    pdfium.FPDFAttachment_GetName(attachment, ctypes.cast(buffer, ctypes.POINTER(pdfium.FPDF_WCHAR)), size)
    return one_line(buffer.raw[: size - 2].decode("utf-16-le", "replace"))


def _form_values(document: pypdfium2.PdfDocument) -> Iterator[Block]:
    """``name: value`` of each value of an XFA form that has no other form beside it."""
    kind = document.get_formtype()
    is_alone = kind == pdfium.FORMTYPE_XFA_FULL or (
        kind == pdfium.FORMTYPE_XFA_FOREGROUND and not _has_fields(document)
    )
    if not is_alone:
        return
    values: list[str] = []
    for index in range(min(MAX_PACKETS, pdfium.FPDF_GetXFAPacketCount(document))):
        try:
            root = parse_xml(_packet(document, index), "form")
        except MediaError:
            continue
        for data in (root, *descendants(root, "data")):
            if local(data) == "data":
                values += _values(data)
    if values:
        yield Paragraph("\n".join(dict.fromkeys(values[:MAX_VALUES])))


def _has_fields(document: pypdfium2.PdfDocument) -> bool:
    """Whether a field is drawn on one of the first pages; a form without any is one in XFA, whatever it says."""
    for number in range(min(MAX_FORM_PAGES, len(document))):
        try:
            page = document[number]
        except pypdfium2.PdfiumError:
            continue
        try:
            if any(
                pdfium.FPDFAnnot_GetSubtype(note) == pdfium.FPDF_ANNOT_WIDGET for note in _annotations(page)
            ):
                return True
        finally:
            page.close()
    return False


def _packet(document: pypdfium2.PdfDocument, index: int) -> bytes:
    size = ctypes.c_ulong()
    pdfium.FPDF_GetXFAPacketContent(document, index, None, 0, size)
    if not 0 < size.value <= MAX_PART_BYTES:
        return b""
    buffer = ctypes.create_string_buffer(size.value)
    pdfium.FPDF_GetXFAPacketContent(document, index, buffer, size.value, size)
    return buffer.raw[: size.value]


def _values(data: Element) -> Iterator[str]:
    for element in data.iterdescendants():
        if not len(element) and (value := one_line(element.text or "")):
            yield f"{local(element)}: {value}"
