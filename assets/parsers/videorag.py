"""The layout that WikiHowQA and SyntheticQA share: questions, transcripts and, if fetched, videos.

::

    qa/<name>.json                       one JSON array, see wikihowqa.py and syntheticqa.py
    scripts/{original,asr}/<video_id>.txt
    videos/<video_id>.{mp4,webm,mkv}     optional; without it a video is its transcript
    retrieval/**                         other people's search results: never read

Gold are all videos that a question lists (the weak rule: any of them counts), each with every clip it has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from assets.parsers import fields
from assets.parsers.evidence import with_evidence
from assets.parsers.fields import RecordMalformed
from assets.parsers.json_stream import Element, elements
from assets.parsers.records import ParseContext, Parsed, Record, Skipped
from assets.parsers.videos import Video, video_files, video_items
from assets.question import AnswerKind, Question

SCRIPT_FOLDERS = ("original", "asr")
LONG_FORM_WORDS = 8  # references longer than this are compared by ROUGE-L, shorter ones word by word


class Collection(NamedTuple):
    """What tells the two datasets apart."""

    dataset: str
    licence: str


def parse_collection(raw: Path, context: ParseContext, collection: Collection) -> Iterator[Record]:
    """Stream the items of every video at hand, then the questions."""
    items: dict[str, list[str]] = {}
    scripts = _scripts(raw)
    files = video_files(raw)
    for video_id in sorted(files.keys() | scripts.keys()):
        video = _video(raw, video_id, files.get(video_id), scripts.get(video_id), collection)
        for record in video_items(video, context):
            if isinstance(record, Parsed):
                items.setdefault(video_id, []).append(record.item.id)
            yield record
    seen: set[str] = set()
    folder = raw / "qa" if (raw / "qa").is_dir() else raw
    for path in sorted(folder.glob("*.json")):
        for element in elements(path, where=path.relative_to(raw).as_posix()):
            if isinstance(element, Skipped):
                yield element
            else:
                yield from _record(element, items, seen, collection)


def _scripts(raw: Path) -> dict[str, Path]:
    """Transcript files by video id."""
    found: dict[str, Path] = {}
    for name in SCRIPT_FOLDERS:
        for path in sorted((raw / "scripts" / name).glob("*.txt")):
            found.setdefault(path.stem, path)
    return found


def _video(raw: Path, video_id: str, file: Path | None, script: Path | None, collection: Collection) -> Video:
    transcript = script.read_text(encoding="utf-8", errors="replace") if script else ""
    place = file or script or raw / video_id
    return Video(
        dataset=collection.dataset,
        id=video_id,
        path=file,
        transcript=" ".join(transcript.split()),
        licence=collection.licence,
        source=place.relative_to(raw).as_posix(),
    )


def _record(
    element: Element, items: Mapping[str, list[str]], seen: set[str], collection: Collection
) -> Iterator[Record]:
    """One question, preceded by the videos it names that are not at hand."""
    try:
        record = fields.mapping(element.value)
        question = _question(record, collection.dataset)
        names = _video_ids(record)
    except RecordMalformed as error:
        yield Skipped(reason="record_malformed", where=element.where, detail=str(error))
        return
    if question.id in seen:
        yield Skipped(reason="question_duplicate", where=element.where, detail=question.id)
        return
    seen.add(question.id)
    missing = [name for name in names if name not in items]
    for name in missing:
        if f"video:{name}" not in seen:
            seen.add(f"video:{name}")
            yield Skipped(
                reason="video_missing", where=f"videos/{name}", detail=f"asked about in {element.where}"
            )
    found = [identifier for name in names for identifier in items.get(name, ())]
    yield with_evidence(question, found=found, missing=missing)


def _question(record: Mapping[str, object], dataset: str) -> Question:
    answer = fields.text(record, "answer_text", "answer").strip()
    return Question(
        id=f"{dataset}:test:{fields.text(record, 'qid')}",
        dataset=dataset,
        split="test",
        text=fields.text(record, "wikihow_query_text", "howto100m_query_text", "question").strip(),
        answers=(answer,),
        kind=AnswerKind.LONG_FORM if len(answer.split()) > LONG_FORM_WORDS else AnswerKind.TEXT,
    )


def _video_ids(record: Mapping[str, object]) -> list[str]:
    entries = fields.sequence(record.get("videos", []), "videos")
    names = [
        entry if isinstance(entry, str) else fields.text(fields.mapping(entry, "video"), "video_id")
        for entry in entries
    ]
    return list(dict.fromkeys(names))
