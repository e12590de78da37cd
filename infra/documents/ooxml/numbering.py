"""The numbers of list paragraphs in a Word document, which its text does not hold: ``2.1``, ``(a)``, ``iv.``."""

from dataclasses import dataclass, field

from infra.documents.markup import Element, attribute, child, children, value, whole_number
from infra.documents.ooxml.number_words import written

BULLET = "-"
_LEVELS = 9


@dataclass(slots=True)
class _Level:
    text: str
    form: str
    start: int


@dataclass(slots=True)
class Numbering:
    """The lists of one document and how far each has been counted."""

    _lists: dict[str, tuple[str, dict[int, _Level]]] = field(default_factory=dict)
    _counts: dict[str, list[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, root: Element | None) -> "Numbering":
        """The lists that ``numbering.xml`` defines."""
        lists: dict[str, tuple[str, dict[int, _Level]]] = {}
        if root is None:
            return cls()
        abstract = {attribute(item, "abstractNumId"): _levels(item) for item in children(root, "abstractNum")}
        for item in children(root, "num"):
            base = value(child(item, "abstractNumId"))
            levels = dict(abstract.get(base, {}))
            restarts = False
            for override in children(item, "lvlOverride"):
                place = whole_number(attribute(override, "ilvl"))
                levels |= _levels(override)
                if (start := child(override, "startOverride")) is not None and place in levels:
                    restarts = True
                    levels[place] = _Level(
                        levels[place].text, levels[place].form, whole_number(value(start), 1)
                    )
            identity = attribute(item, "numId")
            lists[identity] = (identity if restarts else f"abstract {base}", levels)
        return cls(lists)

    def label(self, identity: str, level: int) -> str:
        """Count one paragraph of list ``identity`` at ``level`` (from 0), and give its label; "" if it has none."""
        if identity not in self._lists or not 0 <= level < _LEVELS:
            return ""
        shared, levels = self._lists[identity]
        if level not in levels:
            return ""
        counts = self._counts.setdefault(shared, [-1] * _LEVELS)
        counts[level] = levels[level].start if counts[level] < 0 else counts[level] + 1
        counts[level + 1 :] = [-1] * (_LEVELS - level - 1)
        if levels[level].form == "bullet":
            return BULLET
        if levels[level].form == "none":
            return ""
        label = levels[level].text
        for place in range(level + 1):
            known = levels.get(place, _Level("", "decimal", 1))
            number = counts[place] if counts[place] >= 0 else known.start
            label = label.replace(f"%{place + 1}", _written(number, known.form))
        return label.strip()


def _levels(element: Element) -> dict[int, _Level]:
    return {
        whole_number(attribute(level, "ilvl")): _Level(
            value(child(level, "lvlText")),
            value(child(level, "numFmt"), default="decimal"),
            whole_number(value(child(level, "start"), default="1"), 1),
        )
        for level in children(element, "lvl")
    }


def _written(number: int, form: str) -> str:
    if form in ("lowerLetter", "upperLetter") and 0 < number < 1000:
        letters = chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 + 1)
        return letters if form == "lowerLetter" else letters.upper()
    if form in ("lowerRoman", "upperRoman") and 0 < number < 4000:
        return _roman(number) if form == "lowerRoman" else _roman(number).upper()
    if form == "decimalZero":
        return f"{number:02}"
    return written(number, form) or str(number)


def _roman(number: int) -> str:
    signs = (
        *((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l")),
        *((40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i")),
    )
    written = ""
    for size, sign in signs:
        times, number = divmod(number, size)
        written += sign * times
    return written
