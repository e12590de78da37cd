"""XML of any vocabulary: the words of its elements in order, what is short behind the name of its element.

Feeds, settings, exports, DocBook, TEI, KML; FictionBook with its pictures; of SVG the words that are drawn, not the drawing.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from itertools import islice

from lxml import etree

from infra.documents.blocks import Block, Document, Heading, Paragraph, Picture, Section
from infra.documents.markup import MAX_ATTRIBUTES, Element, attribute, descendants, local, parse_xml
from infra.documents.text import clean, one_line
from infra.documents.web.page import page_blocks
from infra.errors import MediaError

NAMED_CHARACTERS = 120  # of a text that stands behind its element's name; longer ones are prose
_PROSE = frozenset(
    ("p", "para", "simpara", "v", "text", "li", "td", "th", "s", "q", "cite", "line", "text-author")
)
_BREAKS = frozenset(
    ("lb", "br", "pb", "cb", "gb", "tab", "break", "linebreak", "line-break", "newline", "sbr")
)
_TITLES = frozenset(("title", "head", "book-title", "subtitle"))
_PAGE = re.compile(r"</?(?:p|br|div|a|ul|li|b|i|em|strong|span|h[1-6])\b[^<>]*>", re.IGNORECASE)
_DRAWN = ("text", "title", "desc")
_KINDS = {"svg": "SVG drawing", "fictionbook": "FictionBook"}
_UNTOLD = ("schemaLocation", "id", "space")  # attributes that say nothing to a reader


def read_xml(data: bytes) -> Document:
    """One section. Raises ``MediaError``."""
    root = parse_xml(data, "document")
    kind = local(root).lower()
    blocks = _svg(root) if kind == "svg" else _blocks(root)
    return Document(_KINDS.get(kind, "XML document"), (Section("", tuple(blocks)),))


def svg_words(data: bytes) -> str:
    """The words of a drawing, one text a line; empty if it is none."""
    try:
        return "\n".join(block.text for block in _svg(parse_xml(data, "drawing")))
    except MediaError:
        return ""


def _svg(root: Element) -> Iterator[Paragraph]:
    for element in descendants(root, *_DRAWN):
        if words := one_line(" ".join("".join(element.itertext()).split())):
            yield Paragraph(words)


def _blocks(element: Element) -> Iterator[Block]:
    name = local(element)
    if name == "binary":  # of FictionBook
        yield from _picture(element)
        return
    if not _holds_words(element):
        if told := _attributes(element):
            yield Paragraph(f"{name}: {told}")
        for inner in element:
            yield from _blocks(inner)
        return
    text = clean("".join(_words(element)))
    if _PAGE.search(text):
        yield from page_blocks(text)
    elif name.lower() in _TITLES:
        yield Heading(one_line(text))
    elif len(text) > NAMED_CHARACTERS or len(element) or name.lower() in _PROSE:
        yield Paragraph(text)
    else:
        told = _attributes(element)
        yield Paragraph(f"{name} ({told}): {text}" if told else f"{name}: {text}")


def _words(element: Element) -> Iterator[str]:
    """The text of an element and all in it, a blank where an empty element only breaks the line or the page."""
    for event, inner in etree.iterwalk(element, events=("start", "end")):
        if event == "start":
            yield inner.text or ""
            if local(inner).lower() in _BREAKS and attribute(inner, "break") != "no":
                yield " "
        elif inner is not element:
            yield inner.tail or ""


def _holds_words(element: Element) -> bool:
    """Whether words stand in the element itself, and not only in those within it."""
    pieces = (element.text, *(inner.tail for inner in element))
    return any(piece and piece.strip() for piece in pieces)


def _attributes(element: Element) -> str:
    keys = islice(element.attrib, MAX_ATTRIBUTES)
    told = ((key.rpartition("}")[2], one_line(element.get(key, ""))) for key in keys)
    return ", ".join(f"{key} {value}" for key, value in told if value and key not in _UNTOLD)


def _picture(element: Element) -> Iterator[Block]:
    if attribute(element, "content-type").startswith("image/"):
        try:
            yield Picture(base64.b64decode(element.text or ""), attribute(element, "id"))
        except (binascii.Error, ValueError):
            return
