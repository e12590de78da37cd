"""Whatever bytes come, a picture is upright RGB or an error with a reason."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from infra.errors import MediaError
from infra.media import _images as images
from infra.media import encode_jpeg, encode_png


def encoded(image: Image.Image, picture_format: str, **parameters: object) -> bytes:
    target = io.BytesIO()
    image.save(target, picture_format, **parameters)
    return target.getvalue()


@given(st.integers(1, 40), st.integers(1, 40), st.binary(min_size=3, max_size=3))
def test_a_png_keeps_every_pixel(width: int, height: int, colour: bytes):
    image = Image.new("RGB", (width, height), tuple(colour))
    image.putpixel((width - 1, height - 1), (1, 2, 3))
    decoded = images.decode(encode_png(image))
    assert (decoded.mode, decoded.size, decoded.tobytes()) == ("RGB", (width, height), image.tobytes())


def test_equal_pixels_give_equal_bytes():
    first, second = (Image.linear_gradient("L").convert("RGB") for _ in range(2))
    assert encode_png(first) == encode_png(second)
    assert encode_jpeg(first) == encode_jpeg(second)


def test_transparency_is_shown_over_white():
    # half-transparent black over white: 255 * (1 - 128 / 255) = 127
    decoded = images.decode(encoded(Image.new("RGBA", (4, 4), (0, 0, 0, 128)), "PNG"))
    assert decoded.getpixel((0, 0)) == (127, 127, 127)


def test_a_photograph_taken_sideways_is_turned_upright():
    sideways = Image.new("RGB", (20, 10))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held rotated by 90 degrees
    assert images.decode(encoded(sideways, "JPEG", exif=exif)).size == (10, 20)


@pytest.mark.parametrize("mode", ["L", "P", "1", "CMYK", "LA"])
def test_other_colour_modes_become_rgb(mode: str):
    picture_format = "JPEG" if mode == "CMYK" else "PNG"
    assert images.decode(encoded(Image.new(mode, (8, 8)), picture_format)).mode == "RGB"


@pytest.mark.parametrize("data", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n", b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_bytes_that_are_no_image_are_unreadable(data: bytes):
    with pytest.raises(MediaError) as caught:
        images.decode(data)
    assert caught.value.reason == "image_unreadable"


@pytest.mark.parametrize("picture_format", ["PNG", "JPEG", "WEBP"])
def test_an_image_cut_short_is_refused_not_filled_with_grey(picture_format: str):
    whole = encoded(Image.effect_noise((200, 200), 80).convert("RGB"), picture_format)
    with pytest.raises(MediaError) as caught:
        images.decode(whole[: len(whole) // 2])
    assert caught.value.reason in {"image_truncated", "image_unreadable"}


def test_a_bomb_is_refused_by_its_header_before_a_pixel_is_decoded():
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    bomb = (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(header)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    )
    with pytest.raises(MediaError) as caught:
        images.decode(bomb + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT")))
    assert caught.value.reason == "image_too_large"


def test_the_limit_is_in_pixels_and_inclusive():
    data = encode_png(Image.new("RGB", (10, 10)))
    assert images.decode(data, max_pixels=100).size == (10, 10)
    with pytest.raises(MediaError, match="10 x 10 pixels, limit 99"):
        images.decode(data, max_pixels=99)
