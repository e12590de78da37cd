"""What the decoding process can be asked for. Runs there only; the other side of each is in ``infra/media/decoding.py``.

Pictures are answered as Pillow keeps RGB: four bytes for each pixel, the last without meaning, row by row.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
from PIL import Image

from infra.media import _images as images
from infra.media import _pdf as pdf
from infra.media import _video as frames
from infra.media.ocr import OcrError, RapidOcr
from infra.media.sandbox.worker import Operation, OperationResult


class _Documents:
    """The document in hand, open: its pages are asked for one by one."""

    def __init__(self) -> None:
        self._token = ""
        self._open = ExitStack()
        self._pdf: pdf.Pdf | None = None

    def get(self, arguments: dict[str, Any], payload: bytes | None) -> pdf.Pdf:
        if self._pdf is None or self._token != arguments["token"]:
            self.close()
            source, page_limit = _source(arguments, payload), arguments["page_limit"]
            self._pdf = self._open.enter_context(pdf.open_pdf(source, page_limit=page_limit))
            self._token = arguments["token"]
        return self._pdf

    def close(self) -> None:
        self._pdf = None
        self._open.close()


_DOCUMENTS = _Documents()
_READERS: dict[int, RapidOcr] = {}  # by the number of their threads


def _source(arguments: dict[str, Any], payload: bytes | None) -> Path | bytes:
    return Path(arguments["path"]) if payload is None else payload


def _decode(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    decode = images.decode_truncated if arguments["truncated"] else images.decode
    return _picture(decode(payload or b"", max_pixels=arguments["max_pixels"]))


def _open_pdf(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    return OperationResult({"num_pages": _DOCUMENTS.get(arguments, payload).num_pages})


def _page(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    document = _DOCUMENTS.get(arguments, payload)
    page = document.page(arguments["number"], dpi=arguments["dpi"], max_pixels=arguments["max_pixels"])
    text = page.text.encode("utf-8", "replace")
    picture = _picture(page.image)
    return OperationResult(picture.result, (len(text), *picture.sizes), (text, *picture.parts))


def _close_pdf(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    _DOCUMENTS.close()
    return OperationResult({})


def _probe(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    return OperationResult(frames.probe(_source(arguments, payload))._asdict())


def _frames(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    found = frames.frames(_source(arguments, payload), arguments["times"])
    return _pictures([frame.image for frame in found])


def _read(arguments: dict[str, Any], payload: bytes | None) -> OperationResult:
    reader = _READERS.setdefault(arguments["num_threads"], RapidOcr(num_threads=arguments["num_threads"]))
    size = (arguments["width"], arguments["height"])
    try:
        text = reader.text(Image.frombytes("RGB", size, payload or b"")).encode("utf-8", "replace")
    except OcrError as error:
        return OperationResult({"failed": str(error)})
    return OperationResult({}, (len(text),), (text,))


def _picture(image: Image.Image) -> OperationResult:
    return _pictures([image])


def _pictures(images: list[Image.Image]) -> OperationResult:
    sizes = tuple(4 * image.width * image.height for image in images)
    shown = [list(image.size) for image in images]
    return OperationResult({"pictures": shown}, sizes, map(_pixels, images))


def _pixels(image: Image.Image) -> Any:
    """The bytes of a picture, not copied where they lie in one piece."""
    try:
        return memoryview(pa.array(image).buffers()[-1])
    except ValueError:  # above 16 MB Pillow takes memory in pieces
        return image.tobytes("raw", "RGBX")


OPERATIONS: dict[str, Operation] = {
    "decode": _decode,
    "open_pdf": _open_pdf,
    "page": _page,
    "close_pdf": _close_pdf,
    "probe": _probe,
    "frames": _frames,
    "read": _read,
}
