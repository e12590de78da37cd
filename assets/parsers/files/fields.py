"""Reading fields out of untyped records: the right type or a ``MalformedRecordError`` that says what is wrong.

Holds the border between JSON and our types only; parsers turn ``MalformedRecordError`` into a counted skip.
"""

import ast
import json
import math
from collections.abc import Mapping

MAX_LITERAL = 100_000  # characters; what is longer is no list of pages or names


class MalformedRecordError(ValueError):
    """One record does not have the shape of its dataset."""


def mapping(value: object, what: str = "record") -> Mapping[str, object]:
    """``value`` if it is a JSON object."""
    if not isinstance(value, Mapping):
        raise MalformedRecordError(f"{what} is {_kind(value)}, not an object")
    return value


def sequence(value: object, what: str) -> list[object]:
    """``value`` if it is a JSON array."""
    if not isinstance(value, list):
        raise MalformedRecordError(f"{what} is {_kind(value)}, not an array")
    return value


def text(record: Mapping[str, object], *names: str) -> str:
    """The first of the fields ``names`` that says something, as a string; numbers become their digits."""
    for name in names:
        value = record.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise MalformedRecordError(f"{name} is {_kind(value)}, not a string")
        if not _says_nothing(value):
            return str(value)
    given = [name for name in names if name in record]
    raise MalformedRecordError(f"{' and '.join(given)} is empty" if given else f"no {' or '.join(names)}")


def identifier(record: Mapping[str, object], *names: str) -> str:
    """As ``text``, for ids: 133, 133.0 (as a table with gaps has it), "133" and " 133" are one."""
    given = {name: record[name] for name in names if name in record}
    floats = {name: value for name, value in given.items() if isinstance(value, float)}
    return text(
        given | {name: int(value) for name, value in floats.items() if value.is_integer()}, *names
    ).strip()


def optional_text(record: Mapping[str, object], *names: str) -> str:
    """As ``text``, or "" where no field is there, or it is empty or no string."""
    for name in names:
        value = record.get(name)
        if isinstance(value, str | int | float) and not isinstance(value, bool) and not _says_nothing(value):
            return str(value)
    return ""


def strings(value: object, what: str) -> tuple[str, ...]:
    """A string, or an array of strings and numbers, as strings; None is none."""
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,) if value.strip() else ()
    items = sequence(value, what)
    if bad := [item for item in items if isinstance(item, bool) or not isinstance(item, str | int | float)]:
        raise MalformedRecordError(f"{what} holds {_kind(bad[0])}")
    return tuple(str(item) for item in items if not _says_nothing(item))


def literal(value: object) -> object:
    """A value that may have been stringified ("[5]", "None"); a string that is no literal stays itself."""
    if not isinstance(value, str):
        return value
    if len(value) > MAX_LITERAL:
        return value
    for read in (ast.literal_eval, json.loads):  # a table may hold either spelling of a list
        try:
            return read(value.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    return value


def page_numbers(value: object, what: str = "evidence_pages") -> tuple[int, ...]:
    """Page numbers from an int, a digit string, a list of either, or these stringified; distinct, ascending.

    Raises:
        MalformedRecordError: if it is anything else.
    """
    value = literal(value)
    if value is None or value == "":
        return ()
    pages = value if isinstance(value, list | tuple | set) else [value]
    return tuple(sorted({_page_number(page, what) for page in pages}))


def _page_number(value: object, what: str) -> int:
    value = literal(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise MalformedRecordError(f"{what} holds {value!r}, not a page number")
    return value


def _says_nothing(value: object) -> bool:
    return not str(value).strip() or (isinstance(value, float) and not math.isfinite(value))


def _kind(value: object) -> str:
    names: dict[type, str] = {
        dict: "an object",
        list: "an array",
        str: "a string",
        bool: "a boolean",
        type(None): "null",
    }
    return names.get(type(value), "a number")
