"""The parts of an Office Open XML file and how they refer to each other. What lies outside of the file is never looked at."""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple
from urllib.parse import unquote

from infra.documents.archive import Archive
from infra.documents.markup import Element, attribute, children, parse_xml
from infra.errors import MediaError


class Relationship(NamedTuple):
    """``kind`` is the last word of its type; ``part`` is empty if it leads out of the file."""

    kind: str
    part: str


@dataclass(frozen=True)
class Package:
    """An open file."""

    archive: Archive

    @cached_property
    def main(self) -> str:
        """The part that the file is about: the text, the slides, the workbook. Raises ``MediaError``."""
        for relationship in self.relationships("").values():
            if relationship.kind == "officeDocument" and relationship.part:
                return relationship.part
        raise MediaError("part_missing", "no part says what the file is about")

    @cached_property
    def content_types(self) -> Mapping[str, str]:
        """What each part holds, by its name in small letters and without the first slash."""
        root = parse_xml(self.archive.read("[Content_Types].xml"), "[Content_Types].xml")
        return {
            attribute(override, "PartName").lower().lstrip("/"): attribute(override, "ContentType")
            for override in children(root, "Override")
        }

    def xml(self, part: str) -> Element:
        """The root of a part. Raises ``MediaError``."""
        return parse_xml(self.archive.read(part), part)

    def xml_or_none(self, part: str) -> Element | None:
        """The root of a part; None if it is missing or cannot be read, for what is optional."""
        try:
            return self.xml(part)
        except MediaError:
            return None

    def relationships(self, part: str) -> dict[str, Relationship]:
        """The relationships of a part, or of the file if ``part`` is empty, by id."""
        folder, name = posixpath.split(part)
        rels = posixpath.join(folder, "_rels", f"{name}.rels")
        if rels not in self.archive:
            return {}
        return {
            attribute(element, "Id"): Relationship(
                attribute(element, "Type").rpartition("/")[2], _part(element, folder)
            )
            for element in children(parse_xml(self.archive.read(rels), rels), "Relationship")
        }

    def related(self, part: str, kind: str) -> list[str]:
        """The parts that ``part`` relates to by a relationship of this kind, in the order of their ids' file."""
        return [to.part for to in self.relationships(part).values() if to.kind == kind and to.part]


def _part(element: Element, folder: str) -> str:
    if attribute(element, "TargetMode").lower() == "external":
        return ""
    target = unquote(attribute(element, "Target")).replace("\\", "/").partition("#")[0]
    if not target:
        return ""
    return posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
