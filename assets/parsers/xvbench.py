"""XVBench: open questions over HowTo100M, answered by clips of one minute and some by a document page too.

``xvbench.jsonl`` has one question a line; the clips are files of at most 60 s in ``video_chunks/``, cut by
the benchmark's own script::

    {"id": 7, "question": "...", "answer": "...", "video_name": "abcDEFghi_1",
     "reference": ["abcDEFghi_1_000.mp4", "some-report_5.jpg"]}

The field names of question and answer and the type of ``reference`` differ between descriptions: ``query``,
``ground_truth``, ``reference_answer`` and a single string are read as well; without an id the line's index is
one. An item is one clip file, "<video>_<n>" starting at n times the length of a clip (a file without a number
starts at 0); a reference to a page image "<pdf stem>_<page>.jpg" is gold in ``mmlongbench_doc``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from assets.parsers import fields
from assets.parsers.evidence import with_evidence
from assets.parsers.fields import RecordMalformed
from assets.parsers.json_stream import Element, json_lines
from assets.parsers.mmlongbench_doc import page_id
from assets.parsers.records import ParseContext, Parsed, Record, Skipped
from assets.parsers.videorag import LONG_FORM_WORDS
from assets.parsers.videos import (
    VIDEO_SUFFIXES,
    Video,
    clip_id,
    clip_title,
    video_files,
    video_items,
    video_title,
)
from assets.question import AnswerKind, Question

DATASET = "xvbench"
LICENCE = "CC BY 4.0 (annotations); videos belong to their owners"
PAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
_CHUNK = re.compile(r"(.+?)_(?:chunk_?|clip_?|part_?)?(\d+)", re.IGNORECASE)
_PAGE = re.compile(r"(.+)_(\d+)")


def parse(raw: Path, context: ParseContext) -> Iterator[Record]:
    """Stream the clips, then the questions."""
    clips: dict[str, list[str]] = {}
    for stem, path in video_files(raw).items():
        source = path.relative_to(raw).as_posix()
        for record in video_items(Video(DATASET, stem, path, _said(path), LICENCE, source), context):
            if isinstance(record, Parsed):
                record = _chunk(record, stem, context)
                clips.setdefault(stem, []).append(record.item.id)
            yield record
    seen: set[str] = set()
    for path in sorted(raw.glob("*.jsonl")):
        for index, element in enumerate(json_lines(path, where=path.name)):
            if isinstance(element, Skipped):
                yield element
            else:
                yield from _record(element, index, clips, seen)


def _said(path: Path) -> str:
    """The transcript beside a clip file, where there is one."""
    beside = path.with_suffix(".txt")
    return " ".join(beside.read_text(encoding="utf-8", errors="replace").split()) if beside.is_file() else ""


def _chunk(record: Parsed, stem: str, context: ParseContext) -> Parsed:
    """The item placed in its source video: a file is one clip, and its number tells where that starts."""
    match = _CHUNK.fullmatch(stem)
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


def _record(element: Element, index: int, clips: Mapping[str, list[str]], seen: set[str]) -> Iterator[Record]:
    try:
        record = fields.mapping(element.value)
        question = _question(record, index)
        references = fields.strings(fields.literal(record.get("reference")), "reference")
    except RecordMalformed as error:
        yield Skipped(reason="record_malformed", where=element.where, detail=str(error))
        return
    if question.id in seen:
        yield Skipped(reason="question_duplicate", where=element.where, detail=question.id)
        return
    seen.add(question.id)
    found: list[str] = []
    missing: list[str] = []
    for reference in references:
        gold = _gold(reference, clips)
        found += gold
        if not gold:
            missing.append(reference)
            if reference not in seen:
                seen.add(reference)
                yield Skipped(
                    reason="video_missing", where=reference, detail=f"asked about in {element.where}"
                )
    yield with_evidence(question, found=found, missing=missing)


def _gold(reference: str, clips: Mapping[str, list[str]]) -> list[str]:
    """The items that one reference names; none if its clip is not at hand."""
    name = PurePosixPath(reference.strip().replace("\\", "/"))
    suffix = name.suffix.lower()
    if suffix in PAGE_SUFFIXES and (match := _PAGE.fullmatch(name.stem)):
        return [page_id(f"{match.group(1)}.pdf", int(match.group(2)))]
    stem = name.stem if suffix in VIDEO_SUFFIXES else name.name
    return list(clips.get(stem, ()))


def _question(record: Mapping[str, object], index: int) -> Question:
    text = fields.text(record, "question", "query").strip()
    answer = fields.text(record, "answer", "ground_truth", "reference_answer").strip()
    native = fields.optional_text(record, "id", "qid", "uid", "question_id") or str(index)
    if answer.lower() in ("yes", "no"):
        kind = AnswerKind.YES_NO
    else:
        kind = AnswerKind.LONG_FORM if len(answer.split()) > LONG_FORM_WORDS else AnswerKind.TEXT
    return Question(
        id=f"{DATASET}:test:{native}", dataset=DATASET, split="test", text=text, answers=(answer,), kind=kind
    )
