"""What recognisers of speech and video platforms write beside films: JSON and tables, as seconds and words."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

SPOKEN_COLUMNS = "start\tend\ttext"  # the head of a table
Spoken = tuple[float, str]


def spoken_json(transcript: str) -> Iterator[Spoken]:
    """What recognisers of speech write: segments with seconds, or events with milliseconds; nothing for other JSON."""
    try:
        document = json.loads(transcript)
    except (ValueError, RecursionError):
        return
    if not isinstance(document, dict):
        return
    for segment in _records(document.get("segments")):
        yield from _said(segment.get("start"), 1, segment.get("text"))
    for piece in _records(document.get("transcription")):
        offsets = piece.get("offsets")
        yield from _said(offsets.get("from") if isinstance(offsets, dict) else None, 1000, piece.get("text"))
    for event in _records(document.get("events")):
        words = "".join(str(piece.get("utf8", "")) for piece in _records(event.get("segs")))
        yield from _said(event.get("tStartMs"), 1000, words)


def _said(start: Any, ticks: int, text: Any) -> Iterator[Spoken]:
    """A cue, if there are words and a time in ``ticks`` a second."""
    if isinstance(start, int | float) and isinstance(text, str) and text.strip():
        yield start / ticks, text


def spoken_columns(lines: Sequence[str]) -> Iterator[Spoken]:
    """The table of a recogniser of speech: milliseconds and words."""
    for line in lines[1:]:
        start, _, words = line.partition("\t")
        if start.strip().isdigit():
            yield int(start) / 1000, words.partition("\t")[2]


def _records(value: Any) -> list[dict[str, Any]]:
    return [inner for inner in value if isinstance(inner, dict)] if isinstance(value, list) else []
