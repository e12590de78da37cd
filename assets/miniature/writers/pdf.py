"""A minimal PDF writer: pages of Helvetica lines and one RGB image each, the same bytes for the same pages.

Holds the file format only (ISO 32000-1, sections 7.5 and 9.4). No dates, no producer, no compression but Flate.
"""

import zlib
from dataclasses import dataclass

import numpy as np
from PIL import Image

FONT_SIZE = 7.0  # points
LEADING = 8.0  # points from line to line
MARGIN = 2.0  # points


@dataclass(frozen=True, slots=True, kw_only=True)
class PdfPageSpec:
    """``lines`` are set from the top; ``box`` places the image (left, bottom, width, height, in points)."""

    lines: tuple[str, ...] = ()
    image: Image.Image | None = None
    box: tuple[float, float, float, float] = (0.0, 0.0, 64.0, 64.0)


def pdf_bytes(pages: tuple[PdfPageSpec, ...], *, width: float = 64.0, height: float = 64.0) -> bytes:
    """A document of ``pages``, each ``width`` x ``height`` points.

    Raises:
        ValueError: without pages, or for a line that is not plain ASCII.
    """
    if not pages:
        raise ValueError("a PDF needs at least one page")
    objects: list[bytes] = [
        b"",
        b"",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    kids = []
    for page in pages:
        resources = b"/Font << /F1 3 0 R >>"
        if page.image is not None:
            objects.append(_image(page.image))
            resources += f" /XObject << /I1 {len(objects)} 0 R >>".encode()
        objects.append(_stream(b"", _content(page, height)))
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width:g} {height:g}] /Contents {len(objects)} 0 R ".encode()
            + b"/Resources << " + resources + b" >> >>"
        )  # fmt: skip
        kids.append(f"{len(objects)} 0 R")
    objects[0] = b"<< /Type /Catalog /Pages 2 0 R >>"
    objects[1] = f"<< /Type /Pages /Count {len(kids)} /Kids [{' '.join(kids)}] >>".encode()
    return _file(objects)


def _content(page: PdfPageSpec, height: float) -> bytes:
    parts = []
    if page.image is not None:
        left, bottom, width, tall = page.box
        parts.append(f"q {width:g} 0 0 {tall:g} {left:g} {bottom:g} cm /I1 Do Q")
    for number, line in enumerate(page.lines):
        if not line.isascii():
            raise ValueError(f"a line must be ASCII, got {line!r}")
        escaped = line.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
        baseline = height - MARGIN - FONT_SIZE * 0.8 - number * LEADING
        parts.append(f"BT /F1 {FONT_SIZE:g} Tf {MARGIN:g} {baseline:g} Td ({escaped}) Tj ET")
    return "\n".join(parts).encode()


def _image(image: Image.Image) -> bytes:
    data = np.asarray(image.convert("RGB")).tobytes()
    head = (
        f"/Type /XObject /Subtype /Image /Width {image.width} /Height {image.height} "
        "/ColorSpace /DeviceRGB /BitsPerComponent 8 "
    )
    return _stream(head.encode(), data)


def _stream(head: bytes, data: bytes) -> bytes:
    packed = zlib.compress(data, 6)
    return (
        b"<< "
        + head
        + f"/Filter /FlateDecode /Length {len(packed)} >>\nstream\n".encode()
        + packed
        + b"\nendstream"
    )


def _file(objects: list[bytes]) -> bytes:
    out = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{offset:010d} 00000 n \n".encode() for offset in offsets)
    out += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(out)
