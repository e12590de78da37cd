"""Layers of a page that are switched off: their words are not those of the page. Runs in the decoding process, under its lock.

PDFium does not tell which layers are on, but it does not draw those that are off: what is not drawn when it is alone on the
page, though its letters can be drawn, lies in one of them.
"""

import ctypes
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import pypdfium2
import pypdfium2.raw as pdfium

MAX_SHAPES = 20_000  # of a page; of more, nothing is left out
MAX_LAYERS = 64  # parts of a page that are drawn to see whether anything comes of it
MAX_PIXELS = 4_000_000  # of such a drawing
MAX_DEPTH = 4  # forms within forms
LETTERS_TRIED = 20  # texts of a layer, of which one must have letters that can be drawn
PAPER = (129, 201, 129, 255)  # hardly an ink has this colour; the same with red and blue exchanged
_UNSEEN = frozenset((pdfium.FPDF_TEXTRENDERMODE_INVISIBLE, pdfium.FPDF_TEXTRENDERMODE_CLIP))
_NAME_BYTES = 512


class _Shape(NamedTuple):
    """Something on a page that is drawn, and the parts of the page that it belongs to: its layer, the forms around it."""

    handle: pypdfium2.PdfObject
    parts: tuple[object, ...]


def leave_out_hidden(page: pypdfium2.PdfPage, names_layers: Callable[[], bool]) -> None:
    """Take out of ``page`` what lies in layers that are off; its text is read without it from then on.

    ``names_layers`` is asked of a page that draws forms and marks no layer, for a form may lie in one.
    """
    shapes = _shapes(page)
    marked = any(isinstance(part, str) for shape in shapes for part in shape.parts)
    if not marked and not (any(shape.parts for shape in shapes) and names_layers()):
        return
    parts: dict[object, list[_Shape]] = {}
    for shape in shapes:
        for part in shape.parts:
            parts.setdefault(part, []).append(shape)
    asked = [of_part for of_part in parts.values() if _has_letters(page, of_part)][:MAX_LAYERS]
    if not asked:
        return
    _switch(shapes, is_active=False)
    hidden: list[_Shape] = []
    for of_part in asked:
        _switch(of_part, is_active=True)
        if not _is_drawn(page):
            hidden += of_part
        _switch(of_part, is_active=False)
    _switch(shapes, is_active=True)
    _switch(hidden, is_active=False)


def _shapes(page: pypdfium2.PdfPage) -> list[_Shape]:
    """What is drawn on a page and within its forms; nothing if there is too much."""
    shapes: list[_Shape] = []
    around: list[tuple[object, ...]] = [()]
    for number, found in enumerate(page.get_objects(max_depth=MAX_DEPTH)):
        if number >= MAX_SHAPES:
            return []
        parts = (*around[min(found.level, len(around) - 1)], *_layers(found))
        if pdfium.FPDFPageObj_GetType(found) == pdfium.FPDF_PAGEOBJ_FORM:
            around[found.level + 1 :] = [(*parts, number)]
        else:
            shapes.append(_Shape(found, parts))
    return shapes


def _layers(shape: pypdfium2.PdfObject) -> Iterator[str]:
    """The layers that the marks of ``shape`` name; one without a name goes by its place in memory."""
    for index in range(max(0, pdfium.FPDFPageObj_CountMarks(shape))):
        mark = pdfium.FPDFPageObj_GetMark(shape, index)
        if _said(pdfium.FPDFPageObjMark_GetName, mark) == "OC":
            named = _said(pdfium.FPDFPageObjMark_GetParamStringValue, mark, b"Name")
            yield named or str(ctypes.cast(mark, ctypes.c_void_p).value)


def _said(ask: object, mark: object, *key: bytes) -> str:
    text, length = (ctypes.c_ushort * (_NAME_BYTES // 2))(), ctypes.c_ulong()
    if not ask(mark, *key, text, _NAME_BYTES, length) or length.value > _NAME_BYTES:  # type: ignore[operator]
        return ""
    return bytes(text)[: length.value].decode("utf-16-le", "replace").rstrip("\0")


def _has_letters(page: pypdfium2.PdfPage, shapes: Sequence[_Shape]) -> bool:
    """Whether some of ``shapes`` are texts that can be seen, were they drawn: with a font, in ink."""
    texts = [
        shape.handle
        for shape in shapes
        if pdfium.FPDFPageObj_GetType(shape.handle) == pdfium.FPDF_PAGEOBJ_TEXT
    ]
    seen = (text for text in texts if pdfium.FPDFTextObj_GetTextRenderMode(text) not in _UNSEEN)
    return any(_can_be_drawn(page, text) for _, text in zip(range(LETTERS_TRIED), seen, strict=False))


def _can_be_drawn(page: pypdfium2.PdfPage, text: pypdfium2.PdfObject) -> bool:
    raw = pdfium.FPDFTextObj_GetRenderedBitmap(page.pdf, page, text, 1.0)
    if not raw:
        return False
    bitmap = pypdfium2.PdfBitmap.from_raw(raw)
    try:
        return bool(bitmap.to_numpy().any())
    finally:
        bitmap.close()


def _switch(shapes: Sequence[_Shape], *, is_active: bool) -> None:
    for shape in shapes:
        pdfium.FPDFPageObj_SetIsActive(shape.handle, is_active)


def _is_drawn(page: pypdfium2.PdfPage) -> bool:
    width, height = page.get_size()
    scale = min(1.0, (MAX_PIXELS / max(1.0, width * height)) ** 0.5)
    bitmap = page.render(scale=scale, fill_color=PAPER, draw_annots=False, may_draw_forms=False)
    try:
        return bool((bitmap.to_numpy()[:, :, :3] != PAPER[:3]).any())
    finally:
        bitmap.close()
