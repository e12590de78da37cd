"""Files of a few kilobytes that ask for gigabytes, go in circles, or lie: each a real one of its format."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence

import av
import numpy as np
from PIL import Image


def png_bomb(width: int, height: int) -> bytes:
    """A whole PNG of one bit a pixel, all of them black: a megabyte of it unpacks to a gigapixel."""
    packer = zlib.compressobj(9)
    row = bytes(1 + -(-width // 8))
    data = b"".join(packer.compress(row * 1_000) for _ in range(height // 1_000))
    data += packer.compress(row * (height % 1_000)) + packer.flush()
    header = struct.pack("!IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(kind, body) for kind, body in ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    )


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack("!I", len(body)) + kind + body + struct.pack("!I", zlib.crc32(kind + body))


def gif(num_frames: int) -> bytes:
    """An animation whose first frame is white."""
    target = io.BytesIO()
    shades = [Image.new("L", (16, 16), 255 - number % 250) for number in range(num_frames)]
    shades[0].save(target, "GIF", save_all=True, append_images=shades[1:])
    return target.getvalue()


def pdf_of(objects: Sequence[str | bytes]) -> bytes:
    """A document of these objects, numbered from 1; the first is the catalogue."""
    out, offsets = bytearray(b"%PDF-1.7\n"), []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body.encode() if isinstance(body, str) else body)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, table)
    return bytes(out)


def pdf_with_text(text: str) -> bytes:
    font = "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
    page = "<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 60]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>"
    shown = stream("", f"BT /F 24 Tf 10 20 Td ({text}) Tj ET".encode())
    return pdf_of([CATALOGUE, "<</Type/Pages/Count 1/Kids[3 0 R]>>", page, shown, font])


def stream(dictionary: str, data: bytes) -> bytes:
    return b"<<%b/Length %d>>stream\n%b\nendstream" % (dictionary.encode(), len(data), data)


CATALOGUE = "<</Type/Catalog/Pages 2 0 R>>"


def pdf_of_pages(count: int) -> bytes:
    kids = " ".join(f"{number} 0 R" for number in range(3, 3 + count))
    pages = f"<</Type/Pages/Count {count}/MediaBox[0 0 72 72]/Kids[{kids}]>>"
    return pdf_of([CATALOGUE, pages, *["<</Type/Page/Parent 2 0 R>>"] * count])


def pdf_with_box(box: str) -> bytes:
    page = f"<</Type/Page/Parent 2 0 R/MediaBox[{box}]>>"
    return pdf_of([CATALOGUE, "<</Type/Pages/Count 1/Kids[3 0 R]>>", page])


def pdf_that_claims(count: int) -> bytes:
    """One page, said to be ``count``."""
    page = "<</Type/Page/Parent 2 0 R/MediaBox[0 0 72 72]>>"
    return pdf_of([CATALOGUE, f"<</Type/Pages/Count {count}/Kids[3 0 R]>>", page])


def pdf_in_a_circle() -> bytes:
    """A tree of pages that is its own branch."""
    return pdf_of([CATALOGUE, "<</Type/Pages/Count 3/Kids[2 0 R 2 0 R 2 0 R]>>"])


def pdf_drawing_itself(width: int = 30) -> bytes:
    """A page of forms that draw each other ``width`` times, in a circle: 30 to the power of the depth allowed."""
    form = "/Type/XObject/Subtype/Form/BBox[0 0 72 72]/Resources<</XObject<</A 5 0 R/B 6 0 R>>>>"
    page = "<</Type/Page/Parent 2 0 R/MediaBox[0 0 72 72]/Contents 4 0 R/Resources<</XObject<</A 5 0 R>>>>>>"
    return pdf_of(
        [
            *(CATALOGUE, "<</Type/Pages/Count 1/Kids[3 0 R]>>", page, stream("", b"/A Do")),
            *(stream(form, b"/B Do " * width), stream(form, b"/A Do " * width)),
        ]
    )


def pdf_nested(depth: int) -> bytes:
    """Arrays within arrays."""
    page = f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 72 72]/X {'[' * depth}{']' * depth}>>"
    return pdf_of([CATALOGUE, "<</Type/Pages/Count 1/Kids[3 0 R]>>", page])


def pdf_flate_bomb(megabytes: int) -> bytes:
    """Drawing instructions packed twice: white space, ``megabytes`` of it."""
    packer = zlib.compressobj(9)
    once = b"".join(packer.compress(b" " * (1 << 20)) for _ in range(megabytes)) + packer.flush()
    page = "<</Type/Page/Parent 2 0 R/MediaBox[0 0 72 72]/Contents 4 0 R>>"
    twice = stream("/Filter[/FlateDecode/FlateDecode]", zlib.compress(once, 9))
    return pdf_of([CATALOGUE, "<</Type/Pages/Count 1/Kids[3 0 R]>>", page, twice])


def film(seconds: int = 8, *, size: int = 64, container: str = "mp4", codec: str = "mpeg4") -> bytes:
    """Noise, 4 pictures a second; an MP4 has its index at the end."""
    target, noise = io.BytesIO(), np.random.default_rng(0)
    with av.open(target, "w", format=container) as output:
        coder = output.add_stream(codec, rate=4)
        coder.width = coder.height = size
        coder.pix_fmt = "yuv420p"
        for _ in range(seconds * 4):
            picture = noise.integers(0, 255, (size, size, 3), np.uint8)
            output.mux(coder.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        output.mux(coder.encode(None))
    return target.getvalue()


def with_box(data: bytes, name: bytes, new: bytes, *, skip: int) -> bytes:
    """``data`` with ``new`` written ``skip`` bytes behind the name of an MP4 box."""
    at = data.index(name) + len(name) + skip
    return data[:at] + new + data[at + len(new) :]


def film_with_broken_offsets() -> bytes:
    """Its index says that the pictures lie behind the end of everything."""
    data = film()
    count = struct.unpack("!I", data[data.index(b"stco") + 8 :][:4])[0]
    return with_box(data, b"stco", b"\xff\xff\xff\xf0" * count, skip=8)


def film_with_endless_index() -> bytes:
    """Its index says that it has four thousand million entries."""
    return with_box(film(), b"stsz", b"\xff\xff\xff\xf0", skip=8)


def film_that_claims(width: int, height: int) -> bytes:
    """Pictures without a header of their own; that of the file says that they are so large."""
    data = film(1, container="avi", codec="rawvideo")
    return with_box(data, b"strf", struct.pack("<II", width, height), skip=8)
