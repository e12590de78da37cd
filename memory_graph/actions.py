"""The three acts of the agent and their wire text.

Holds the records and ``render``; reading model output is in ``parsing.py``, fitting an action to the graph in
``legality.py``.
"""

import json
import re
from dataclasses import dataclass
from typing import TypeAlias

from memory_graph.graph import MAX_PRIORITY, MIN_PRIORITY

OPEN_TAG, CLOSE_TAG = "<tool_call>", "</tool_call>"

# A "<" that could open a tag of the wire format, a thinking block or a special token of a chat template.
_TAG_LIKE = re.compile(r"<(?=[/|]|tool_call>|think>)")


class ActionError(ValueError):
    """An output that is no legal action. The text is short, instructive and safe to show to the model."""


@dataclass(frozen=True, slots=True)
class Search:
    """a_ret: run one query. ``id`` is empty when the model gave none."""

    id: str
    parents: tuple[str, ...]
    query: str
    like: str = ""  # a node whose kept pictures are looked for beside the words, where that is allowed

    @property
    def asked(self) -> str:
        """What is looked for, as the graph remembers it."""
        return f"{self.query} (like {self.like})" if self.like else self.query


@dataclass(frozen=True, slots=True)
class Mark:
    """The judgement of one observed item."""

    item: int  # 1-based position in the observation
    useful: bool  # u
    priority: int  # p, 1 (least) to 5
    timestamps: tuple[float, ...] = ()  # key frames of a video, seconds from the clip's start

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for a field out of range."""
        if self.item < 1:
            raise ValueError(f"items are numbered from 1, got {self.item}")
        if not MIN_PRIORITY <= self.priority <= MAX_PRIORITY:
            raise ValueError(f"priority must be 1 to 5, got {self.priority}")


@dataclass(frozen=True, slots=True)
class Memorize:
    """a_mem: summarise the pending observation and judge its items; an item without a mark is not useful."""

    id: str
    summary: str
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """a_ans: end the rollout."""

    parents: tuple[str, ...]
    text: str


Action: TypeAlias = Search | Memorize | Answer


def render(action: Action) -> str:
    r"""The canonical wire text: one compact JSON object between tool-call tags, on one line.

    A ``<`` inside a string that could be mistaken for a tag or a special token is written ``\u003c``, so the
    text holds exactly one opening and one closing tag whatever the strings say; ``parsing.parse`` gives the
    action back unchanged.
    """
    name, arguments = _wire(action)
    body = json.dumps(
        {"name": name, "arguments": arguments}, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    )
    return OPEN_TAG + _TAG_LIKE.sub(r"\\u003c", body) + CLOSE_TAG


def _wire(action: Action) -> tuple[str, dict[str, object]]:
    if isinstance(action, Search):
        like = {"like": action.like} if action.like else {}
        return "search", {"id": action.id, "parents": list(action.parents), "query": action.query, **like}
    if isinstance(action, Memorize):
        return "memorize", {
            "id": action.id,
            "summary": action.summary,
            "items": [_wire_mark(m) for m in action.marks],
        }
    return "answer", {"parents": list(action.parents), "answer": action.text}


def _wire_mark(mark: Mark) -> dict[str, object]:
    wire: dict[str, object] = {"item": mark.item, "useful": int(mark.useful), "priority": mark.priority}
    if mark.timestamps:
        wire["timestamps"] = list(mark.timestamps)
    return wire
