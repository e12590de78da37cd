"""Scans with stamps, garbled layers, posters and files with junk around them: what the words of a page are."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from assets.user_files.media import text_layers
from infra.storage.root import Storage
from tests.assets.user_files.material import PARAGRAPH, SpyOcr, happened, items, take, write_pdf
from tests.infra.media.pdf_files import one_page, picture, stream, words

SCAN = "Inspection of the Norwick lighthouse\nCost of the repair: 7340 crowns"
STAMP = "RECEIVED 2024-05-17 - Registry No. 0001 - Page 1 of 2"
DRAWN = b"q 400 0 0 280 0 10 cm /I1 Do Q\n"


def scan(layer: bytes) -> bytes:
    return one_page(DRAWN + layer, more=[picture(Image.new("RGB", (40, 28), "grey"))])


def text_of(storage: Storage, path: Path, data: bytes, ocr: SpyOcr) -> str:
    path.write_bytes(data)
    take(storage, path, ocr=ocr)
    return items(storage)[-1].text


def test_a_scan_with_a_stamp_has_both_texts_and_nothing_twice(storage: Storage, tmp_path: Path):
    ocr = SpyOcr(f"{SCAN}\nRECE1VED 2024-05-17 - Registry No. 0001 - Page 1 of 2")
    assert (
        text_of(storage, tmp_path / "stamp.pdf", scan(words(STAMP, y=290, size=8)), ocr) == f"{STAMP}\n{SCAN}"
    )
    lines = b"".join(words(PARAGRAPH, y=280 - 14 * line, size=10) for line in range(19))
    assert text_of(storage, tmp_path / "layer.pdf", scan(lines), ocr).count("Belodu") == 19
    assert ocr.pictures == 1


def test_a_small_picture_makes_no_scan(storage: Storage, tmp_path: Path):
    ocr = SpyOcr()
    data = one_page(
        b"q 90 0 0 90 0 10 cm /I1 Do Q\n" + words(PARAGRAPH, size=10),
        more=[picture(Image.new("RGB", (9, 9)))],
    )
    assert text_of(storage, tmp_path / "a.pdf", data, ocr) == PARAGRAPH
    assert ocr.pictures == 0


TRUE = "The dancers waited for the bell, and rehearsal starts at nine on Friday."


def shifted(text: str, by: int) -> str:
    return "".join(chr(ord(char) + by) if char != " " or by < 0 else char for char in text)


UNMAPPED = [  # a font whose glyphs say nothing of their letters
    b"<< /Type /Font /Subtype /Type0 /BaseFont /X /Encoding /Identity-H /DescendantFonts [7 0 R] >>",
    b"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /X /FontDescriptor 8 0 R "
    b"/CIDSystemInfo << /Registry (A) /Ordering (Identity) /Supplement 0 >> >>",
    b"<< /Type /FontDescriptor /FontName /X /Flags 4 /FontBBox [0 0 1000 1000] /ItalicAngle 0 /Ascent 800 "
    b"/Descent 0 /CapHeight 700 /StemV 80 >>",
]
MISNAMED = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 7 0 R >>"
PRIVATE = stream(
    b"/CIDInit /ProcSet findresource begin begincmap /CMapName /P def 1 begincodespacerange <20> <7e> endcodespacerange "
    b"1 beginbfrange <20> <7e> <E020> endbfrange endcmap"
)


@pytest.mark.parametrize(
    "data",
    [
        one_page(words(shifted(TRUE, 3))),
        one_page(words(shifted(TRUE, -1).replace("\x1f", "~"))),
        one_page(words(shifted(TRUE.replace(" ", "\x5c"), -29).replace("\x00", ""))),
        one_page(words(TRUE, font="F2"), more=[MISNAMED, PRIVATE]),
        one_page(words("(cid:12)(cid:44)(cid:7) (cid:81)(cid:9)(cid:33)(cid:28)")),
        one_page(words(TRUE, font="F2"), more=UNMAPPED),
    ],
    ids=["by three", "by one", "by 29", "private use", "names of glyphs", "no map"],
)  # fmt: skip
def test_a_garbled_layer_gives_way_to_what_is_read_in_the_picture(
    storage: Storage, tmp_path: Path, data: bytes
):
    path = tmp_path / "garbled.pdf"
    path.write_bytes(data)
    report = take(storage, path, ocr=SpyOcr(TRUE))
    assert [item.text for item in items(storage)] == [TRUE]
    assert happened(report)[path.name] == "read: page 1: the text layer is garbled, OCR takes its place"


def test_garbled_lines_give_way_and_the_others_stay(storage: Storage, tmp_path: Path):
    layer = words("Programme of the theatre club for the spring", y=260) + words(shifted(TRUE, 3), size=10)
    ocr = SpyOcr(f"Programme of the theatre cIub for the spring\n{TRUE}")
    found = text_of(storage, tmp_path / "half.pdf", one_page(layer), ocr)
    assert found == f"Programme of the theatre club for the spring\n{TRUE}"


@pytest.mark.parametrize(
    "text",
    [
        "Die Donaudampfschifffahrtsgesellschaft prüft Rechtsschutzversicherungsgesellschaften; Öl, Straße, GmbH & Co. KG.",
        "守塔人每天晚上都要上去点灯，并在日志里记下天气和过往的船只。",
        "Каждый вечер смотритель поднимался наверх и зажигал огонь.",
        "def read_text(image, text): return max(text, ocr(image), key=len)  # see RFC 2119 and numpy.ndarray",
        "E = mc^2, x_i = sum(a_ij * y_j), dP/dt = -k(P - P_0), sigma^2 = 4.2e-7",
        "1 234,50  17.3%  2024-05-17  (12)  -3.4  88 400  1/2  99.9\n" * 5,
        "Krb vlk strč prst skrz krk; čtvrt hrst zrn. Zmrzl smrk v hlt vln, plch trpl.",
        "USA NATO DIN EN ISO 9001 PDF/A-1b HTTPS XML GmbH TÜV SÜD NYC LLC",
    ],
    ids=["German", "Chinese", "Russian", "code", "formulas", "numbers", "Czech", "capitals"],
)
def test_a_true_layer_stays_whatever_ocr_makes_of_it(text: str):
    assert not text_layers.is_broken(text, 0.0)
    read = text.replace("l", "1").replace("ř", "f")
    suspected = text_layers.is_suspicious(text)
    assert not suspected or not text_layers.disagree(text, read)
    assert not suspected or text_layers.mended(text, read) == text


@pytest.mark.parametrize("rotation", [0, 90])
def test_a_roll_is_shown_in_parts_that_have_their_own_words(storage: Storage, tmp_path: Path, rotation: int):
    lines = b"".join(words(f"entry {number}", y=14_000 - 1_000 * number) for number in range(14))
    path = tmp_path / "roll.pdf"
    path.write_bytes(one_page(lines, size=(200, 14_400), page=b"/Rotate %d" % rotation))
    report = take(storage, path, dpi=72)
    parts = items(storage)
    assert happened(report)["roll.pdf"] == "read: page 1: cut into 10 parts"
    assert all(
        max(part.width, part.height) <= 1_600 and min(part.width, part.height) == 200 for part in parts
    )
    texts = [line for part in parts for line in part.text.split("\n")]
    assert {line.strip() for line in texts} >= {f"entry {number}" for number in range(14)}
    assert [part.position for part in parts] == sorted(part.position for part in parts)


def test_a_poster_is_shown_whole_and_in_parts_and_a_huge_one_says_what_is_lost(
    storage: Storage, tmp_path: Path
):
    corners = words("north west", x=20, y=3_400) + words("south east", x=4_600, y=20)
    (tmp_path / "poster.pdf").write_bytes(one_page(corners, size=(4_768, 3_600)))
    (tmp_path / "field.pdf").write_bytes(one_page(words("middle", x=7_000, y=7_000), size=(14_400, 14_400)))
    report = take(storage, tmp_path / "poster.pdf", tmp_path / "field.pdf", dpi=72)
    found = {item.title: item for item in items(storage)}
    assert found["poster.pdf page 1"].text.split() == ["north", "west", "south", "east"]
    assert found["poster.pdf page 1 part 1 of 6"].text == "north west"
    assert found["poster.pdf page 1 part 6 of 6"].text == "south east"
    assert happened(report)["field.pdf"].startswith("read: page 1: 200 x 200 inches, shown at 47 dpi")
    assert sum("field" in title for title in found) == 2  # the page, and the part that is not blank


@pytest.mark.parametrize(
    ("before", "after"),
    [(b"", bytes(80_000)), (b"\r\nHTTP junk\n", b""), (b"x" * 5_000 + b"\n", b"<html>" + b"a page " * 9_000)],
)
def test_junk_around_a_document_is_no_truncation(
    storage: Storage, tmp_path: Path, before: bytes, after: bytes
):
    path = write_pdf(tmp_path / "a.pdf", PARAGRAPH)
    path.write_bytes(before + path.read_bytes() + after)
    assert happened(take(storage, path)) == {"a.pdf": "read"}
    assert [item.text for item in items(storage)] == [PARAGRAPH]


def test_two_documents_in_one_file_and_a_table_that_points_nowhere_are_read(storage: Storage, tmp_path: Path):
    first, second = (
        write_pdf(tmp_path / f"{word}.pdf", word * 9).read_bytes() for word in ("alpha ", "gamma ")
    )
    (tmp_path / "both.pdf").write_bytes(first + second)
    offset = first.rindex(b"startxref") + 10
    (tmp_path / "nowhere.pdf").write_bytes(first[:offset] + b"99999999\n%%EOF\n")
    (tmp_path / "endless.pdf").write_bytes(first[: offset - 10])
    report = take(storage, *(tmp_path / f"{name}.pdf" for name in ("both", "nowhere", "endless")))
    assert not report.skipped
    assert happened(report)["endless.pdf"].startswith("read: damaged at its end: 1 pages were found")


def filespec(name: bytes, number: int) -> bytes:
    return b"<< /Type /Filespec /F (" + name + b") /EF << /F %d 0 R >> >>" % number


def test_files_in_a_pdf_are_read_by_their_content(storage: Storage, tmp_path: Path):
    names = b"/Names << /EmbeddedFiles << /Names [(a) 6 0 R (b) 8 0 R] >> >>"
    pin = b"<< /Type /Annot /Subtype /FileAttachment /Rect [0 0 9 9] /FS 11 0 R >>"
    more = [
        *(filespec(b"inner.bin", 7), stream(one_page(words("Words of an inner page")))),
        *(filespec(b"notes.txt", 9), stream(b"Words of a note")),
        *(pin, filespec(b"pinned.txt", 12), stream(b"Words of a pinned note")),
    ]
    (tmp_path / "a.pdf").write_bytes(
        one_page(words("Words of the page"), page=b"/Annots [10 0 R]", catalog=names, more=more)
    )
    take(storage, tmp_path / "a.pdf")
    assert [(item.title, item.text) for item in items(storage)] == [
        ("a.pdf page 1", "Words of the page"),
        ("a.pdf > inner.bin page 1", "Words of an inner page"),
        ("a.pdf > notes.txt", "Words of a note"),
        ("a.pdf > pinned.txt", "Words of a pinned note"),
    ]


def test_the_values_of_a_form_that_is_not_drawn_are_words(storage: Storage, tmp_path: Path):
    data = b"<x:xdp xmlns:x='a'><x:datasets><x:data><f><surname>Quillfeather</surname><empty/></f></x:data></x:datasets></x:xdp>"
    catalog = b"/NeedsRendering true /AcroForm << /Fields [] /XFA 6 0 R >>"
    (tmp_path / "a.pdf").write_bytes(one_page(words("Please wait..."), catalog=catalog, more=[stream(data)]))
    take(storage, tmp_path / "a.pdf")
    assert [item.text for item in items(storage)] == ["Please wait...", "surname: Quillfeather"]


def test_pages_before_an_end_that_is_gone_are_read(storage: Storage, tmp_path: Path):
    whole = one_page(words("The harbour of Belodu is closed"))
    (tmp_path / "a.pdf").write_bytes(whole[: whole.index(b"xref\n0 ")])
    report = take(storage, tmp_path / "a.pdf")
    assert items(storage)[0].text == "The harbour of Belodu is closed"
    assert "damaged at its end" in happened(report)["a.pdf"]


def test_letters_shifted_in_the_alphabet_are_suspected_and_sentences_are_not():
    plain = "the keeper wrote down every sack of barley that came in by the river gate before the fair"
    shifted = "".join(chr((ord(char) - 84) % 26 + 97) if char.isalpha() else "#" for char in plain)
    assert shifted.startswith("gur#xrrcre#jebgr")
    assert text_layers.is_suspicious(shifted) and not text_layers.is_suspicious(plain)


def test_values_are_read_of_a_form_that_has_no_fields_though_it_does_not_say_so(
    storage: Storage, tmp_path: Path
):
    data = b"<x:xdp xmlns:x='a'><x:data><f><town>Belodu</town></f></x:data></x:xdp>"
    catalog = b"/AcroForm << /Fields [] /XFA 6 0 R >>"
    (tmp_path / "a.pdf").write_bytes(one_page(words("Please wait..."), catalog=catalog, more=[stream(data)]))
    take(storage, tmp_path / "a.pdf")
    assert [item.text for item in items(storage)] == ["Please wait...", "town: Belodu"]
