"""What a file is, by its first bytes before its name."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from assets.user_files.file_kinds import SUFFIXES, FileKind, kind_of
from assets.user_files.reading import IngestSettings, source_of
from infra.errors import MediaError


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
        (b"RIFF\0\0\0\0AVI LIST", ".txt", FileKind.VIDEO),
        (b"OggS\0\2", ".txt", FileKind.VIDEO),
        (b"\0\0\1\xba", "", FileKind.VIDEO),
        ((b"\0\0\0\0G" + bytes(187)) * 21, ".clip", FileKind.VIDEO),  # as cameras write it
        ((b"G" + bytes(187)) * 21, "", FileKind.VIDEO),
        (b"G" * 100, ".txt", FileKind.TEXT),
        (b"BMW builds cars", ".txt", FileKind.TEXT),
        (b"PK\x03\x04", ".csv", FileKind.DOCUMENT),
        (b"plain", "", FileKind.TEXT),
        ("Grüße".encode()[:-1], ".unheard-of", FileKind.TEXT),  # the head ends within a letter
        (b"\xff\xfeG\0", "", FileKind.TEXT),
        (b"Gr\xfc\xdfe", "", None),  # of some older encoding, or no text at all
        (b"a\0b", "", None),
        (b" \n", "", None),
        (b"<?xml version='1.0'?><a/>", "", FileKind.DOCUMENT),
        (b"<svg xmlns='x'>", ".drawing", FileKind.DOCUMENT),
        (b"const a: number = 1;", ".ts", FileKind.TEXT),
        (b"G\x40\x11\x10\0B\xf0%", ".ts", FileKind.VIDEO),
        (b"\x78\x9f\x3e\x22", ".dat", FileKind.DOCUMENT),
        (b"8412\nReceived: by x\nFrom: a@x\nSubject: b\nDate: c\n\n", ".emlx", FileKind.DOCUMENT),
    ],
)
def test_a_mark_counts_before_the_suffix(head: bytes, suffix: str, kind: FileKind | None):
    assert kind_of(head, suffix) is kind


def test_suffixes_count_in_any_case():
    head = b"\xfftext"  # of no format
    assert {suffix: kind_of(head, suffix.upper()) for suffix in SUFFIXES} == dict(SUFFIXES)


@pytest.mark.parametrize(
    ("name", "head", "says"),
    [
        ("a.jp2", b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        ("a.jxl", b"\xff\x0a\xfa", "JPEG XL"),
        ("a.ico", b"\0\0\1\0\1\0", "icon"),
        ("a.pgm", b"P5\n4 4\n255\n", "Netpbm"),
        ("a.pcx", b"\x0a\x05\x01\x08", "PCX"),
        ("a.tga", b"\0\0\x02" + bytes(9), "Targa"),
        ("a.webarchive", b"bplist00", "web archive"),
        ("a.scc", b"Scenarist_SCC V1.0\n", "closed captions"),
    ],
)
def test_what_is_not_read_is_called_by_its_real_kind(tmp_path: Path, name: str, head: bytes, says: str):
    (tmp_path / name).write_bytes(head)
    with pytest.raises(MediaError, match=says) as refused:
        source_of(tmp_path / name, IngestSettings())
    assert refused.value.reason == "kind_unsupported"


@pytest.mark.parametrize("suffix", [".pdf", ".jpg", ".mp4"])
def test_a_text_that_is_called_otherwise_is_a_text(suffix: str):
    assert kind_of(b"404 not found: try again later\n", suffix) is FileKind.TEXT
