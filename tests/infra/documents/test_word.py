"""Word documents: the constructions in which readers of the format lose words, or read what is no text."""

from __future__ import annotations

import pytest

from infra.documents.blocks import Attachment, Heading, Paragraph, Picture, Table
from tests.infra.documents.material import WORD, blocks, cell, docx, p, r, relationships, texts

BOX = "<w:txbxContent><w:p><w:r><w:t>In the box</w:t></w:r></w:p></w:txbxContent>"


def table(*rows: str) -> str:
    return "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in rows) + "</w:tbl>"


def control(inside: str, properties: str = "") -> str:
    return f"<w:sdt><w:sdtPr>{properties}</w:sdtPr><w:sdtContent>{inside}</w:sdtContent></w:sdt>"


def test_content_controls_hold_text_wherever_they_stand():
    body = (
        control(p("a whole paragraph"))
        + f"<w:p>{r('before ')}{control(control(r('within')))}{r(' after')}</w:p>"
        + f"<w:tbl>{control('<w:tr>' + control(cell('c1')) + cell('c2') + '</w:tr>')}</w:tbl>"
        + control(p("Click here to enter text."), "<w:showingPlcHdr/>")
    )
    assert texts(docx(body)) == ["a whole paragraph", "before within after", "c1 | c2"]


def test_cells_that_are_equal_blank_or_merged_stand_where_they_are_and_once():
    body = table(
        cell("same") + cell("same") + cell("x"),
        cell("wide", '<w:gridSpan w:val="2"/>') + cell("tall", '<w:vMerge w:val="restart"/>'),
        cell("") + cell("last") + cell("hidden part", "<w:vMerge/>"),
    )
    [found] = blocks(docx(body))
    assert isinstance(found, Table)
    assert found.rows == (("same", "same", "x"), ("wide", "", "tall"), ("", "last", ""))


def test_changes_are_read_as_if_they_were_accepted():
    body = (
        f"<w:p>{r('The fee is ')}<w:del>{r('100').replace('w:t', 'w:delText')}</w:del><w:ins>{r('200')}</w:ins></w:p>"
        f"<w:moveFrom>{p('moved away')}</w:moveFrom><w:moveTo>{p('moved here')}</w:moveTo>"
        f"<w:p><w:pPr><w:rPr><w:del/></w:rPr></w:pPr>{r('one ')}</w:p>{p('sentence')}"
        + table(cell("kept") + cell("row")).replace(
            "</w:tbl>", f"<w:tr><w:trPr><w:del/></w:trPr>{cell('gone')}{cell('row')}</w:tr></w:tbl>"
        )
    )
    assert texts(docx(body)) == ["The fee is 200", "moved here", "one sentence", "kept | row"]


def test_a_text_box_is_read_once_though_it_is_stored_twice():
    twice = (
        f'<mc:AlternateContent><mc:Choice Requires="wps"><w:drawing><wps:wsp><wps:txbx>{BOX}</wps:txbx></wps:wsp>'
        f"</w:drawing></mc:Choice><mc:Fallback><w:pict><v:textbox>{BOX}</v:textbox></w:pict></mc:Fallback>"
        "</mc:AlternateContent>"
    )
    only_old = twice.replace(BOX, "", 1).replace("In the box", "Old box")
    assert texts(docx(f"<w:p>{r('Anchor')}<w:r>{twice}</w:r></w:p><w:p><w:r>{only_old}</w:r></w:p>")) == [
        "Anchor",
        "In the box",
        "Old box",
    ]


def test_notes_comments_headers_and_footers_are_there_once_each():
    def notes(kind: str, *more: str) -> str:
        one = kind[:-1]
        return (
            f'<w:{kind} {WORD}><w:{one} w:id="0" w:type="separator">{p("---")}</w:{one}>'
            f'<w:{one} w:id="2" w:author="Ann">{p(f"text of the {one}")}</w:{one}></w:{kind}>'
        )

    body = (
        f'<w:p>{r("Claim")}<w:r><w:footnoteReference w:id="2"/></w:r><w:r><w:endnoteReference w:id="2"/></w:r>{r(" made")}'
        f'<w:r><w:commentReference w:id="2"/></w:r></w:p>'
        '<w:p><w:pPr><w:sectPr><w:headerReference r:id="h1"/></w:sectPr></w:pPr></w:p>'
        '<w:sectPr><w:headerReference r:id="h2"/><w:footerReference r:id="f1"/></w:sectPr>'
    )
    parts = {
        "_rels/document.xml.rels": relationships(
            n="footnotes footnotes.xml",
            e="endnotes endnotes.xml",
            c="comments comments.xml",
            h1="header h1.xml",
            h2="header h2.xml",
            f1="footer f1.xml",
        ),
        **{f"{kind}.xml": notes(kind) for kind in ("footnotes", "endnotes", "comments")},
        **{f"{name}.xml": f"<w:hdr {WORD}>{p('Confidential')}</w:hdr>" for name in ("h1", "h2")},
        "f1.xml": f"<w:ftr {WORD}>{p('Kelmo Ltd.')}</w:ftr>",
    }
    assert texts(docx(body, **parts)) == [
        "Confidential",
        "Claim made",
        "Footnote 1: text of the footnote",
        "Endnote 1: text of the endnote",
        "Comment (Ann): text of the comment",
        "Kelmo Ltd.",
    ]


def test_equations_are_text():
    fraction = "<m:f><m:num><m:r><m:t>a+b</m:t></m:r></m:num><m:den><m:r><m:t>2</m:t></m:r></m:den></m:f>"
    power = "<m:sSup><m:e><m:r><m:t>x</m:t></m:r></m:e><m:sup><m:r><m:t>n</m:t></m:r></m:sup></m:sSup>"
    inline = f"<m:oMath>{fraction}<m:r><m:t>+</m:t></m:r>{power}</m:oMath>"
    body = f"<w:p>{r('Let y =')}{inline}</w:p><m:oMathPara><m:oMath>{power}</m:oMath></m:oMathPara>"
    assert texts(docx(body)) == ["Let y = (a+b)/2+x^n", "x^n"]


def test_fields_show_their_results_and_lists_their_numbers():
    def fld(kind: str) -> str:
        return f'<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>'

    link = f"{fld('begin')}<w:r><w:instrText>HYPERLINK x</w:instrText></w:r>{fld('separate')}{r('the site')}{fld('end')}"
    numbers = (
        f'<w:numbering {WORD}><w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0">'
        '<w:start w:val="1"/><w:numFmt w:val="decimal"/>'
        '<w:lvlText w:val="%1."/></w:lvl><w:lvl w:ilvl="1"><w:numFmt w:val="lowerLetter"/><w:lvlText w:val="%1%2)"/></w:lvl>'
        '</w:abstractNum><w:num w:numId="5"><w:abstractNumId w:val="0"/></w:num></w:numbering>'
    )

    def item(text: str, level: int) -> str:
        return p(text, f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="5"/></w:numPr>')

    body = (
        f"<w:p>{r('See ')}{link}<w:hyperlink>{r(' or this')}</w:hyperlink>"
        '<w:r><w:sym w:font="Symbol" w:char="F061"/></w:r><w:r><w:rPr><w:vanish/></w:rPr><w:t>unseen</w:t></w:r></w:p>'
        + item("first", 0)
        + item("inner", 1)
        + item("second", 0)
    )
    parts = {"_rels/document.xml.rels": relationships(n="numbering numbering.xml"), "numbering.xml": numbers}
    assert texts(docx(body, **parts)) == ["See the site or thisα", "1. first", "1a) inner", "2. second"]


def test_a_list_of_an_older_form_is_what_it_is_set_to():
    entries = '<w:ddList><w:result w:val="1"/><w:listEntry w:val="no"/><w:listEntry w:val="yes"/></w:ddList>'
    begin = f'<w:r><w:fldChar w:fldCharType="begin"><w:ffData>{entries}</w:ffData></w:fldChar></w:r>'
    end = '<w:r><w:instrText>FORMDROPDOWN</w:instrText></w:r><w:r><w:fldChar w:fldCharType="end"/></w:r>'
    assert texts(docx(f"<w:p>{r('Paid: ')}{begin}{end}{r('.')}</w:p>")) == ["Paid: yes."]


def test_what_is_embedded_is_handed_on():
    body = (
        p("See") + '<w:altChunk r:id="a"/><w:p><w:r><w:object><o:OLEObject r:id="o"/></w:object></w:r></w:p>'
    )
    rels = relationships(a="aFChunk chunk.pdf", o="package embeddings/sheet.xlsx")
    parts = {
        "_rels/document.xml.rels": rels,
        "chunk.pdf": b"%PDF-1.7\0\1\2\3",
        "embeddings/sheet.xlsx": b"PK",
    }
    handed_on = [Attachment(b"%PDF-1.7\0\1\2\3", "chunk.pdf"), Attachment(b"PK", "sheet.xlsx")]
    assert blocks(docx(body, **parts))[1:] == handed_on


def test_files_that_a_text_takes_in_stand_where_it_takes_them_in():
    chunks = "".join(f'<w:altChunk r:id="{name}"/>{p(f"behind {name}")}' for name in "abcda")
    deeper = docx(p("deep") + '<w:altChunk r:id="a"/>', **{"_rels/document.xml.rels": relationships()})
    mail = "MIME-Version: 1.0\nContent-Type: text/html\n\n<p>saved</p>"
    parts = {
        "_rels/document.xml.rels": relationships(
            a="aFChunk a.html", b="aFChunk b.mht", c="aFChunk c.docx", d="aFChunk d.rtf"
        ),
        **{"a.html": "<p>page</p>", "b.mht": mail, "c.docx": deeper, "d.rtf": "{\\rtf1 rich}"},
    }
    assert texts(docx(chunks, **parts)) == [
        *("page", "behind a", "saved", "behind b", "deep", "behind c", "rich", "behind d", "behind a"),
    ]


def test_of_a_picture_outside_of_the_file_stays_what_is_said_about_it():
    drawing = '<w:p><w:r><w:drawing><wp:docPr descr="A quay"/><a:blip r:link="i"/></w:drawing></w:r></w:p>'
    rels = relationships(i="image !http://x.invalid/i.png")
    assert texts(docx(drawing, **{"_rels/document.xml.rels": rels})) == ["A quay"]


def test_styles_make_headings_and_pictures_come_from_within_the_file_only():
    styles = (
        f'<w:styles {WORD}><w:style w:styleId="Kop1"><w:name w:val="heading 2"/></w:style>'
        '<w:style w:styleId="Mine"><w:basedOn w:val="Kop1"/></w:style></w:styles>'
    )

    def drawing(attribute: str, identity: str) -> str:
        return f'<w:drawing><wp:inline><wp:docPr descr="A harbour"/><a:blip r:{attribute}="{identity}"/></wp:inline></w:drawing>'

    body = (
        p("Results", '<w:pStyle w:val="Mine"/>')
        + f"<w:p><w:r>{drawing('embed', 'i')}</w:r><w:r>{drawing('link', 'x')}</w:r></w:p>"
    )
    parts = {
        "_rels/document.xml.rels": relationships(
            s="styles styles.xml", i="image media/i.png", x="image !http://127.0.0.1:9/i.png"
        ),
        "styles.xml": styles,
        "media/i.png": b"x" * 100,
    }
    assert blocks(docx(body, **parts)) == [
        Heading("Results", 2),
        Picture(b"x" * 100, "i.png", "A harbour"),
        Paragraph("A harbour"),
    ]


def test_what_a_style_hides_is_hidden_and_a_deleted_cell_gone():
    def style(identity: str, more: str = "<w:rPr><w:vanish/></w:rPr>") -> str:
        return f'<w:style w:styleId="{identity}">{more}</w:style>'

    styles = style("Run") + style("Par") + style("Child", '<w:basedOn w:val="Par"/>')
    run = '<w:r><w:rPr><w:rStyle w:val="Run"/>{}</w:rPr><w:t>{}</w:t></w:r>'
    shown = '<w:vanish w:val="0"/>'
    body = f"<w:p>{run.format('', 'no')}{run.format(shown, 'yes')}</w:p>"
    body += p("neither", '<w:pStyle w:val="Par"/>') + p("nor", '<w:pStyle w:val="Child"/>')
    body += f"<w:tbl><w:tr>{cell('left')}{cell('gone', '<w:cellDel/>')}{cell('right')}</w:tr></w:tbl>"
    parts = {
        "_rels/document.xml.rels": relationships(s="styles styles.xml"),
        "styles.xml": f"<w:styles {WORD}>{styles}</w:styles>",
    }
    assert texts(docx(body, **parts)) == ["yes", "left | right"]


@pytest.mark.parametrize(
    ("form", "labels"),
    [
        ("chineseCountingThousand", ("一", "十", "十二", "二十", "一百零五", "一百一十")),
        ("japaneseCounting", ("一", "十", "十二", "二十", "百五", "百十")),
        ("ideographDigital", ("一", "一〇", "一二", "二〇", "一〇五", "一一〇")),
        ("decimalEnclosedCircle", ("①", "⑩", "⑫", "⑳", "105", "110")),
        ("ordinal", ("1st", "10th", "12th", "20th", "105th", "110th")),
        ("ideographTraditional", ("甲", "癸", "12", "20", "105", "110")),
    ],
)
def test_lists_are_counted_as_they_are_written_elsewhere(form: str, labels: tuple[str, ...]):
    def level(start: int) -> str:
        return f'<w:start w:val="{start}"/><w:numFmt w:val="{form}"/><w:lvlText w:val="第%1章"/>'

    numbers = (1, 10, 12, 20, 105, 110)
    lists = "".join(
        f'<w:abstractNum w:abstractNumId="{n}"><w:lvl w:ilvl="0">{level(n)}</w:lvl></w:abstractNum>'
        for n in numbers
    )
    lists += "".join(f'<w:num w:numId="{n}"><w:abstractNumId w:val="{n}"/></w:num>' for n in numbers)
    body = "".join(p("x", f'<w:numPr><w:ilvl w:val="0"/><w:numId w:val="{n}"/></w:numPr>') for n in numbers)
    parts = {
        "_rels/document.xml.rels": relationships(n="numbering numbering.xml"),
        "numbering.xml": f"<w:numbering {WORD}>{lists}</w:numbering>",
    }
    assert texts(docx(body, **parts)) == [f"第{label}章 x" for label in labels]


def test_a_large_first_letter_begins_its_word():
    letter = p("T", '<w:framePr w:dropCap="drop" w:lines="3"/>')
    boxed = p("Address", '<w:framePr w:w="2000"/>')
    assert texts(docx(letter + p("he ship sails.") + boxed + p("Body"))) == [
        "The ship sails.",
        "Address",
        "Body",
    ]
