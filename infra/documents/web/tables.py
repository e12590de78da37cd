"""Tables of web pages: whether one is a table at all or a frame for a layout, and its cells in their columns."""

from collections.abc import Iterator

from infra.documents.blocks import Block, Paragraph, Table
from infra.documents.markup import Element, attribute, descendants, local
from infra.documents.text import head_of, trimmed

_MAX_SPAN = 100
_FRAMES = ("h1", "h2", "h3", "table", "section", "article", "form", "figure", "pre")
_MAX_PARAGRAPHS = 3  # in one cell; what holds more is a page and no cell


def is_layout(table: Element) -> bool:
    """Whether a table only places things: it holds tables, headings or long texts, or is one column wide."""
    if attribute(table, "role") in ("presentation", "none"):
        return True
    widest = 0
    for row in descendants(table, "tr"):
        widest = max(widest, sum(local(cell).lower() in ("td", "th") for cell in row))
    if widest < 2 or next(descendants(table, *_FRAMES), None) is not None:
        return True
    return any(
        sum(local(inner).lower() == "p" for inner in cell) > _MAX_PARAGRAPHS
        for cell in descendants(table, "td")
    )


class TableCells:
    """The cells of a table as they are met; one that spans others has its words in the first place."""

    def __init__(self) -> None:
        self._rows: list[list[str]] = []
        self._heads: list[bool] = []  # of each row: nothing but head cells
        self._below: dict[int, int] = {}  # column -> rows that a cell above still covers

    def row(self) -> None:
        """A row begins; what covered the end of the one before it is a row shorter."""
        for column, left in self._below.items():
            if self._rows and left > 0 and column >= len(self._rows[-1]):
                self._below[column] -= 1
        self._rows.append([])
        self._heads.append(True)

    def cell(self, span: tuple[int, int], *, is_head: bool) -> None:
        """A cell begins, so many columns wide and rows high."""
        if not self._rows:
            self.row()
        row = self._rows[-1]
        self._covered(row)
        wide, high = (max(1, min(_MAX_SPAN, number)) for number in span)
        for column in range(len(row), len(row) + wide):
            if high > 1:
                self._below[column] = high - 1
        row.append("")
        self._open = len(row) - 1
        row.extend([""] * (wide - 1))
        self._heads[-1] = self._heads[-1] and is_head

    def _covered(self, row: list[str]) -> None:
        while self._below.get(len(row), 0) > 0:
            self._below[len(row)] -= 1
            row.append("")

    def add(self, text: str) -> None:
        """Words of the cell that is open; of the first one if none is."""
        if not self._rows or not self._rows[-1]:
            self.cell((1, 1), is_head=False)
        row = self._rows[-1]
        row[self._open] = f"{row[self._open]} {text}".strip()

    def blocks(self) -> Iterator[Block]:
        """The table, or its words if it is one column of them."""
        kept = [(row, head) for row, head in zip(self._rows, self._heads, strict=True) if any(row)]
        rows = trimmed([row for row, _ in kept])
        if not rows:
            return
        if len(rows[0]) == 1:
            yield from (Paragraph(row[0]) for row in rows)
            return
        stated = next((index for index, (_, head) in enumerate(kept) if head), None)
        yield Table(
            tuple(map(tuple, rows)), head_of(rows) if stated is None or stated + 1 == len(rows) else stated
        )
