"""Workbooks and tables in plain text: every row, dates as dates, stored results, no invented words."""

from __future__ import annotations

import base64
import random

import pytest

from infra.documents.blocks import Table
from tests.infra.documents.material import WORD, office, read, relationships, texts

MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
FORMATS = {164: r"dd/mm/yyyy\ hh:mm", 165: "00000", 166: r"[$-409]mmm\-yy;@"}
STYLES = (
    f"<styleSheet {MAIN}><numFmts>"
    + "".join(f'<numFmt numFmtId="{number}" formatCode="{code}"/>' for number, code in FORMATS.items())
    + "</numFmts><cellXfs>"
    + "".join(f'<xf numFmtId="{number}"/>' for number in (0, 14, 164, 165, 10, 20, 166))
    + "</cellXfs></styleSheet>"
)


def book(sheets: dict[str, str], *, states: dict[str, str] | None = None, **parts: str | bytes) -> bytes:
    listed = "".join(
        f'<sheet name="{name}" r:id="s{index}" state="{(states or {}).get(name, "visible")}"/>'
        for index, name in enumerate(sheets)
    )
    targets = {f"s{index}": f"worksheet worksheets/{index}.xml" for index in range(len(sheets))}
    return office(
        "xl/workbook.xml",
        {
            "xl/workbook.xml": f"<workbook {MAIN} {WORD}><sheets>{listed}</sheets></workbook>",
            "xl/_rels/workbook.xml.rels": relationships(
                **targets, st="styles styles.xml", ss="sharedStrings ss.xml"
            ),
            "xl/styles.xml": STYLES,
            "xl/ss.xml": f"<sst {MAIN}><si><t>shared</t></si><si><r><t>ri</t></r><r><t>ch</t></r><rPh><t>no</t></rPh></si></sst>",
            **{
                f"xl/worksheets/{index}.xml": f"<worksheet {MAIN}><sheetData>{rows}</sheetData></worksheet>"
                for index, rows in enumerate(sheets.values())
            },
            **{f"xl/{name}": part for name, part in parts.items()},
        },
    )


def row(number: int, *cells: str) -> str:
    return f'<row r="{number}">{"".join(cells)}</row>'


def text(value: str, place: str = "") -> str:
    return f'<c{f" r={chr(34)}{place}{chr(34)}" if place else ""} t="inlineStr"><is><t>{value}</t></is></c>'


def test_values_are_what_the_sheet_shows():
    cells = (
        '<c t="s"><v>0</v></c><c t="s"><v>1</v></c><c s="1"><v>45356</v></c><c s="2"><v>45356.604166666664</v></c>'
        '<c s="3"><v>1234</v></c><c s="4"><v>0.155</v></c><c><f>A1*2</f><v>0.30000000000000004</v></c>'
        '<c t="str"><f>X</f><v>joined</v></c><c t="b"><v>1</v></c><c><f>SUM(A1)</f></c><c s="5"><v>0.75</v></c>'
        '<c s="6"><v>45356</v></c><c t="e"><v>#N/A</v></c>'
    )
    assert texts(book({"One": row(1, cells)})) == [
        "shared | rich | 2024-03-05 | 2024-03-05 14:30 | 01234 | 15.5% | 0.3 | joined | TRUE | =SUM(A1) | "
        "18:00 | 2024-03-05 | #N/A"
    ]


def test_sheets_stay_apart_hidden_ones_say_so_and_a_title_row_is_no_head():
    rows = (
        row(1, text("Report of 2024", "A1"))
        + row(3, text("Name", "A3"), text("Town", "C3"))
        + row(4, text("Ada\nL.", "A4"), text("Rome", "C4"))
        + row(5, text("Bo", "A5"), text("Oslo", "C5"))
    )
    data = book({"Sales": rows, "Secret": row(1, text("unseen"))}, states={"Secret": "veryHidden"})
    first, second = read(data).sections
    assert (first.place, second.place) == ("sheet Sales", "hidden sheet Secret")
    assert first.blocks == (
        Table(
            (("Report of 2024", ""), ("Name", "Town"), ("Ada L.", "Rome"), ("Bo", "Oslo")), 1, (1, 3, 4, 5)
        ),
    )


def test_every_row_of_a_long_sheet_is_there():
    rows = "".join(
        row(number, text(f"item {number}"), f"<c><v>{number}</v></c>") for number in range(1, 50_001)
    )
    [section] = read(book({"Long": rows})).sections
    [table] = section.blocks
    assert isinstance(table, Table)
    assert len(table.rows) == 50_000
    assert table.rows[-1] == ("item 50000", "50000")


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        (b'a;b\n"x;y";"two\nlines"\n', ["a | b", "x;y | two lines"]),
        (b"a\tb\n1\t2,5\n3\t4,5\n", ["a | b", "1 | 2,5", "3 | 4,5"]),
        (b"sep=|\na|b\n1|2\n", ["a | b", "1 | 2"]),
        (
            "Übersicht,,\nStadt,Größe\n".encode() + b"x,1\n" * 3000 + "Köln,é\n".encode(),
            ["Übersicht | ", "Stadt | Größe"],
        ),
        ("a,b\nGrüße,1\n".encode("utf-16"), ["a | b", "Grüße | 1"]),
        (b'a,b\n1,"never closed\n' + b"2,x\n" * 400, ["a | b", '1 | "never closed', "2 | x"]),
    ],
)
def test_tables_in_plain_text_are_cut_where_they_mean_it(data: bytes, rows: list[str]):
    [found] = texts(data, "t.csv")
    assert found.split("\n")[: len(rows)] == rows
    assert "Köln" not in data.decode("utf-8", "ignore") or found.endswith("Köln | é")


def test_what_is_printed_above_and_below_a_sheet_is_read_without_its_codes():
    edges = '<oddHeader>&amp;L&amp;"Arial,Bold"&amp;12Draft &amp;&amp; secret&amp;RPage &amp;P of &amp;N</oddHeader>'
    edges += "<oddFooter>&amp;D</oddFooter>"
    rows = row(1, text("a"), text("b"))
    sheet = f"<worksheet {MAIN}><sheetData>{rows}</sheetData><headerFooter>{edges}</headerFooter></worksheet>"
    data = book({"One": ""}, **{"worksheets/0.xml": sheet})
    assert texts(data) == ["a | b", "Draft & secret Page of"]


def test_encoded_bytes_in_cells_are_no_words():
    payload = base64.b64encode(random.Random(3).randbytes(600)).decode()
    assert texts(f"name,photo\ntern,{payload}\nskua,{payload}\n".encode(), "a.csv") == [
        "name | photo\ntern | (data)\nskua | (data)"
    ]


def test_a_formula_that_nobody_calculated_stands_for_itself_and_an_empty_result_for_nothing():
    cells = '<c><f>SUM(A1:A9)</f><v></v></c><c t="str"><f>IF(A1,"","x")</f><v></v></c><c><v>7</v></c>'
    assert texts(book({"One": row(1, cells)})) == ["=SUM(A1:A9) | 7"]


def test_characters_that_a_workbook_spells_out_are_themselves():
    assert texts(book({"One": row(1, text("up_x000D_\ndown"), text("a_x005F_x000D_b"))})) == [
        "up down | a_x000D_b"
    ]


def test_old_notes_beside_conversations_are_read_and_their_stand_ins_are_not():
    def note(place: str, words: str) -> str:
        return f'<comment ref="{place}"><text><t>{words}</t></text></comment>'

    notes = note("A1", "[Threaded comment] Your version of Excel ...") + note("B1", "of old")
    parts = {
        "worksheets/_rels/0.xml.rels": relationships(
            c="comments ../c.xml", t="threadedComment ../threads.xml"
        ),
        "c.xml": f"<comments {MAIN}><commentList>{notes}</commentList></comments>",
        "threads.xml": '<ThreadedComments><threadedComment ref="A1"><text>of today</text></threadedComment></ThreadedComments>',
    }
    assert texts(book({"One": row(1, text("a"), text("b"))}, **parts))[1:] == [
        "Comment at A1: of today",
        "Comment at B1: of old",
    ]


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        ("1,5;2,5;3,5\n4,25;5,75;6,125\n", ["1,5 | 2,5 | 3,5", "4,25 | 5,75 | 6,125"]),
        ('who,said\nAda,"so \\"weave, then\\" on"\n', ["who | said", 'Ada | so "weave, then" on']),
        ('code,town\n="00123",Leek\n', ["code | town", "00123 | Leek"]),
    ],
)
def test_habits_of_other_programs_that_write_tables_are_known(data: str, rows: list[str]):
    assert texts(data.encode(), "t.csv") == ["\n".join(rows)]
