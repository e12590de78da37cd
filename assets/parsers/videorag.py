"""WikiHowQA and SyntheticQA, as VideoRAG publishes them: questions, transcripts and, if fetched, videos.

::

    qa/{wikihow,synthetic}.json          one JSON array each
    scripts/{original,asr}/<video_id>.txt
    videos/<video_id>.{mp4,webm,mkv}     optional; without it a video is its transcript
    retrieval/**                         other people's search results: never read

All may lie anywhere below the raw folder, as a clone of the repository leaves them, with both datasets in
``qa``: a file belongs to the dataset that its first records are of. WikiHowQA's are how-to titles answered from
HowTo100M videos; ``rank`` neither starts at 1 nor is contiguous, the links are search results for the task and were
never checked by hand::

    {"qid": 133, "howto100m_query_text": "Do Some Thing", "wikihow_query_text": "How To Do Some Thing",
     "answer_text": "To do some thing, first ...", "wikihow_article_id": 4776427,
     "videos": [{"video_id": "-1abcDEF_gh", "rank": 3}, ...]}

SyntheticQA's are generated from one video each; ``qid`` is "<video_id>_<n>" (ids may hold "_" themselves), both query
fields are equal::

    {"qid": "abcDEFghi_1_0", "howto100m_query_text": "What ...?", "wikihow_query_text": "What ...?",
     "answer_text": "...", "videos": [{"video_id": "abcDEFghi_1", "rank": 1}]}

Gold are all videos that a question lists
(the weak rule: any of them counts), each with every clip it has. UniversalRAG's wording (``reworded.py``) is a
split of its own.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from assets.corpus.question import AnswerKind, Question
from assets.parsers.files import fields
from assets.parsers.files.fields import MalformedRecordError
from assets.parsers.files.json_stream import JsonElement
from assets.parsers.files.raw_folder import RawFile, RawFolder
from assets.parsers.files.record_files import LOOKED_AT, find_records, parsed_records, read_records
from assets.parsers.questions import QuestionRegistry, with_evidence
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


WIKIHOWQA = VideoragDataset(
    "wikihowqa",
    "CC BY-NC-SA 3.0 (WikiHow text); videos and transcripts belong to their owners",
    is_synthetic=False,
)
SYNTHETICQA = VideoragDataset(
    "syntheticqa", "unstated; videos and transcripts belong to their owners", is_synthetic=True
)


class VideoragState(NamedTuple):
    """What has been parsed so far."""

    items: dict[str, list[str]]  # by video id
    questions: QuestionRegistry


def parse_wikihowqa(raw: Path, context: ParseContext) -> Iterator[ParsedRecord]:
    """Stream the items of every video at hand, then the questions of WikiHowQA."""
    return _parse(raw, context, WIKIHOWQA)


def parse_syntheticqa(raw: Path, context: ParseContext) -> Iterator[ParsedRecord]:
    """Stream the items of every video at hand, then the questions of SyntheticQA."""
    return _parse(raw, context, SYNTHETICQA)


def _parse(raw: Path, context: ParseContext, collection: VideoragDataset) -> Iterator[ParsedRecord]:
    folder = RawFolder(raw)
    files = video_files(folder)
    scripts = _scripts(folder)
    folder.take((".json",), _is_result)
    records = find_records(
        folder, MARKS, wanted=lambda file: not (file.name in files.sidecars or _is_result(file))
    )
    yield from (*folder.faults, *files.skipped, *records.skipped)
    state = VideoragState({}, QuestionRegistry())
    yield from _videos(files, scripts, state, collection, context)
    for file in records.files:
        if _is_synthetic(file) is (not collection.is_synthetic):
            yield SkippedRecord(reason="file_of_other_dataset", where=file.name)
            continue
        yield from parsed_records(file, MARKS, partial(_record, state=state, collection=collection))
    yield from state.questions.counts()
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
    scripts: dict[str, RawFile] = {}
    for name in SCRIPT_FOLDERS:
        for file in folder.take((".txt",), lambda file, name=name: _is_script(file, name)):
            scripts.setdefault(file.path.stem, file)
    return scripts


def _is_script(file: RawFile, folder: str) -> bool:
    return PurePosixPath(file.name).parts[-3:-1] == (SCRIPTS, folder)


def _videos(
    files: VideoFiles,
    scripts: Mapping[str, RawFile],
    state: VideoragState,
    collection: VideoragDataset,
    context: ParseContext,
) -> Iterator[ParsedItem | SkippedRecord]:
    """The items of every video at hand, in order of their ids."""
    for video_id in sorted(files.by_id.keys() | scripts.keys()):
        file, script = files.by_id.get(video_id), scripts.get(video_id)
        transcript = script.path.read_text(encoding="utf-8-sig", errors="replace") if script else ""
        if script and not transcript.strip():
            yield SkippedRecord(reason="transcript_empty", where=script.name)
        video = VideoSource(
            dataset=collection.dataset,
            id=video_id,
            path=file.path if file else None,
            transcript=" ".join(transcript.split()),
            licence=collection.licence,
            source=(file or scripts[video_id]).name,
        )
        for record in video_items(video, context):
            if isinstance(record, ParsedItem):
                state.items.setdefault(video_id, []).append(record.item.id)
            yield record


def _record(
    element: JsonElement, state: VideoragState, collection: VideoragDataset
) -> Iterator[ParsedRecord]:
    """One question, preceded by the videos it names that are not at hand."""
    edition = EDITION
    try:
        split, record = worded(element.value, how_to_question)
        edition = split or EDITION
        question = _question(record, collection.dataset, edition)
        names = _video_ids(record)
    except MalformedRecordError as error:
        yield state.questions.malformed(error, element.where, edition)
        return
    missing = [name for name in names if name not in state.items]
    for name in missing:
        yield from state.questions.missing("video_missing", f"videos/{name}", element.where)
    gold = [identifier for name in names for identifier in state.items.get(name, ())]
    question = with_evidence(question, gold=gold, missing=missing)
    yield from state.questions.enter(question, element.where, edition)


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
