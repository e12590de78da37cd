r"""LVBench: four-way choice questions on long videos, with the span of time that answers them.

``video_info.meta.jsonl`` has one line a video; the videos are ``videos/<key>.{mp4,webm,mkv}``, to be fetched
apart::

    {"key": "Cm73ma6Ibcs", "type": "cartoon", "video_info": {"duration_minutes": 34.4, "fps": 25.0,
     "resolution": {"width": 1280, "height": 720}},
     "qa": [{"uid": "55", "question": "What ...?\n(A) one\n(B) two\n(C) three\n(D) four", "answer": "D",
             "question_type": ["key information retrieval"], "time_reference": "00:15-00:19"}]}

An item is a clip; gold are the clips that overlap the reference (minutes may exceed 59, hours may be given,
start may equal end). The question's text keeps its options, for the letter means nothing without them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from assets.parsers import fields
from assets.parsers.evidence import with_evidence
from assets.parsers.fields import RecordMalformed
from assets.parsers.json_stream import Element, json_lines
from assets.parsers.records import ParseContext, Parsed, Record, Skipped
from assets.parsers.videos import ClipItem, Video, overlapping, placed, video_files, video_items
from assets.question import AnswerKind, EvidenceStatus, Question

DATASET = "lvbench"
LICENCE = "CC BY-NC-SA 4.0 (annotations); videos belong to their owners"
_OPTION = re.compile(r"^\s*\(([A-Z])\)[ \t]*(.*?)\s*$", re.MULTILINE)
_DASH = re.compile(r"\s*[-\u2010-\u2015~]\s*")
_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d{1,2}(?:\.\d+)?)")


class Span(NamedTuple):
    """A stretch of a video, in seconds."""

    start_s: float
    end_s: float


def parse(raw: Path, context: ParseContext) -> Iterator[Record]:
    """Stream each video's clips, then its questions."""
    files = video_files(raw)
    seen: set[str] = set()
    for path in sorted(raw.glob("*.jsonl")):
        for element in json_lines(path, where=path.name):
            if isinstance(element, Skipped):
                yield element
            else:
                yield from _line(element, raw, files, seen, context)


def time_span(value: object) -> Span | None:
    """A ``time_reference``: "MM:SS-MM:SS", "H:MM:SS-H:MM:SS", one moment, two numbers; None if there is none.

    Raises:
        RecordMalformed: if it is anything else.
    """
    if value is None or value == "" or value == []:
        return None
    parts = _DASH.split(value.strip()) if isinstance(value, str) else value
    if not isinstance(parts, list) or len(parts) not in (1, 2):
        raise RecordMalformed(f"time_reference is {value!r}")
    times = [_seconds(part, value) for part in parts]
    return Span(min(times), max(times))


def _seconds(part: object, whole: object) -> float:
    if isinstance(part, int | float) and not isinstance(part, bool) and part >= 0:
        return float(part)
    match = _CLOCK.fullmatch(part.strip()) if isinstance(part, str) else None
    if match is None:
        raise RecordMalformed(f"time_reference is {whole!r}")
    hours, minutes, seconds = match.groups()
    return int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds)


def _line(
    element: Element, raw: Path, files: Mapping[str, Path], seen: set[str], context: ParseContext
) -> Iterator[Record]:
    try:
        record = fields.mapping(element.value)
        key = fields.text(record, "key")
        qas = fields.sequence(record.get("qa", []), "qa")
    except RecordMalformed as error:
        yield Skipped(reason="record_malformed", where=element.where, detail=str(error))
        return
    clips: list[ClipItem] = []
    if (path := files.get(key)) is None:
        yield Skipped(reason="video_missing", where=f"videos/{key}", detail=element.where)
    elif f"video:{key}" in seen:
        yield Skipped(reason="video_duplicate", where=element.where, detail=key)
        return
    else:
        seen.add(f"video:{key}")
        video = Video(DATASET, key, path, "", LICENCE, path.relative_to(raw).as_posix())
        for clip in video_items(video, context):
            if isinstance(clip, Parsed):
                clips.append(placed(clip.item))
            yield clip
    for index, qa in enumerate(qas):
        yield from _qa(qa, key, clips, f"{element.where}.qa[{index}]", seen)


def _qa(value: object, key: str, clips: Sequence[ClipItem], where: str, seen: set[str]) -> Iterator[Record]:
    try:
        record = fields.mapping(value, "question")
        question = _question(record)
    except RecordMalformed as error:
        yield Skipped(reason="record_malformed", where=where, detail=str(error))
        return
    if question.id in seen:
        yield Skipped(reason="question_duplicate", where=where, detail=question.id)
        return
    seen.add(question.id)
    try:
        span = time_span(record.get("time_reference"))
    except RecordMalformed as error:
        yield Skipped(reason="time_reference_malformed", where=where, detail=str(error))
        yield replace(question, evidence=EvidenceStatus.INVALID, notes=(str(error),))
        return
    if span is None:
        yield replace(question, evidence=EvidenceStatus.NONE)
        return
    found = overlapping(clips, span.start_s, span.end_s)
    yield with_evidence(question, found=found, missing=() if found else (key,))


def _question(record: Mapping[str, object]) -> Question:
    text = fields.text(record, "question").strip()
    options = _OPTION.findall(text)
    letters = "".join(letter for letter, _ in options)
    if letters != "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(letters)]:
        raise RecordMalformed(f"the options are lettered {letters!r}")
    return Question(
        id=f"{DATASET}:test:{fields.text(record, 'uid')}",
        dataset=DATASET,
        split="test",
        text=text,
        answers=(fields.text(record, "answer").strip(),),
        kind=AnswerKind.CHOICE,
        choices=tuple(option for _, option in options),
    )
