"""Decks that LibreOffice opens, and programs that stand in its place."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
MAIN = "application/vnd.openxmlformats-officedocument.presentationml"
SPACES = (
    f'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" xmlns:r="{OFFICE}" '
    'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
)
GROUP = '<p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>'
PLACE = '<a:xfrm><a:off x="900000" y="900000"/><a:ext cx="7000000" cy="1500000"/></a:xfrm>'


def pptx(
    path: Path, slides: Sequence[str], *, hidden: Sequence[int] = (), linked: Path | None = None
) -> Path:
    """A deck with a box of words on each slide; numbers from 1 are ``hidden``, and the first shows the picture ``linked``."""
    parts = {
        "[Content_Types].xml": _types(len(slides)),
        "_rels/.rels": _relations([("officeDocument", "ppt/presentation.xml", "")]),
        "ppt/presentation.xml": _presentation(len(slides)),
        "ppt/_rels/presentation.xml.rels": _relations(
            [("slide", f"slides/slide{number}.xml", "") for number in range(1, len(slides) + 1)]
        ),
    }
    for number, words in enumerate(slides, start=1):
        shows = linked if number == 1 else None
        parts[f"ppt/slides/slide{number}.xml"] = _slide(words, number in hidden, shows is not None)
        if shows:
            relations = _relations([("image", shows.as_uri(), ' TargetMode="External"')])
            parts[f"ppt/slides/_rels/slide{number}.xml.rels"] = relations
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(target.getvalue())
    return path


def in_place_of_soffice(folder: Path, script: str) -> str:
    """A path on which ``soffice`` is a shell script; it begins in the folder of ``deck.pptx``."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "soffice"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


def _slide(words: str, is_hidden: bool, is_linked: bool) -> str:
    lines = "".join(f"<a:p><a:r><a:t>{line}</a:t></a:r></a:p>" for line in words.split("\n") if line)
    box = (
        '<p:sp><p:nvSpPr><p:cNvPr id="2" name="box"/><p:cNvSpPr txBox="1"/><p:nvPr/></p:nvSpPr>'
        f'<p:spPr>{PLACE}<a:prstGeom prst="rect"><a:avLst/></a:prstGeom></p:spPr>'
        f"<p:txBody><a:bodyPr/><a:lstStyle/>{lines}</p:txBody></p:sp>"
    )
    picture = (
        '<p:pic><p:nvPicPr><p:cNvPr id="3" name="picture"/><p:cNvPicPr/><p:nvPr/></p:nvPicPr>'
        '<p:blipFill><a:blip r:link="r1"/><a:stretch><a:fillRect/></a:stretch></p:blipFill>'
        f'<p:spPr>{PLACE}<a:prstGeom prst="rect"><a:avLst/></a:prstGeom></p:spPr></p:pic>'
    )
    shapes = f"{GROUP}{box if lines else ''}{picture if is_linked else ''}"
    shown = ' show="0"' if is_hidden else ""
    return f"<p:sld {SPACES}{shown}><p:cSld><p:spTree>{shapes}</p:spTree></p:cSld></p:sld>"


def _presentation(count: int) -> str:
    listed = "".join(f'<p:sldId id="{255 + number}" r:id="r{number}"/>' for number in range(1, count + 1))
    return (
        f"<p:presentation {SPACES}><p:sldIdLst>{listed}</p:sldIdLst>"
        '<p:sldSz cx="9144000" cy="5143500"/><p:notesSz cx="6858000" cy="9144000"/></p:presentation>'
    )


def _types(count: int) -> str:
    slides = "".join(
        f'<Override PartName="/ppt/slides/slide{number}.xml" ContentType="{MAIN}.slide+xml"/>'
        for number in range(1, count + 1)
    )
    return (
        f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="xml" ContentType="application/xml"/>'
        f'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/ppt/presentation.xml" ContentType="{MAIN}.presentation.main+xml"/>{slides}</Types>'
    )


def _relations(targets: Sequence[tuple[str, str, str]]) -> str:
    entries = "".join(
        f'<Relationship Id="r{number}" Type="{OFFICE}/{kind}" Target="{target}"{mode}/>'
        for number, (kind, target, mode) in enumerate(targets, start=1)
    )
    return f'<Relationships xmlns="{PACKAGE}/relationships">{entries}</Relationships>'
