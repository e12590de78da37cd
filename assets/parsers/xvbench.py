"""XVBench: open questions over HowTo100M, answered by clips of one minute and some by a document page too.

``xvbench.jsonl`` has one question a line; the clips are files of at most 60 s in ``video_chunks/``, cut by
the benchmark's own script. Both may lie anywhere below the raw folder::

    {"id": 7, "question": "...", "answer": "...", "video_name": "abcDEFghi_1",
     "reference": ["abcDEFghi_1_000.mp4", "some-report_5.jpg"]}

The field names of question and answer and the type of ``reference`` differ between descriptions: ``query``,
``ground_truth``, ``reference_answer`` and a single string (one name, several by comma, a list as text) are
read as well; without an id the line's index is one. An item is one clip file, "<video>_<n>" starting at n
times the length of a clip; a file without a number, or named as a question names its whole video, starts at
0. A reference to a page image "<pdf stem>_<page>.jpg" is gold in ``mmlongbench_doc``.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from assets.corpus.question import AnswerKind, Question
from assets.parsers.files import fields
from assets.parsers.files.fields import MalformedRecordError
from assets.parsers.files.json_stream import JsonElement
from assets.parsers.files.raw_folder import RawFile, RawFolder
from assets.parsers.files.record_files import find_records, read_records
from assets.parsers.mmlongbench_doc import page_id
from assets.parsers.questions import QuestionRegistry, with_evidence
from assets.parsers.types import ParseContext, ParsedItem, ParsedRecord, SkippedRecord
from assets.parsers.videorag import LONG_FORM_WORDS
from assets.parsers.videos import (
    VIDEO_SUFFIXES,
    VideoSource,
    clip_id,
    clip_title,
    video_files,
    video_items,
    video_stem,
    video_title,
)

DATASET = "xvbench"
LICENCE = "CC BY 4.0 (annotations); videos belong to their owners"
EDITION = "test"
MARKS = tuple(
    frozenset({question, other})
    for question in ("question", "query")
    for other in ("reference", "video_name", "answer", "ground_truth", "reference_answer")
)
ID_FIELDS = ("id", "qid", "uid", "question_id")
PAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
_CHUNK = re.compile(r"(.+?)_(?:chunk_?|clip_?|part_?)?(\d+)", re.IGNORECASE)
_PAGE = re.compile(r"(.+)_(\d+)")


class XvbenchState(NamedTuple):
    """What has been parsed so far."""

    clips: dict[str, list[str]]  # items by the stem of their file
    questions: QuestionRegistry


def parse(raw: Path, context: ParseContext) -> Iterator[ParsedRecord]:
    """Stream the clips, then the questions."""
    folder = RawFolder(raw)
    files = video_files(folder)
    records = find_records(folder, MARKS, wanted=lambda file: file.name not in files.sidecars)
    yield from (*folder.faults, *files.skipped, *records.skipped)
    sources = frozenset(_source_videos(records.files))
    state = XvbenchState({}, QuestionRegistry())
    for stem, file in files.by_id.items():
        for record in video_items(
            VideoSource(DATASET, stem, file.path, _transcript(file), LICENCE, file.name), context
        ):
            if isinstance(record, ParsedItem):
                record = _chunk(record, stem, sources, context)
                state.clips.setdefault(stem, []).append(record.item.id)
            yield record
    for file in records.files:
        for index, element in enumerate(read_records(file, MARKS)):
            if isinstance(element, SkippedRecord):
                yield element
            else:
                yield from _record(element, index, state)
    yield from state.questions.counts()
    yield from folder.untaken(VIDEO_SUFFIXES)


def _source_videos(files: Iterable[RawFile]) -> Iterator[str]:
    """The whole videos that questions name, for "abcDEFghi_1" may be one and may be the second clip of one."""
    for file in files:
        for element in read_records(file, MARKS):
            if isinstance(element, JsonElement) and isinstance(element.value, Mapping):
                yield video_stem(fields.optional_text(element.value, "video_name"))


def _transcript(file: RawFile) -> str:
    """The transcript beside a clip file, where there is one."""
    beside = file.path.with_suffix(".txt")
    return (
        " ".join(beside.read_text(encoding="utf-8-sig", errors="replace").split()) if beside.is_file() else ""
    )


def _chunk(record: ParsedItem, stem: str, sources: Set[str], context: ParseContext) -> ParsedItem:
    """The item placed in its source video: a file is one clip, and its number tells where that starts."""
    match = None if stem in sources else _CHUNK.fullmatch(stem)
    name, index = (match.group(1), int(match.group(2))) if match else (stem, 0)
    start_s = index * context.clip_s + record.item.position
    identifier = clip_id(DATASET, name, start_s)
    item = replace(
        record.item,
        id=identifier,
        media_key=identifier if record.item.media_key else None,
        title=clip_title(video_title(name, None), start_s) if start_s else video_title(name, None),
        parent=name,
        position=start_s,
    )
    return replace(record, item=item)


def _record(element: JsonElement, index: int, state: XvbenchState) -> Iterator[ParsedRecord]:
    try:
        record = fields.mapping(element.value)
        question = _question(record, index)
        references = fields.strings(fields.literal(record.get("reference")), "reference")
    except MalformedRecordError as error:
        yield state.questions.malformed(error, element.where, EDITION)
        return
    gold: list[str] = []
    missing: list[str] = []
    for reference in (name for written in references for name in _names(written, state.clips)):
        clips = _gold(reference, state.clips)
        gold += clips
        if not clips:
            missing.append(reference)
            yield from state.questions.missing("video_missing", reference, element.where)
    question = with_evidence(question, gold=gold, missing=missing)
    yield from state.questions.enter(question, element.where, EDITION)


def _names(written: str, clips: Mapping[str, list[str]]) -> list[str]:
    """One name, or several by comma; a name that holds a comma is one if its clip is at hand."""
    if _gold(written, clips):
        return [written]
    return [name.strip() for name in written.split(",") if name.strip()]


def _gold(reference: str, clips: Mapping[str, list[str]]) -> list[str]:
    """The items that one reference names; none if its clip is not at hand."""
    name = PurePosixPath(reference.strip().replace("\\", "/"))
    if name.suffix.lower() in PAGE_SUFFIXES and (match := _PAGE.fullmatch(name.stem)):
        return [page_id(f"{match.group(1)}.pdf", int(match.group(2)))]
    return list(clips.get(video_stem(reference), ()))


def _question(record: Mapping[str, object], index: int) -> Question:
    text = fields.text(record, "question", "query").strip()
    answer = fields.text(record, "answer", "ground_truth", "reference_answer").strip()
    has_id = fields.optional_text(record, *ID_FIELDS)
    native = fields.identifier(record, *ID_FIELDS) if has_id else str(index)
    if answer.lower() in ("yes", "no"):
        kind = AnswerKind.YES_NO
    else:
        kind = AnswerKind.LONG_FORM if len(answer.split()) > LONG_FORM_WORDS else AnswerKind.TEXT
    return Question(
        id=f"{DATASET}:test:{native}", dataset=DATASET, split="test", text=text, answers=(answer,), kind=kind
    )
