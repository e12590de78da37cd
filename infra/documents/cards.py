"""Address cards and calendars (vCard, iCalendar) as a reader would have them."""

import quopri
import re

_FOLD = re.compile(r"\n[ \t]")
_QUOTED = re.compile(
    r"^([\w.-]+)((?:;[^:\n]*)?;(?:ENCODING=)?QUOTED-PRINTABLE[^:\n]*):((?:[^\n]*=\n)*[^\n]*)", re.M | re.I
)
_CARD_PICTURE = re.compile(r"^(PHOTO|LOGO|KEY|SOUND)[;:][^\n]*\n?", re.M | re.I)
_EVENT = re.compile(r"^(SUMMARY|DTSTART|DTEND|LOCATION|DESCRIPTION)(?:;[^:\n]*)?:([^\n]*)", re.M | re.I)
_MOMENT = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(?:\d\d)?(Z?))?")
_NAMES = {"dtstart": "begins", "dtend": "ends"}
_CHARSET = re.compile(r"CHARSET=([\w-]+)", re.I)


def card_text(text: str) -> str:
    """``text`` with plain newlines: folded lines joined, without pictures and the signs that protect others."""
    text = _QUOTED.sub(_unquoted, text)
    text = _CARD_PICTURE.sub("", _FOLD.sub("", text))
    return text.replace("\\n", "\n").replace("\\N", "\n").replace("\\,", ",").replace("\\;", ";")


def event_lines(text: str) -> list[str]:
    """What a calendar says of its events that a reader asks for, each behind its name: what, when, where, what about."""
    plain = _FOLD.sub("", text.replace("\r\n", "\n"))
    _, begins, events = plain.partition("BEGIN:VEVENT\n")
    found = _EVENT.findall(events) if begins else []
    return [
        f"{_NAMES.get(name.lower(), name.lower())}: {' '.join(_moment(card_text(said)).split())}"
        for name, said in found
        if said.strip()
    ]


def _moment(text: str) -> str:
    """``20240305T100000Z`` as ``2024-03-05 10:00 UTC``; anything else as it is."""
    match = _MOMENT.fullmatch(text.strip())
    if match is None:
        return text
    year, month, day, hour, minute, in_utc = match.groups()
    time = f" {hour}:{minute}{' UTC' if in_utc else ''}" if hour else ""
    return f"{year}-{month}-{day}{time}"


def _unquoted(match: re.Match[str]) -> str:
    charset = _CHARSET.search(match.group(2))
    data = quopri.decodestring(match.group(3).encode("utf-8", "replace"))
    try:
        return f"{match.group(1)}:{data.decode(charset.group(1) if charset else 'utf-8', 'replace')}"
    except LookupError:
        return f"{match.group(1)}:{data.decode('utf-8', 'replace')}"
