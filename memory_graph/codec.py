"""The graph as plain JSON values, versioned.

``decode(encode(graph)) == graph``. Decoding checks every type and, through the constructors, every invariant,
so a file can be trusted or is refused with ``ValueError``. Unknown keys are refused too: they are a newer
version's data. Version 1, which lacks the useful texts of a node, is read too.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from memory_graph.graph import AnswerNode, MemoryGraph, SearchNode, VisualItem, VisualKind

VERSION = 2
READABLE = (1, VERSION)

_GRAPH = {"version": int, "question": str, "nodes": list, "answer": (dict, type(None))}
_NODE_1 = {"id": str, "parents": list, "query": str, "summary": str, "items": list, "retrieved": list}
_NODE = {**_NODE_1, "noted": list}
_ITEM = {"item_id": str, "kind": str, "priority": int, "width": int, "height": int, "timestamps": list}
_ANSWER = {"parents": list, "text": str}


def encode(graph: MemoryGraph) -> dict[str, Any]:
    """Dicts, lists, texts and numbers only; key order is that of the fields, so equal graphs encode to equal bytes."""
    return {"version": VERSION, **_plain(graph)}


def decode(data: Mapping[str, Any]) -> MemoryGraph:
    """The graph that ``encode`` wrote.

    Raises:
        ValueError: another version, a missing, unknown or mistyped field, or a broken invariant.
    """
    version = data.get("version") if isinstance(data, Mapping) else None
    if version not in READABLE or isinstance(version, bool):
        raise ValueError(f"a memory graph of version {VERSION} is needed, got {version!r}")
    _require_fields(data, _GRAPH, "the graph")
    answer = data["answer"]
    return MemoryGraph(
        question=data["question"],
        nodes=tuple(_decode_node(node, _NODE_1 if version == 1 else _NODE) for node in data["nodes"]),
        answer=None if answer is None else _decode_answer(answer),
    )


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [_plain(element) for element in value]
    return value.value if isinstance(value, Enum) else value


def _decode_node(data: Any, needed: Mapping[str, Any]) -> SearchNode:
    _require_fields(data, needed, "a node")
    return SearchNode(
        id=data["id"],
        parents=_texts(data["parents"], "parents"),
        query=data["query"],
        summary=data["summary"],
        items=tuple(_decode_item(item) for item in data["items"]),
        retrieved=_texts(data["retrieved"], "retrieved"),
        noted=_texts(data.get("noted", []), "noted"),
    )


def _decode_item(data: Any) -> VisualItem:
    _require_fields(data, _ITEM, "an item")
    if any(isinstance(time, bool) or not isinstance(time, (int, float)) for time in data["timestamps"]):
        raise ValueError(f"timestamps must be numbers: {data['timestamps']!r}")
    typed: dict[str, Any] = {
        "kind": VisualKind(data["kind"]),
        "timestamps": tuple(float(time) for time in data["timestamps"]),
    }
    return VisualItem(**{**data, **typed})


def _decode_answer(data: Any) -> AnswerNode:
    _require_fields(data, _ANSWER, "the answer")
    return AnswerNode(parents=_texts(data["parents"], "parents"), text=data["text"])


def _texts(values: list[Any], name: str) -> tuple[str, ...]:
    if not all(isinstance(value, str) for value in values):
        raise ValueError(f"{name} must be texts: {values!r}")
    return tuple(values)


def _require_fields(data: Any, needed: Mapping[str, Any], what: str) -> None:
    if not isinstance(data, Mapping) or set(data) != set(needed):
        raise ValueError(f"{what} must have exactly the fields {sorted(needed)}")
    for name, kind in needed.items():
        if not isinstance(data[name], kind) or isinstance(data[name], bool):
            raise ValueError(f"field {name!r} of {what} has the wrong type: {type(data[name]).__name__}")
