"""A page cut out of its document shows the very same, or is not cut out."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pypdfium2
import pytest
from PIL import Image

from infra.errors import MediaError
from infra.limits import MAX_OWN_PAGE_BYTES
from infra.media import _pdf as pdf
from infra.media import media_decoder
from infra.media.answers import plain_page_of
from infra.media.sandbox.process import JobResult
from tests.infra.media.pdf_files import form, one_page, picture, widget, words

SAMPLES = Path("/work/shared/data/mmlongbench_doc/documents")
DRAWN = b"q 400 0 0 280 0 10 cm /I1 Do Q\n"
LAYER = b"<< /Type /OCG /Name (hidden) >>"


def scan(layer: bytes = b"") -> bytes:
    image = Image.linear_gradient("L").resize((400, 280)).convert("RGB")
    return one_page(DRAWN + layer, more=[picture(image)])


def test_a_page_by_itself_has_the_same_pixels_text_and_size():
    data = scan(words("Inspection of the lighthouse", size=10))
    decoder = media_decoder()
    with decoder.open_pdf(data) as document:
        page, plain = document.page(1), document.plain_page(1)
    assert plain.own.startswith(b"%PDF-") and (plain.width, plain.height) == page.image.size
    assert (plain.text, plain.facts) == (page.text, page.facts)
    assert decoder.own_page(plain.own).tobytes() == page.image.tobytes()


def test_equal_pages_have_equal_bytes_whenever_they_are_cut_out():
    data = scan()
    with pdf.open_pdf(data) as document:
        first = document.plain_page(1).own
        time.sleep(1.1)  # PDFium writes the second
        assert document.plain_page(1).own == first


def test_a_poster_is_as_small_as_it_is_rendered():
    with pdf.open_pdf(scan()) as document:
        plain, page = document.plain_page(1, max_pixels=10_000), document.page(1, max_pixels=10_000)
        assert (
            plain.width,
            plain.height,
        ) == page.image.size and page.image.width * page.image.height <= 10_000
        assert plain.facts == page.facts


def test_a_page_that_is_large_stays_in_its_document():
    noise = Image.frombytes("RGB", (300, 300), os.urandom(270_000))
    with pdf.open_pdf(one_page(DRAWN, more=[picture(noise)])) as document:
        assert document.plain_page(1).own == b""


def test_pages_with_layers_and_forms_need_their_document():
    filled = form(widget(b"Tx", b"surname", b"(QUILLFEATHER)"), settings=b"/NeedAppearances true")
    layered = one_page(b"/OC /L1 BDC\n" + words("seen?", size=10) + b"EMC\n", more=[LAYER])
    for data in (filled, layered):
        with pdf.open_pdf(data) as document:
            assert document.plain_page(1).own == b""


def test_every_real_page_that_is_cut_out_looks_the_same():
    """The first two pages of each sample, where they are; all 126 were compared once (docs/log.md)."""
    if not SAMPLES.is_dir():
        pytest.skip("no samples here")
    compared = 0
    for path in sorted(SAMPLES.glob("*.pdf")):
        with pdf.open_pdf(path) as document:
            for number in (1, 2):
                plain, page = document.plain_page(number), document.page(number)
                if plain.own:
                    with pdf.open_pdf(plain.own) as alone:
                        assert alone.page(1).image.tobytes() == page.image.tobytes(), (path.name, number)
                    compared += 1
    assert compared >= 6


@pytest.mark.parametrize(
    "answer",
    [
        {"size": [3000, 3000], "facts": [1, 1, 0, 0, 0]},
        {"size": [0, 10], "facts": [1, 1, 0, 0, 0]},
        {"size": "large", "facts": [1, 1, 0, 0, 0]},
        {"size": [10, 10], "facts": [1, 1, 7, 0, 0]},
        {"facts": [1, 1, 0, 0, 0]},
    ],
)
def test_what_a_hostile_decoder_says_of_a_page_is_not_believed(answer: dict[str, object]):
    with pytest.raises(MediaError, match="decoder_failed"):
        plain_page_of(JobResult(answer, [bytearray(b"text"), bytearray(b"%PDF")]), 1, 4_000_000)
    good = {"size": [10, 10], "facts": [1, 1, 0, 0, 0]}
    with pytest.raises(MediaError, match="decoder_failed"):
        plain_page_of(JobResult(good, [bytearray(b""), bytearray(MAX_OWN_PAGE_BYTES + 1)]), 1, 100)


def test_a_document_that_pdfium_cannot_copy_from_is_a_skip_with_its_reason(monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object) -> None:
        raise pypdfium2.PdfiumError("no")

    with pdf.open_pdf(scan()) as document:
        monkeypatch.setattr(pypdfium2.PdfDocument, "import_pages", broken)
        with pytest.raises(MediaError, match="pdf_page_unreadable"):
            document.plain_page(1)
