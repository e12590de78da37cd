"""Pages come out as pictures and text, and a damaged document says what is wrong with it."""

from __future__ import annotations

import ctypes
import io
import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pypdfium2
import pypdfium2.raw as pdfium
import pytest
from PIL import Image

from infra.errors import MediaError
from infra.media import PdfPage
from infra.media import _pdf as pdf
from tests.infra.media.pdf_files import one_page, pdf_of, stream, words


def pages(source: Path | bytes, *, dpi: int = 144, max_pages: int = 99) -> Iterator[PdfPage]:
    with pdf.open_pdf(source) as document:
        for number in range(1, min(document.num_pages, max_pages) + 1):
            yield document.page(number, dpi=dpi)


def scanned(*colours: str, size: tuple[int, int] = (72, 144)) -> bytes:
    """A document of pictures only, one page a colour; at 72 dpi a pixel is a point."""
    pages = [Image.new("RGB", size, colour) for colour in colours]
    target = io.BytesIO()
    pages[0].save(target, "PDF", save_all=True, append_images=pages[1:], resolution=72)
    return target.getvalue()


def written(text: str) -> bytes:
    """A page with a text layer."""
    document = pypdfium2.PdfDocument.new()
    page = document.new_page(300, 100)
    font = pdfium.FPDFText_LoadStandardFont(document, b"Helvetica")
    shown = pdfium.FPDFPageObj_CreateTextObj(document, font, 18.0)
    wide = (ctypes.c_ushort * (len(text) + 1))(*text.encode())  # ASCII in UTF-16
    pdfium.FPDFText_SetText(shown, ctypes.cast(wide, pdfium.FPDF_WIDESTRING))
    pdfium.FPDFPageObj_Transform(shown, 1, 0, 0, 1, 10, 40)
    pdfium.FPDFPage_InsertObject(page, shown)
    page.gen_content()
    target = io.BytesIO()
    document.save(target)
    return target.getvalue()


def reason(source: bytes | Path) -> str:
    with pytest.raises(MediaError) as caught:
        list(pages(source))
    return caught.value.reason


def test_pages_count_from_one_and_come_in_order():
    shown = list(pages(scanned("red", "lime", "blue"), dpi=72))
    assert [page.number for page in shown] == [1, 2, 3]
    assert [page.image.getpixel((30, 70)) for page in shown] == [(254, 0, 0), (0, 255, 1), (0, 0, 254)]


def test_soft_hyphens_are_no_part_of_a_word():
    assert pdf._clean("The har\u00adbour is\nclo\u00ad\r\nsed") == "The harbour is\nclosed"
    assert pdf._clean("o\ufb03\u200bce \ufeff4") == "o\ufb03ce 4"  # nor are spaces of no width


def test_size_follows_the_resolution():
    # 72 x 144 points are 1 x 2 inches
    page = next(pages(scanned("white"), dpi=100))
    assert (page.width, page.height) == page.image.size == (100, 200)


def test_a_poster_is_rendered_smaller_instead_of_refused():
    with pdf.open_pdf(scanned("white", size=(400, 400))) as document:
        page = document.page(1, dpi=720, max_pixels=10_000)
    assert 9_000 < page.width * page.height <= 10_000


def test_the_text_layer_is_read_and_a_scan_has_none():
    assert next(pages(written("Belodu exports copper"))).text == "Belodu exports copper"
    assert next(pages(scanned("white"))).text == ""


def test_only_the_first_pages_are_rendered_when_asked_so():
    document = scanned("red", "lime", "blue")
    assert [page.number for page in pages(document, max_pages=2)] == [1, 2]
    assert len(list(pages(document, max_pages=9))) == 3


def test_a_document_longer_than_the_limit_is_refused_whole():
    with (
        pytest.raises(MediaError, match="pdf_too_long: 3 pages, limit 2"),
        pdf.open_pdf(scanned("red", "lime", "blue"), page_limit=2),
    ):
        pass


@pytest.mark.parametrize(("kept", "left"), [(0.6, 1), (0.9, 2)])
def test_of_a_document_cut_short_the_pages_that_are_left_are_read(kept: float, left: int):
    whole = scanned("red", "lime", "blue", size=(300, 300))
    with pdf.open_pdf(whole[: int(len(whole) * kept)]) as document:
        assert (document.is_damaged, document.num_pages) == (True, 3)
        colours = [document.page(number).image.getpixel((5, 5)) for number in range(1, left + 1)]
        assert [max(colour) >= 254 for colour in colours] == [True] * left
        with pytest.raises(MediaError, match="pdf_page_unreadable"):
            document.page(left + 1)


def test_a_document_without_a_page_left_is_truncated():
    whole = scanned("red", "lime", "blue", size=(300, 300))
    assert reason(whole[: int(len(whole) * 0.3)]) == "pdf_truncated"


def test_what_is_no_pdf_is_unreadable_and_nothing_is_empty(tmp_path: Path):
    assert reason(b"hello" * 100) == "pdf_unreadable"
    assert reason(b"%PDF-1.7\nstartxref\n0\n%%EOF") == "pdf_unreadable"
    assert reason(b"") == "pdf_empty"
    assert reason(tmp_path / "absent.pdf") == "pdf_missing"
    assert reason(tmp_path) == "pdf_unreadable"


ENCRYPTED = b"<</Filter/Standard/V 1/R 2/O<" + b"41" * 32 + b">/U<" + b"42" * 32 + b">/P -44/Length 40>>"


def encrypted() -> bytes:
    body = b"%PDF-1.4\n"
    offsets = []
    objects = (b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[]/Count 0>>", ENCRYPTED)
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += b"%d 0 obj\n" % number + content + b"\nendobj\n"
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    identity = b"<" + b"43" * 16 + b">"
    trailer = b"trailer<</Size 4/Root 1 0 R/Encrypt 3 0 R/ID[" + identity + identity + b"]>>\n"
    start = b"startxref\n%d\n%%%%EOF" % len(body)
    return body + b"xref\n0 4\n0000000000 65535 f \n" + table + trailer + start


def test_a_document_with_a_password_is_encrypted():
    assert reason(encrypted()) == "pdf_encrypted"


def test_a_document_without_pages_is_not_called_encrypted_after_one_that_is():
    empty = pdf_of([b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [] /Count 0 >>"])
    assert reason(encrypted()) == "pdf_encrypted"
    assert reason(empty) == "pdf_unreadable"


LAYER = b"<< /Type /OCG /Name (%b) >>"
LAYERED_FORM = (
    b"/Type /XObject /Subtype /Form /BBox [0 0 400 300] /OC %d 0 R /Resources << /Font << /F1 5 0 R >> >>"
)


def layered(*, off: bytes) -> bytes:
    """A page with a layer shown and one hidden, as marked words and as forms; ``off``: the objects of those that are off."""
    marked = [
        b"/OC /L%d BDC " % layer + words(f"marked {layer}", y=110 + 30 * layer) + b"EMC\n" for layer in (1, 2)
    ]
    content = words("Plan of the mill") + b"".join(marked) + b"/I1 Do /X2 Do\n"
    forms = [stream(words(f"form {layer - 6}", y=30 * layer - 190), LAYERED_FORM % layer) for layer in (7, 8)]
    hidden = b"BT 3 Tr /F1 9 Tf 20 90 Td (never drawn) Tj 0 Tr ET\n"
    return one_page(
        content + b"/OC /L1 BDC " + hidden + b"EMC\n",
        more=[forms[0], LAYER % b"Metres", LAYER % b"Feet", forms[1]],
        page=b"/Resources << /Font << /F1 5 0 R >> /XObject << /I1 6 0 R /X2 9 0 R >> "
        b"/Properties << /L1 7 0 R /L2 8 0 R >> >>",
        catalog=b"/OCProperties << /OCGs [7 0 R 8 0 R] /D << /OFF [%b] >> >>" % off,
    )


@pytest.mark.parametrize(
    ("off", "said"),
    [
        (b"8 0 R", {"marked 1", "form 1", "never drawn"}),
        (b"7 0 R", {"marked 2", "form 2"}),
        (b"", {"marked 1", "form 1", "marked 2", "form 2", "never drawn"}),
    ],
)
def test_words_in_layers_that_are_off_are_not_read(off: bytes, said: set[str]):
    with pdf.open_pdf(layered(off=off)) as document:
        plain, drawn = document.plain_page(1), document.page(1)
        assert bool(document.find(1, "form 2")) is ("form 2" in said)
    assert set(plain.text.splitlines()) == said | {"Plan of the mill"}
    assert drawn.text == plain.text


def test_a_page_that_is_not_there_is_the_callers_mistake():
    with (
        pdf.open_pdf(scanned("red")) as document,
        pytest.raises(ValueError, match="page 2 of a document with 1"),
    ):
        document.page(2)


def test_a_file_and_its_bytes_give_the_same_pages(tmp_path: Path):
    (tmp_path / "a.pdf").write_bytes(scanned("red", "blue"))
    from_file, from_bytes = (list(pages(source)) for source in (tmp_path / "a.pdf", scanned("red", "blue")))
    assert [page.image.tobytes() for page in from_file] == [page.image.tobytes() for page in from_bytes]


def test_threads_may_render_at_the_same_time():
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: len(list(pages(scanned("red", "lime")))), range(12)))
    assert found == [2] * 12


def test_the_reason_survives_a_process_border():
    error = pickle.loads(pickle.dumps(MediaError("pdf_truncated", "no end")))
    assert (error.reason, str(error)) == ("pdf_truncated", "pdf_truncated: no end")


def test_real_documents_have_pages_and_text(shared_data: Path):
    with pdf.open_pdf(shared_data / "mmlongbench_doc" / "documents" / "watch_d.pdf") as document:
        assert document.num_pages == 27
        assert document.page(1, dpi=36).text.startswith("WATCH D")
