"""Word documents: paragraphs, tables, text boxes, notes, comments, headers and footers in reading order.

A note or a comment stands behind the paragraph that refers to it; the headers stand first and the footers last, each text once.
"""

from collections.abc import Iterator, Sequence

from infra.documents.archive import MARK as ZIP
from infra.documents.archive import Archive
from infra.documents.blocks import Attachment, Block, Document, Gap, Heading, Paragraph, Section, Table
from infra.documents.markup import (
    Element,
    attribute,
    child,
    children,
    descendants,
    local,
    relation,
    value,
    whole_number,
)
from infra.documents.ooxml.chunks import chunk_blocks
from infra.documents.ooxml.drawing_text import chosen
from infra.documents.ooxml.drawings import Drawings
from infra.documents.ooxml.numbering import Numbering
from infra.documents.ooxml.package import Package
from infra.documents.ooxml.styles import Styles
from infra.documents.ooxml.word_text import GONE, RunReader, cells_of, is_prompt, rows_of
from infra.documents.text import clean, head_of, one_line, trimmed
from infra.errors import MediaError

_NOTES = {"footnoteReference": "footnotes", "endnoteReference": "endnotes", "commentReference": "comments"}
_MAX_SPAN = 100  # columns that a cell may cover


def read_word(package: Package) -> Document:
    """The blocks of a Word document. Raises ``MediaError``."""
    return Document("Word document", (Section("", tuple(_Word(package).blocks())),))


class _Word:
    """One document: its main story, and the notes that the stories share."""

    def __init__(self, package: Package, *, is_within: bool = False) -> None:
        self._package, self._main, self._is_within = package, package.main, is_within
        self._taken_in: set[bytes] = set()
        self.styles = Styles.of(self._first("styles"))
        self.numbering = Numbering.of(self._first("numbering"))
        self._notes: dict[str, tuple[str, dict[str, Element]]] = {}
        self._counts = {"footnotes": 0, "endnotes": 0}
        self._told: set[tuple[str, str]] = set()

    def _first(self, kind: str) -> Element | None:
        parts = self._package.related(self._main, kind)
        return self._package.xml_or_none(parts[0]) if parts else None

    def blocks(self) -> Iterator[Block]:
        root = self._package.xml(self._main)
        body = child(root, "body")
        if body is None:
            raise MediaError("part_missing", "the document has no body")
        yield from self._edges(body, "header")
        yield from _Story(self, self._main).blocks(body)
        yield from self._comments_without_place()
        yield from self._edges(body, "footer")

    def _edges(self, body: Element, kind: str) -> Iterator[Block]:
        """The headers or footers of all sections; one that says the same as another is left out."""
        drawings = Drawings(self._package, self._main)
        seen: set[str] = set()
        for reference in descendants(body, f"{kind}Reference"):
            part = drawings.target(relation(reference, "id"))
            if not part or part in seen:
                continue
            seen.add(part)
            try:
                blocks = _Story(self, part).blocks(self._package.xml(part))
            except MediaError as error:
                yield Gap(error.reason, part, error.detail)
                continue
            if (said := repr(blocks)) not in seen:
                seen.add(said)
                yield from blocks

    def chunk(self, file: Attachment) -> Iterator[Block]:
        """What a file says that the text takes in; the file itself if it is none that can stand there."""
        if file.data in self._taken_in:
            return
        self._taken_in.add(file.data)
        try:
            blocks = self._document_within(file.data) or chunk_blocks(file.data, file.name)
        except MediaError:
            blocks = None
        yield from (file,) if blocks is None else blocks

    def _document_within(self, data: bytes) -> list[Block]:
        """The blocks of a Word document that stands in this one; those within that stay files."""
        if self._is_within or not data.startswith(ZIP):
            return []
        package = Package(Archive(data))
        return list(_Word(package, is_within=True).blocks())

    def story(self, part: str) -> "_Story":
        return _Story(self, part)

    def note(self, reference: Element) -> Iterator[Block]:
        """What a reference in the text means, behind its name and number."""
        kind = _NOTES[local(reference)]
        yield from self._note(kind, attribute(reference, "id"))

    def _note(self, kind: str, identity: str) -> Iterator[Block]:
        part, notes = self._known(kind)
        note = notes.get(identity)
        if note is None or (kind, identity) in self._told:
            return
        self._told.add((kind, identity))
        blocks = self.story(part).blocks(note)
        first = blocks[0].text if blocks and isinstance(blocks[0], Paragraph | Heading) else ""
        if kind == "comments":
            author = one_line(attribute(note, "author"))
            name = f"Comment ({author})" if author else "Comment"
        else:
            self._counts[kind] += 1
            name = f"{'Footnote' if kind == 'footnotes' else 'Endnote'} {self._counts[kind]}"
        if first:
            yield Paragraph(f"{name}: {first}")
        yield from blocks[1:] if first else blocks

    def _known(self, kind: str) -> tuple[str, dict[str, Element]]:
        if kind not in self._notes:
            parts = self._package.related(self._main, kind)
            root = self._package.xml_or_none(parts[0]) if parts else None
            notes = children(root, kind[:-1])
            known = {
                attribute(note, "id"): note for note in notes if "eparator" not in attribute(note, "type")
            }
            self._notes[kind] = (parts[0] if parts else "", known)
        return self._notes[kind]

    def _comments_without_place(self) -> Iterator[Block]:
        for identity in self._known("comments")[1]:
            yield from self._note("comments", identity)


class _Story:
    """The blocks of one part: the body, a header, the notes."""

    def __init__(self, word: _Word, part: str) -> None:
        self._word = word
        self._runs = RunReader(Drawings(word._package, part), self._box, word.styles.hides, word.note)
        self._held = ""  # of paragraphs that go on in the next: their end was deleted, or they are its large first letter

    def blocks(self, holder: Element) -> list[Block]:
        """What ``holder`` contains, in order."""
        return [*self._blocks(holder), *self._rest()]

    def _box(self, holder: Element) -> list[Block]:
        """A text box stands within a paragraph, whose own state must not change."""
        outer, self._runs.anchored = self._runs.anchored, []
        held, self._held = self._held, ""
        found = self.blocks(holder)
        self._runs.anchored, self._held = outer, held
        return found

    def _blocks(self, holder: Element) -> Iterator[Block]:
        for inner in holder:
            yield from self._block(inner, local(inner))

    def _block(self, element: Element, name: str) -> Iterator[Block]:
        if name in ("p", "oMathPara"):
            yield from self._paragraph(element)
        elif name == "tbl":
            yield from self._table(element)
        elif name == "altChunk":  # a whole file that Word shows as if it were part of the text
            for file in self._runs.drawings.file(relation(element, "id")):
                yield from self._word.chunk(file) if isinstance(file, Attachment) else (file,)
        elif name == "AlternateContent":
            if (form := chosen(element)) is not None:
                yield from self._blocks(form)
        elif name not in GONE and not name.endswith("Pr") and not (name == "sdt" and is_prompt(element)):
            yield from self._blocks(element)

    def _rest(self) -> Iterator[Block]:
        if text := clean(self._held):
            yield Paragraph(text)
        self._held = ""
        yield from self._anchored()

    def _anchored(self) -> list[Block]:
        anchored = list(self._runs.anchored)
        self._runs.anchored.clear()
        return anchored

    def _paragraph(self, paragraph: Element) -> Iterator[Block]:
        text = self._held + self._runs.text(paragraph)
        properties = child(paragraph, "pPr")
        mark = child(properties, "rPr")
        is_first_letter = value(child(properties, "framePr"), "dropCap", "none") != "none"
        if child(mark, "del") is not None or child(mark, "moveFrom") is not None or is_first_letter:
            self._held = text
            return
        self._held = ""
        if text := clean(text):
            place = self._word.styles.list_place(properties)
            label = self._word.numbering.label(*place) if place else ""
            text = f"{label} {text}" if label else text
            level = self._word.styles.heading_level(properties)
            yield Heading(one_line(text), level) if level else Paragraph(text)
        yield from self._anchored()

    def _table(self, table: Element) -> Iterator[Block]:
        rows: list[list[str]] = []
        apart: list[Block] = []
        heads, is_frame = 0, _is_alone(table)
        for row in rows_of(table):
            cells: list[str] = [""] * _span(child(row, "trPr", "gridBefore"), 0)
            for cell in cells_of(row):
                properties = child(cell, "tcPr")
                blocks = [] if _goes_on(properties) else self._inner(cell)
                if is_frame:
                    yield from blocks
                    return
                cells.append(_cell_text(blocks, apart))
                cells += [""] * (_span(child(properties, "gridSpan"), 1) - 1)
            heads += child(row, "trPr", "tblHeader") is not None and heads == len(rows)
            rows.append(cells)
        if filled := [row for row in trimmed(rows) if any(row)]:
            yield Table(tuple(map(tuple, filled)), heads - 1 if 0 < heads < len(filled) else head_of(filled))
        yield from apart

    def _inner(self, cell: Element) -> list[Block]:
        return [*self._blocks(cell), *self._rest()]


def _goes_on(properties: Element | None) -> bool:
    """Whether a cell is the lower part of one above it, or the right part of one before it."""
    return any(
        (merged := child(properties, name)) is not None and value(merged, default="continue") == "continue"
        for name in ("vMerge", "hMerge")
    )


def _span(holder: Element | None, default: int) -> int:
    return max(default, min(_MAX_SPAN, whole_number(value(holder), default)))


def _is_alone(table: Element) -> bool:
    """Whether a table has one cell: a frame around its content, not a table."""
    rows = list(rows_of(table))
    return len(rows) == 1 and len(list(cells_of(rows[0]))) == 1


def _cell_text(blocks: Sequence[Block], apart: list[Block]) -> str:
    """The words of a cell in one line; what is no text is put ``apart``."""
    lines: list[str] = []
    for block in blocks:
        match block:
            case Paragraph(text) | Heading(text):
                lines.append(one_line(text))
            case Table(rows):
                lines += [", ".join(filter(None, row)) for row in rows]
            case _:
                apart.append(block)
    return " ".join(filter(None, lines))
