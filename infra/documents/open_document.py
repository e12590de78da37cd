"""OpenDocument texts, sheets and slides (LibreOffice): what a reader sees, with all changes accepted.

What was deleted is stored apart from the text and not read; notes and comments stand behind their paragraph.
"""

import base64
import binascii
import posixpath
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote

from infra.documents.archive import Archive
from infra.documents.blocks import Block, Document, Gap, Heading, Paragraph, Picture, Section, Table
from infra.documents.markup import (
    Element,
    attribute,
    child,
    children,
    descendants,
    local,
    parse_xml,
    whole_number,
)
from infra.documents.mathml import mathml_text
from infra.documents.text import clean, head_of, one_line, trimmed
from infra.errors import MediaError
from infra.limits import MAX_CELLS, MAX_EMBEDDED_BYTES

CONTENT, STYLES, MANIFEST = "content.xml", "styles.xml", "META-INF/manifest.xml"
_KINDS = {
    "text": "OpenDocument text",
    "spreadsheet": "OpenDocument spreadsheet",
    "presentation": "OpenDocument presentation",
    "drawing": "OpenDocument drawing",
}
_APART = frozenset(
    (
        "tracked-changes",
        "forms",
        "variable-decls",
        "sequence-decls",
        "user-field-decls",
        "dde-connection-decls",
    )
)
_MAX_REPEATED = 1_000  # equal rows or cells that are stored once; more only fill the sheet
_MAX_SPACES = 20
_SPACES = {"s": " ", "tab": " ", "line-break": "\n"}
_SILENT = ("annotation-end", "tracked-changes")
_NUMBERS_OF_PAGES = ("page-number", "page-count")
_DRAWN = ("frame", "custom-shape", "rect", "g", "annotation", "line", "ellipse", "path", "polygon")


def read_open_document(archive: Archive) -> Document:
    """The blocks of a file in parts. Raises ``MediaError``."""
    if MANIFEST in archive:
        manifest = parse_xml(archive.read(MANIFEST), MANIFEST)
        if next(descendants(manifest, "encryption-data"), None) is not None:
            raise MediaError("document_encrypted", "it needs a password")
    content = parse_xml(archive.read(CONTENT), CONTENT)
    styles = parse_xml(archive.read(STYLES), STYLES) if STYLES in archive else None
    return _OpenDocument(content, styles, archive).document()


def read_flat_open_document(data: bytes) -> Document:
    """The blocks of a file in one piece. Raises ``MediaError``."""
    root = parse_xml(data, "document")
    return _OpenDocument(root, root, None).document()


class _Cell(NamedTuple):
    text: str
    repeated: int


class _OpenDocument:
    def __init__(
        self, content: Element, styles: Element | None, archive: Archive | None, folder: str = ""
    ) -> None:
        self._content, self._styles, self._archive, self._folder = content, styles, archive, folder
        self._hidden = self._hidden_styles()
        self._unseen = self._unseen_styles()
        self._counts = {"footnote": 0, "endnote": 0}
        self._after: list[Block] = []  # what is anchored in the paragraph
        self._cells_left = MAX_CELLS
        self._is_show = child(content, "body", "presentation") is not None

    def _hidden_styles(self) -> set[str]:
        """The styles of tables and slides that are not shown."""
        return {
            attribute(style, "name")
            for root in (self._content, self._styles)
            if root is not None
            for style in descendants(root, "style")
            for properties in children(style, "table-properties", "drawing-page-properties")
            if attribute(properties, "display") == "false" or attribute(properties, "visibility") == "hidden"
        }

    def _unseen_styles(self) -> set[str]:
        """The styles of characters that are not shown."""
        return {
            attribute(style, "name")
            for root in (self._content, self._styles)
            if root is not None
            for style in descendants(root, "style")
            for properties in children(style, "text-properties")
            if attribute(properties, "display") == "none"
        }

    def document(self) -> Document:
        body = child(self._content, "body")
        holder = next((inner for inner in ([] if body is None else body) if local(inner) in _KINDS), None)
        if holder is None:
            raise MediaError("kind_unsupported", "OpenDocument file of another kind: save it as PDF")
        kind = local(holder)
        read = {"text": self._text, "spreadsheet": self._sheets}.get(kind, self._slides)
        sections = read(holder)
        return Document(_KINDS[kind], tuple(sections))

    def _text(self, holder: Element) -> Iterator[Section]:
        heads = list(self._edges("header"))
        yield Section("", (*heads, *self._blocks(holder), *self._edges("footer")))

    def _edges(self, kind: str) -> Iterator[Block]:
        """The headers or footers of all pages; one that says the same as another is left out."""
        if self._styles is None:
            return
        said: set[str] = set()
        for edge in descendants(self._styles, kind, f"{kind}-first", f"{kind}-left"):
            if attribute(edge, "display") == "false":
                continue
            blocks = list(self._blocks(edge))
            if blocks and repr(blocks) not in said:
                said.add(repr(blocks))
                yield from blocks

    def _sheets(self, holder: Element) -> Iterator[Section]:
        for table in children(holder, "table"):
            name = one_line(attribute(table, "name"))
            hidden = attribute(table, "style-name") in self._hidden
            blocks = [*self._table(table, numbered=True), *self._blocks(child(table, "shapes"))]
            yield Section(f"hidden sheet {name}" if hidden else f"sheet {name}", tuple(blocks))

    def _slides(self, holder: Element) -> Iterator[Section]:
        for number, page in enumerate(children(holder, "page"), start=1):
            hidden = " (hidden)" if attribute(page, "style-name") in self._hidden else ""
            yield Section(f"slide {number}{hidden}", tuple(self._slide(page)))

    def _slide(self, page: Element) -> Iterator[Block]:
        titles: list[Block] = []
        others: list[Block] = []
        for shape in page:
            if local(shape) != "notes":
                blocks = list(self._block(shape))
                is_title = attribute(shape, "class") == "title"
                (titles if is_title else others).extend(blocks)
        yield from (
            Heading(one_line(block.text)) if isinstance(block, Paragraph) else block for block in titles
        )
        yield from others
        for notes in children(page, "notes"):
            texts = [block.text for block in self._blocks(notes) if isinstance(block, Paragraph | Heading)]
            if texts:
                yield Paragraph("Notes: " + "\n".join(texts))

    def _blocks(self, holder: Element | None) -> Iterator[Block]:
        for inner in [] if holder is None else holder:
            yield from self._block(inner)

    def _block(self, element: Element) -> Iterator[Block]:
        if attribute(element, "display") == "none" or attribute(element, "style-name") in self._unseen:
            return
        match local(element):
            case "p" | "h":
                yield from self._paragraph(element)
            case "table" if attribute(element, "is-sub-table") != "true":
                yield from self._table(element)
            case "frame":
                yield from self._frame(element)
            case "annotation":
                yield from self._annotation(element)
            case "list":
                yield from self._list(element)
            case name if name not in _APART:
                yield from self._blocks(element)

    def _paragraph(self, element: Element) -> Iterator[Block]:
        outer, self._after = self._after, []
        text = clean(self._inline(element))
        after, self._after = self._after, outer
        if text and local(element) == "h":
            yield Heading(one_line(text), max(1, whole_number(attribute(element, "outline-level", "1"), 1)))
        elif text:
            yield Paragraph(text)
        yield from after

    def _inline(self, element: Element) -> str:
        pieces = [element.text or ""]
        for inner in element:
            pieces.append(self._piece(inner))
            pieces.append(inner.tail or "")
        return "".join(pieces)

    def _piece(self, element: Element) -> str:
        name = local(element)
        if name in _SILENT or (name in _NUMBERS_OF_PAGES and self._is_show):
            return ""
        if name in _SPACES:
            return _SPACES[name] * min(_MAX_SPACES, whole_number(attribute(element, "c", "1"), 1))
        if name == "ruby":
            return self._ruby(element)
        if name == "note":
            self._note(element)
            return ""
        if name in _DRAWN:
            if name == "frame" and (formula := self._formula(element)):
                return f" {formula} "
            self._after += self._block(element)
            return ""
        return "" if self._is_unseen(element) else self._inline(element)

    def _is_unseen(self, element: Element) -> bool:
        """Whether a span is hidden by its style, or a field by its condition."""
        if local(element) in ("hidden-text", "hidden-paragraph"):
            return attribute(element, "is-hidden", "true") == "true"
        return attribute(element, "style-name") in self._unseen

    def _formula(self, frame: Element) -> str:
        """The equation in a frame as a line of text; empty if it holds anything else."""
        root = self._root_of(child(frame, "object"))
        return one_line(mathml_text(root)) if isinstance(root, Element) and local(root) == "math" else ""

    def _ruby(self, element: Element) -> str:
        base, reading = child(element, "ruby-base"), child(element, "ruby-text")
        spoken = "" if reading is None else self._inline(reading)
        return ("" if base is None else self._inline(base)) + (f"({spoken})" if spoken else "")

    def _note(self, note: Element) -> None:
        kind = attribute(note, "note-class", "footnote")
        kind = kind if kind in self._counts else "footnote"
        self._counts[kind] += 1
        blocks = list(self._blocks(child(note, "note-body")))
        label = f"{kind.capitalize()} {self._counts[kind]}"
        if blocks and isinstance(first := blocks[0], Paragraph | Heading):
            blocks[0] = Paragraph(f"{label}: {first.text}")
        self._after += blocks

    def _annotation(self, element: Element) -> Iterator[Block]:
        author = one_line("".join(name.text or "" for name in children(element, "creator")))
        blocks = [block for inner in children(element, "p", "list") for block in self._block(inner)]
        text = "\n".join(block.text for block in blocks if isinstance(block, Paragraph))
        if text:
            yield Paragraph(f"Comment ({author}): {text}" if author else f"Comment: {text}")

    def _list(self, element: Element) -> Iterator[Block]:
        for item in children(element, "list-item", "list-header"):
            blocks = list(self._blocks(item))
            if blocks and local(item) == "list-item" and isinstance(first := blocks[0], Paragraph):
                blocks[0] = first if first.text.startswith("- ") else Paragraph(f"- {first.text}")
            yield from blocks

    def _frame(self, frame: Element) -> Iterator[Block]:
        """The first form of what a frame shows: the others are pictures of it."""
        described = " ".join(one_line(found.text or "") for found in children(frame, "desc"))
        for form in frame:
            match local(form):
                case "text-box":
                    yield from self._blocks(form)
                    return
                case "table":
                    yield from self._table(form)
                    return
                case "object":
                    blocks = list(self._object(form))
                    if blocks:
                        yield from blocks
                        return
                case "image":
                    yield from self._picture(form, described)
                    return

    def _picture(self, image: Element, described: str) -> Iterator[Block]:
        data = self._embedded(attribute(image, "href"))
        if data is not None:
            yield Picture(data, posixpath.basename(attribute(image, "href")), described)
        elif (inner := child(image, "binary-data")) is not None and inner.text:
            yield from _inline_picture(inner.text, described)
        elif described:
            yield Paragraph(described)
        yield from self._blocks(image)

    def _embedded(self, address: str) -> bytes | None:
        if self._archive is None or "://" in address or not address:
            return None
        name = posixpath.normpath(posixpath.join("/", self._folder, unquote(address))).lstrip("/")
        try:
            return self._archive.read(name, max_bytes=MAX_EMBEDDED_BYTES)
        except MediaError:
            return None

    def _object(self, element: Element) -> Iterator[Block]:
        """An equation or a chart."""
        match self._root_of(element):
            case Gap() as gap:
                yield gap
            case None:
                return
            case root if local(root) == "math":
                if text := one_line(mathml_text(root)):
                    yield Paragraph(text)
            case root:
                inner = _OpenDocument(root, None, self._archive, self._folder_of(element))
                yield from inner._blocks(root)

    def _folder_of(self, element: Element) -> str:
        address = attribute(element, "href")
        return (
            posixpath.normpath(posixpath.join("/", self._folder, unquote(address))).lstrip("/")
            if address
            else ""
        )

    def _root_of(self, element: Element | None) -> Element | Gap | None:
        """The document of an object, which lies in a folder of its own, or stands here; None if there is none."""
        if element is None:
            return None
        folder = self._folder_of(element)
        if folder and self._archive is not None and f"{folder}/{CONTENT}" in self._archive:
            try:
                return parse_xml(self._archive.read(f"{folder}/{CONTENT}"), f"{folder}/{CONTENT}")
            except MediaError as error:
                return Gap(error.reason, folder, error.detail)
        return next(iter(element), None)

    def _table(self, table: Element, *, numbered: bool = False) -> Iterator[Block]:
        rows: list[list[str]] = []
        numbers: list[int] = []
        apart: list[Block] = []
        number = 0
        for row in _rows(table):
            cells = self._cells(row, apart)
            times = max(1, whole_number(attribute(row, "number-rows-repeated", "1"), 1))
            if any(cells):
                for repeat in range(min(times, _MAX_REPEATED)):
                    self._cells_left -= sum(map(bool, cells))
                    rows.append(cells)
                    numbers.append(number + repeat + 1)
            number += times
            if self._cells_left < 0:
                apart.append(Gap("too_many_cells", f"from row {number} on", f"more than {MAX_CELLS:,} cells"))
                break
        if kept := trimmed(rows):
            yield Table(tuple(map(tuple, kept)), head_of(kept), tuple(numbers) if numbered else ())
        yield from apart

    def _cells(self, row: Element, apart: list[Block]) -> list[str]:
        cells: list[str] = []
        blank = 0
        for cell in row:
            if local(cell) not in ("table-cell", "covered-table-cell"):
                continue
            times = max(1, whole_number(attribute(cell, "number-columns-repeated", "1"), 1))
            text = self._cell(cell, apart)
            if not text:
                blank += times
                continue
            cells += [""] * min(blank, _MAX_REPEATED) + [text] * min(times, _MAX_REPEATED)
            blank = 0
        return cells

    def _cell(self, cell: Element, apart: list[Block]) -> str:
        if local(cell) == "covered-table-cell":  # by one that is merged
            return ""
        lines: list[str] = []
        for inner in cell:
            for block in self._block(inner):
                match block:
                    case Paragraph(text) | Heading(text) if local(inner) != "annotation":
                        lines.append(one_line(text))
                    case Table(rows):
                        lines += [", ".join(filter(None, row)) for row in rows]
                    case _:
                        apart.append(block)
        kind = attribute(cell, "value-type")
        if kind == "date" and (date := attribute(cell, "date-value")):
            return date.removesuffix("T00:00:00").replace("T", " ")
        text = " ".join(filter(None, lines))
        return text or (attribute(cell, "value") or attribute(cell, "string-value") if kind else "")


def _rows(table: Element) -> Iterator[Element]:
    for inner in table:
        if local(inner) == "table-row":
            yield inner
        elif local(inner) in ("table-rows", "table-header-rows", "table-row-group"):
            yield from _rows(inner)


def _inline_picture(encoded: str, described: str) -> Iterator[Block]:

    try:
        yield Picture(base64.b64decode(encoded), "picture", described)
    except (binascii.Error, ValueError):
        return
