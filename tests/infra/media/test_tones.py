"""Whatever a picture's samples are, black is black and white is white, and it stands upright."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from infra.media import _images as images
from infra.media.decoding import media_decoder
from tests.infra.media.tiff_files import PHOTOMETRIC, tiff_bytes

SAMPLE_FORMAT, SIGNED, FLOAT = 339, 2, 3
RAMP = np.tile(np.array([0.0, 0.5, 1.0]), (4, 8))  # black, grey, white in columns
WHITE_IS_ZERO = [
    (((1 - RAMP) * 65535).astype(np.uint16), 1),
    (((1 - RAMP) * 60_000 - 30_000).astype(np.int16), 2),
    (((1 - RAMP) * 4e9).astype(np.uint32), 1),
    (((1 - RAMP) * 4e9 - 2e9).astype(np.int32), 2),
]


def encoded(image: Image.Image, image_format: str, **parameters: object) -> bytes:
    target = io.BytesIO()
    image.save(target, image_format, **parameters)
    return target.getvalue()


def png_of_16_bits(samples: np.ndarray[Any, Any], colour_type: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", samples.shape[1], samples.shape[0], 16, colour_type, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def greys(data: bytes) -> list[int]:
    return [images.decode(data).convert("L").getpixel((x, 1)) for x in range(3)]  # type: ignore[misc]


def broken(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A large picture with one sample that is no number and one that is far too bright."""
    spoilt = np.tile(values, (30, 30))
    spoilt[0, 0], spoilt[0, 5] = np.nan, 1e30
    return spoilt.astype(np.float32)


@pytest.mark.parametrize(
    "data",
    [
        encoded(Image.fromarray((RAMP * 4095).astype(np.uint16)), "PNG"),
        encoded(Image.fromarray((RAMP * 300 + 20_000).astype(np.uint16)), "TIFF"),
        encoded(Image.fromarray((RAMP * 65535).astype(np.uint16)), "TIFF", compression="tiff_lzw"),
        encoded(Image.fromarray((RAMP * 1e-3).astype(np.float32)), "TIFF"),
        encoded(Image.fromarray(broken(RAMP * 2 - 1)), "TIFF"),
        tiff_bytes((RAMP * 3000 - 1500).astype(np.int16), {SAMPLE_FORMAT: SIGNED}),
        tiff_bytes((RAMP * 4e9).astype(np.uint32), {SAMPLE_FORMAT: 1}),
        tiff_bytes(((1 - RAMP) * 255).astype(np.uint8), {PHOTOMETRIC: 0}),  # zero is white
        tiff_bytes(((1 - RAMP) * 4095).astype(np.uint16), {PHOTOMETRIC: 0}),
        tiff_bytes((1 - RAMP).astype(np.float32), {PHOTOMETRIC: 0, SAMPLE_FORMAT: FLOAT}),
        *(
            tiff_bytes(values, {PHOTOMETRIC: 0, SAMPLE_FORMAT: kind}, order=order, packed=packed)
            for order in ("<", ">")
            for packed in (False, True)
            for values, kind in WHITE_IS_ZERO
        ),
        png_of_16_bits(np.repeat(RAMP * 4095, 3, axis=1).reshape(4, -1, 3), colour_type=2),
        png_of_16_bits(np.stack([RAMP * 4095, RAMP * 0 + 65535], axis=2), colour_type=4),
        encoded(Image.fromarray((RAMP * 255).astype(np.uint8)).convert("CMYK"), "TIFF"),
    ],
    ids=[
        *("12 bits", "tenth of the range", "16 bits", "small float", "float with broken pixels", "signed"),
        *("32 bits", "white is zero", "12 bits, white is zero", "float, white is zero"),
        *(
            f"{bits}{end}{packed}"
            for end in ("", " big-endian")
            for packed in ("", " packed")
            for bits in ("16 bits", "16 signed bits", "32 bits", "32 signed bits")
        ),
        *("12 bits of colour", "12 bits with alpha", "CMYK"),
    ],
)
def test_grey_is_scaled_to_the_range_of_the_data(data: bytes):
    assert greys(data) == pytest.approx([0, 127, 255], abs=8)


def test_one_grey_all_over_keeps_its_place_between_black_and_white():
    flat = Image.fromarray(np.full((4, 4), 32768, np.uint16))
    assert greys(encoded(flat, "PNG")) == [128, 128, 128]


def test_lab_is_shown_in_its_colours():
    red = Image.new("RGB", (4, 4), (200, 40, 40))
    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    lab = ImageCms.profileToProfile(red, *profiles, outputMode="LAB")
    assert lab is not None
    assert images.decode(encoded(lab, "TIFF")).getpixel((0, 0)) == pytest.approx((200, 40, 40), abs=4)


def test_what_is_nearly_white_and_transparent_around_is_shown_on_black():
    image = Image.new("RGBA", (8, 8), (255, 255, 255, 0))
    image.paste((250, 250, 250, 255), (2, 2, 4, 4))
    decoded = images.decode(encoded(image, "PNG"))
    assert (decoded.getpixel((0, 0)), decoded.getpixel((3, 3))) == ((0, 0, 0), (250, 250, 250))
    image = Image.new("P", (4, 4), 7)
    image.putpalette(bytes(768))
    palette = encoded(image, "PNG", transparency=bytes([255] * 7 + [0]))
    assert images.decode(palette).getpixel((0, 0)) == (255, 255, 255)


SIDEWAYS = {
    **{2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM},
    **{5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE},
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", SIDEWAYS)
def test_every_orientation_of_every_format_is_turned_upright(image_format: str, orientation: int):
    upright = Image.new("RGB", (96, 48), "white")
    upright.paste("black", (0, 0, 40, 20))
    exif = Image.Exif()
    exif[0x0112] = orientation
    decoded = images.decode(encoded(upright.transpose(SIDEWAYS[orientation]), image_format, exif=exif))
    corners = [decoded.convert("L").getpixel(at) for at in ((4, 4), (91, 4), (4, 43), (91, 43))]
    assert decoded.size == (96, 48)
    assert corners == pytest.approx([0, 255, 255, 255], abs=40)


def test_a_turned_image_is_upright_from_a_file_too(tmp_path: Path):
    upright = Image.new("L", (96, 48), 255)
    upright.paste(0, (0, 0, 40, 20))
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "turned.tif"
    path.write_bytes(encoded(upright.transpose(SIDEWAYS[6]), "TIFF", exif=exif))
    with images.open_images(path) as opened:
        decoded = opened.image(1).convert("L")
    assert decoded.tobytes() == upright.tobytes()


ENTRY = b"II*\0\x08\0\0\0\x01\0"


@pytest.mark.parametrize(
    "exif",
    [
        b"no TIFF at all",
        ENTRY + b"\x12\x01\x03\0\x01",  # cut short
        ENTRY
        + b"\x12\x01\x03\0\x01\0\0\0\x63\0\0\0\xff\xff\xff\x7f",  # orientation 99, next directory nowhere
        ENTRY + b"\x12\x01\x02\0\x04\0\0\0abc\0\0\0\0\0",  # a word
        ENTRY + b"\x69\x87\x04\0\x01\0\0\0\x08\0\0\0\x08\0\0\0",  # a directory within itself
    ],
)
def test_broken_exif_data_lose_no_picture(exif: bytes):
    jpeg = encoded(Image.new("RGB", (20, 10), "red"), "JPEG")
    payload = b"Exif\0\0" + exif
    data = jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload + jpeg[2:]
    assert media_decoder().image(data).size == (20, 10)
