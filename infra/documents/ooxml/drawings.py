"""What drawings of all office formats share: pictures, charts, SmartArt, embedded files."""

import posixpath
from collections.abc import Iterator

from infra.documents.blocks import Attachment, Block, Gap, Paragraph, Picture
from infra.documents.markup import Element, attribute, child, children, descendants, local, relation
from infra.documents.ooxml.charts import chart_blocks
from infra.documents.ooxml.drawing_text import drawing_text
from infra.documents.ooxml.package import Package
from infra.documents.text import one_line
from infra.errors import MediaError
from infra.limits import MAX_EMBEDDED_BYTES


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
        """The picture that ``blip`` or ``imagedata`` shows; what is said about it if it lies outside of the file."""
        part = self.target(relation(blip, "embed", "id", "pict"))
        if part:
            yield from self._embedded(part, alt, Picture)
        elif said := one_line(alt):
            yield Paragraph(said)

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
            root = self._package.xml_or_none(part)
            yield from chart_blocks(root)
            if root is not None and (shapes := child(root, "userShapes")) is not None:
                yield from self._drawn_on(part, relation(shapes, "id"))
        if local(element) == "relIds" and (part := self.target(relation(element, "dm"))):
            yield from _diagram(self._package.xml_or_none(part))

    def _drawn_on(self, chart: str, identity: str) -> Iterator[Block]:
        """The words of the boxes that were drawn on a chart."""
        part = Drawings(self._package, chart).target(identity)
        root = self._package.xml_or_none(part) if part else None
        for body in [] if root is None else descendants(root, "txBody"):
            if words := drawing_text(body):
                yield Paragraph(words)


def _diagram(root: Element | None) -> Iterator[Block]:
    """The words of a SmartArt; how they are laid out is stored apart, with the same words again."""
    points = children(child(root, "ptLst"), "pt")
    texts = [drawing_text(point) for point in points if attribute(point, "type", "node") != "pres"]
    if lines := [text for text in texts if text]:
        yield Paragraph("\n".join(lines))
