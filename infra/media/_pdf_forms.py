"""What was filled into the fields of a PDF page and typed upon it, as lines of text. Runs in the decoding process only.

The text layer of a page holds none of it. Every call is made under the lock of ``_pdf.py``.
"""

import ctypes
import html
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

MAX_FIELDS = 5_000  # of one page
MAX_OPTIONS = 1_000  # of one list of choices
MAX_VALUE_BYTES = 1 << 20
COMMENTED = frozenset(
    (
        *(pdfium.FPDF_ANNOT_TEXT, pdfium.FPDF_ANNOT_HIGHLIGHT, pdfium.FPDF_ANNOT_UNDERLINE),
        *(pdfium.FPDF_ANNOT_SQUIGGLY, pdfium.FPDF_ANNOT_STRIKEOUT, pdfium.FPDF_ANNOT_STAMP),
        *(pdfium.FPDF_ANNOT_CARET, pdfium.FPDF_ANNOT_INK, pdfium.FPDF_ANNOT_SQUARE, pdfium.FPDF_ANNOT_CIRCLE),
        *(pdfium.FPDF_ANNOT_LINE, pdfium.FPDF_ANNOT_POLYGON, pdfium.FPDF_ANNOT_POLYLINE),
    )
)
PASSWORD = 1 << 13  # the flag of a field whose value is hidden
_TAGS = re.compile(r"<[^<>]*>")
_Read = Callable[[Any, int], int]


def field_lines(document: pypdfium2.PdfDocument, page: pypdfium2.PdfPage) -> list[str]:
    """``name: value`` of each filled field, and the words of typed notes, from top to bottom."""
    lines: list[tuple[float, float, str]] = []
    for index in range(min(MAX_FIELDS, pdfium.FPDFPage_GetAnnotCount(page))):
        annotation = pdfium.FPDFPage_GetAnnot(page, index)
        if not annotation:
            continue
        try:
            if line := _line(document, annotation):
                box = pdfium.FS_RECTF()
                pdfium.FPDFAnnot_GetRect(annotation, box)
                lines.append((-max(box.top, box.bottom), box.left, line))
        finally:
            pdfium.FPDFPage_CloseAnnot(annotation)
    return list(dict.fromkeys(line for _, _, line in sorted(lines)))


def _line(document: pypdfium2.PdfDocument, annotation: Any) -> str:
    kind = pdfium.FPDFAnnot_GetSubtype(annotation)
    if kind == pdfium.FPDF_ANNOT_FREETEXT:
        return _key(annotation, b"Contents")
    if kind in COMMENTED:
        return _comment(annotation)
    if kind != pdfium.FPDF_ANNOT_WIDGET:
        return ""
    value = " ".join(_value(document, annotation).split())
    if not value:
        return ""
    form = document.formenv
    label = name = ""
    if form:
        label = _string(partial(pdfium.FPDFAnnot_GetFormFieldAlternateName, form, annotation))
        name = _string(partial(pdfium.FPDFAnnot_GetFormFieldName, form, annotation))
    label = " ".join((label or name.rpartition(".")[2] or _key(annotation, b"T")).split())
    return f"{label}: {value}" if label else value


def _comment(annotation: Any) -> str:
    """What somebody wrote to a place of the page, and who."""
    words = " ".join(_key(annotation, b"Contents").split())
    author = " ".join(_key(annotation, b"T").split())
    if not words:
        return ""
    return f"Comment ({author}): {words}" if author else f"Comment: {words}"


def _value(document: pypdfium2.PdfDocument, annotation: Any) -> str:
    form = document.formenv
    if not form:
        return _key(annotation, b"V")
    if pdfium.FPDFAnnot_GetFormFieldFlags(form, annotation) & PASSWORD:
        return ""
    match pdfium.FPDFAnnot_GetFormFieldType(form, annotation):
        case pdfium.FPDF_FORMFIELD_CHECKBOX | pdfium.FPDF_FORMFIELD_RADIOBUTTON:
            if not pdfium.FPDFAnnot_IsChecked(form, annotation):
                return ""
            export = _string(partial(pdfium.FPDFAnnot_GetFormFieldExportValue, form, annotation))
            return export or "Yes"
        case pdfium.FPDF_FORMFIELD_PUSHBUTTON | pdfium.FPDF_FORMFIELD_SIGNATURE:
            return ""
        case pdfium.FPDF_FORMFIELD_COMBOBOX | pdfium.FPDF_FORMFIELD_LISTBOX:
            if chosen := ", ".join(_chosen(form, annotation)):
                return chosen
    written = _string(partial(pdfium.FPDFAnnot_GetFormFieldValue, form, annotation))
    return written or html.unescape(_TAGS.sub(" ", _key(annotation, b"RV")))


def _chosen(form: Any, annotation: Any) -> Iterator[str]:
    for index in range(min(MAX_OPTIONS, pdfium.FPDFAnnot_GetOptionCount(form, annotation))):
        if pdfium.FPDFAnnot_IsOptionSelected(form, annotation, index):
            label = partial(pdfium.FPDFAnnot_GetOptionLabel, form, annotation, index)
            yield _string(label)


def _key(annotation: Any, key: bytes) -> str:
    return _string(partial(pdfium.FPDFAnnot_GetStringValue, annotation, key))


def _string(read: _Read) -> str:
    """What ``read(buffer, bytes)`` writes as UTF-16 with a NUL behind it; it returns how many bytes it needs."""
    size = read(None, 0)
    if not 2 < size <= MAX_VALUE_BYTES:
        return ""
    buffer = ctypes.create_string_buffer(size)
    read(ctypes.cast(buffer, ctypes.POINTER(pdfium.FPDF_WCHAR)), size)
    return buffer.raw[: size - 2].decode("utf-16-le", "replace").replace("\r", "\n").strip()
