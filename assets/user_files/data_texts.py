"""Texts that programs write for programs, as a reader would have them: letters instead of their escapes, whole lines.

JSON and its lines, properties, calendars and address cards; every other text is left as it is.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from infra.documents.cards import card_text

MAX_JSON = 16 << 20  # characters of JSON that is parsed; a longer one stays as it is
_ESCAPES = re.compile(r"(?<!\\)((?:\\\\)*)((?:\\u[0-9a-fA-F]{4})+)")


def readable(text: str, suffix: str) -> str:
    """``text`` of a file called ``*suffix``, with plain newlines."""
    change = _CHANGES.get(suffix.lower())
    return text if change is None else change(text)


def _json(text: str) -> str:
    if len(text) > MAX_JSON:
        return _letters(text)
    try:
        return json.dumps(_tidy(json.loads(text)), ensure_ascii=False, indent=1)
    except (ValueError, RecursionError):
        return _letters(text)


def _json_lines(text: str) -> str:
    return "\n".join(map(_json_line, text.split("\n")))


def _json_line(line: str) -> str:
    try:
        return json.dumps(_tidy(json.loads(line)), ensure_ascii=False) if line.strip() else line
    except (ValueError, RecursionError):
        return _letters(line)


def _log(text: str) -> str:
    """A log whose lines are JSON, as containers write it, or any other."""
    first = next((line for line in text.split("\n", 10) if line.strip()), "")
    return _json_lines(text) if first.startswith('{"') and first.rstrip().endswith("}") else text


def _tidy(value: Any) -> Any:
    """The same with long values of one piece unbroken: encoded bytes are told by it."""
    match value:
        case str() if len(value) > 300 and not re.search(r"[^\w+/=\s-]", value):
            joined = "".join(value.split())
            return joined if len(value) - len(joined) < len(value) // 40 else value
        case dict():
            return {str(key): _tidy(inner) for key, inner in value.items()}
        case list():
            return [_tidy(inner) for inner in value]
    return value


def _letters(text: str) -> str:
    r"""``\u00e4`` as the letter it stands for."""

    def letters(match: re.Match[str]) -> str:
        units = bytes.fromhex(match.group(2).replace("\\u", ""))
        return match.group(1) + units.decode("utf-16-be", "replace")

    return _ESCAPES.sub(letters, text)


_CHANGES: dict[str, Callable[[str], str]] = {
    **dict.fromkeys((".json", ".geojson"), _json),
    **dict.fromkeys((".jsonl", ".ndjson"), _json_lines),
    ".log": _log,
    ".properties": _letters,
    **dict.fromkeys((".ics", ".vcf"), card_text),
}
