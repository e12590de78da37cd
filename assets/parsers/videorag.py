"""The layout that WikiHowQA and SyntheticQA share: questions, transcripts and, if fetched, videos.

::

    qa/<name>.json                       one JSON array, see wikihowqa.py and syntheticqa.py
    scripts/{original,asr}/<video_id>.txt
    videos/<video_id>.{mp4,webm,mkv}     optional; without it a video is its transcript
    retrieval/**                         other people's search results: never read

All may lie anywhere below the raw folder, as a clone of the repository leaves them, with both datasets in
``qa``: a file belongs to the dataset that its first records are of. Gold are all videos that a question lists
(the weak rule: any of them counts), each with every clip it has. UniversalRAG's wording (``reworded.py``) is a
split of its own.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from assets.corpus.question import AnswerKind, Question
from assets.parsers.evidence import with_evidence
from assets.parsers.files import fields
from assets.parsers.files.fields import MalformedRecordError
from assets.parsers.files.json_stream import JsonElement
from assets.parsers.files.raw_folder import RawFile, RawFolder
from assets.parsers.files.record_files import LOOKED_AT, find_records, read_records
from assets.parsers.question_registry import QuestionRegistry
from assets.parsers.reworded import UNIVERSALRAG, how_to_question, worded
from assets.parsers.types import ParseContext, ParsedItem, ParsedRecord, SkippedRecord
from assets.parsers.videos import VIDEO_SUFFIXES, VideoFiles, VideoSource, video_files, video_items

SCRIPTS, SCRIPT_FOLDERS = "scripts", ("original", "asr")
RESULTS = "retrieval"
EDITION = "test"
MARKS = (frozenset({"qid", "answer_text"}), frozenset({"qid", "videos"}), UNIVERSALRAG)
LONG_FORM_WORDS = 8  # references longer than this are compared by ROUGE-L, shorter ones word by word


class VideoragDataset(NamedTuple):
    """What tells the two datasets apart."""

    dataset: str
    licence: str
    is_synthetic: bool
    """Whether a question is made from one video and named after it."""


class VideoragState(NamedTuple):
    """What has been met so far."""

    items: dict[str, list[str]]  # by video id
    missing: set[str]  # videos that are asked about and not at hand
    roll: QuestionRegistry


def parse_collection(raw: Path, context: ParseContext, collection: VideoragDataset) -> Iterator[ParsedRecord]:
    """Stream the items of every video at hand, then the questions."""
    folder = RawFolder(raw)
    files = video_files(folder)
    scripts = _scripts(folder)
    folder.take((".json",), _is_result)
    found = find_records(
        folder, MARKS, wanted=lambda file: not (file.name in files.sidecars or _is_result(file))
    )
    yield from (*folder.faults, *files.skipped, *found.skipped)
    seen = VideoragState({}, set(), QuestionRegistry())
    yield from _videos(files, scripts, seen, collection, context)
    for file in found.files:
        if _is_synthetic(file) is (not collection.is_synthetic):
            yield SkippedRecord(reason="file_of_other_dataset", where=file.name)
            continue
        for element in read_records(file, MARKS):
            if isinstance(element, SkippedRecord):
                yield element
            else:
                yield from _record(element, seen, collection)
    yield from seen.roll.tallies()
    yield from folder.untaken(VIDEO_SUFFIXES)


def _is_result(file: RawFile) -> bool:
    return RESULTS in PurePosixPath(file.name).parts[:-1] or file.path.name == "query2videos.json"


def _is_synthetic(file: RawFile) -> bool | None:
    """What most of the first questions are; None if they do not tell, and the file is read."""
    first = (
        element.value
        for element in islice(read_records(file, MARKS), LOOKED_AT)
        if isinstance(element, JsonElement)
    )
    kinds = Counter(_kind(value) for value in first if isinstance(value, Mapping))
    return None if kinds[True] == kinds[False] else kinds[True] > kinds[False]


def _kind(record: Mapping[str, object]) -> bool | None:
    """True for a question named "<its video>_<n>", False for one with a number, None if it is neither."""
    try:
        record = worded(record, how_to_question).record
        native, videos = fields.identifier(record, "qid"), _video_ids(record)
    except MalformedRecordError:
        return None
    if native.isdigit():
        return False
    video = native.rpartition("_")[0]
    return True if video and video in videos else None


def _scripts(folder: RawFolder) -> dict[str, RawFile]:
    """Transcript files by video id."""
    found: dict[str, RawFile] = {}
    for name in SCRIPT_FOLDERS:
        for file in folder.take((".txt",), lambda file, name=name: _is_script(file, name)):
            found.setdefault(file.path.stem, file)
    return found


def _is_script(file: RawFile, folder: str) -> bool:
    return PurePosixPath(file.name).parts[-3:-1] == (SCRIPTS, folder)


def _videos(
    files: VideoFiles,
    scripts: Mapping[str, RawFile],
    seen: VideoragState,
    collection: VideoragDataset,
    context: ParseContext,
) -> Iterator[ParsedItem | SkippedRecord]:
    """The items of every video at hand, in order of their ids."""
    for video_id in sorted(files.by_id.keys() | scripts.keys()):
        file, script = files.by_id.get(video_id), scripts.get(video_id)
        said = script.path.read_text(encoding="utf-8-sig", errors="replace") if script else ""
        if script and not said.strip():
            yield SkippedRecord(reason="transcript_empty", where=script.name)
        video = VideoSource(
            dataset=collection.dataset,
            id=video_id,
            path=file.path if file else None,
            transcript=" ".join(said.split()),
            licence=collection.licence,
            source=(file or scripts[video_id]).name,
        )
        for record in video_items(video, context):
            if isinstance(record, ParsedItem):
                seen.items.setdefault(video_id, []).append(record.item.id)
            yield record


def _record(element: JsonElement, seen: VideoragState, collection: VideoragDataset) -> Iterator[ParsedRecord]:
    """One question, preceded by the videos it names that are not at hand."""
    edition = EDITION
    try:
        split, record = worded(element.value, how_to_question)
        edition = split or EDITION
        question = _question(record, collection.dataset, edition)
        names = _video_ids(record)
    except MalformedRecordError as error:
        seen.roll.unusable(edition)
        yield SkippedRecord(reason="record_malformed", where=element.where, detail=str(error))
        return
    missing = [name for name in names if name not in seen.items]
    for name in missing:
        if name not in seen.missing:
            seen.missing.add(name)
            yield SkippedRecord(
                reason="video_missing", where=f"videos/{name}", detail=f"asked about in {element.where}"
            )
    found = [identifier for name in names for identifier in seen.items.get(name, ())]
    question = with_evidence(question, found=found, missing=missing)
    yield from seen.roll.enter(question, element.where, edition)


def _question(record: Mapping[str, object], dataset: str, split: str) -> Question:
    answer = fields.text(record, "answer_text", "answer").strip()
    return Question(
        id=f"{dataset}:{split}:{fields.identifier(record, 'qid')}",
        dataset=dataset,
        split=split,
        text=fields.text(record, "wikihow_query_text", "howto100m_query_text", "question").strip(),
        answers=(answer,),
        kind=AnswerKind.LONG_FORM if len(answer.split()) > LONG_FORM_WORDS else AnswerKind.TEXT,
    )


def _video_ids(record: Mapping[str, object]) -> list[str]:
    entries = fields.sequence(fields.literal(record.get("videos") or []), "videos")
    names = [
        entry if isinstance(entry, str) else fields.text(fields.mapping(entry, "video"), "video_id")
        for entry in entries
    ]
    return list(dict.fromkeys(names))
