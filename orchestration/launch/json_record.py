"""Frozen records as one line of JSON: how a process is told what to do."""

from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

_Record = TypeVar("_Record")


def to_json(record: object) -> str:
    """One line of JSON."""
    return TypeAdapter(type(record)).dump_json(record).decode()


def from_json(kind: type[_Record], text: str) -> _Record:
    """The record of class ``kind`` that ``to_json`` wrote; ``ValueError`` in one line if it is not one."""
    try:
        return TypeAdapter(kind).validate_json(text)
    except ValidationError as error:
        places = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'record'}: {e['msg']}" for e in error.errors())
        raise ValueError(f"not a {kind.__name__}: {places}") from None
