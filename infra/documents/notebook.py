"""Jupyter notebooks: the cells in order with what they printed and drew. What is stored twice is read once, as text."""

import base64
import binascii
import json
import re
from collections.abc import Iterator
from typing import Any

from infra.documents.blocks import Block, Document, Markdown, Paragraph, Picture, Section
from infra.documents.text import clean
from infra.documents.web.page import page_blocks
from infra.documents.xml_text import svg_words
from infra.errors import MediaError

_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_OVERWRITTEN = re.compile(r"[^\n]*\r(?=[^\r\n])")  # by what the line says next, as bars of progress do
_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp")
_NAME_OF_OBJECT = re.compile(r"\s*<[\w.]+(?: [^<>\n]{0,200})?>\s*")  # which says nothing to a reader
_FORMS_IN_WORDS = ("text/markdown", "text/html", "text/latex")
_ATTACHED = re.compile(r"!\[([^\]]{0,500})\]\(attachment:[^)]{0,500}\)")
_INLINE = re.compile(r"!\[([^\]]{0,500})\]\(data:image/[-+.\w]{1,40};base64,([A-Za-z0-9+/=\s]*)\)")
_INLINE_HTML = re.compile(
    r"<img\b[^>]{0,500}?src=[\"']data:image/[-+.\w]{1,40};base64,([A-Za-z0-9+/=\s]*)[\"'][^>]{0,500}>"
)


def read_notebook(data: bytes) -> Document:
    """One section. Raises ``MediaError``."""
    try:
        notebook = json.loads(data.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError) as error:
        raise MediaError("notebook_unreadable", str(error)[:300]) from error
    if not isinstance(notebook, dict):
        raise MediaError("notebook_unreadable", "no notebook")
    return Document("Jupyter notebook", (Section("", tuple(_blocks(notebook))),))


def _blocks(notebook: dict[str, Any]) -> Iterator[Block]:
    for cell in _cells(notebook):
        source = _text(cell.get("source", cell.get("input")))
        match cell.get("cell_type"):
            case "markdown":
                yield from _markdown(source, cell)
            case "heading":
                yield Markdown(f"{'#' * _level(cell)} {source}")
            case _ if source.strip():
                yield Paragraph(source.strip("\n"))
        for output in _listed(cell.get("outputs")):
            yield from _output(output)


def _cells(notebook: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from _listed(notebook.get("cells"))
    for sheet in _listed(notebook.get("worksheets")):  # before the fourth version of the format
        yield from _listed(sheet.get("cells"))


def _listed(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _level(cell: dict[str, Any]) -> int:
    level = cell.get("level")
    return level if isinstance(level, int) and 1 <= level <= 6 else 1


def _text(value: Any) -> str:
    """A text that is stored as one, or as lines."""
    if isinstance(value, list):
        return "".join(part for part in value if isinstance(part, str))
    return value if isinstance(value, str) else ""


def _markdown(source: str, cell: dict[str, Any]) -> Iterator[Block]:
    pictures = [match.group(2) for match in _INLINE.finditer(source)]
    pictures += [match.group(1) for match in _INLINE_HTML.finditer(source)]
    plain = _INLINE_HTML.sub("", _INLINE.sub(r"\1", _ATTACHED.sub(r"\1", source)))
    if plain.strip():
        yield Markdown(plain)
    for encoded in pictures:
        yield from _picture(encoded, "picture of the text")
    attached = cell.get("attachments")
    for name, forms in attached.items() if isinstance(attached, dict) else ():
        if isinstance(forms, dict):
            yield from _pictures(forms, str(name))


def _output(output: dict[str, Any]) -> Iterator[Block]:
    if traceback := output.get("traceback"):
        lines = [line for line in traceback if isinstance(line, str)] if isinstance(traceback, list) else []
        yield from _printed("\n".join(lines))
        return
    if "text" in output:
        yield from _printed(_text(output["text"]))
    data = output.get("data")
    if not isinstance(data, dict):  # the third version keeps the forms beside each other
        data = {f"image/{kind}": output[kind] for kind in ("png", "jpeg") if kind in output}
        data |= {"text/html": output["html"]} if "html" in output and "text" not in output else {}
    yield from _shown(data)


def _shown(data: dict[str, Any]) -> Iterator[Block]:
    """The best form of a result: a picture instead of the name of its class, text instead of the same in HTML."""
    pictures = list(_pictures(data, "output"))
    if pictures:
        yield from pictures
    elif words := svg_words(_text(data.get("image/svg+xml")).encode()):
        yield Paragraph(words)
    elif (plain := _text(data.get("text/plain"))) and not (
        _NAME_OF_OBJECT.fullmatch(plain) and any(_text(data.get(form)) for form in _FORMS_IN_WORDS)
    ):
        yield from _printed(plain)
    elif markdown := _text(data.get("text/markdown")):
        yield Markdown(markdown)
    elif page := _text(data.get("text/html")):
        yield from page_blocks(page)
    elif formula := _text(data.get("text/latex")):
        yield from _printed(formula)


def _printed(text: str) -> Iterator[Block]:
    plain = _OVERWRITTEN.sub("", _COLOURS.sub("", text).replace("\r\n", "\n")).strip("\n")
    if clean(plain):
        yield Paragraph(plain)


def _pictures(forms: dict[str, Any], name: str) -> Iterator[Block]:
    for kind in _IMAGES:
        if kind in forms:
            yield from _picture(_text(forms[kind]), name)
            return


def _picture(encoded: str, name: str) -> Iterator[Block]:
    try:
        yield Picture(base64.b64decode(encoded), name)
    except (binascii.Error, ValueError):
        return
