"""Reads the fields of a call from decoded JSON: ids, texts, marks, in the shapes that small models give them.

Never raises on any JSON value; what cannot be read is left out and named in ``repairs``.
"""

import math
import re
from collections.abc import Iterable, Mapping

from memory_graph.actions import Mark
from memory_graph.graph import MAX_PRIORITY, MIN_PRIORITY
from memory_graph.lenient_json import MAX_DIGITS, Json

DEFAULT_PRIORITY = 3  # of a useful item whose priority is missing

_ID_LIKE = re.compile(r"[A-Za-z0-9_.-]+", re.ASCII)
_DECIMAL = re.compile(r"-?\d+(?:\.\d+)?", re.ASCII)
_CLOCK = re.compile(r"(?:(\d{1,4}):)?(\d{1,4}):(\d{1,2}(?:\.\d+)?)", re.ASCII)
_NO = frozenset({"0", "false", "no", "none", "null", "not useful", "irrelevant", ""})


def first(fields: Mapping[str, Json], keys: Iterable[str]) -> Json:
    """The value of the first key present, or None."""
    return next((fields[key] for key in keys if key in fields), None)


def text_of(value: Json) -> str | None:
    """A text field; numbers are written out, lists of texts joined, anything else is no text."""
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, list) and value and all(isinstance(element, str) for element in value):
        return ", ".join(str(element) for element in value)
    return None


def ids_of(value: Json, repairs: list[str]) -> tuple[str, ...]:
    """Node ids from a list (canonical), a text (``"n1, n2"``), a number k (``nk``) or ``{"id": ...}``."""
    if isinstance(value, list):
        if all(isinstance(element, str) for element in value):
            return tuple(str(element) for element in value)
        repairs.append("ids as other values")
        return tuple(
            node_id for element in value if not isinstance(element, list) for node_id in ids_of(element, [])
        )
    if value is None or isinstance(value, (bool, float)):
        return ()
    repairs.append("ids not a list")
    if isinstance(value, dict):
        inner = first(value, ("id", "node_id"))
        return ids_of(inner, []) if isinstance(inner, (str, int)) else ()
    return (f"n{value}",) if isinstance(value, int) else tuple(_ID_LIKE.findall(value))


def marks_of(arguments: Mapping[str, Json], repairs: list[str]) -> tuple[Mark, ...]:
    """The judged items. A bare number is a useful item; ``{"1": {...}}`` is read as a list with positions."""
    listed = first(arguments, ("items", "marks", "memorize", "memory"))
    if isinstance(listed, dict):
        repairs.append("items not a list")
        entries = (
            [listed] if "item" in listed else [_with_position(key, entry) for key, entry in listed.items()]
        )
    elif isinstance(listed, list):
        entries = listed
    else:
        entries = [] if listed is None else [listed]
        if "items" not in arguments or entries:
            repairs.append("items not a list")
    marks = [_mark(entry, repairs) for entry in entries]
    return tuple(mark for mark in marks if mark is not None)


def _with_position(key: str, entry: Json) -> Json:
    return {"item": key, **entry} if isinstance(entry, dict) else {"item": key, "useful": entry}


def _mark(entry: Json, repairs: list[str]) -> Mark | None:
    if not isinstance(entry, dict):
        repairs.append("items as other values")
        entry = {"item": entry, "useful": 1}
    position = number_of(first(entry, ("item", "index", "position", "id")))
    if position is None or position < 1 or position != int(position):
        repairs.append("mark without an item number dropped")
        return None
    useful = _truth(first(entry, ("useful", "u", "relevant", "is_useful")), repairs)
    timestamps = _timestamps(first(entry, ("timestamps", "timestamp", "key_timestamps", "times")), repairs)
    return Mark(int(position), useful, _priority(entry, useful, repairs), timestamps)


def _priority(entry: Mapping[str, Json], useful: bool, repairs: list[str]) -> int:
    stated = number_of(first(entry, ("priority", "p", "importance")))
    if stated is None:
        if useful:
            repairs.append("priority missing")
        return DEFAULT_PRIORITY if useful else MIN_PRIORITY
    clipped = min(max(stated, MIN_PRIORITY), MAX_PRIORITY)
    if clipped != stated or clipped != int(clipped):
        repairs.append("priority out of range")
    return round(clipped)


def _timestamps(value: Json, repairs: list[str]) -> tuple[float, ...]:
    if value is None:
        return ()
    listed = value if isinstance(value, list) else [value]
    seconds = [_seconds(element) for element in listed]
    kept = tuple(time_s for time_s in seconds if time_s is not None and time_s >= 0)
    if (
        len(kept) < len(listed)
        or not isinstance(value, list)
        or any(isinstance(element, str) for element in listed)
    ):
        repairs.append("timestamps")
    return kept


def _seconds(value: Json) -> float | None:
    """Seconds of ``12``, ``"12.0 seconds"``, ``"<12.0 seconds>"`` or ``"1:02"``."""
    if isinstance(value, str) and (clock := _CLOCK.search(value[:MAX_DIGITS])):
        return int(clock[1] or 0) * 3600 + int(clock[2]) * 60 + float(clock[3])
    return number_of(value)


def number_of(value: Json) -> float | None:
    """A finite number from a number or a text that holds one, or None."""
    if isinstance(value, str):
        decimal = _DECIMAL.search(value[:MAX_DIGITS])
        value = float(decimal[0]) if decimal else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None


def _truth(value: Json, repairs: list[str]) -> bool:
    if value is None:  # an item that is listed at all was meant
        repairs.append("useful missing")
        return True
    if isinstance(value, str):
        return value.strip().casefold() not in _NO
    return bool(value)
