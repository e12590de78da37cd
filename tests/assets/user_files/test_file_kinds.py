"""What a file is, by its first bytes before its name."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from assets.user_files.file_kinds import SUFFIXES, FileKind, kind_of


def image(image_format: str) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (4, 4)).save(target, image_format)
    return target.getvalue()[:64]


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
@pytest.mark.parametrize("suffix", [".txt", ".pdf", ""])
def test_an_image_is_one_by_any_name(image_format: str, suffix: str):
    assert kind_of(image(image_format), suffix) is FileKind.PICTURE


@pytest.mark.parametrize(
    ("head", "suffix", "kind"),
    [
        (b"%PDF-1.7\n", ".txt", FileKind.PDF),
        (b"\xef\xbb\xbf\n%PDF-1.7\n", "", FileKind.PDF),
        (b"# %PDF- is how such files begin", ".md", FileKind.MARKDOWN),
        (b"\0\0\0\x18ftypmp42", ".bin", FileKind.VIDEO),
        (b"\0\0\0\x18ftypheic", ".jpg", FileKind.PICTURE),  # the same container around a still picture
        (b"\0\0\0\x18ftypavif", "", FileKind.PICTURE),
        (b"junk from a mail\n%PDF-1.4\n", ".dat", FileKind.PDF),
        (b"a text on %PDF-1.4 \n", ".txt", FileKind.TEXT),
        (b"\x1aE\xdf\xa3rest", ".dat", FileKind.VIDEO),
        (b"BMW builds cars", ".txt", FileKind.TEXT),
        (b"PK\x03\x04", ".csv", FileKind.DOCUMENT),
        (b"plain", "", None),
    ],
)
def test_a_mark_counts_before_the_suffix(head: bytes, suffix: str, kind: FileKind | None):
    assert kind_of(head, suffix) is kind


def test_suffixes_count_in_any_case():
    assert {suffix: kind_of(b"text", suffix.upper()) for suffix in SUFFIXES} == dict(SUFFIXES)
