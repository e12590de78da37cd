"""PDF files put together from their objects, for what no writer of ours writes."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from PIL import Image

FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"


def pdf_of(objects: Sequence[bytes]) -> bytes:
    """Object 1 is the catalogue; the others are numbered on."""
    out = bytearray(b"%PDF-1.7\n")
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return bytes(out) + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1,
        start,
    )


def stream(data: bytes, head: bytes = b"") -> bytes:
    return b"<< " + head + b" /Length %d >>\nstream\n" % len(data) + data + b"\nendstream"


def one_page(
    content: bytes,
    *,
    size: tuple[int, int] = (400, 300),
    page: bytes = b"",
    more: Sequence[bytes] = (),
    catalog: bytes = b"",
) -> bytes:
    """One page of Helvetica (/F1); ``more`` objects are numbered from 6, ``page`` and ``catalog`` are added to theirs."""
    media = b"/MediaBox [0 0 %d %d]" % size
    resources = b"/Resources << /Font << /F1 5 0 R /F2 6 0 R >> /XObject << /I1 6 0 R >> >> "
    return pdf_of(
        [
            b"<< /Type /Catalog /Pages 2 0 R " + catalog + b" >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R " + media + b" /Contents 4 0 R " + resources + page + b" >>",
            stream(content),
            FONT,
            *more,
        ]
    )


def words(text: str, *, x: int = 20, y: int = 200, size: int = 14, font: str = "F1") -> bytes:
    escaped = text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
    return f"BT /{font} {size} Tf {x} {y} Td ({escaped}) Tj ET\n".encode("latin-1")


def picture(image: Image.Image) -> bytes:
    head = b"/Type /XObject /Subtype /Image /Width %d /Height %d " % image.size
    head += b"/ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter /FlateDecode"
    return stream(zlib.compress(image.convert("RGB").tobytes()), head)


def form(*fields: bytes, content: bytes = b"", settings: bytes = b"") -> bytes:
    """A page with ``fields``, the objects from 6 on; those that are widgets are its annotations."""
    numbers = range(6, 6 + len(fields))
    widgets = [number for number, field in zip(numbers, fields, strict=True) if b"/Subtype" in field]
    roots = [
        number
        for number, field in zip(numbers, fields, strict=True)
        if b"/Parent" not in field and b"/FT" in field
    ]
    refs = lambda of: b" ".join(b"%d 0 R" % number for number in of)  # noqa: E731
    interactive = (
        b"/AcroForm << /DA (/Helv 12 Tf 0 g) /DR << /Font << /Helv 5 0 R >> >> /Fields ["
        + refs(roots)
        + b"] "
    )
    return one_page(
        content,
        page=b"/Annots [" + refs(widgets) + b"]",
        more=fields,
        catalog=interactive + settings + b" >>",
    )


def widget(
    kind: bytes, name: bytes, value: bytes, *, at: tuple[int, int] = (20, 200), more: bytes = b""
) -> bytes:
    """A field 200 points wide and 24 tall."""
    box = b"/Rect [%d %d %d %d]" % (*at, at[0] + 200, at[1] + 24)
    named = b"/FT /" + kind + b" /T (" + name + b") " if kind else b""
    head = b"<< /Type /Annot /Subtype /Widget /F 4 /P 3 0 R /DA (/Helv 12 Tf 0 g) "
    return head + box + named + b" /V " + value + b" " + more + b" >>"
