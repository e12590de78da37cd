"""Web pages, and the XHTML of books and mails, as blocks: what a reader sees, without what only runs, styles or navigates.

Works on the tree of an HTML or XML parser; names of elements count without their prefixes.
"""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from lxml import etree

from infra.documents.blocks import Block, Document, Heading, Paragraph, Picture, Section
from infra.documents.encoding import declared_in, decoded
from infra.documents.markup import (
    Element,
    attribute,
    descendants,
    local,
    parse_html,
    parse_page,
    whole_number,
)
from infra.documents.mathml import mathml_text
from infra.documents.text import clean, one_line
from infra.documents.web.noise import is_noise
from infra.documents.web.style_sheets import hidden_by_style
from infra.documents.web.tables import TableCells, is_layout

FindPicture = Callable[[str], bytes | None]
"""The file behind an address within the document; None if there is none. Nothing is ever fetched."""
_BLOCKS = frozenset(
    (
        *("address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details"),
        *("dialog", "dir", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form"),
        *("frameset", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup", "hr", "html", "legend"),
        *("li", "main", "menu", "nav", "ol", "optgroup", "option", "p", "pre", "search", "section"),
        *("summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul"),
    )
)
_LEVELS = {f"h{level}": level for level in range(1, 7)}
_DATA = re.compile(r"data:(image/[-+.\w]+)?[^,]{0,200}?(;base64)?,", re.IGNORECASE)
_MAX_INNER = 2  # pages within pages
_SPACE = re.compile(r"\s+")


def no_picture(address: str) -> None:
    """Finds nothing."""
    return None


def read_page(data: bytes, *, fallback: str) -> Document:
    """The blocks of a web page. Raises ``MediaError``."""
    text = decoded(data, declared=declared_in(data), fallback=fallback)
    return Document("web page", (Section("", tuple(page_blocks(text))),))


def page_blocks(text: str, find_picture: FindPicture = no_picture) -> list[Block]:
    """The blocks of an HTML text, its title first unless a heading says the same."""
    root = parse_page(text)
    if root is None:
        return []
    blocks = tree_blocks(root, find_picture)
    title = next((one_line("".join(found.itertext())) for found in descendants(root, "title")), "")
    said = {one_line(block.text) for block in blocks[:20] if isinstance(block, Heading | Paragraph)}
    return [Heading(title), *blocks] if title and title not in said else blocks


def tree_blocks(root: Element, find_picture: FindPicture = no_picture) -> list[Block]:
    """The blocks of a page that is parsed, without the title of its window."""
    flow = _Flow(find_picture, hidden=hidden_by_style(root))
    flow.walk(root)
    return flow.blocks


@dataclass
class _Flow:
    """Goes through a tree and puts down blocks; ``_pieces`` are the words of the one that is not finished."""

    find_picture: FindPicture
    depth: int = 0  # pages around it
    hidden: frozenset[Element] = frozenset()  # by style sheets
    blocks: list[Block] = field(default_factory=list)
    _pieces: list[str] = field(default_factory=list)
    _level: int = 0  # of the heading that is open
    _preformatted: int = 0  # elements open whose line breaks count
    _table: TableCells | None = None
    _lists: list[int] = field(
        default_factory=list
    )  # the next number of each list that is open; -1 if it has none
    _mark: str = ""  # of the list item that begins
    _readings: list[str] = field(default_factory=list)  # of the ruby that is open

    def walk(self, root: Element) -> None:
        """Every element once, without recursion: pages may be nested deeply."""
        walk = etree.iterwalk(root, events=("start", "end"))
        skipped: Element | None = None
        for event, element in walk:
            name = local(element).lower()
            if event == "end":
                if element is not skipped:
                    self._end(element, name)
                elif name in _BLOCKS:
                    self._close()
                self._text(element.tail, element.getparent())
            elif inner := _page_within(element, name):
                self._inner(inner)
                skipped = element
                walk.skip_subtree()
            elif self._is_left_out(element, name, root):
                skipped = element
                walk.skip_subtree()
            elif name == "math":
                self._pieces.append(f" {mathml_text(element)} ")
                skipped = element
                walk.skip_subtree()
            else:
                self._start(element, name)
                self._text(element.text, element)
        self._close()

    def _is_left_out(self, element: Element, name: str, root: Element) -> bool:
        if not name or name == "head":
            return True
        return element is not root and (element in self.hidden or is_noise(element, name))

    def _inner(self, page: str) -> None:
        """A page within the page, that stands in it as a text."""
        self._close()
        if self.depth < _MAX_INNER and (root := parse_html(page)) is not None:
            flow = _Flow(self.find_picture, depth=self.depth + 1, hidden=hidden_by_style(root))
            flow.walk(root)
            self.blocks += flow.blocks

    def _start(self, element: Element, name: str) -> None:
        if name in _BLOCKS:
            self._close()
        if (start := _STARTS.get(name)) is not None:
            start(self, element)

    def _end(self, element: Element, name: str) -> None:
        if (end := _ENDS.get(name)) is not None:
            end(self, element)
        if name in _BLOCKS:
            self._close()
            self._level = 0 if name in _LEVELS else self._level

    def _text(self, text: str | None, holder: Element | None) -> None:
        if not text or holder is None:
            return
        if local(holder).lower() in _SILENT:
            return
        self._pieces.append(text if self._preformatted else _SPACE.sub(" ", text))

    def _close(self) -> None:
        """Put down what was gathered: into the cell that is open, or as a block."""
        text = "".join(self._pieces)
        text = clean(text) if not self._preformatted else text.strip("\n").replace("\xa0", " ")
        self._pieces.clear()
        if not text.strip():
            return
        if self._table is not None:
            self._table.add(one_line(text))
        elif self._level:
            self.blocks.append(Heading(one_line(text), self._level))
        else:
            self.blocks.append(Paragraph(f"{self._mark}{text}"))
            self._mark = ""

    def _heading(self, element: Element) -> None:
        self._level = _LEVELS[local(element).lower()]

    def _pre(self, element: Element) -> None:
        self._preformatted += 1

    def _end_pre(self, element: Element) -> None:
        self._close()
        self._preformatted -= 1

    def _break(self, element: Element) -> None:
        self._pieces.append("\n")

    def _apart(self, element: Element) -> None:
        self._pieces.append(" ")

    def _image(self, element: Element) -> None:
        address = attribute(element, "src") or attribute(element, "href") or attribute(element, "data")
        alt = one_line(attribute(element, "alt") or attribute(element, "title"))
        if alt:
            self._pieces.append(f" {alt} ")
        data = data_uri(address) if address[:5].lower() == "data:" else self.find_picture(address)
        if data:
            self.blocks.append(
                Picture(data, address.rpartition("/")[2][:80] if address[:5] != "data:" else "")
            )

    def _list(self, element: Element) -> None:
        ordered = local(element).lower() == "ol"
        self._lists.append(whole_number(attribute(element, "start", "1"), 1) if ordered else -1)

    def _end_list(self, element: Element) -> None:
        if self._lists:
            self._lists.pop()

    def _item(self, element: Element) -> None:
        self._mark = "- "
        if self._lists and self._lists[-1] >= 0:
            number = whole_number(attribute(element, "value"), self._lists[-1])
            self._mark, self._lists[-1] = f"{number}. ", number + 1

    def _end_item(self, element: Element) -> None:
        self._close()
        self._mark = ""

    def _open_table(self, element: Element) -> None:
        if self._table is None and not is_layout(element):
            self._table = TableCells()

    def _end_table(self, element: Element) -> None:
        self._close()
        if self._table is not None and not is_layout(element):
            table, self._table = self._table, None
            self.blocks += table.blocks()

    def _row(self, element: Element) -> None:
        if self._table is not None:
            self._table.row()

    def _cell(self, element: Element) -> None:
        if self._table is not None:
            span = (
                whole_number(attribute(element, "colspan", "1"), 1),
                whole_number(attribute(element, "rowspan", "1"), 1),
            )
            self._table.cell(span, is_head=local(element).lower() == "th")

    def _caption(self, element: Element) -> None:
        self._close()

    def _end_caption(self, element: Element) -> None:
        text = clean("".join(self._pieces))
        self._pieces.clear()
        if text:
            self.blocks.append(Paragraph(text))

    def _ruby(self, element: Element) -> None:
        self._readings = []

    def _end_ruby(self, element: Element) -> None:
        if spoken := "".join(self._readings).strip():
            self._pieces.append(f"({spoken})")
        self._readings = []

    def _reading(self, element: Element) -> None:
        self._readings.append("".join(element.itertext()).strip())


def _page_within(element: Element, name: str) -> str:
    """The page that an element holds as a text; empty if it holds none."""
    if name == "noframes":  # read by everybody who has no frames, as here; this parser leaves it a text
        return "".join(element.itertext())
    return attribute(element, "srcdoc") if name == "iframe" else ""


_SILENT = frozenset(("rt", "rp", "rtc", "table", "tbody", "thead", "tfoot", "tr", "colgroup"))
_Act = Callable[[_Flow, Element], None]
_STARTS: dict[str, _Act] = {
    **dict.fromkeys(_LEVELS, _Flow._heading),
    **dict.fromkeys(("ul", "ol", "menu", "dir"), _Flow._list),
    **dict.fromkeys(("td", "th"), _Flow._cell),
    **{"pre": _Flow._pre, "br": _Flow._break, "img": _Flow._image, "image": _Flow._image, "li": _Flow._item},
    **{"table": _Flow._open_table, "tr": _Flow._row, "ruby": _Flow._ruby, "rt": _Flow._reading},
    **{"caption": _Flow._caption, "svg": _Flow._apart},
}
_ENDS: dict[str, _Act] = {
    **dict.fromkeys(("ul", "ol", "menu", "dir"), _Flow._end_list),
    **{"pre": _Flow._end_pre, "table": _Flow._end_table, "li": _Flow._end_item, "ruby": _Flow._end_ruby},
    **{"caption": _Flow._end_caption, "svg": _Flow._apart, "text": _Flow._apart},
}


def data_uri(address: str) -> bytes | None:
    """The image in a ``data:`` address; None if it is no image."""
    match = _DATA.match(address)
    if match is None:
        return None
    rest = address[match.end() :]
    try:
        data = base64.b64decode(unquote_to_bytes(rest)) if match.group(2) else unquote_to_bytes(rest)
    except (binascii.Error, ValueError):
        return None
    return None if b"<svg" in data[:1000] else data
