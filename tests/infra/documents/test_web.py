"""Web pages and books: the words that a reader sees, in the character set that is meant."""

from __future__ import annotations

import base64

import pytest

from infra.documents.blocks import Heading, Picture, Table
from tests.infra.documents.material import blocks, read, texts, zipped

PIXELS = b"\x89PNG" + b"i" * 100


def test_what_runs_styles_hides_or_navigates_is_no_text():
    page = (
        "<!doctype html><title>Harbours</title><style>p{color:red}</style><body><nav><a>Home</a></nav>"
        '<div class="main-menu"><a href=x>Shop</a> <a href=y>Log in</a></div><h1>Harbours</h1>'
        "<p>Ships<script>track()</script> enter.<span hidden>no</span><i style='display: none'>no</i></p>"
        "<noscript>Turn it on</noscript><template><p>row</p></template><!-- comment -->"
        "<ul hidden><li>no</ul><ul><li>one<li>two</ul><footer><a href=z>Imprint</a></footer>"
        "<footer><p>Written by Ann in Kelmo.</p></footer>"
    )
    assert texts(page.encode()) == ["Harbours", "Ships enter.", "- one", "- two", "Written by Ann in Kelmo."]


@pytest.mark.parametrize(
    ("data", "word"),
    [
        ('<html><meta charset="iso-8859-1"><p>Größe</p>'.encode("latin-1"), "Größe"),
        (
            '<html><meta http-equiv=Content-Type content="text/html; charset=gb2312"><p>港口</p>'.encode(
                "gbk"
            ),
            "港口",
        ),
        ('<html><meta charset="Shift_JIS"><p>港の</p>'.encode("cp932"), "港の"),
        ("<html><p>Größe</p>".encode("utf-16"), "Größe"),
        ("<html><p>Größe</p>".encode("utf-16-le"), "Größe"),
        ('<html><meta charset="iso-8859-1"><p>Größe</p>'.encode(), "Größe"),
        (b"\xef\xbb\xbf" + '<html><meta charset="latin1"><p>Größe</p>'.encode(), "Größe"),
        (b"<html><p>Gr&ouml;&szlig;e</p>", "Größe"),
        ("<html><p>Größe</p>".encode("cp1252"), "Größe"),
    ],
)
def test_the_character_set_is_the_one_that_is_meant(data: bytes, word: str):
    assert texts(data) == [word]


def test_tables_are_rows_and_frames_of_a_layout_are_not():
    page = (
        "<html><table><tr><td><h2>Fees</h2><table><tr><th>Berth<th>Fee</tr><tr><td rowspan=2>A<td>1&nbsp;&euro;</tr>"
        "<tr><td>2</tr></table></td></tr></table><p>a&shy;b"
    )
    assert blocks(page.encode()) == [
        Heading("Fees", 2),
        Table((("Berth", "Fee"), ("A", "1 €"), ("", "2")), 0),
        blocks(b"<html><p>ab")[0],
    ]


def test_pictures_in_the_page_are_pictures_and_no_noise_in_the_text():
    uri = base64.b64encode(PIXELS).decode()
    found = blocks(f'<html><p>See <img alt="a map" src="data:image/png;base64,{uri}"> here</p>'.encode())
    assert Picture(PIXELS) in found
    assert (
        texts(f'<html><p>See <img alt="a map" src="data:image/png;base64,{uri}"> here</p>'.encode())[-1]
        == "See a map here"
    )


CONTAINER = (
    '<container xmlns="x"><rootfiles><rootfile full-path="OEBPS/content.opf"/></rootfiles></container>'
)


def book(manifest: str, spine: str, **parts: str | bytes) -> bytes:
    package = (
        '<opf:package xmlns:opf="http://www.idpf.org/2007/opf"><opf:manifest>'
        f"{manifest}</opf:manifest><opf:spine>{spine}</opf:spine></opf:package>"
    )
    return zipped(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": CONTAINER,
            "OEBPS/content.opf": package,
            **parts,
        }
    )


def item(identity: str, address: str, more: str = "") -> str:
    return f'<opf:item id="{identity}" href="{address}" media-type="application/xhtml+xml" {more}/>'


def chapter(text: str, prefix: str = "") -> str:
    p = f"{prefix}:" if prefix else ""
    space = f"xmlns:{prefix}" if prefix else "xmlns"
    return (
        f'<?xml version="1.0"?><{p}html {space}="http://www.w3.org/1999/xhtml"><{p}head><{p}title>ch</{p}title></{p}head>'
        f"<{p}body><{p}p>{text}</{p}p></{p}body></{p}html>"
    )


def test_a_book_follows_its_spine_through_escaped_names_parents_and_prefixes():
    data = book(
        item("nav", "nav.xhtml", 'properties="nav"')
        + item("a", "../text/one%20%C3%A9.xhtml")
        + item("b", "b.xhtml"),
        '<opf:itemref idref="nav"/><opf:itemref idref="b"/><opf:itemref idref="none"/><opf:itemref idref="a"/>',
        **{
            "OEBPS/nav.xhtml": chapter("Contents"),
            "text/one é.xhtml": chapter("caf&eacute;&nbsp;noir &amp; &#x6e2f;"),
            "OEBPS/b.xhtml": chapter("第一章 港口", "h"),
        },
    )
    assert texts(data) == ["第一章 港口", "café noir & 港"]
    assert [section.place for section in read(data).sections] == ["chapter 1", "chapter 2"]


def test_a_book_without_a_spine_is_read_by_its_manifest_and_a_locked_one_is_not():
    whole = book(item("a", "a.xhtml"), "", **{"OEBPS/a.xhtml": "<p>broken <b>but</p> there"})
    assert texts(whole) == ["broken but", "there"]
    locked = {
        "META-INF/encryption.xml": '<e><EncryptedData><EncryptionMethod Algorithm="aes"/></EncryptedData></e>'
    }
    with pytest.raises(Exception, match="document_encrypted"):
        read(book(item("a", "a.xhtml"), "", **locked))


def test_pages_of_frames_and_pages_within_the_page_are_read():
    frames = "<html><frameset><frame src=a.html><noframes><body><p>Without frames</p></body></noframes></frameset></html>"
    assert texts(frames.encode(), "a.html") == ["Without frames"]
    inner = "&lt;p&gt;Within &lt;b&gt;the page&lt;/b&gt;&lt;script&gt;no&lt;/script&gt;&lt;/p&gt;"
    page = f"<html><p>Before</p><iframe srcdoc='{inner}'>no</iframe><iframe src='http://x/'>no</iframe><p>After</p></html>"
    assert texts(page.encode(), "a.html") == ["Before", "Within the page", "After"]


def test_a_declaration_in_a_comment_is_none():
    page = '<html><!-- <meta charset="koi8-r"> --><meta charset="windows-1251"><p>домой</p>'
    assert texts(page.encode("cp1251"), "a.html") == ["домой"]


def test_a_cell_that_covers_the_end_of_a_row_moves_no_other_row():
    rows = "<tr><td>a<td rowspan=2>b</tr><tr><td>c</tr><tr><td>d<td>e</tr>"
    assert texts(f"<html><table>{rows}</table>".encode()) == ["a | b\nc | \nd | e"]


def test_what_style_sheets_within_the_page_hide_is_no_text():
    styles = """
        .no, p#gone { display: none } p{margin:0} .shown { display: block !important }
        /* p{display:none} */ @media print { .screen { display: none } } div .inner { display: none }
    """
    body = (
        '<p class="no">x</p><p id="gone">x</p><p class="no shown">one</p><p class="screen">two</p>'
        '<p class="no" style="display:block">three</p><div><p class="inner">four</p></div><p>five and more</p>'
    )
    page = f"<html><head><style>{styles}</style></head><body>{body}</body></html>"
    assert texts(page.encode()) == ["one", "two", "three", "four", "five and more"]


def test_a_page_that_hides_most_of_itself_until_it_runs_is_read():
    page = '<html><style>.app{display:none}</style><p>wait</p><div class="app">the whole text of it</div>'
    assert texts(page.encode()) == ["wait", "the whole text of it"]


def test_equations_of_pages_are_lines():
    half = "<mfrac><mrow><mi>m</mi><mo>+</mo><mn>1</mn></mrow><mi>V</mi></mfrac>"
    more = "<msup><mi>x</mi><mn>3</mn></msup><annotation>x^{3}</annotation>"
    assert texts(f"<html><p>So <math>{half}<mo>=</mo>{more}</math> holds".encode()) == [
        "So (m+1)/V=x^3 holds"
    ]


def plain_book(manifest: str, spine: str, files: dict[str, str]) -> bytes:
    container = '<container><rootfiles><rootfile full-path="a.opf"/></rootfiles></container>'
    package = f"<package><manifest>{manifest}</manifest><spine>{spine}</spine></package>"
    return zipped({"META-INF/container.xml": container, "a.opf": package, **files})


def test_a_book_shows_what_stands_in_for_what_readers_need_not_know_and_finds_names_of_either_form():
    manifest = (
        '<item id="p" href="p.pdf" media-type="application/pdf" fallback="q"/>'
        '<item id="q" href="q.xhtml" media-type="application/xhtml+xml"/>'
        '<item id="o" href="o.pdf" media-type="application/pdf"/>'
        '<item id="u" href="u&#x308;.xhtml" media-type="application/xhtml+xml"/>'
    )
    spine = "".join(f'<itemref idref="{name}"/>' for name in ("u", "o", "p"))
    files = {
        "p.pdf": "no words",
        "o.pdf": "nor these",
        "q.xhtml": "<p>instead</p>",
        "\xfc.xhtml": "<p>first</p>",
    }
    assert texts(plain_book(manifest, spine, files)) == ["first", "instead"]


def test_of_two_forms_in_a_book_the_plain_one_is_read():
    manifest = '<item id="q" href="q.xhtml" media-type="application/xhtml+xml"/>'
    switch = "<o:switch><o:case>marked</o:case><o:default>plain</o:default></o:switch>"
    files = {"q.xhtml": f'<html xmlns:o="o"><body><p>a {switch} b</p></body></html>'}
    assert texts(plain_book(manifest, '<itemref idref="q"/>', files)) == ["a plain b"]


def test_a_page_whose_elements_have_prefixes_is_read_as_others():
    page = (
        '<?xml version="1.0"?>\n<!-- a page --><h:html xmlns:h="http://www.w3.org/1999/xhtml"><h:head><h:style>p{}</h:style>'
        "</h:head><h:body><h:h1>Quay</h:h1><h:p>one&nbsp;two</h:p><h:p>three</h:p></h:body></h:html>"
    )
    assert texts(page.encode(), "a.xhtml") == ["Quay", "one two", "three"]
    assert texts(page.replace("</h:p>", "", 1).encode(), "a.xhtml") == ["Quay", "one two", "three"]


def test_words_of_a_list_beside_its_items_and_of_shadow_trees_are_read():
    drawn = "<x-a><template shadowrootmode=open><p>drawn</p></template></x-a><template>no</template>"
    page = f"<ul>Loose <li>item</li> words</ul>{drawn}"
    assert texts(f"<html><body>{page}</body></html>".encode()) == ["Loose", "- item", "words", "drawn"]
