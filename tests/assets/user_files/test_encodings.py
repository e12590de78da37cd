"""Texts come in the encodings that people have; what is no text is refused."""

from __future__ import annotations

import pytest

from assets.user_files.passages import decode
from infra.errors import MediaError

TEXT = "Grüße\nan alle"


@pytest.mark.parametrize(
    ("data", "encoding", "guessed"),
    [
        (TEXT.encode(), "utf-8", False),
        (TEXT.encode("utf-8-sig"), "utf-8", False),
        (b"\xff\xfe" + TEXT.encode("utf-16-le"), "utf-16", False),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), "utf-16", False),
        (TEXT.encode("cp1252"), "cp1252", True),
    ],
)
def test_the_mark_or_the_bytes_tell_the_encoding(data: bytes, encoding: str, guessed: bool):
    assert decode(data) == (TEXT, encoding, guessed)


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n"])
def test_all_line_ends_become_one(end: str):
    assert decode(f"a{end}b{end}".encode()).text == "a\nb\n"


def test_a_byte_that_the_fallback_lacks_is_replaced():
    assert decode(b"caf\xe9 \x81").text == "café \ufffd"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xff\xfea", "text_undecodable"),  # half a character
        (b"\xef\xbb\xbf\xff", "text_undecodable"),
        (b"PK\x03\x04\x00\x00 archive", "text_binary"),
        (bytes(range(1, 32)) * 9, "text_binary"),
    ],
)
def test_what_is_no_text_is_refused_by_a_reason(data: bytes, reason: str):
    with pytest.raises(MediaError) as refused:
        decode(data)
    assert refused.value.reason == reason


def test_a_log_with_a_few_control_characters_is_a_text():
    assert decode(b"\x1b[31mred\x1b[0m " + b"plain " * 100 + b"\x07").encoding == "utf-8"
