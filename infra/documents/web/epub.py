"""Books: the chapters in the order of the spine, with the pictures that they show. The table of contents is not text.

What a damaged spine leaves out is looked for in the manifest, and what the manifest leaves out in the archive.
"""

import posixpath
import unicodedata
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import unquote

from infra.documents.archive import Archive
from infra.documents.blocks import Block, Document, Gap, Picture, Section
from infra.documents.encoding import declared_in, decoded
from infra.documents.markup import (
    Element,
    attribute,
    child,
    children,
    descendants,
    parse_html,
    parse_xhtml,
    parse_xml,
)
from infra.documents.text import one_line
from infra.documents.web.page import tree_blocks
from infra.errors import MediaError
from infra.limits import MAX_EMBEDDED_BYTES

CONTAINER, ENCRYPTION = "META-INF/container.xml", "META-INF/encryption.xml"
_PAGES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml", "text/x-oeb1-document")
_PAGE_SUFFIXES = (".xhtml", ".html", ".htm", ".xht")
_MAX_FALLBACKS = 10
_FONT_SCHEMES = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")


class _Page(NamedTuple):
    """A file of the book that is shown; ``is_contents`` if it is only the table of contents."""

    part: str
    is_contents: bool = False
    is_picture: bool = False


def read_epub(archive: Archive) -> Document:
    """One section for each file of the spine that holds text. Raises ``MediaError``."""
    _refuse_locked(archive)
    pages = _pages(archive)
    sections: list[Section] = []
    for page in pages:
        if blocks := tuple(_picture(archive, page.part) if page.is_picture else _chapter(archive, page.part)):
            sections.append(Section(f"chapter {len(sections) + 1}", blocks))
    return Document("EPUB book", tuple(sections))


def _refuse_locked(archive: Archive) -> None:
    """Refuse a book whose text is encrypted; fonts often are, in a way that hides no words."""
    if ENCRYPTION not in archive:
        return
    root = parse_xml(archive.read(ENCRYPTION), ENCRYPTION)
    for data in descendants(root, "EncryptedData"):
        method = next((attribute(found, "Algorithm") for found in descendants(data, "EncryptionMethod")), "")
        if method not in _FONT_SCHEMES:
            raise MediaError("document_encrypted", "a book that its seller has locked (DRM)")


def _pages(archive: Archive) -> list[_Page]:
    """The files to read in order; without the table of contents, unless there is nothing else."""
    try:
        package = _package_part(archive)
        listed = list(_spine(archive, package, parse_xml(archive.read(package), package)))
    except MediaError:
        listed = []
    known = [page for page in listed if page.part in archive]
    if not known:
        names = (name for name in archive.names if name.lower().endswith(_PAGE_SUFFIXES))
        known = [_Page(name) for name in names]
    pages = list(dict.fromkeys(known))
    return [page for page in pages if not page.is_contents] or pages


def _package_part(archive: Archive) -> str:
    """The part that describes the book: as the container says, else whatever looks like it."""
    if CONTAINER in archive:
        root = parse_xml(archive.read(CONTAINER), CONTAINER)
        for file in descendants(root, "rootfile"):
            part = _resolved("", attribute(file, "full-path"))
            if part in archive:
                return part
    found = next((name for name in archive.names if name.lower().endswith(".opf")), None)
    if found is None:
        raise MediaError("part_missing", "no part describes the book")
    return found


def _spine(archive: Archive, package: str, root: Element) -> Iterator[_Page]:
    folder = posixpath.dirname(package)
    items: dict[str, _Page] = {}
    instead: dict[str, str] = {}  # of what no reader need show, what it may show
    pages: list[_Page] = []
    for item in children(child(root, "manifest"), "item"):
        part = _resolved(folder, attribute(item, "href"), archive)
        kind, identity = attribute(item, "media-type").lower(), attribute(item, "id")
        is_picture = kind.startswith("image/") and kind != "image/svg+xml"
        page = _Page(part, "nav" in attribute(item, "properties").split(), is_picture)
        is_page = kind in _PAGES or part.lower().endswith(_PAGE_SUFFIXES)
        if is_page or kind.startswith("image/") or kind.endswith("xml"):
            items[identity] = page
        if is_page:
            pages.append(page)
        else:
            instead[identity] = attribute(item, "fallback")
    listed = [attribute(entry, "idref") for entry in children(child(root, "spine"), "itemref")]
    shown = [_readable(identity, items, instead) for identity in listed]
    found = [items[identity] for identity in shown if identity in items]
    yield from found or pages


def _readable(identity: str, items: Mapping[str, _Page], instead: Mapping[str, str]) -> str:
    """The item itself, or the one that the book names in its place."""
    for _ in range(_MAX_FALLBACKS):
        if not instead.get(identity) or (identity in items and not items[identity].is_picture):
            return identity
        identity = instead[identity]
    return identity


def _picture(archive: Archive, part: str) -> Iterator[Block]:
    try:
        yield Picture(archive.read(part, max_bytes=MAX_EMBEDDED_BYTES), posixpath.basename(part))
    except MediaError as error:
        yield Gap(error.reason, part, error.detail)


def _resolved(folder: str, address: str, archive: Archive | None = None) -> str:
    """The part that an address within the book means; names are escaped, or are meant as they stand."""
    plain = address.partition("#")[0].partition("?")[0].strip().replace("\\", "/")
    names = (unquote(plain), plain, unquote(plain, encoding="cp437"))
    # letters with accents are one character or two, as the system liked that made the book
    for name in (*names, *(unicodedata.normalize(form, names[0]) for form in ("NFC", "NFD"))):
        part = posixpath.normpath(posixpath.join("/", folder, name)).lstrip("/")
        if archive is None or part in archive:
            return part
    return posixpath.normpath(posixpath.join("/", folder, unquote(plain))).lstrip("/")


def _chapter(archive: Archive, part: str) -> Iterator[Block]:
    folder = posixpath.dirname(part)

    def picture(address: str) -> bytes | None:
        name = _resolved(folder, address, archive)
        if "://" in address or name not in archive or name.lower().endswith(".svg"):
            return None
        try:
            return archive.read(name, max_bytes=MAX_EMBEDDED_BYTES)
        except MediaError:
            return None

    try:
        root = _tree(archive.read(part), part)
    except MediaError as error:
        yield Gap(error.reason, part, error.detail)
        return
    if root is not None:
        yield from tree_blocks(root, picture)


def _tree(data: bytes, part: str) -> Element | None:
    """The page as XML, where its elements may have prefixes; as HTML if it is none."""
    text = decoded(data, declared=declared_in(data))
    try:
        return parse_xhtml(text, part)
    except MediaError as error:
        if error.reason == "xml_entities":
            raise
        return parse_html(text)


def is_epub(archive: Archive) -> bool:
    """Whether an archive is a book, by what it says or by what is in it."""
    return CONTAINER in archive or (
        "mimetype" in archive
        and one_line(archive.read("mimetype").decode("ascii", "ignore")).startswith("application/epub")
    )
