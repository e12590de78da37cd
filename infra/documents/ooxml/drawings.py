"""What drawings of all office formats share: pictures, charts, SmartArt, embedded files, and the choice between two forms."""

import posixpath
from collections.abc import Iterator

from infra.documents.blocks import Attachment, Block, Gap, Heading, Paragraph, Picture, Table
from infra.documents.markup import Element, attribute, child, children, descendants, local, relation, value
from infra.documents.ooxml.equations import equation_text
from infra.documents.ooxml.package import Package
from infra.documents.text import clean, one_line
from infra.errors import MediaError
from infra.limits import MAX_EMBEDDED_BYTES

_CONTENT = ("t", "blip", "imagedata", "chart", "relIds", "txbxContent", "oMath", "OLEObject", "oleObj")
MAX_CHART_POINTS = 5_000


def chosen(alternate: Element) -> Element | None:
    """Of the two forms in which a writer stored the same thing the first that holds anything."""
    forms = [*children(alternate, "Choice"), *children(alternate, "Fallback")]
    return next((form for form in forms if next(descendants(form, *_CONTENT), None) is not None), None)


def drawing_text(body: Element) -> str:
    """The paragraphs of a text in DrawingML, one a line."""
    lines = (_line(paragraph) for paragraph in descendants(body, "p"))
    return clean("\n".join(lines))


def _line(element: Element) -> str:
    return "".join(map(_piece, element))


def _piece(element: Element) -> str:
    match local(element):
        case "t":
            return element.text or ""
        case "br":
            return "\n"
        case "tab":
            return " "
        case "oMath" | "oMathPara":
            return equation_text(element)
        case "AlternateContent":
            form = chosen(element)
            return "" if form is None else _line(form)
        case "pPr" | "rPr" | "endParaRPr":
            return ""
        case "fld" if value(element, "type").startswith("slidenum"):
            return ""
    return _line(element)


class Drawings:
    """The pictures, charts and files that one part refers to."""

    def __init__(self, package: Package, part: str) -> None:
        self._package, self._part = package, part
        self._relationships = package.relationships(part)

    def target(self, identity: str) -> str:
        """The part behind a relationship; empty if there is none within the file."""
        found = self._relationships.get(identity)
        return found.part if found else ""

    def picture(self, blip: Element, alt: str = "") -> Iterator[Block]:
        """The picture that ``blip`` or ``imagedata`` shows; none if it lies outside of the file."""
        part = self.target(relation(blip, "embed", "id", "pict"))
        if part:
            yield from self._embedded(part, alt, Picture)

    def file(self, identity: str) -> Iterator[Block]:
        """The file that is embedded as an object."""
        if part := self.target(identity):
            yield from self._embedded(part, "", Attachment)

    def _embedded(self, part: str, alt: str, block: type[Picture] | type[Attachment]) -> Iterator[Block]:
        name = posixpath.basename(part)
        try:
            data = self._package.archive.read(part, max_bytes=MAX_EMBEDDED_BYTES)
        except MediaError as error:
            yield Gap(error.reason, name, error.detail)
            return
        yield Picture(data, name, one_line(alt)) if block is Picture else Attachment(data, name)

    def graphic(self, element: Element) -> Iterator[Block]:
        """The chart or the SmartArt that an element of a graphic refers to."""
        if local(element) == "chart" and (part := self.target(relation(element, "id"))):
            yield from chart_blocks(self._package.xml_or_none(part))
        if local(element) == "relIds" and (part := self.target(relation(element, "dm"))):
            yield from _diagram(self._package.xml_or_none(part))


def _diagram(root: Element | None) -> Iterator[Block]:
    """The words of a SmartArt; how they are laid out is stored apart, with the same words again."""
    points = children(child(root, "ptLst"), "pt")
    texts = [drawing_text(point) for point in points if attribute(point, "type", "node") != "pres"]
    if lines := [text for text in texts if text]:
        yield Paragraph("\n".join(lines))


def chart_blocks(root: Element | None) -> Iterator[Block]:
    """The titles of a chart, and its series as a table with the categories in the first column."""
    if root is None:
        return
    chart = child(root, "chart")
    plot = child(chart, "plotArea")
    if chart is None or plot is None or local(root) != "chartSpace":
        return
    if title := _title(child(chart, "title")):
        yield Heading(title, 6)
    if axes := [title for axis in plot for title in [_title(child(axis, "title"))] if title]:
        yield Paragraph("\n".join(axes))
    series = list(descendants(plot, "ser"))
    if series:
        yield from _series_table(series)
    elif not axes and (words := drawing_text(plot)):
        yield Paragraph(words)


def _title(title: Element | None) -> str:
    if title is None:
        return ""
    text = drawing_text(title)
    return one_line(text or " ".join(_points(child(title, "tx")).values()))


def _series_table(series: list[Element]) -> Iterator[Block]:
    names: list[str] = []
    columns: list[dict[int, str]] = []
    labels: dict[int, str] = {}
    for one in series:
        names.append(" ".join(_points(child(one, "tx")).values()))
        across = child(one, "cat")
        labels = labels | _points(across if across is not None else child(one, "xVal"))
        along = child(one, "val")
        columns.append(_points(along if along is not None else child(one, "yVal")))
    indices = sorted(set(labels).union(*columns))[:MAX_CHART_POINTS]
    rows = [
        tuple([labels.get(index, ""), *(column.get(index, "") for column in columns)]) for index in indices
    ]
    head = tuple(["", *names])
    if any(names):
        yield Table((head, *rows), 0)
    elif rows:
        yield Table(tuple(rows))


def _points(holder: Element | None) -> dict[int, str]:
    """The cached values of a reference by their places; levels of categories joined."""
    found: dict[int, str] = {}
    if holder is None:
        return found
    for point in descendants(holder, "pt"):
        text = one_line("".join(value.text or "" for value in children(point, "v")))
        try:
            index = int(attribute(point, "idx", "0"))
        except ValueError:
            continue
        if text:
            found[index] = f"{text} {found[index]}" if index in found else _number(text)
    if not found and (literal := next(descendants(holder, "v"), None)) is not None:
        found[0] = one_line(literal.text or "")
    return found


def _number(text: str) -> str:
    """A number without the digits that only the binary form has."""
    try:
        return f"{float(text):.15g}" if "." in text and "_" not in text else text
    except ValueError:
        return text
