"""Numbers, dates and times in a text as values that can be compared, however they are written.

Pure. A quantity holds every value its writing may mean: ``1.234`` is 1.234 or 1,234. Units of one kind are converted; numbers
without a unit are equal to those with one.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_SPACE = r"[ \u00a0\u202f]"
_MONTHS = (
    *(("january", "jan", "januar"), ("february", "feb", "februar"), ("march", "mar", "m\u00e4rz")),
    *(("april", "apr"), ("may", "mai"), ("june", "jun", "juni"), ("july", "jul", "juli")),
    *(("august", "aug"), ("september", "sep", "sept"), ("october", "oct", "oktober", "okt")),
    *(("november", "nov"), ("december", "dec", "dezember", "dez")),
)
_MONTH = {name: number for number, names in enumerate(_MONTHS, start=1) for name in names}
_ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
_WORDS = {word: value for value, word in enumerate((*_ONES.split(), "eighteen", "nineteen"))}
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_WORDS |= {word: 10 * value for value, word in enumerate(_TENS.split(), 2)}
_WORDS |= {"half": 0.5, "dozen": 12, "once": 1, "twice": 2}
_GERMAN = "null eins zwei drei vier f\u00fcnf sechs sieben acht neun zehn elf zw\u00f6lf"
_WORDS |= {word: value for value, word in enumerate(_GERMAN.split())}
_SCALES = {
    **{
        "hundred": 1e2,
        "thousand": 1e3,
        "million": 1e6,
        "millions": 1e6,
        "mio": 1e6,
        "m": 1e6,
        "billion": 1e9,
        "bn": 1e9,
    },
    **{
        "trillion": 1e12,
        "tausend": 1e3,
        "millionen": 1e6,
        "milliarden": 1e9,
        "milliarde": 1e9,
        "hundert": 1e2,
    },
}
_KINDS: dict[str, dict[str, float]] = {
    "length": {
        "km": 1e3,
        "kilomet": 1e3,
        "m": 1,
        "met": 1,
        "cm": 0.01,
        "centimet": 0.01,
        "mm": 1e-3,
        "millimet": 1e-3,
    }
    | {"mile": 1609.344, "mi": 1609.344, "ft": 0.3048, "foot": 0.3048, "feet": 0.3048, "inch": 0.0254},
    "area": {
        "km\u00b2": 1e6,
        "km2": 1e6,
        "square kilomet": 1e6,
        "m\u00b2": 1,
        "m2": 1,
        "square met": 1,
        "hectare": 1e4,
        "ha": 1e4,
    },
    "mass": {
        "kg": 1,
        "kilogram": 1,
        "kilo": 1,
        "g": 1e-3,
        "gram": 1e-3,
        "mg": 1e-6,
        "milligram": 1e-6,
        "t": 1e3,
        "ton": 1e3,
    }
    | {"tonne": 1e3, "lb": 0.4536, "pound": 0.4536},
    "time": {
        "s": 1,
        "sec": 1,
        "second": 1,
        "min": 60,
        "minute": 60,
        "h": 3600,
        "hour": 3600,
        "hr": 3600,
        "stunde": 3600,
    }
    | {"day": 86400, "tag": 86400, "week": 604800, "woche": 604800},
    "months": {"month": 1, "monat": 1, "year": 12, "yr": 12, "jahr": 12, "decade": 120},
    "volume": {"l": 1, "lit": 1, "ml": 1e-3, "millilit": 1e-3},
    "power": {
        "w": 1,
        "watt": 1,
        "kw": 1e3,
        "kilowatt": 1e3,
        "mw": 1e6,
        "megawatt": 1e6,
        "gw": 1e9,
        "gigawatt": 1e9,
    },
    "share": {"%": 1, "percent": 1, "per cent": 1, "prozent": 1},
    "euro": {"\u20ac": 1, "eur": 1, "euro": 1},
    "dollar": {"$": 1, "usd": 1, "dollar": 1},
    "sterling": {"\u00a3": 1, "gbp": 1},
}
_UNITS = {unit: (kind, factor) for kind, units in _KINDS.items() for unit, factor in units.items()}

_MONTH_NAMES = "|".join(sorted(_MONTH, key=len, reverse=True))
_DATES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})(?!\d)",
        r"(?<!\d)(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})(?!\d)",
        rf"(?<!\d)(?P<d>\d{{1,2}})(?:st|nd|rd|th|\.)?\s(?:of\s)?(?P<M>{_MONTH_NAMES})\b\.?,?(?:\s(?P<y>\d{{4}}))?",
        rf"\b(?P<M>{_MONTH_NAMES})\b\.?\s(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?!\d),?(?:\s(?P<y>\d{{4}}))?",
        rf"\b(?P<M>{_MONTH_NAMES})\b\.?,?\s(?P<y>\d{{4}})(?!\d)",
    )
)
_CLOCK = re.compile(
    r"(?<![\d:])(\d{1,2})[:.](\d{2})(?::(\d{2}))?\s?(am|pm|a\.m\.|p\.m\.)?(?![\d:])", re.IGNORECASE
)
_NUMBER = re.compile(
    rf"(?P<before>[\u20ac$\u00a3])?\s?(?P<n>\d{{1,3}}(?:{_SPACE}\d{{3}})+(?!\d)(?:[.,]\d+)?|\d+(?:[.,'\u2019]\d+)*)"
)
_WORD = re.compile(r"[^\W\d_]+", re.UNICODE)
_AFTER = re.compile(
    rf"(?:{_SPACE}|-)?(?P<scale>{'|'.join(sorted(_SCALES, key=len, reverse=True))})?(?![^\W\d_])(?:(?<=[a-z])\.)?"
    rf"(?:{_SPACE}|-)?(?P<unit>%|\u20ac|\$|\u00a3|(?:square |per )?[^\W\d_]+[\u00b22]?)?",
    re.IGNORECASE,
)
_ABOUT = re.compile(
    r"(about|around|roughly|approximately|approx\.?|nearly|almost|over|some|more than|less than|circa|ca\."
    r"|rund|etwa|fast|\u00fcber)\s*"
    r"[\u20ac$\u00a3]?\s*\Z",
    re.IGNORECASE,
)
TOLERANCE = 0.05  # of a number that is said to be about right


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number, a date ``(year, month, day)`` with zeros for what is not said, or a time of day in seconds."""

    start: int
    end: int
    values: frozenset[float] = frozenset()
    unit: str = ""  # kind of it, if it has one that is known
    date: tuple[int, int, int] | None = None
    is_rounded: bool = False

    def stands_in(self, others: list["Quantity"]) -> bool:
        """Whether one of the others says the same."""
        return any(self._equals(other) for other in others)

    def _equals(self, other: "Quantity") -> bool:
        if self.date is not None:
            if other.date is None:
                return self.date[1:] == (0, 0) and float(self.date[0]) in other.values
            return all(mine in (0, theirs) for mine, theirs in zip(self.date, other.date, strict=True))
        if other.date is not None:
            return not self.unit and bool(self.values & {float(part) for part in other.date if part})
        if self.unit and other.unit and self.unit != other.unit:
            return False
        near = TOLERANCE if self.is_rounded or other.is_rounded else 1e-9
        return any(
            abs(mine - theirs) <= near * max(abs(mine), abs(theirs))
            for mine in self.values
            for theirs in other.values
        )


def quantities(text: str) -> list[Quantity]:
    """Every quantity of a text, in order."""
    found: list[Quantity] = []
    taken = bytearray(len(text))
    for quantity in (*_dates(text), *_clocks(text), *_numbers(text), *_number_words(text)):
        if not any(taken[quantity.start : quantity.end]):
            taken[quantity.start : quantity.end] = b"\1" * (quantity.end - quantity.start)
            found.append(quantity)
    return sorted(found, key=lambda quantity: quantity.start)


def _dates(text: str) -> Iterator[Quantity]:
    for pattern in _DATES:
        for match in pattern.finditer(text):
            parts = match.groupdict()
            month = _MONTH[parts["M"].lower()] if parts.get("M") else int(parts["m"])
            day = int(parts.get("d") or 0)
            if 1 <= month <= 12 and day <= 31:
                yield Quantity(match.start(), match.end(), date=(int(parts.get("y") or 0), month, day))


def _clocks(text: str) -> Iterator[Quantity]:
    for match in _CLOCK.finditer(text):
        hours, minutes, half = int(match[1]), int(match[2]), (match[4] or "").replace(".", "").lower()
        is_time = half or ":" in match[0]
        if not is_time or hours > 24 or minutes > 59:
            continue
        if half:
            hours = hours % 12 + 12 * (half == "pm")
        seconds = 3600.0 * hours + 60.0 * minutes + int(match[3] or 0)
        yield Quantity(match.start(), match.end(), frozenset({seconds}), "clock")


def _numbers(text: str) -> Iterator[Quantity]:
    for match in _NUMBER.finditer(text):
        yield _measured(text, match.start("n"), match.end("n"), _values(match["n"]), match["before"] or "")


def _number_words(text: str) -> Iterator[Quantity]:
    words = [(match[0].lower(), match.start(), match.end()) for match in _WORD.finditer(text)]
    place = 0
    while place < len(words):
        word, start, end = words[place]
        place += 1
        if word not in _WORDS:
            continue
        value = float(_WORDS[word])
        if (
            value >= 20
            and place < len(words)
            and _WORDS.get(words[place][0], 99) < 10
            and words[place][1] - end == 1
        ):
            value, end = value + _WORDS[words[place][0]], words[place][2]
            place += 1
        yield _measured(text, start, end, frozenset({value}), "")


def _values(written: str) -> frozenset[float]:
    """What a number may mean, by where its marks stand."""
    plain = re.sub(rf"{_SPACE}|['\u2019]", "", written)
    marks = [mark for mark in plain if mark in ".,"]
    if not marks:
        return frozenset({float(plain)})
    last = plain[max(plain.rfind("."), plain.rfind(",")) + 1 :]
    if len(set(marks)) == 2:  # both: the last one is of decimals
        whole = re.sub(r"[.,]", "", plain[: -len(last) - 1])
        return frozenset({float(f"{whole}.{last}")})
    without = float(re.sub(r"[.,]", "", plain))
    if len(marks) > 1:
        return frozenset({without})
    decimal = float(plain.replace(",", "."))
    return frozenset({decimal, without}) if len(last) == 3 else frozenset({decimal})


def _measured(text: str, start: int, end: int, values: frozenset[float], before: str) -> Quantity:
    """The number with the scale and the unit that stand at it."""
    after = _AFTER.match(text, end)
    scale = (after["scale"] or "").lower() if after else ""
    unit = _unit(before) or (_unit((after["unit"] or "").lower()) if after else None)
    if scale == "m" and not before:  # metres, not millions
        scale, unit = "", _UNITS["m"]
    factor = _SCALES.get(scale, 1.0) * (unit[1] if unit else 1.0)
    if after and unit and after["unit"] and not _unit(before):
        end = after.end("unit")
    elif after and scale:
        end = after.end("scale")
    about = _ABOUT.search(text[max(0, start - 24) : start]) is not None
    return Quantity(
        start, end, frozenset(value * factor for value in values), unit[0] if unit else "", is_rounded=about
    )


def _unit(word: str) -> tuple[str, float] | None:
    """The kind and the size of a unit; ``metre``, ``meters`` and ``metres`` are one."""
    if word in _UNITS:
        return _UNITS[word]
    singular = word.removesuffix("s")
    for ending in ("", "re", "er", "e", "n", "en"):
        stem = singular.removesuffix(ending)
        if stem in _UNITS and (len(stem) > 2 or stem == word):
            return _UNITS[stem]
    return None
