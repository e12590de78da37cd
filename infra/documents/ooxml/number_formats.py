"""Numbers of a workbook as a reader means them: dates as dates, shares in percent, codes with their leading zeros."""

import re
from datetime import datetime, timedelta
from enum import Enum
from typing import NamedTuple

from infra.documents.markup import Element, attribute, child, children, whole_number

_BUILT_IN_DATES = frozenset((*range(14, 18), 22, *range(27, 32), 36, *range(50, 59)))
_BUILT_IN_TIMES = frozenset((18, 19, 20, 21, 32, 33, 34, 35, 45, 46, 47))
_BUILT_IN_PERCENT = frozenset((9, 10))
_QUOTED = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?![hms]+\])[^\]]*\]', re.IGNORECASE)
_SECONDS_A_DAY = 86_400
_LAST_DAY = 2_958_466  # of the year 9999, as a workbook counts


class NumberKind(Enum):
    """What a number means."""

    PLAIN = "plain"
    DATE = "date"
    TIME = "time"
    SPAN = "span"  # hours may exceed a day
    PERCENT = "percent"


class NumberFormat(NamedTuple):
    """``digits``: at least so many before the point, filled with zeros."""

    kind: NumberKind
    digits: int = 0


PLAIN = NumberFormat(NumberKind.PLAIN)


def cell_formats(styles: Element | None) -> list[NumberFormat]:
    """The formats by the index that cells give."""
    own = {
        attribute(item, "numFmtId"): attribute(item, "formatCode")
        for item in children(child(styles, "numFmts"), "numFmt")
    }
    identities = [attribute(cell, "numFmtId") for cell in children(child(styles, "cellXfs"), "xf")]
    return [_format(identity, own.get(identity)) for identity in identities]


def _built_in(number: int) -> NumberFormat:
    if number in _BUILT_IN_DATES:
        return NumberFormat(NumberKind.DATE)
    if number in _BUILT_IN_TIMES:
        return NumberFormat(NumberKind.SPAN if number == 46 else NumberKind.TIME)
    return NumberFormat(NumberKind.PERCENT) if number in _BUILT_IN_PERCENT else PLAIN


def _format(identity: str, code: str | None) -> NumberFormat:
    return _built_in(whole_number(identity)) if code is None else format_of(code)


def format_of(code: str) -> NumberFormat:
    """What numbers mean that are shown by ``code``."""
    plain = _QUOTED.sub("", code.partition(";")[0]).lower()
    if "general" in plain:
        return PLAIN
    if re.search(r"\[[hms]+\]", plain):
        return NumberFormat(NumberKind.SPAN)
    if re.search(r"[yd]|m{3}", plain) or re.fullmatch(r"m+", plain):
        return NumberFormat(NumberKind.DATE)
    if re.search(r"[hs]", plain):
        return NumberFormat(NumberKind.TIME)
    if "%" in plain:
        return NumberFormat(NumberKind.PERCENT)
    return NumberFormat(NumberKind.PLAIN, len(plain) if re.fullmatch(r"0+", plain) else 0)


def shown(text: str, form: NumberFormat, *, from_1904: bool) -> str:
    """The number ``text`` in the form a reader means; ``text`` itself if it is no number."""
    try:
        number = float(text)
    except ValueError:
        return text
    if number != number or number in (float("inf"), float("-inf")):
        return text
    match form.kind:
        case NumberKind.PERCENT:
            return f"{round(number * 100, 10):.12g}%"
        case NumberKind.DATE if 0 <= number < _LAST_DAY:
            return _date(number, from_1904)
        case NumberKind.TIME if 0 <= number < _LAST_DAY:
            return _clock(number % 1) if number < 1 else _date(number, from_1904)
        case NumberKind.SPAN if abs(number) < _LAST_DAY:
            return _clock(number)
        case _:
            return _plain(number, text).zfill(form.digits)


def _plain(number: float, text: str) -> str:
    """Fifteen digits, as spreadsheets show them; whole numbers without an exponent."""
    if text.lstrip("-").isdecimal():
        return text
    written = f"{number:.15g}"
    return f"{number:.0f}" if "e+" in written and abs(number) < 1e21 else written


def _date(number: float, from_1904: bool) -> str:
    if number < 1 and not from_1904:
        return _clock(number)
    # the year 1900 of workbooks has a 29th of February that never was
    start = datetime(1904, 1, 1) if from_1904 else datetime(1899, 12, 30 if number >= 60 else 31)
    try:
        moment = start + timedelta(seconds=round(number * _SECONDS_A_DAY))
    except OverflowError:
        return f"{number:.15g}"
    if not (moment.hour or moment.minute or moment.second):
        return f"{moment:%Y-%m-%d}"
    return f"{moment:%Y-%m-%d %H:%M}" if not moment.second else f"{moment:%Y-%m-%d %H:%M:%S}"


def _clock(number: float) -> str:
    seconds = round(abs(number) * _SECONDS_A_DAY)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    sign = "-" if number < 0 else ""
    return f"{sign}{hours}:{minutes:02}" + (f":{seconds:02}" if seconds else "")
