r"""LVBench: four-way choice questions on long videos, with the span of time that answers them.

``video_info.meta.jsonl`` has one line a video; the videos are ``<key>.{mp4,webm,mkv}``, to be fetched apart.
Both may lie anywhere below the raw folder::

    {"key": "Cm73ma6Ibcs", "type": "cartoon", "video_info": {"duration_minutes": 34.4, "fps": 25.0,
     "resolution": {"width": 1280, "height": 720}},
     "qa": [{"uid": "55", "question": "What ...?\n(A) one\n(B) two\n(C) three\n(D) four", "answer": "D",
             "question_type": ["key information retrieval"], "time_reference": "00:15-00:19"}]}

Copies on the hub have one flat row a question, with ``key`` or ``video_path`` beside the fields of "qa";
UniversalRAG's wording (``reworded.py``) is a split of its own. An item is a clip of
any video at hand, asked about or not; gold are the clips that overlap the reference (minutes may exceed 59,
hours may be given, start may equal end; a span outside the video is INVALID). The question's text keeps its
options, for the letter means nothing without them.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from assets.corpus.question import AnswerKind, EvidenceStatus, Question
from assets.parsers.files import fields
from assets.parsers.files.fields import MalformedRecordError
from assets.parsers.files.json_stream import JsonElement
from assets.parsers.files.raw_folder import RawFolder
from assets.parsers.files.record_files import find_records, parsed_records
from assets.parsers.questions import QuestionRegistry, with_evidence
from assets.parsers.reworded import UNIVERSALRAG, video_question, worded
from assets.parsers.types import ParseContext, ParsedItem, ParsedRecord, SkippedRecord
from assets.parsers.videos import (
    VIDEO_SUFFIXES,
    ClipItem,
    VideoFiles,
    VideoSource,
    overlapping,
    placed,
    video_files,
    video_items,
    video_stem,
)

DATASET = "lvbench"
LICENCE = "CC BY-NC-SA 4.0 (annotations); videos belong to their owners"
EDITION = "test"
MARKS = (
    frozenset({"key", "qa"}),
    frozenset({"key", "question"}),
    frozenset({"video_path", "question"}),
    UNIVERSALRAG,
)
_OPTION = re.compile(r"^\s*\(([A-Z])\)[ \t]*(.*?)\s*$", re.MULTILINE)
_DASH = re.compile(r"\s*[-\u2010-\u2015\u2212~]\s*|\s+to\s+")
_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d{1,2}(?:\.\d+)?)")


class TimeSpan(NamedTuple):
    """A stretch of a video, in seconds."""

    start_s: float
    end_s: float


class QuestionContext(NamedTuple):
    """Where a question stands: its record, its video and the edition it counts for."""

    where: str
    key: str
    edition: str


class VideoClips(NamedTuple):
    """The clips of one video; ``is_whole`` if all of them could be read."""

    clips: tuple[ClipItem, ...]
    is_whole: bool


class LvbenchState(NamedTuple):
    """The raw folder's videos, and what has been parsed so far."""

    files: VideoFiles
    videos: dict[str, VideoClips]
    questions: QuestionRegistry


def parse(raw: Path, context: ParseContext) -> Iterator[ParsedRecord]:
    """Stream each video's clips, then its questions; then the videos that nobody asks about."""
    folder = RawFolder(raw)
    files = video_files(folder)
    records = find_records(folder, MARKS, wanted=lambda file: file.name not in files.sidecars)
    yield from (*folder.faults, *files.skipped, *records.skipped)
    state = LvbenchState(files, {}, QuestionRegistry())
    for file in records.files:
        yield from parsed_records(file, MARKS, partial(_line, state=state, context=context))
    for key in sorted(files.by_id.keys() - state.videos.keys()):
        yield from _video(key, "", state, context)
    yield from state.questions.counts()
    yield from folder.untaken(VIDEO_SUFFIXES)


def time_span(value: object) -> TimeSpan | None:
    """A ``time_reference``: "MM:SS-MM:SS", "H:MM:SS-H:MM:SS", one moment, two numbers; None if there is none.

    Raises:
        MalformedRecordError: if it is anything else.
    """
    if value is None or value == "" or value == []:
        return None
    parts = _DASH.split(value.strip()) if isinstance(value, str) else value
    if not isinstance(parts, list) or len(parts) not in (1, 2):
        raise MalformedRecordError(f"time_reference is {value!r}")
    times = [_seconds(part, value) for part in parts]
    return TimeSpan(min(times), max(times))


def _seconds(part: object, whole: object) -> float:
    if isinstance(part, int | float) and not isinstance(part, bool) and part >= 0:
        return float(part)
    match = _CLOCK.fullmatch(part.strip()) if isinstance(part, str) else None
    if match is None:
        raise MalformedRecordError(f"time_reference is {whole!r}")
    hours, minutes, seconds = match.groups()
    return int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds)


def _line(element: JsonElement, state: LvbenchState, context: ParseContext) -> Iterator[ParsedRecord]:
    """The questions of a line of the release, or the one of a flat row, behind the clips of their video."""
    try:
        split, record = worded(element.value, video_question)
        key = fields.optional_text(record, "key").strip() or video_stem(fields.text(record, "video_path"))
        flat = "qa" not in record and "question" in record
        qas = [record] if flat else fields.sequence(record.get("qa"), "qa")
    except MalformedRecordError as error:
        yield state.questions.malformed(error, element.where, EDITION)
        return
    edition = split or EDITION
    if key not in state.videos:
        yield from _video(key, element.where, state, context)
    for index, qa in enumerate(qas):
        where = element.where if flat else f"{element.where}.qa[{index}]"
        yield from _qa(qa, QuestionContext(where, key, edition), state, context)


def _video(key: str, where: str, state: LvbenchState, context: ParseContext) -> Iterator[ParsedRecord]:
    """The clips of one video, which are remembered."""
    clips: list[ClipItem] = []
    is_whole = key in state.files.by_id
    if not is_whole:
        yield SkippedRecord(reason="video_missing", where=f"videos/{key}", detail=where)
    else:
        file = state.files.by_id[key]
        for clip in video_items(VideoSource(DATASET, key, file.path, "", LICENCE, file.name), context):
            if isinstance(clip, ParsedItem):
                clips.append(placed(clip.item))
            else:
                is_whole = False
            yield clip
    state.videos[key] = VideoClips(tuple(clips), is_whole)


def _qa(
    value: object, place: QuestionContext, state: LvbenchState, context: ParseContext
) -> Iterator[ParsedRecord]:
    where, key, edition = place
    try:
        record = fields.mapping(value, "question")
        question = _question(record, edition)
    except MalformedRecordError as error:
        yield state.questions.malformed(error, where, edition)
        return
    try:
        span = time_span(record.get("time_reference"))
        question = _with_gold(question, span, key, state.videos[key], context)
    except MalformedRecordError as error:
        yield SkippedRecord(reason="time_reference_malformed", where=where, detail=str(error))
        question = replace(question, evidence=EvidenceStatus.INVALID, notes=(str(error),))
    yield from state.questions.enter(question, where, edition)


def _with_gold(
    question: Question, span: TimeSpan | None, key: str, video: VideoClips, context: ParseContext
) -> Question:
    if span is None:
        return replace(question, evidence=EvidenceStatus.NONE)
    tail_s = context.min_tail_s if video.is_whole else 0.0
    gold = overlapping(video.clips, span.start_s, span.end_s, tail_s=tail_s)
    if video.is_whole and not gold:
        note = f"time_out_of_range:{span.start_s:.0f}-{span.end_s:.0f}"
        return replace(question, evidence=EvidenceStatus.INVALID, notes=(note,))
    return with_evidence(question, gold=gold, missing=() if gold else (key,))


def _question(record: Mapping[str, object], split: str) -> Question:
    text = fields.text(record, "question").strip()
    options = _OPTION.findall(text)
    letters = "".join(letter for letter, _ in options)
    if letters != "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(letters)]:
        raise MalformedRecordError(f"the options are lettered {letters!r}")
    return Question(
        id=f"{DATASET}:{split}:{fields.identifier(record, 'uid')}",
        dataset=DATASET,
        split=split,
        text=text,
        answers=(fields.text(record, "answer").strip(),),
        kind=AnswerKind.CHOICE,
        choices=tuple(option for _, option in options),
    )
