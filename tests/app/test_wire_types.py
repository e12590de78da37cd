"""The types that the page reads (``app/web/wire.d.ts``) name the fields of the events that ``/openapi.json`` promises."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from app.answers.events import ADAPTER

TYPES = Path(__file__).resolve().parents[2] / "app" / "web" / "wire.d.ts"
SCHEMA = ADAPTER.json_schema(mode="serialization", ref_template="{model}")
EVENTS: dict[str, str] = SCHEMA["discriminator"]["mapping"]
PLAIN = {"string": "string", "number": "number", "integer": "number", "boolean": "boolean"}
Fields = dict[str, str]


def interfaces() -> dict[str, Fields]:
    """Fields and their types of each interface of the page, inherited ones too."""
    text = re.sub(r"/\*\*.*?\*/", "", TYPES.read_text(encoding="utf-8"), flags=re.DOTALL)
    fields: dict[str, Fields] = {}
    for name, base, body in re.findall(
        r"export interface (\w+)(?: extends (\w+))? \{(.*?)\n\}", text, flags=re.DOTALL
    ):
        fields[name] = {**fields.get(base, {}), **fields_of(body)}
    return fields


def fields_of(body: str) -> Fields:
    """``a: string; b?: number | null`` as a mapping; one level of braces counts as one type."""
    pairs = re.findall(r"(\w+)\??:\s*(\{[^{}]*\}|[^;{}]+)", body)
    return {name: kind.strip() for name, kind in pairs}


def sent(schema: dict[str, Any]) -> Fields:
    """Fields and types of a record as the server sends it, in the words of TypeScript."""
    return {name: kind_of(part) for name, part in schema["properties"].items() if name != "event"}


def kind_of(part: dict[str, Any]) -> str:
    if "$ref" in part:
        return part["$ref"]
    if "anyOf" in part:
        return " | ".join(sorted((kind_of(option) for option in part["anyOf"]), key="null".__eq__))
    if part.get("type") == "array":
        return f"{kind_of(part['items'])}[]"
    return "null" if part.get("type") == "null" else PLAIN[part["type"]]


PAGE = interfaces()
READ = PAGE["AskEvents"]


def same(page: str, server: str) -> None:
    """The type of a field that the page reads is that of the server; records are compared field by field."""
    page_record, server_record = page.removesuffix("[]"), server.removesuffix("[]")
    if page_record in PAGE and server_record in SCHEMA["$defs"]:
        assert page.endswith("[]") == server.endswith("[]")
        compare(PAGE[page_record], sent(SCHEMA["$defs"][server_record]))
    elif page == "Counters":
        assert set(sent(SCHEMA["$defs"][server]).values()) == {"number"}
    else:
        # the page may be ready for a null that the server never sends
        assert page in (server, f"{server} | null")


def compare(page: Fields, server: Fields) -> None:
    assert page.keys() == server.keys()
    for name, kind in page.items():
        same(kind, server[name])


def test_the_page_knows_every_event_and_no_other():
    assert READ.keys() == EVENTS.keys()


@pytest.mark.parametrize("event", EVENTS)
def test_the_fields_of_an_event_are_those_that_the_server_sends(event: str):
    read = READ[event]
    fields = fields_of(read.strip("{} ")) if read.startswith("{") else PAGE[read]
    compare(fields, sent(SCHEMA["$defs"][EVENTS[event]]))
