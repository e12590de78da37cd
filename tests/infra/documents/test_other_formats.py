"""RTF, OpenDocument, notebooks, and the formats that are only named."""

from __future__ import annotations

import base64
import json

import pytest

from infra.documents.blocks import Heading, Picture, Table
from infra.errors import MediaError
from tests.infra.documents.material import blocks, docx, p, read, texts, zipped

PIXELS = b"\x89PNG" + b"i" * 100


def test_rtf_keeps_words_and_leaves_out_what_is_none():
    data = (
        rb"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0\fcharset0 Arial;}{\f1\fcharset204 Cyr;}{\f2\fcharset2 Symbol;}}{\colortbl;\red1;}"
        rb"{\info{\title no}}{\header Head\par}{\*\generator no;}\pard Gr\'fc\'dfe \u28207?{\f1\'cf\'f0} {\f2 a}"
        rb"{\field{\*\fldinst HYPERLINK x}{\fldrslt link}}{\deleted gone}{\revised new}{\v hidden}{\footnote Why}\par "
        rb"\trowd\pard\intbl A\cell B\par C\cell\row\trowd\pard\intbl {\'44}\cell\cell\row\pard after\line more\par"
        rb"{\*\shppict{\pict\pngblip "
        + PIXELS.hex().encode()
        + rb"}}{\nonshppict{\pict 00}}{\upr{old}{\*\ud{n\u233e}}}\par}"
    )
    assert texts(data, "a.doc") == [
        "Head",
        "Grüße 港Пр αlinknew",
        "Footnote: Why",
        "A | B C\nD | ",
        "after\nmore",
        "né",
        "Picture",
    ]
    assert blocks(data)[-1] == Picture(PIXELS, "picture")


SPACES = (
    'xmlns:office="o" xmlns:text="t" xmlns:table="tb" xmlns:draw="d" xmlns:presentation="pr" xmlns:xlink="x" '
    'xmlns:style="s" xmlns:dc="dc" xmlns:svg="svg"'
)


def open_document(kind: str, body: str, styles: str = "", **parts: bytes) -> bytes:
    return zipped(
        {
            "mimetype": f"application/vnd.oasis.opendocument.{kind}",
            "content.xml": (
                f"<office:document-content {SPACES}><office:automatic-styles>{styles}</office:automatic-styles>"
                f"<office:body><office:{kind}>{body}</office:{kind}></office:body></office:document-content>"
            ),
            "styles.xml": f"<office:styles {SPACES}><style:header><text:p>Head</text:p></style:header></office:styles>",
            **parts,
        }
    )


def test_open_texts_give_their_notes_boxes_and_pictures_but_not_what_was_deleted():
    body = (
        "<text:tracked-changes><text:p>deleted</text:p></text:tracked-changes><text:h text:outline-level='2'>Fees</text:h>"
        "<text:p>One<text:s text:c='3'/>two<text:note text:note-class='footnote'><text:note-citation>1</text:note-citation>"
        "<text:note-body><text:p>why</text:p></text:note-body></text:note> three<draw:frame><draw:text-box><text:p>box</text:p>"
        "</draw:text-box></draw:frame></text:p><text:list><text:list-item><text:p>item</text:p></text:list-item></text:list>"
        "<draw:frame><draw:image xlink:href='Pictures/i.png'/><svg:desc>a map</svg:desc></draw:frame>"
        "<draw:frame><draw:image xlink:href='http://127.0.0.1:9/i.png'/></draw:frame>"
    )
    data = open_document("text", body, **{"Pictures/i.png": PIXELS})
    assert texts(data) == ["Head", "Fees", "One two three", "Footnote 1: why", "box", "- item", "Picture"]
    assert blocks(data)[1] == Heading("Fees", 2)
    assert blocks(data)[-1] == Picture(PIXELS, "i.png", "a map")


def test_open_sheets_give_dates_repeats_and_say_what_is_hidden():
    def cell(text: str, more: str = "") -> str:
        return f"<table:table-cell {more}><text:p>{text}</text:p></table:table-cell>"

    rows = (
        f"<table:table-row>{cell('Day')}{cell('Fee')}</table:table-row><table:table-row>"
        + cell("05.03.24", "office:value-type='date' office:date-value='2024-03-05'")
        + cell("1", "table:number-columns-repeated='2'")
        + "<table:table-cell table:number-columns-repeated='16000'/></table:table-row>"
        "<table:table-row table:number-rows-repeated='1048570'><table:table-cell/></table:table-row>"
    )
    hidden = "<style:style style:name='h'><style:table-properties table:display='false'/></style:style>"
    data = open_document(
        "spreadsheet",
        f"<table:table table:name='A'>{rows}</table:table><table:table table:name='B' table:style-name='h'>{rows}</table:table>",
        hidden,
    )
    first, second = read(data).sections
    assert (first.place, second.place) == ("sheet A", "hidden sheet B")
    assert first.blocks == (Table((("Day", "Fee", ""), ("2024-03-05", "1", "1")), 0, (1, 2)),)


def test_open_slides_give_title_text_and_notes():
    page = (
        "<draw:page><draw:frame><draw:text-box><text:p>words</text:p></draw:text-box></draw:frame>"
        "<draw:frame presentation:class='title'><draw:text-box><text:p>Title</text:p></draw:text-box></draw:frame>"
        "<presentation:notes><draw:frame><draw:text-box><text:p>say it</text:p></draw:text-box></draw:frame></presentation:notes>"
        "</draw:page>"
    )
    assert texts(open_document("presentation", page)) == ["Title", "words", "Notes: say it"]


def test_a_notebook_gives_text_code_and_outputs_without_the_bytes_of_its_pictures():
    picture = base64.b64encode(PIXELS).decode()
    cells = [
        {
            "cell_type": "markdown",
            "source": ["# Fees\n", f"See ![map](data:image/png;base64,{picture}) here"],
        },
        {
            "cell_type": "code",
            "source": "print(1)",
            "outputs": [
                {"output_type": "stream", "text": ["\x1b[31mred\x1b[0m\n"]},
                {"data": {"image/png": picture + "A===", "text/plain": "<Figure size 1x1>"}},
                {
                    "data": {
                        "text/html": "<table><tr><td>no</td></tr></table>",
                        "text/plain": ["  a\n", "0 1"],
                    }
                },
                {"output_type": "error", "traceback": ["\x1b[0;31mValueError\x1b[0m: no"]},
            ],
        },
    ]
    data = json.dumps({"cells": cells, "nbformat": 4}).encode()
    found = blocks(data, "n.json")
    assert [getattr(block, "text", type(block).__name__) for block in found] == [
        "# Fees\nSee map here",
        "Picture",
        "print(1)",
        "red",
        "  a\n0 1",
        "ValueError: no",
    ]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (zipped({"a.txt": "x"}), "ZIP archive: unpack it"),
        (zipped({"Index/Document.iwa": "x"}), "iWork"),
        (
            b'<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"/>',
            "Excel 2003 XML",
        ),
        (bytes(range(32)) * 20, "not what .docx says"),
    ],
)
def test_what_is_not_read_is_called_by_its_name(data: bytes, says: str):
    with pytest.raises(MediaError, match=says) as refused:
        read(data, "a.docx")
    assert refused.value.reason == "kind_unsupported"


def test_the_content_decides_and_not_the_name():
    assert texts(docx(p("words")), "a.zip") == ["words"]
    assert texts(b"<!DOCTYPE html><p>words", "a.xls") == ["words"]
    assert texts(b"name\tage\nAda\t3\n", "a.xls") == ["name | age\nAda | 3"]


def test_xml_gives_its_words_behind_the_names_of_its_elements():
    feed = (
        '<?xml version="1.0" encoding="ISO-8859-1"?><rss><channel><title>Häfen</title><ttl>60</ttl>'
        '<item id="7" state="open">'
        "<description><![CDATA[<p>The <b>crane</b> is old.</p>]]></description><link href='http://x/'/></item>"
        "<para>Words with <emphasis>an element</emphasis> among them.</para></channel></rss>"
    )
    assert texts(feed.encode("latin-1"), "a.xml") == [
        *("Häfen", "ttl: 60", "item: state open", "The crane is old.", "link: href http://x/"),
        "Words with an element among them.",
    ]
    assert read(feed.encode("latin-1"), "a").kind == "XML document"
    with pytest.raises(MediaError, match="declares entities"):
        read(b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "a.xml")
    assert texts(b"<?xml version='1.0'?><a>never closed", "a.xml") == ["<?xml version='1.0'?><a>never closed"]


def test_a_drawing_gives_its_words_and_fiction_book_its_pictures():
    svg = (
        "<svg xmlns='http://www.w3.org/2000/svg'><title>Pier</title><style>a{}</style><path d='M0 0'/>"
        "<text>berth <tspan>nine</tspan></text></svg>"
    )
    assert texts(svg.encode(), "a.svg") == ["Pier", "berth nine"]
    packed = base64.b64encode(PIXELS).decode()
    book = (
        '<?xml version="1.0" encoding="windows-1251"?><FictionBook xmlns="x">'
        "<body><section><title><p>Чайка</p></title>"
        f"<p>Над гаванью.</p></section></body>"
        f'<binary id="c.png" content-type="image/png">{packed}</binary></FictionBook>'
    )
    assert texts(book.encode("cp1251"), "a.fb2") == [
        "Чайка",
        "Над гаванью.",
        "Picture",
    ]


def test_a_drawing_that_a_notebook_shows_gives_its_words():
    shown = {"image/svg+xml": ["<svg xmlns='x'>", "<text>berth nine</text></svg>"], "text/plain": "<Figure>"}
    cell = {
        "cell_type": "code",
        "source": "draw()",
        "outputs": [{"output_type": "display_data", "data": shown}],
    }
    assert texts(json.dumps({"nbformat": 4, "cells": [cell]}).encode()) == ["draw()", "berth nine"]


def test_code_pages_of_rtf_are_those_of_its_fonts_and_machines_and_groups_end_what_stands_for_a_letter():
    data = rb"{\rtf1\pca{\fonttbl{\f0 A;}{\f1\cpg1251 B;}}\f0 caf\'82 {\f1 \'ef\'f0} {\u8212}tail {\uc1\u233?}x\par}"
    assert texts(data, "a.rtf") == ["café пр —tail éx"]
    assert texts(rb"{\rtf1\pc \'84\par}", "a.rtf") == ["ä"]


def test_open_texts_leave_out_what_is_not_shown():
    style = '<style:style style:name="T"><style:text-properties text:display="none"/></style:style>'
    body = '<text:p>a<text:span text:style-name="T">no</text:span>b<text:hidden-text>neither</text:hidden-text></text:p>'
    spaces = " ".join(f'xmlns:{name}="{name}"' for name in ("office", "text", "style"))
    styles = f"<office:automatic-styles>{style}</office:automatic-styles>"
    held = f"<office:body><office:text>{body}</office:text></office:body>"
    page = f"<office:document {spaces}>{styles}{held}</office:document>"
    assert texts(page.encode(), "a.fodt") == ["ab"]


def test_bars_of_progress_are_printed_once():
    output = {"output_type": "stream", "text": ["go\n", " 10%\r 50%\r100%\n", "kept\r\n"]}
    cells = [{"cell_type": "code", "source": "", "outputs": [output]}]
    assert texts(json.dumps({"cells": cells, "nbformat": 4}).encode(), "n.ipynb") == ["go\n100%\nkept"]


def test_of_a_result_the_form_in_words_is_read_where_the_plain_one_names_an_object():
    def shown(plain: str) -> list[str]:
        data = {"text/plain": plain, "text/html": "<table><tr><td>cod</td><td>8</td></tr></table>"}
        cell = {"cell_type": "code", "source": "", "outputs": [{"output_type": "display_data", "data": data}]}
        return texts(json.dumps({"nbformat": 4, "cells": [cell]}).encode())

    assert shown("<pandas.io.formats.style.Styler at 0x7f2a>") == ["cod | 8"]
    assert shown("cod 8") == ["cod 8"]


def test_empty_elements_that_break_lines_part_words():
    xml = '<?xml version="1.0"?><a><p>sails<lb/>at <hi>dawn</hi><pb n="2"/>and har<lb break="no"/>bour<ref/>.</p></a>'
    assert texts(xml.encode(), "a.xml") == ["sails at dawn and harbour."]


def test_an_equation_stands_within_its_sentence_and_numbers_of_slides_do_not():
    formula = b'<math xmlns="http://www.w3.org/1998/Math/MathML"><mi>a</mi><mo>=</mo><mi>b</mi></math>'
    held = '<draw:frame><draw:object xlink:href="./Object 1"/></draw:frame>'
    body = f"<text:p>Here {held} holds.</text:p>"
    assert texts(open_document("text", body, **{"Object 1/content.xml": formula}))[-1] == "Here a=b holds."
    page = "<draw:page><text:p>page <text:page-number>&lt;number&gt;</text:page-number></text:p></draw:page>"
    assert texts(open_document("presentation", page))[-1] == "page"


def test_of_a_picture_outside_of_an_open_text_stays_its_description():
    image = '<draw:image xlink:href="http://x.invalid/i.png"/><svg:desc xmlns:svg="urn:s">A quay</svg:desc>'
    body = f"<text:p>See <draw:frame>{image}</draw:frame></text:p>"
    assert texts(open_document("text", body))[-2:] == ["See", "A quay"]


def test_a_short_table_may_hold_a_few_control_characters():
    assert texts(b"a,b\n1,\0\n2,x\0y\n", "a.csv") == ["a | b\n1 | \n2 | xy"]
