"""XML and HTML from files that may be hostile: nothing is fetched, no entity expands, depth and length are bounded.

Elements are met by their local names: writers choose prefixes as they like, and the strict and the common form of an office
format differ in their namespaces only.
"""

import itertools
import re
from collections.abc import Iterator
from html.entities import html5
from typing import IO, Any

from lxml import etree

from infra.errors import MediaError

Element = etree._Element
_ENTITY = re.compile("&([A-Za-z][A-Za-z0-9]{1,31});")
_XML_ENTITIES = frozenset(("amp", "lt", "gt", "quot", "apos"))
_BOXES = re.compile(
    rb"</?(?:div|span|font|b|i|u|em|strong|center|section|article|blockquote|small|big|a|ul|ol|li|table|tbody|tr|td)\b[^<>]*>",
    re.IGNORECASE,
)
_PREFIXED = re.compile(
    r"(?:\s|<\?[^>]*>|<!(?!--)[^>]*>|<!--.*?-->)*+<(\w{1,20}):html[\s>]", re.IGNORECASE | re.DOTALL
)
_PROLOGUE_CHARACTERS = 4096  # before the first element of a page
MAX_ATTRIBUTES = 500  # of an element of a page; no page has as many
_LONG_TAG = re.compile(rb"(<[a-z][a-z0-9:]{0,30}+)([\s/][^<>]{4000,}+)>", re.IGNORECASE)
_HTML_ATTRIBUTE = re.compile(rb"[^\s\"'=/>]++(?:\s*+=\s*+(?:\"[^\"]*+\"?|'[^']*+'?|[^\s>]++))?")
RELATIONSHIPS = (
    "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}",
    "{http://purl.oclc.org/ooxml/officeDocument/relationships}",
)


def _xml_options() -> dict[str, Any]:
    return {
        "resolve_entities": False,
        "no_network": True,
        "load_dtd": False,
        "huge_tree": False,
        "remove_comments": True,
        "remove_pis": True,
    }


def parse_xml(data: bytes, part: str) -> Element:
    """The root of an XML part.

    Raises:
        MediaError: ``xml_unreadable`` (not well-formed, or nested too deeply), ``xml_entities`` (declares entities, which no
            office document does).
    """
    try:
        root = etree.fromstring(data, etree.XMLParser(**_xml_options()))
    except (etree.XMLSyntaxError, ValueError) as error:
        raise MediaError("xml_unreadable", f"{part}: {error}") from error
    if root is None:
        raise MediaError("xml_unreadable", f"{part}: nothing in it")
    _refuse_entities(root, part)
    return root


def parse_xhtml(text: str, part: str) -> Element:
    """The root of a page that is XML, the entities of HTML being characters. Raises as ``parse_xml``."""
    plain = _ENTITY.sub(_character, text.replace("\0", ""))
    try:
        root = etree.fromstring(
            plain.encode("utf-8", "replace"), etree.XMLParser(encoding="utf-8", **_xml_options())
        )
    except (etree.XMLSyntaxError, ValueError) as error:
        raise MediaError("xml_unreadable", f"{part}: {error}") from error
    if root is None:
        raise MediaError("xml_unreadable", f"{part}: nothing in it")
    _refuse_entities(root, part)
    etree.strip_tags(root, etree.Entity)
    return root


def _character(match: re.Match[str]) -> str:
    name = match.group(1)
    return match.group() if name in _XML_ENTITIES else html5.get(f"{name};", match.group())


def stream_xml(stream: IO[bytes], part: str, *names: str) -> Iterator[Element]:
    """The elements called ``names`` as they end, each emptied when the next is asked for. Raises as ``parse_xml``."""
    tags = tuple(f"{{*}}{name}" for name in names)
    try:
        for _, element in etree.iterparse(stream, events=("end",), tag=tags, **_xml_options()):
            if element.getprevious() is None:
                _refuse_entities(element, part)
            yield element
            element.clear()
            while (before := element.getprevious()) is not None and (
                parent := element.getparent()
            ) is not None:
                parent.remove(before)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise MediaError("xml_unreadable", f"{part}: {error}") from error


def parse_html(text: str) -> Element | None:
    """The root of an HTML text, however broken; None if there is nothing in it."""
    parser = etree.HTMLParser(
        encoding="utf-8", no_network=True, huge_tree=True, remove_comments=True, remove_pis=True
    )
    data = _LONG_TAG.sub(_short_tag, text.replace("\0", "").encode("utf-8", "replace"))
    try:
        root = etree.fromstring(data, parser) if data.strip() else None
        if any(entry.type_name == "ERR_RESOURCE_LIMIT" for entry in parser.error_log):
            # boxes within boxes deeper than is built: their words without the boxes
            root = etree.fromstring(_BOXES.sub(b"\n", data), parser)
        return root
    except etree.XMLSyntaxError as error:
        raise MediaError("html_unreadable", str(error)) from error


def parse_page(text: str) -> Element | None:
    """The root of a page: as XML where its elements have prefixes, which HTML does not know; else as ``parse_html``."""
    prefixed = _PREFIXED.match(text[:_PROLOGUE_CHARACTERS])
    if prefixed is None:
        return parse_html(text)
    try:
        return parse_xhtml(text, "page")
    except MediaError as error:
        if error.reason == "xml_entities":
            raise
    return parse_html(re.sub(rf"(</?){prefixed.group(1)}:", r"\1", text))


def _short_tag(match: re.Match[bytes]) -> bytes:
    """A tag with its first attributes: the parser compares each attribute with all before it."""
    found = list(itertools.islice(_HTML_ATTRIBUTE.finditer(match.group(2)), MAX_ATTRIBUTES + 1))
    if len(found) <= MAX_ATTRIBUTES:
        return match.group()
    return match.group(1) + match.group(2)[: found[-1].start()] + b">"


def _refuse_entities(element: Element, part: str) -> None:
    declared = element.getroottree().docinfo.internalDTD
    if declared is not None and next(iter(declared.iterentities()), None) is not None:
        raise MediaError("xml_entities", f"{part} declares entities")


def local(element: Element) -> str:
    """The name of an element without its namespace; empty for what is no element."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def attribute(element: Element, name: str, default: str = "") -> str:
    """The value of an attribute, in whatever namespace it is."""
    if (plain := element.get(name)) is not None:
        return plain
    suffix = "}" + name
    found = next((key for key in element.attrib if key.endswith(suffix)), "")
    return element.get(found, default) if found else default


def relation(element: Element, *names: str) -> str:
    """The id of the relationship that one of the attributes ``names`` holds; empty if none does."""
    for name in names:
        for namespace in RELATIONSHIPS:
            if value := element.get(namespace + name):
                return value
    return ""


def children(element: Element | None, *names: str) -> list[Element]:
    """The children called one of ``names``; none if there is no element."""
    return [] if element is None else [child for child in element if local(child) in names]


def child(element: Element | None, *path: str) -> Element | None:
    """The first child of that name, the first of the next name in it, and so on; None if one is missing."""
    for name in path:
        if element is None:
            return None
        element = next((inner for inner in element if local(inner) == name), None)
    return element


def descendants(element: Element, *names: str) -> Iterator[Element]:
    """All below ``element`` that are called one of ``names``, in document order."""
    return element.iterdescendants(*(f"{{*}}{name}" for name in names))


def value(element: Element | None, name: str = "val", default: str = "") -> str:
    """The attribute ``name`` of an element that may be missing."""
    return default if element is None else attribute(element, name, default)


def is_on(element: Element | None) -> bool:
    """Whether an office switch is there and not turned off."""
    return element is not None and attribute(element, "val", "1") not in ("0", "false", "off", "none")


def whole_number(text: str, default: int = 0) -> int:
    """The number that an attribute gives, within the range of a document."""
    try:
        return max(-(1 << 31), min(1 << 31, int(text)))
    except ValueError:
        return default
