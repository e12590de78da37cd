"""Compound files: Outlook messages are read, everything older is called by its name."""

from __future__ import annotations

import struct

import pytest

from infra.documents.blocks import Attachment
from infra.documents.web.compressed_rtf import unpacked
from infra.errors import MediaError
from tests.infra.documents.compound_files import Tree, compound
from tests.infra.documents.material import blocks, read, texts

SENT = 133_540_200_000_000_000  # 2024-03-04 10:00 UTC, in tenths of microseconds since 1601


def message(subject: str, body: str, more: Tree | None = None) -> Tree:
    stored = struct.pack("<HHIQ", 0x0040, 0x0039, 6, SENT)
    return {
        "__substg1.0_0037001F": subject.encode("utf-16-le"),
        "__substg1.0_0C1A001F": "Ann".encode("utf-16-le"),
        "__substg1.0_0E04001F": "Bo".encode("utf-16-le"),
        "__substg1.0_10130102": f"<html><meta charset=utf-8><p>{body}</p></html>".encode(),
        "__properties_version1.0": bytes(32) + stored,
        **(more or {}),
    }


def test_an_outlook_message_is_read_like_a_mail():
    attached: Tree = {
        "__substg1.0_37010102": b"%PDF-1.7".ljust(4096, b" "),
        "__substg1.0_3707001F": "Größe.pdf".encode("utf-16-le"),
        "__properties_version1.0": bytes(32),
    }
    inner: Tree = {"__substg1.0_3701000D": message("Inner", "more words")}
    more: Tree = {"__attach_version1.0_#00000000": attached, "__attach_version1.0_#00000001": inner}
    data = compound(message("Grüße", "zwölf words", more))
    assert texts(data, "a.txt")[:3] == [
        "Grüße",
        "From: Ann\nTo: Bo\nDate: 2024-03-04 10:00 UTC",
        "zwölf words",
    ]
    assert [block.name for block in blocks(data) if isinstance(block, Attachment)] == ["Größe.pdf"]
    assert [section.place for section in read(data).sections] == ["", "attached mail 1"]
    assert "more words" in texts(data)


@pytest.mark.parametrize(("page", "codec"), [(1251, "cp1251"), (20866, "koi8-r"), (28595, "iso8859-5")])
def test_letters_of_a_message_are_of_the_code_page_that_it_names(page: int, codec: str):
    inner: Tree = {"__substg1.0_1000001E": "Внутри".encode(codec)}
    data = compound(
        {
            "__substg1.0_0037001E": "Тариф".encode(codec),
            "__substg1.0_1000001E": "Причал".encode(codec),
            "__properties_version1.0": bytes(32) + struct.pack("<HHIQ", 3, 0x3FFD, 6, page),
            "__attach_version1.0_#00000000": {"__substg1.0_3701000D": inner},
        }
    )
    assert texts(data) == ["Тариф", "Причал", "Внутри"]


@pytest.mark.parametrize(
    ("stream", "reason", "says"),
    [
        ("WordDocument", "kind_unsupported", "Word 97-2003 document .*--convert-to docx"),
        ("Workbook", "kind_unsupported", "Excel 97-2003 workbook .*save it as .xlsx"),
        ("PowerPoint Document", "kind_unsupported", "PowerPoint 97-2003"),
        ("EncryptedPackage", "document_encrypted", "password"),
        ("Something", "kind_unsupported", "unknown program"),
    ],
)
def test_what_lies_in_a_compound_file_is_named(stream: str, reason: str, says: str):
    with pytest.raises(MediaError, match=says) as refused:
        read(compound({stream: b"x"}), "report.docx")
    assert refused.value.reason == reason


PACKED = bytes.fromhex(  # the first example of MS-OXRTFCP
    "2d0000002b0000004c5a4675f1c5c7a703000a0072637067313235423220"[:-2]
    + "0af32068656c090020627705b06c647d0a800fa0"
)


def test_packed_rtf_is_unpacked_as_its_standard_shows():
    assert unpacked(PACKED) == b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"
    assert [unpacked(PACKED[:length])[:5] for length in (0, 16, 30)] == [b"", b"", b"{\\rtf"]


def test_a_message_whose_body_is_packed_rtf_alone_is_read():
    tree = {"__properties_version1.0": bytes(32), "__substg1.0_10090102": PACKED}
    assert texts(compound(tree)) == ["hello world"]


def test_a_file_that_another_program_put_into_a_document_is_handed_on():
    path = b"C:\\tides.txt\0"
    held = struct.pack("<H", 2) + b"tides.txt\0" + path + struct.pack("<II", 3 << 16, len(path)) + path
    held += struct.pack("<I", 5) + b"at 9\n"
    packed = compound({"\x01Ole10Native": struct.pack("<I", len(held)) + held})
    assert blocks(packed) == [Attachment(b"at 9\n", "tides.txt")]
    whole = compound({"CONTENTS": b"%PDF-1.7".ljust(4096)})
    assert [block.data[:8] for block in blocks(whole) if isinstance(block, Attachment)] == [b"%PDF-1.7"]
