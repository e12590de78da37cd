"""What the styles of a Word document say about its paragraphs: which are headings, which are numbered."""

import re
from dataclasses import dataclass
from typing import NamedTuple

from infra.documents.markup import Element, attribute, child, children, is_on, value, whole_number

_HEADING = re.compile(r"heading (\d)", re.IGNORECASE)
_BODY = 9  # outline level of what is no heading
_MAX_BASES = 20  # styles that one is based on; more is a circle


class ListPlace(NamedTuple):
    """A list and the level in it, from 0."""

    identity: str
    level: int


@dataclass(frozen=True, slots=True)
class Styles:
    """The paragraph styles by their ids."""

    by_id: dict[str, Element]

    @classmethod
    def of(cls, root: Element | None) -> "Styles":
        """The styles that ``styles.xml`` defines."""
        styles = children(root, "style")
        return cls({attribute(style, "styleId"): style for style in styles})

    def heading_level(self, properties: Element | None) -> int:
        """The level of the heading that a paragraph is, from 1; 0 if it is none."""
        if (outline := child(properties, "outlineLvl")) is not None:
            return _outline_level(outline)
        for style in self._chain(value(child(properties, "pStyle"))):
            name = value(child(style, "name"))
            if name.lower() == "title":
                return 1
            if match := _HEADING.match(name):
                return int(match.group(1)) or 1
            if (outline := child(style, "pPr", "outlineLvl")) is not None:
                return _outline_level(outline)
        return 0

    def list_place(self, properties: Element | None) -> ListPlace | None:
        """The list that a paragraph belongs to."""
        holders = [child(properties, "numPr")]
        holders += [child(style, "pPr", "numPr") for style in self._chain(value(child(properties, "pStyle")))]
        for numbers in holders:
            if numbers is not None and (identity := child(numbers, "numId")) is not None:
                named = value(identity)
                level = next(
                    (value(place) for holder in holders if (place := child(holder, "ilvl")) is not None), "0"
                )
                return None if named == "0" else ListPlace(named, whole_number(level))
        return None

    def hides(self, identity: str) -> bool:
        """Whether the text of a paragraph or a run of this style is hidden."""
        stated = (child(style, "rPr", "vanish") for style in self._chain(identity))
        return is_on(next((switch for switch in stated if switch is not None), None))

    def _chain(self, identity: str) -> list[Element]:
        found: list[Element] = []
        while identity in self.by_id and len(found) < _MAX_BASES:
            found.append(self.by_id[identity])
            identity = value(child(found[-1], "basedOn"))
        return found


def _outline_level(outline: Element) -> int:
    level = whole_number(value(outline), _BODY)
    return level + 1 if 0 <= level < _BODY else 0
