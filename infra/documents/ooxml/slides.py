"""Presentations: the slides in the order of the show, each with its title first, then its shapes, its notes and comments.

Shapes stand in the order in which a screen reader reads them, which is that of the file.
"""

from collections.abc import Iterator

from infra.documents.blocks import Attachment, Block, Document, Gap, Heading, Paragraph, Section, Table
from infra.documents.markup import Element, attribute, child, children, descendants, local, relation, value
from infra.documents.ooxml.drawing_text import chosen, drawing_text
from infra.documents.ooxml.drawings import Drawings
from infra.documents.ooxml.package import Package
from infra.documents.text import head_of, one_line, trimmed
from infra.errors import MediaError

_TITLES = ("title", "ctrTitle")
_MACHINE_MADE = ("sldNum", "dt", "sldImg", "hdr")  # placeholders that hold numbers and dates
_FOOTER = "ftr"


def read_slides(package: Package) -> Document:
    """One section for each slide. Raises ``MediaError``."""
    return Document("PowerPoint presentation", tuple(_Deck(package).sections()))


class _Deck:
    def __init__(self, package: Package) -> None:
        self._package = package
        self._footers: set[str] = set()  # said once, not on every slide
        self._authors: dict[str, str] = {}

    def sections(self) -> Iterator[Section]:
        main = self._package.main
        listed = child(self._package.xml(main), "sldIdLst")
        drawings = Drawings(self._package, main)
        self._authors = self._known_authors(main)
        for number, slide in enumerate(children(listed, "sldId"), start=1):
            part = drawings.target(relation(slide, "id"))
            try:
                root = self._package.xml(part)
            except MediaError as error:
                yield Section(f"slide {number}", (Gap(error.reason, f"slide {number}", error.detail),))
                continue
            hidden = " (hidden)" if attribute(root, "show", "1") in ("0", "false") else ""
            yield Section(f"slide {number}{hidden}", tuple(self._slide(part, root)))

    def _slide(self, part: str, root: Element) -> Iterator[Block]:
        tree = child(root, "cSld", "spTree")
        if tree is not None:
            shapes = list(self._shapes(tree, Drawings(self._package, part)))
            title = next((shape for shape in shapes if isinstance(shape, Heading) and shape.level == 1), None)
            if title is not None:
                shapes.remove(title)
                yield title
            yield from shapes
        background = child(root, "cSld", "bg")
        if background is not None:
            yield from self._picture(background, Drawings(self._package, part))
        yield from self._notes(part)
        yield from self._comments(part)

    def _shapes(self, tree: Element, drawings: Drawings) -> Iterator[Block]:
        for shape in tree:
            if _is_hidden(shape):
                continue
            match local(shape):
                case "sp" | "cxnSp" | "pic":
                    yield from self._shape(shape)
                    yield from self._picture(shape, drawings)
                case "graphicFrame":
                    yield from self._graphic(shape, drawings)
                case "grpSp":
                    yield from self._shapes(shape, drawings)
                case "AlternateContent":
                    if (form := chosen(shape)) is not None:
                        yield from self._shapes(form, drawings)

    def _picture(self, shape: Element, drawings: Drawings) -> Iterator[Block]:
        for blip in descendants(shape, "blip"):
            yield from drawings.picture(blip, _alt(shape))
        for media in descendants(shape, "media"):  # a film or a sound; the picture is its first frame
            yield from drawings.file(relation(media, "embed"))

    def _shape(self, shape: Element) -> Iterator[Block]:
        body = child(shape, "txBody")
        text = "" if body is None else drawing_text(body)
        place = value(next(descendants(shape, "ph"), None), "type")
        if not text or place in _MACHINE_MADE:
            return
        if place == _FOOTER:
            if text in self._footers:
                return
            self._footers.add(text)
        yield Heading(one_line(text), 1) if place in _TITLES else Paragraph(text)

    def _graphic(self, frame: Element, drawings: Drawings) -> Iterator[Block]:
        data = next(descendants(frame, "graphicData"), None)
        for inner in [] if data is None else data:
            match local(inner):
                case "tbl":
                    yield from _table(inner)
                case "chart" | "relIds":
                    yield from drawings.graphic(inner)
                case "AlternateContent":
                    if (form := chosen(inner)) is not None:
                        yield from self._objects(form, drawings)
                case "oleObj":
                    yield from self._objects(data, drawings)

    def _objects(self, holder: Element | None, drawings: Drawings) -> Iterator[Block]:
        """Embedded files; the picture that stands for one only where there is no file."""
        if holder is None:
            return
        found: list[Block] = []
        for embedded in descendants(holder, "oleObj"):
            found += drawings.file(relation(embedded, "id"))
        if not any(isinstance(block, Attachment) for block in found):
            for blip in descendants(holder, "blip"):
                found += drawings.picture(blip)
        yield from found

    def _notes(self, part: str) -> Iterator[Block]:
        for notes in self._package.related(part, "notesSlide"):
            tree = child(self._package.xml_or_none(notes), "cSld", "spTree")
            if tree is None:
                continue
            shapes = self._shapes(tree, Drawings(self._package, notes))
            texts = [shape.text for shape in shapes if isinstance(shape, Paragraph | Heading)]
            if texts:
                yield Paragraph("Notes: " + "\n".join(texts))

    def _comments(self, part: str) -> Iterator[Block]:
        for comments in self._package.related(part, "comments"):
            root = self._package.xml_or_none(comments)
            for comment in [] if root is None else descendants(root, "cm", "reply"):
                author = self._authors.get(attribute(comment, "authorId"), "")
                body = child(comment, "txBody")
                words = "" if body is None else drawing_text(body)
                words = words or one_line("".join(text.text or "" for text in children(comment, "text")))
                if words:
                    yield Paragraph(f"Comment ({author}): {words}" if author else f"Comment: {words}")

    def _known_authors(self, main: str) -> dict[str, str]:
        authors: dict[str, str] = {}
        for kind in ("commentAuthors", "authors"):
            for part in self._package.related(main, kind):
                root = self._package.xml_or_none(part)
                for author in [] if root is None else root:
                    authors[attribute(author, "id")] = one_line(attribute(author, "name"))
        return authors


def _is_hidden(shape: Element) -> bool:
    """Whether a shape, or a group, was switched off in the list of what lies on the slide."""
    named = (child(inner, "cNvPr") for inner in shape if local(inner).startswith("nv"))
    return any(value(found, "hidden") in ("1", "true") for found in named)


def _alt(shape: Element) -> str:
    """What a shape is described as; a name like ``Picture 3`` says nothing."""
    return value(next(descendants(shape, "cNvPr"), None), "descr")


def _table(table: Element) -> Iterator[Block]:
    rows = [[_cell(cell) for cell in children(row, "tc")] for row in children(table, "tr")]
    if filled := [row for row in trimmed(rows) if any(row)]:
        named = value(child(table, "tblPr"), "firstRow") in ("1", "true") and len(filled) > 1
        yield Table(tuple(map(tuple, filled)), 0 if named else head_of(filled))


def _cell(cell: Element) -> str:
    merged = any(attribute(cell, name) in ("1", "true") for name in ("hMerge", "vMerge"))
    return "" if merged else one_line(drawing_text(cell))
