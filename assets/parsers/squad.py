"""SQuAD 1.1 and 2.0: questions on one Wikipedia paragraph each, some of 2.0 without an answer.

One JSON object a file::

    {"version": "v2.0", "data": [{"title": "Some_Title", "paragraphs": [{"context": "...", "qas": [
        {"id": "56ddde6b9a695914005b9628", "question": "...", "is_impossible": false,
         "answers": [{"text": "...", "answer_start": 159}]},
        {"id": "...", "question": "...", "is_impossible": true, "answers": [],
         "plausible_answers": [{"text": "...", "answer_start": 4}]}]}]}]}

The hub's flat rows ({"id", "title", "context", "question", "answers": {"text", "answer_start"}}) are read as
well, as Parquet or JSON; files are known by their records and may lie anywhere below the raw folder. An item
is a paragraph, known by title and context; gold is the paragraph that holds the question. A question that
stands in both versions is kept once, as first met (files in name order).
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from assets.corpus.item import Item, ItemKind, Modality, item_id
from assets.corpus.question import AnswerKind, EvidenceStatus, Question
from assets.grading.normalise import NOT_ANSWERABLE
from assets.parsers.files import fields
from assets.parsers.files.fields import MalformedRecordError
from assets.parsers.files.json_stream import JsonElement
from assets.parsers.files.raw_folder import RawFile, RawFolder
from assets.parsers.files.record_files import find_records, is_marked, parsed_records
from assets.parsers.identity import short_hash, text_hash
from assets.parsers.questions import QuestionRegistry
from assets.parsers.types import ParseContext, ParsedItem, ParsedRecord, SkippedRecord

DATASET = "squad"
LICENCE = "CC BY-SA 4.0"
ARTICLE = (frozenset({"paragraphs"}),)
ROW = (frozenset({"context", "question"}),)
VERSION_2 = "2.0"


class SquadSource(NamedTuple):
    """Where a record stands; until its file is read, the file is its edition."""

    file: str
    where: str
    split: str


class SquadState(NamedTuple):
    """What has been parsed so far."""

    passages: set[str]
    questions: QuestionRegistry
    version_2: set[str]  # files with a question that has no answer


class SquadParagraph(NamedTuple):
    """One paragraph: ``title`` as the file writes it, underscores included."""

    title: str
    context: str

    @property
    def id(self) -> str:
        """The item's id."""
        return item_id(DATASET, ItemKind.PARAGRAPH, short_hash(self.title, self.context))


def parse(raw: Path, context: ParseContext) -> Iterator[ParsedRecord]:
    """Stream every file of articles or rows under ``raw``."""
    del context  # nothing to render or read
    folder = RawFolder(raw)
    records = find_records(folder, (*ARTICLE, *ROW))
    yield from (*folder.faults, *records.skipped)
    state = SquadState(set(), QuestionRegistry(), set())
    for file in records.files:
        split = file.split or "dev"
        yield from parsed_records(
            file, (*ARTICLE, *ROW), partial(_record, file=file, split=split, state=state)
        )
        state.questions.rename(file.name, f"{split} {VERSION_2}" if file.name in state.version_2 else split)
    yield from state.questions.counts()
    yield from folder.untaken()


def _record(element: JsonElement, file: RawFile, split: str, state: SquadState) -> Iterator[ParsedRecord]:
    parse = _row if is_marked(element.value, ROW) else _article
    return parse(element.value, SquadSource(file.name, element.where, split), state)


def _article(value: object, source: SquadSource, state: SquadState) -> Iterator[ParsedRecord]:
    try:
        article = fields.mapping(value, "article")
        paragraphs = fields.sequence(article.get("paragraphs"), "paragraphs")
    except MalformedRecordError as error:
        yield SkippedRecord(reason="record_malformed", where=source.where, detail=str(error))
        return
    title = fields.optional_text(article, "title")
    for index, paragraph in enumerate(paragraphs):
        yield from _paragraph(
            title, paragraph, source._replace(where=f"{source.where}.paragraphs[{index}]"), state
        )


def _paragraph(title: str, value: object, source: SquadSource, state: SquadState) -> Iterator[ParsedRecord]:
    record: Mapping[str, object] = {}
    try:
        record = fields.mapping(value, "paragraph")
        passage = SquadParagraph(title, fields.text(record, "context"))
        qas = fields.sequence(record.get("qas", []), "qas")
    except MalformedRecordError as error:
        lost = record.get("qas")
        state.questions.unusable(source.file, len(lost) if isinstance(lost, list) else 0)
        yield SkippedRecord(reason="record_malformed", where=source.where, detail=str(error))
        return
    yield from _passage(passage, source, state)
    for index, qa in enumerate(qas):
        yield from _qa(qa, passage, source._replace(where=f"{source.where}.qas[{index}]"), state)


def _row(value: object, source: SquadSource, state: SquadState) -> Iterator[ParsedRecord]:
    """One flat row of the hub."""
    try:
        row = fields.mapping(value)
        passage = SquadParagraph(fields.optional_text(row, "title"), fields.text(row, "context"))
    except MalformedRecordError as error:
        yield state.questions.malformed(error, source.where, source.file)
        return
    yield from _passage(passage, source, state)
    yield from _qa(row, passage, source, state)


def _passage(passage: SquadParagraph, source: SquadSource, state: SquadState) -> Iterator[ParsedItem]:
    if passage.id in state.passages:
        return
    state.passages.add(passage.id)
    yield ParsedItem(
        item=Item(
            id=passage.id,
            dataset=DATASET,
            modality=Modality.TEXT,
            content_hash=text_hash(passage.title, passage.context),
            title=passage.title.replace("_", " "),
            text=passage.context,
            parent=passage.title or None,
            licence=LICENCE,
            source=source.file,
        )
    )


def _qa(
    value: object, passage: SquadParagraph, source: SquadSource, state: SquadState
) -> Iterator[ParsedRecord]:
    try:
        question = _question(fields.mapping(value, "question"), passage, source.split)
    except MalformedRecordError as error:
        yield state.questions.malformed(error, source.where, source.file)
        return
    if question.kind is AnswerKind.UNANSWERABLE:
        state.version_2.add(source.file)
    yield from state.questions.enter(question, source.where, source.file)


def _question(record: Mapping[str, object], passage: SquadParagraph, split: str) -> Question:
    # Flat 2.0 rows have no flag: an empty list of answers says it.
    flag = record.get("is_impossible")
    answers = () if flag is True and "answers" not in record else _answers(record)
    unanswerable = flag is True or (not answers and flag is not False)
    hidden = not answers and not unanswerable
    return Question(
        id=f"{DATASET}:{split}:{fields.identifier(record, 'id')}",
        dataset=DATASET,
        split=split,
        text=fields.text(record, "question").strip(),
        answers=(NOT_ANSWERABLE,) if unanswerable else answers,
        kind=AnswerKind.UNANSWERABLE if unanswerable else AnswerKind.TEXT,
        gold=() if unanswerable else (passage.id,),
        evidence=EvidenceStatus.UNANSWERABLE if unanswerable else EvidenceStatus.PRESENT,
        notes=("answers_absent",) if hidden else (),
    )


def _answers(record: Mapping[str, object]) -> tuple[str, ...]:
    """The distinct answer texts; dev files list the same one several times."""
    if "answers" not in record:
        raise MalformedRecordError("no answers")
    answers = fields.literal(record["answers"])
    if isinstance(answers, Mapping):  # the hub's shape
        texts = list(fields.strings(answers.get("text"), "answers.text"))
    else:
        entries = [fields.mapping(answer, "answer") for answer in fields.sequence(answers, "answers")]
        texts = [fields.optional_text(answer, "text") for answer in entries]
        if texts and not any(texts):
            raise MalformedRecordError("answers without text")
    return tuple(dict.fromkeys(filter(None, texts)))
