"""What was filled into a form stands in the picture and in the text of its page."""

from __future__ import annotations

import pytest
from PIL import Image

from infra.media import _pdf as pdf
from tests.infra.media.pdf_files import FONT, form, one_page, stream, widget, words

NEEDED = b"/NeedAppearances true"
EMPTY_LOOK = b"/AP << /N 7 0 R >>"
LOOK = stream(b"/Tx BMC EMC", b"/Type /XObject /Subtype /Form /BBox [0 0 200 24]")


def first_page(data: bytes) -> tuple[str, Image.Image]:
    with pdf.open_pdf(data) as document:
        page = document.page(1, dpi=72)
        return page.text, page.image


def is_written_on(image: Image.Image, box: tuple[int, int, int, int]) -> bool:
    """Whether there is something dark within the field: text, not only its colour."""
    return image.convert("L").crop(box).getextrema()[0] < 128


FIELD = (22, 300 - 222, 218, 300 - 202)  # of the widget at (20, 200), in pixels


@pytest.mark.parametrize(
    "data",
    [
        form(widget(b"Tx", b"surname", b"(QUILLFEATHER)"), settings=NEEDED),
        form(widget(b"Tx", b"surname", b"(QUILLFEATHER)")),
        form(
            widget(b"Tx", b"surname", b"<FEFF005100550049004C004C0046004500410054004800450052>"),
            settings=NEEDED,
        ),
        form(widget(b"Tx", b"surname", b"(QUILLFEATHER)", more=EMPTY_LOOK), LOOK, settings=NEEDED),
        form(
            widget(b"Ch", b"surname", b"(q)", more=b"/Ff 131072 /Opt [[(p) (PENN)] [(q) (QUILLFEATHER)]]"),
            settings=NEEDED,
        ),
        form(
            widget(b"", b"", b"(QUILLFEATHER)", more=b"/Parent 7 0 R"),
            b"<< /FT /Tx /T (surname) /V (QUILLFEATHER) /Kids [6 0 R] >>",
            settings=NEEDED,
        ),
        form(widget(b"Tx", b"surname", b"(QUILLFEATHER)"), settings=NEEDED + b" /XFA [(datasets) (none)]"),
    ],
    ids=[
        "no appearance",
        "not asked for",
        "UTF-16",
        "empty appearance",
        "choice",
        "field in a parent",
        "XFA",
    ],
)
def test_the_value_of_a_field_is_drawn_and_read(data: bytes):
    text, image = first_page(data)
    assert text == "surname: QUILLFEATHER"
    assert is_written_on(image, FIELD)


def test_fields_are_read_below_the_page_s_own_words_from_top_to_bottom():
    states = b"/AP << /N << /Off 7 0 R /Approved 7 0 R >> >> "
    data = form(
        widget(b"Btn", b"decision", b"/Approved", at=(20, 60), more=states + b"/AS /Approved"),
        LOOK,
        widget(b"Btn", b"refused", b"/Off", at=(20, 100), more=states + b"/AS /Off"),
        widget(b"Tx", b"x1", b"(4 821)", at=(20, 140), more=b"/TU (Amount in euro)"),
        widget(b"Tx", b"secret", b"(hush)", at=(20, 20), more=b"/Ff 8192"),
        widget(b"Tx", b"blank", b"()", at=(20, 180)),
        widget(
            b"Ch",
            b"towns",
            b"[(Rakimo) (Belodu)]",
            at=(20, 100),
            more=b"/Ff 2097152 /Opt [(Rakimo) (Oster) (Belodu)]",
        ),
        b"<< /Type /Annot /Subtype /FreeText /Rect [20 230 200 250] /Contents (typed on top) /DA (/Helv 12 Tf 0 g) >>",
        content=words("Application", y=260),
        settings=NEEDED,
    )
    assert first_page(data)[0].split("\n") == [
        "Application",
        "typed on top",
        "Amount in euro: 4 821",
        "towns: Rakimo, Belodu",
        "decision: Approved",
    ]
    assert FONT


def test_what_was_written_to_places_of_a_page_is_read():
    def note(kind: bytes, words_: bytes, more: bytes = b"") -> bytes:
        return (
            b"<< /Type /Annot /Subtype /"
            + kind
            + b" /Rect [20 20 40 40] /Contents ("
            + words_
            + b") "
            + more
            + b" >>"
        )

    notes = [
        note(b"Text", b"Is this so?", b"/T (Ann)"),
        note(b"Highlight", b"rather"),
        note(b"Link", b"go there"),
    ]
    refs = b" ".join(b"%d 0 R" % number for number in range(6, 6 + len(notes)))
    text, _ = first_page(one_page(words("The pier"), page=b"/Annots [" + refs + b"]", more=notes))
    assert sorted(text.split("\n")) == ["Comment (Ann): Is this so?", "Comment: rather", "The pier"]
