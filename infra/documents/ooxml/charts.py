"""Charts of all office formats: their titles, and their series as a table with the categories in the first column."""

from collections.abc import Iterator

from infra.documents.blocks import Block, Heading, Paragraph, Table
from infra.documents.markup import (
    Element,
    attribute,
    child,
    children,
    descendants,
    is_on,
    local,
    value,
    whole_number,
)
from infra.documents.ooxml.drawing_text import drawing_text
from infra.documents.ooxml.number_formats import PLAIN, NumberKind, format_of, shown
from infra.documents.text import one_line

MAX_CHART_POINTS = 5_000


def chart_blocks(root: Element | None) -> Iterator[Block]:
    """The titles of a chart, and its series as a table with the categories in the first column."""
    if root is None or local(root) != "chartSpace":
        return
    chart = child(root, "chart")
    plot = child(chart, "plotArea")
    if chart is None or plot is None:
        return
    if title := _title(child(chart, "title")):
        yield Heading(title, 6)
    if axes := [title for axis in plot for title in [_title(child(axis, "title"))] if title]:
        yield Paragraph("\n".join(axes))
    series = list(descendants(plot, "ser"))
    if series:
        yield from _series_table(series, from_1904=is_on(child(root, "date1904")))
        yield from _labels(series)
    elif newer := list(descendants(plot, "series")):
        yield from _newer_series(newer, child(root, "chartData"))
    elif not axes and (words := drawing_text(plot)):
        yield Paragraph(words)


def _title(title: Element | None) -> str:
    if title is None:
        return ""
    text = drawing_text(title)
    return one_line(text or " ".join(_points(child(title, "tx")).values()))


def _labels(series: list[Element]) -> Iterator[Block]:
    """What was written at single points by hand."""
    for label in (label for one in series for label in descendants(one, "dLbl")):
        if (written := child(label, "tx", "rich")) is not None and (words := drawing_text(written)):
            yield Paragraph(one_line(words))


def _newer_series(series: list[Element], data: Element | None) -> Iterator[Block]:
    """Waterfalls, funnels, tree maps and their kin, whose numbers stand apart from their series."""
    sets = {attribute(one, "id"): one for one in children(data, "data")}
    for one in series:
        held = sets.get(value(child(one, "dataId")))
        name = one_line(_text(child(one, "tx", "txData", "v")))
        columns = [_levels(dimension) for dimension in children(held, "strDim", "numDim")]
        indices = sorted(set[int]().union(*columns))[:MAX_CHART_POINTS]
        rows = [tuple(column.get(index, "") for column in columns) for index in indices]
        if rows and name and len(columns) > 1:
            rows.insert(0, (*([""] * (len(columns) - 1)), name))
        elif name:
            yield Paragraph(name)
        if rows:
            yield Table(tuple(rows), 0 if name and len(columns) > 1 else None)


def _text(element: Element | None) -> str:
    """The text of an element that may be missing."""
    return "" if element is None else element.text or ""


def _levels(dimension: Element) -> dict[int, str]:
    """The points of a dimension; the levels of categories joined, the outermost first."""
    found: dict[int, str] = {}
    for level in children(dimension, "lvl"):
        for point in children(level, "pt"):
            index, text = whole_number(attribute(point, "idx", "0")), one_line(point.text or "")
            if text:
                found[index] = f"{text} {found[index]}" if index in found else _number(text)
    return found


def _series_table(series: list[Element], *, from_1904: bool) -> Iterator[Block]:
    names: list[str] = []
    columns: list[dict[int, str]] = []
    labels: dict[int, str] = {}
    for one in series:
        names.append(" ".join(_points(child(one, "tx")).values()))
        across = child(one, "cat")
        labels = labels | _points(across if across is not None else child(one, "xVal"), from_1904)
        along = child(one, "val")
        columns.append(_points(along if along is not None else child(one, "yVal"), from_1904))
    indices = sorted(set(labels).union(*columns))[:MAX_CHART_POINTS]
    rows = [
        tuple([labels.get(index, ""), *(column.get(index, "") for column in columns)]) for index in indices
    ]
    head = tuple(["", *names])
    if any(names):
        yield Table((head, *rows), 0)
    elif rows:
        yield Table(tuple(rows))


def _points(holder: Element | None, from_1904: bool = False) -> dict[int, str]:
    """The cached values of a reference by their places; levels of categories joined."""
    found: dict[int, str] = {}
    if holder is None:
        return found
    code = next((_text(found) for found in descendants(holder, "formatCode")), "")
    form = format_of(code) if code else PLAIN
    for point in descendants(holder, "pt"):
        text = one_line("".join(value.text or "" for value in children(point, "v")))
        try:
            index = int(attribute(point, "idx", "0"))
        except ValueError:
            continue
        if text:
            if index in found:
                found[index] = f"{text} {found[index]}"
            else:
                found[index] = (
                    _number(text) if form.kind is NumberKind.PLAIN else shown(text, form, from_1904=from_1904)
                )
    if not found and (literal := next(descendants(holder, "v"), None)) is not None:
        found[0] = one_line(literal.text or "")
    return found


def _number(text: str) -> str:
    """A number without the digits that only the binary form has."""
    try:
        return f"{float(text):.15g}" if "." in text and "_" not in text else text
    except ValueError:
        return text
