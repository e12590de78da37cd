"""JSON to and from a language model: data quoted so that it stays data, and the object in a reply.

Holds no prompt. What an object has to hold is checked by whoever asked for it.
"""

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

MAX_REPLY_CHARS = (
    50_000  # of a reply that is searched for its object; one that was asked for is a hundredth of it
)
MAX_BRACES = 200  # places at which an object is looked for

Quotable: TypeAlias = "str | int | float | bool | Mapping[str, Quotable] | None"


def quoted(value: Mapping[str, Quotable]) -> str:
    """``value`` as JSON in which no text can end its field, or be a control token of a chat template.

    These tokens begin with ``<`` or ``[``, which are written as escapes; lists would need brackets and are not taken.
    """
    text = json.dumps(value, ensure_ascii=False, indent=1)
    return text.replace("<", "\\u003c").replace("[", "\\u005b")


def without_thoughts(reply: str) -> str:
    """What follows the thoughts of a reply; nothing if they never end.

    Some templates open the thoughts before the reply; a reply that begins as an object has none, whatever it quotes.
    """
    text = reply.strip()
    head, closed, rest = text.partition("</think>")
    if head.startswith("<think>"):
        return rest.strip()
    return rest.strip() if closed and not head.startswith(("{", "```")) else text


def object_in(reply: str) -> dict[str, Any] | None:
    """The last JSON object of a reply, whatever stands around it; None if there is none."""
    text = without_thoughts(reply)[:MAX_REPLY_CHARS]
    decoder, value, start = json.JSONDecoder(), None, text.find("{")
    for _ in range(MAX_BRACES):
        if start < 0:
            break
        try:
            value, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            end = start + 1
        start = text.find("{", end)
    return value if isinstance(value, dict) else None


def text_of(value: object, *, max_chars: int) -> str:
    """One line of text, legible and within bounds; empty for anything that is no text or too long."""
    if not isinstance(value, str):
        return ""
    text = " ".join(value.encode("utf-8", "replace").decode("utf-8").replace("\0", "").split())
    return text if len(text) <= max_chars else ""
