"""The runs of a Word paragraph: the words that a reader sees with all changes accepted, and what is anchored in them.

Deleted and moved-away text, field codes, hidden text and prompts of empty content controls are no words.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from infra.documents.blocks import Block, Paragraph
from infra.documents.markup import (
    Element,
    attribute,
    child,
    children,
    descendants,
    is_on,
    local,
    relation,
    value,
    whole_number,
)
from infra.documents.ooxml.drawing_text import chosen
from infra.documents.ooxml.drawings import Drawings
from infra.documents.ooxml.equations import equation_text
from infra.documents.ooxml.symbols import plain, symbol
from infra.documents.text import clean

GONE = frozenset(("del", "moveFrom", "delText", "instrText", "delInstrText"))
_PROPERTIES = frozenset(("pPr", "rPr", "sdtPr", "sdtEndPr", "sectPr", "tblPr", "trPr", "tcPr", "tblGrid"))
_SIGNS = {"tab": " ", "ptab": " ", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "softHyphen": ""}
_IN_CODE, _IN_RESULT = "code", "result"


def is_prompt(control: Element) -> bool:
    """Whether a content control shows the prompt that stands there until something is entered."""
    return is_on(child(control, "sdtPr", "showingPlcHdr"))


@dataclass(slots=True)
class RunReader:
    """Reads the runs of one story; ``fields`` may go on from one paragraph to the next."""

    drawings: Drawings
    story: Callable[[Element], list[Block]]
    """The blocks of a text box."""
    hides: Callable[[str], bool]
    """Whether a style hides text."""
    note: Callable[[Element], Iterator[Block]]
    """The footnote, endnote or comment that a reference means."""
    anchored: list[Block] = field(default_factory=list)
    """What is anchored in the paragraphs read since this was last emptied."""
    _fields: list[str] = field(default_factory=list)
    _is_hidden: bool = False  # the paragraph, by its style

    def text(self, paragraph: Element) -> str:
        """The words of a paragraph, with what is anchored in it put down in ``anchored``."""
        self._is_hidden = self.hides(value(child(paragraph, "pPr", "pStyle")))
        words = "".join(self._inline(paragraph, ""))
        self._fields = [_IN_RESULT] * len(
            self._fields
        )  # a field that is never closed hides one paragraph only
        return words

    def _inline(self, element: Element, font: str) -> Iterator[str]:
        for inner in element:
            name = local(inner)
            if name in GONE or name in _PROPERTIES:
                continue
            if (read := _READERS.get(name)) is not None:
                yield from read(self, inner, font)
            elif name in _SIGNS:
                yield self._shown(_SIGNS[name])
            else:
                yield from self._inline(inner, font)

    def _shown(self, text: str) -> str:
        return "" if _IN_CODE in self._fields else text

    def _words(self, element: Element, font: str) -> Iterator[str]:
        yield self._shown(plain(element.text or "", font))

    def _run(self, run: Element, font: str) -> Iterator[str]:
        properties = child(run, "rPr")
        own = child(properties, "vanish")
        styled = self._is_hidden or self.hides(value(child(properties, "rStyle")))
        if not (styled if own is None else is_on(own)):
            fonts = child(properties, "rFonts")
            yield from self._inline(run, value(fonts, "ascii") or value(fonts, "hAnsi"))

    def _symbol(self, element: Element, font: str) -> Iterator[str]:
        try:
            yield self._shown(symbol(int(attribute(element, "char"), 16), attribute(element, "font")))
        except ValueError:
            return

    def _field(self, element: Element, font: str) -> Iterator[str]:
        match attribute(element, "fldCharType"):
            case "begin":
                yield self._shown(_chosen_entry(element))
                self._fields.append(_IN_CODE)
            case "separate" if self._fields:
                self._fields[-1] = _IN_RESULT
            case "end" if self._fields:
                self._fields.pop()

    def _control(self, element: Element, font: str) -> Iterator[str]:
        if not is_prompt(element):
            yield from self._inline(element, font)

    def _equation(self, element: Element, font: str) -> Iterator[str]:
        yield self._shown(f" {equation_text(element)} ")

    def _ruby(self, element: Element, font: str) -> Iterator[str]:
        base, reading = child(element, "rubyBase"), child(element, "rt")
        yield from self._inline(base, font) if base is not None else ()
        if spoken := "".join(self._inline(reading, font)) if reading is not None else "":
            yield f"({spoken})"

    def _alternate(self, element: Element, font: str) -> Iterator[str]:
        if (form := chosen(element)) is not None:
            yield from self._inline(form, font)

    def _reference(self, element: Element, font: str) -> Iterator[str]:
        self.anchored += self.note(element)
        yield from ()

    def _drawing(self, element: Element, font: str) -> Iterator[str]:
        self.anchored += self._drawn(element, "")
        yield from ()

    def _drawn(self, element: Element, alt: str) -> Iterator[Block]:
        """Text boxes, pictures, charts and files of a drawing, in its order."""
        described = next(descendants(element, "docPr"), None)
        alt = alt or value(described, "descr") or attribute(element, "alt")
        for inner in element:
            yield from self._shape(inner, alt)

    def _shape(self, shape: Element, alt: str) -> Iterator[Block]:
        match local(shape):
            case "txbxContent":
                yield from self.story(shape)
            case "blip" | "imagedata":
                yield from self.drawings.picture(shape, alt or value(shape, "title"))
            case "chart" | "relIds":
                yield from self.drawings.graphic(shape)
            case "OLEObject":
                yield from self.drawings.file(relation(shape, "id"))
            case "textpath":
                yield Paragraph(clean(attribute(shape, "string")))
            case "AlternateContent":
                if (form := chosen(shape)) is not None:
                    yield from self._drawn(form, alt)
            case _:
                yield from self._drawn(shape, alt)


_READERS: dict[str, Callable[[RunReader, Element, str], Iterator[str]]] = {
    "t": RunReader._words,
    "r": RunReader._run,
    "sym": RunReader._symbol,
    "fldChar": RunReader._field,
    "sdt": RunReader._control,
    "oMath": RunReader._equation,
    "ruby": RunReader._ruby,
    "AlternateContent": RunReader._alternate,
    "footnoteReference": RunReader._reference,
    "endnoteReference": RunReader._reference,
    "commentReference": RunReader._reference,
    "drawing": RunReader._drawing,
    "pict": RunReader._drawing,
    "object": RunReader._drawing,
}


def _chosen_entry(begin: Element) -> str:
    """What a list in a form of older versions is set to, which is no text of the document."""
    choices = child(begin, "ffData", "ddList")
    entries = [value(entry) for entry in children(choices, "listEntry")]
    index = whole_number(value(child(choices, "result"), default="0"))
    return entries[index] if 0 <= index < len(entries) else ""


def rows_of(table: Element) -> Iterator[Element]:
    """The rows of a table, also those in content controls, without those that were deleted."""
    for inner in table:
        name = local(inner)
        if name == "tr":
            changes = child(inner, "trPr")
            if not (changes is not None and children(changes, "del")):
                yield inner
        elif name not in GONE and name not in _PROPERTIES:
            yield from rows_of(inner)


def cells_of(row: Element) -> Iterator[Element]:
    """The cells of a row, also those in content controls."""
    for inner in row:
        name = local(inner)
        if name == "tc":
            if child(inner, "tcPr", "cellDel") is None:
                yield inner
        elif name not in GONE and name not in _PROPERTIES and not (name == "sdt" and is_prompt(inner)):
            yield from cells_of(inner)
