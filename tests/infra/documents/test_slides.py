"""Presentations: the order of the show, groups within groups, boxes apart, tables, charts, SmartArt, notes."""

from __future__ import annotations

from infra.documents.blocks import Heading, Picture, Table
from tests.infra.documents.material import SLIDE, blocks, office, read, relationships, texts


def box(text: str, place: str = "") -> str:
    holder = f'<p:nvPr><p:ph type="{place}"/></p:nvPr>' if place else ""
    lines = "".join(f"<a:p><a:r><a:t>{line}</a:t></a:r></a:p>" for line in text.split("\n"))
    return f"<p:sp><p:nvSpPr>{holder}</p:nvSpPr><p:txBody>{lines}</p:txBody></p:sp>"


def slide(shapes: str, attributes: str = "") -> str:
    return f"<p:sld {SLIDE} {attributes}><p:cSld><p:spTree>{shapes}</p:spTree></p:cSld></p:sld>"


def deck(*slides: str, **parts: str | bytes) -> bytes:
    """Slides whose files are numbered from the last to the first."""
    names = [f"slide{len(slides) - index}.xml" for index in range(len(slides))]
    listed = "".join(f'<p:sldId id="{index}" r:id="s{index}"/>' for index in range(len(slides)))
    main = f"<p:presentation {SLIDE}><p:sldIdLst>{listed}</p:sldIdLst></p:presentation>"
    targets = {f"s{index}": f"slide slides/{name}" for index, name in enumerate(names)}
    files = {f"ppt/slides/{name}": text for name, text in zip(names, slides, strict=True)}
    return office(
        "ppt/presentation.xml",
        {
            "ppt/presentation.xml": main,
            "ppt/_rels/presentation.xml.rels": relationships(**targets),
            **files,
            **{f"ppt/{name}": part for name, part in parts.items()},
        },
    )


def test_slides_stand_in_the_order_of_the_show_and_hidden_ones_say_so():
    data = deck(slide(box("first")), slide(box("second"), 'show="0"'), slide(box("third")))
    assert [(section.place, section.blocks[0]) for section in read(data).sections] == [
        ("slide 1", read(data).sections[0].blocks[0]),
        ("slide 2 (hidden)", read(data).sections[1].blocks[0]),
        ("slide 3", read(data).sections[2].blocks[0]),
    ]
    assert texts(data) == ["first", "second", "third"]


def test_groups_hold_boxes_that_stay_apart_and_the_title_comes_first():
    inner = f"<p:grpSp><p:grpSpPr/>{box('deep')}{box('deeper')}</p:grpSp>"
    group = f"<p:grpSp>{box('left')}{inner}</p:grpSp>"
    data = deck(slide(group + box("two\nlines") + box("Title", "title") + box("7", "sldNum")))
    assert blocks(data)[0] == Heading("Title", 1)
    assert texts(data) == ["Title", "left", "deep", "deeper", "two\nlines"]


def test_tables_charts_smart_art_notes_and_pictures_are_read():
    def cell(text: str, attributes: str = "") -> str:
        return f"<a:tc {attributes}><a:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></a:txBody></a:tc>"

    table = (
        '<a:tbl><a:tblPr firstRow="1"/><a:tr>'
        + cell("Year")
        + cell("Fee")
        + "</a:tr><a:tr>"
        + cell("wide", 'gridSpan="2"')
        + cell("no", 'hMerge="1"')
        + "</a:tr></a:tbl>"
    )

    def cached(*values: str) -> str:
        points = "".join(
            f'<c:pt idx="{index}"><c:v>{value}</c:v></c:pt>' for index, value in enumerate(values)
        )
        return f"<c:ref><c:cache>{points}</c:cache></c:ref>"

    chart = (
        f"<c:chartSpace {SLIDE}><c:chart><c:title><c:tx><c:rich><a:p><a:r><a:t>Sales</a:t></a:r></a:p></c:rich></c:tx></c:title>"
        f"<c:plotArea><c:barChart><c:ser><c:tx>{cached('North')}</c:tx><c:cat>{cached('Q1', 'Q2')}</c:cat>"
        f"<c:val>{cached('0.30000000000000004', '7')}</c:val></c:ser></c:barChart></c:plotArea></c:chart></c:chartSpace>"
    )
    point = "<dgm:pt><dgm:t><a:p><a:r><a:t>Plan</a:t></a:r></a:p></dgm:t></dgm:pt>"
    art = f"<dgm:dataModel {SLIDE}><dgm:ptLst>{point}</dgm:ptLst></dgm:dataModel>"
    spoken = box("Speak slowly", "body") + box("3", "sldNum")

    def frame(inside: str) -> str:
        return (
            f"<p:graphicFrame><a:graphic><a:graphicData>{inside}</a:graphicData></a:graphic></p:graphicFrame>"
        )

    shapes = (
        frame(table)
        + frame('<c:chart r:id="c"/>')
        + frame('<dgm:relIds r:dm="d"/>')
        + '<p:pic><p:nvPicPr><p:cNvPr descr="A map"/></p:nvPicPr><p:blipFill><a:blip r:embed="i"/></p:blipFill></p:pic>'
    )
    parts = {
        "slides/_rels/slide1.xml.rels": relationships(
            c="chart ../charts/c.xml", d="diagramData ../d.xml", i="image ../i.png", n="notesSlide ../n.xml"
        ),
        "charts/c.xml": chart,
        "d.xml": art,
        "i.png": b"p" * 99,
        "n.xml": f"<p:notes {SLIDE}><p:cSld><p:spTree>{spoken}</p:spTree></p:cSld></p:notes>",
    }
    found = blocks(deck(slide(shapes), **parts))
    assert found[0] == Table((("Year", "Fee"), ("wide", "")), 0)
    assert found[1] == Heading("Sales", 6)
    assert found[2] == Table((("", "North"), ("Q1", "0.3"), ("Q2", "7")), 0)
    assert texts(deck(slide(shapes), **parts))[3:] == ["Plan", "Picture", "Notes: Speak slowly"]
    assert found[4] == Picture(b"p" * 99, "i.png", "A map")


def test_a_picture_behind_a_slide_is_read():
    behind = '<p:bg><p:bgPr><a:blipFill><a:blip r:embed="i"/></a:blipFill></p:bgPr></p:bg>'
    whole = f"<p:sld {SLIDE}><p:cSld>{behind}<p:spTree>{box('first')}</p:spTree></p:cSld></p:sld>"
    parts = {"slides/_rels/slide1.xml.rels": relationships(i="image ../i.png"), "i.png": b"p" * 99}
    assert blocks(deck(whole, **parts))[1] == Picture(b"p" * 99, "i.png", "")


def test_shapes_and_groups_that_are_switched_off_are_no_words():
    off = '<p:nvSpPr><p:cNvPr id="1" hidden="1"/></p:nvSpPr>'
    shapes = box("seen") + box("no").replace("<p:nvSpPr></p:nvSpPr>", off)
    shapes += f"<p:grpSp>{off.replace('nvSpPr', 'nvGrpSpPr')}{box('neither')}</p:grpSp>"
    assert texts(deck(slide(shapes))) == ["seen"]


def chart_texts(chart: str, **parts: str) -> list[str]:
    frame = '<p:graphicFrame><a:graphic><a:graphicData><c:chart r:id="c"/></a:graphicData></a:graphic></p:graphicFrame>'
    named = {"slides/_rels/slide1.xml.rels": relationships(c="chart ../charts/c.xml"), "charts/c.xml": chart}
    return texts(deck(slide(frame), **named, **parts))


def test_numbers_of_a_chart_are_dates_and_shares_as_it_shows_them():
    def cache(code: str, *values: float) -> str:
        points = "".join(
            f'<c:pt idx="{index}"><c:v>{value}</c:v></c:pt>' for index, value in enumerate(values)
        )
        return f"<c:numRef><c:numCache><c:formatCode>{code}</c:formatCode>{points}</c:numCache></c:numRef>"

    label = "<c:dLbl><c:tx><c:rich><a:p><a:r><a:t>by hand</a:t></a:r></a:p></c:rich></c:tx></c:dLbl>"
    numbers = f"<c:cat>{cache('d/m/yyyy', 45292)}</c:cat><c:val>{cache('0%', 0.25)}</c:val>"
    series = f"<c:ser><c:tx><c:v>Share</c:v></c:tx>{label}{numbers}</c:ser>"
    chart = f'<c:chartSpace {SLIDE}><c:chart><c:plotArea>{series}</c:plotArea></c:chart><c:userShapes r:id="u"/></c:chartSpace>'
    parts = {
        "charts/_rels/c.xml.rels": relationships(u="chartUserShapes ../drawn.xml"),
        "drawn.xml": (
            f"<c:userShapes {SLIDE}><c:sp><c:txBody><a:p><a:r><a:t>drawn on it</a:t></a:r></a:p></c:txBody></c:sp>"
            "</c:userShapes>"
        ),
    }
    assert chart_texts(chart, **parts) == [" | Share\n2024-01-01 | 25%", "by hand", "drawn on it"]


def test_newer_charts_have_their_numbers():
    def levels(name: str, *values: str) -> str:
        points = "".join(f'<c:pt idx="{index}">{value}</c:pt>' for index, value in enumerate(values))
        return f"<c:{name}><c:lvl>{points}</c:lvl></c:{name}>"

    data = f'<c:chartData><c:data id="0">{levels("strDim", "in", "out")}{levels("numDim", "41", "-3")}</c:data></c:chartData>'
    series = '<c:series><c:tx><c:txData><c:v>Tons</c:v></c:txData></c:tx><c:dataId val="0"/></c:series>'
    plot = f"<c:chart><c:plotArea><c:plotAreaRegion>{series}</c:plotAreaRegion></c:plotArea></c:chart>"
    assert chart_texts(f"<c:chartSpace {SLIDE}>{data}{plot}</c:chartSpace>") == [" | Tons\nin | 41\nout | -3"]
