"""Documents that are made to exhaust, to fetch or to break: a reason, within the limits of the decoding process."""

from __future__ import annotations

import io
import socket
import struct
import threading
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from infra.errors import MediaError
from infra.media import MediaDecoder
from infra.media.sandbox.process import Sandbox
from tests.infra.documents.material import WORD, docx, office, p, read, relationships, texts, zipped

MEMORY_KIB = 400 * 1024  # of the decoding process; it has some 90 MB before the first document


@pytest.fixture(scope="module")
def decoder() -> Iterator[MediaDecoder]:
    with closing(Sandbox()) as sandbox:
        yield MediaDecoder(sandbox)


def reason(decoder: MediaDecoder, data: bytes, name: str = "a.docx") -> str:
    """Why a document is refused; the process must live on, and must not have grown."""
    with pytest.raises(MediaError) as refused:
        decoder.document(data, name=name)
    pid = decoder.runner.pid
    if pid is not None:
        status = Path(f"/proc/{pid}/status").read_text()
        peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        assert int(peak.split()[1]) < MEMORY_KIB
    return refused.value.reason


def test_a_part_that_expands_a_thousandfold_is_refused(decoder: MediaDecoder):
    blown = f"<w:document {WORD}><w:body>{p('x')}{' ' * 40_000_000}</w:body></w:document>"
    assert reason(decoder, office("word/document.xml", {"word/document.xml": blown})) == "archive_bomb"
    book = {"mimetype": "application/epub+zip", "a.xhtml": " " * 50_000_000, "a.opf": "<package/>"}
    assert "archive_bomb" in texts(zipped(book | {"META-INF/container.xml": "<c/>"}))


def test_a_bomb_beside_the_text_costs_the_text_nothing():
    assert texts(docx(p("words"), **{"media/bomb.bin": b"\0" * 50_000_000})) == ["words", "archive_bomb"]


def test_entries_that_share_their_bytes_and_too_many_entries_are_refused(decoder: MediaDecoder):
    data = zipped({f"{index}.xml": "a" * 100 for index in range(100)})
    end = data.rindex(b"PK\x05\x06")
    start = struct.unpack_from("<I", data, end + 16)[0]
    central = bytearray(data[start:end])
    at = 0
    while (at := central.find(b"PK\x01\x02", at)) >= 0:
        struct.pack_into("<I", central, at + 20, len(data))  # packed size: the whole file, each
        at += 4
    assert reason(decoder, data[:start] + bytes(central) + data[end:]) == "archive_bomb"
    many = io.BytesIO()
    with zipfile.ZipFile(many, "w") as archive:
        for index in range(20_001):
            archive.writestr(str(index), b"")
    assert reason(decoder, many.getvalue()) == "archive_bomb"


@pytest.mark.parametrize(
    "declaration",
    [
        '<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;">',
        '<!ENTITY c SYSTEM "file:///etc/passwd">',
        '<!ENTITY % x SYSTEM "http://127.0.0.1:9/x.dtd"> %x; <!ENTITY c "x">',
    ],
)
def test_entities_neither_expand_nor_fetch(decoder: MediaDecoder, declaration: str):
    part = f"<!DOCTYPE w:document [{declaration}]><w:document {WORD}><w:body>{p('&c;')}</w:body></w:document>"
    assert reason(decoder, office("word/document.xml", {"word/document.xml": part})) == "xml_entities"
    shared = f'<!DOCTYPE sst [{declaration}]><sst xmlns="x"><si><t>&c;</t></si></sst>'
    book = {
        "xl/workbook.xml": '<workbook xmlns="x"/>',
        "xl/_rels/workbook.xml.rels": relationships(ss="sharedStrings ss.xml"),
        "xl/ss.xml": shared,
    }
    assert reason(decoder, office("xl/workbook.xml", book)) == "xml_entities"


def test_deep_nesting_is_refused_or_read(decoder: MediaDecoder):
    deep = "<w:sdt><w:sdtContent>" * 50_000 + p("x") + "</w:sdtContent></w:sdt>" * 50_000
    assert reason(decoder, docx(deep)) == "xml_unreadable"
    page = b"<html>" + b"<div>" * 1_000 + b"deep words"
    assert [block.text for block in decoder.document(page).sections[0].blocks] == ["deep words"]
    decoder.document(b"{\\rtf1" + b"{" * 100_000 + b"words")


def test_nothing_outside_of_the_file_is_asked_for(decoder: MediaDecoder):
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/x"

        def listen() -> None:
            server.settimeout(0.2)
            try:
                asked.append(server.accept()[0].recv(100))
            except OSError:
                return

        thread = threading.Thread(target=listen)
        thread.start()
        linked = (
            p("words") + '<w:p><w:r><w:drawing><a:blip r:link="x" r:embed="x"/></w:drawing></w:r></w:p>'
            '<w:altChunk r:id="t"/>'
        )
        rels = relationships(x=f"image !{url}", t=f"attachedTemplate !{url}", s=f"styles !{url}")
        found = decoder.document(docx(linked, **{"_rels/document.xml.rels": rels}))
        assert [block.text for block in found.sections[0].blocks] == ["words"]
        decoder.document(
            f'<html><link rel=stylesheet href="{url}"><p>a<img src="{url}"><iframe src="{url}">'.encode()
        )
        svg = f'<!DOCTYPE html PUBLIC "x" "{url}"><html xmlns="h"><body><p>a</p><img src="{url}"/></body></html>'
        decoder.document(zipped({"META-INF/container.xml": "<c/>", "a.xhtml": svg}))
        thread.join()
    assert asked == []


def test_names_with_the_slashes_of_other_systems_are_found():
    with zipfile.ZipFile(io.BytesIO(docx(p("words")))) as archive:
        parts = {name.replace("/", "\\"): archive.read(name) for name in archive.namelist()}
    assert texts(zipped(parts)) == ["words"]


def test_thousands_of_attributes_cost_neither_words_nor_time():
    many = " ".join(f"a{number}='1'" for number in range(60_000))
    assert texts(f"<html><body><p {many}>words</p> <img alt='a quay' {many}></body></html>".encode()) == [
        *("words", "a quay"),
    ]


def test_damaged_files_have_a_reason():
    whole = docx(p("words" * 500))
    for broken in (
        whole[:-30],
        whole[:200],
        b"PK\x03\x04",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600,
    ):
        with pytest.raises(MediaError):
            read(broken)


def test_boxes_deeper_than_is_built_cost_no_words(decoder: MediaDecoder):
    page = b"<html>" + b"<div>" * 5_000 + b"deepest words"
    assert [block.text for block in decoder.document(page).sections[0].blocks] == ["deepest words"]
