"""HotpotQA: two-hop questions over Wikipedia paragraphs.

One JSON array a file, ``hotpot_{train_v1.1,dev_distractor_v1,dev_fullwiki_v1,test_fullwiki_v1}.json`` (the
order of keys differs between files; the test file has only _id, question and context)::

    {"_id": "5a8b57f25542995d1e6f1371", "question": "...", "answer": "yes",
     "type": "comparison", "level": "hard",
     "supporting_facts": [["Some Title", 0], ["Other Title", 2]],
     "context": [["Some Title", ["First sentence.", " Second sentence."]], ...]}

The hub's shape ({"id", "supporting_facts": {"title", "sent_id"}, "context": {"title", "sentences"}}) is read
as well, as Parquet or JSON; files are known by their records and may lie anywhere below the raw folder. An
item is a paragraph, known by title and text; gold are the paragraphs whose titles the supporting facts name.
The contexts of fullwiki files are retrieval results: they are corpus, and a question that a distractor file
also holds keeps the gold found there. Sentence ids may run past the paragraph;
they are kept as notes, "supporting_fact:<title>#<sentence from 0>", which the supporting-fact metrics compare.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from assets.corpus.item import Item, ItemKind, Modality, item_id
from assets.corpus.question import AnswerKind, EvidenceStatus, Question
from assets.parsers.files import fields
from assets.parsers.files.fields import MalformedRecordError
from assets.parsers.files.json_stream import JsonElement
from assets.parsers.files.raw_folder import RawFile, RawFolder
from assets.parsers.files.record_files import find_records, parsed_records
from assets.parsers.identity import short_hash, text_hash
from assets.parsers.questions import QuestionRegistry
from assets.parsers.types import ParseContext, ParsedItem, ParsedRecord, SkippedRecord

DATASET = "hotpotqa"
LICENCE = "CC BY-SA 4.0"
MARKS = (frozenset({"question", "context"}), frozenset({"question", "supporting_facts"}))
FULLWIKI = "fullwiki"


class HotpotqaState(NamedTuple):
    """What has been parsed so far."""

    paragraphs: set[str]
    questions: QuestionRegistry


class HotpotqaSource(NamedTuple):
    """Where a record stands, and what that says about it."""

    file: str
    split: str
    edition: str


class Paragraph(NamedTuple):
    """One entry of a context."""

    title: str
    text: str

    @property
    def id(self) -> str:
        """The item's id: a title recurs with other texts, so both count."""
        return item_id(DATASET, ItemKind.PARAGRAPH, short_hash(self.title, self.text))


def parse(raw: Path, context: ParseContext) -> Iterator[ParsedRecord]:
    """Stream every file of records under ``raw``; fullwiki files come last."""
    del context  # nothing to render or read
    folder = RawFolder(raw)
    records = find_records(folder, MARKS)
    yield from (*folder.faults, *records.skipped)
    state = HotpotqaState(set(), QuestionRegistry())
    for file in sorted(records.files, key=lambda file: FULLWIKI in file.name.lower()):
        yield from parsed_records(file, MARKS, partial(_record, source=_source(file), state=state))
    yield from state.questions.counts()
    yield from folder.untaken()


def _source(file: RawFile) -> HotpotqaSource:
    split = file.split or "train"
    return HotpotqaSource(file.name, split, f"{split} {FULLWIKI}" if FULLWIKI in file.name.lower() else split)


def _record(element: JsonElement, source: HotpotqaSource, state: HotpotqaState) -> Iterator[ParsedRecord]:
    """The new paragraphs of one record, then its question."""
    try:
        record = fields.mapping(element.value)
        # Hashing is most of the work here, so it is done once for each entry.
        paragraphs = {paragraph.id: paragraph for paragraph in _paragraphs(record)}
    except MalformedRecordError as error:
        yield state.questions.malformed(error, element.where, source.edition)
        return
    for identifier, paragraph in paragraphs.items():
        if identifier in state.paragraphs:
            continue
        state.paragraphs.add(identifier)
        if paragraph.text.strip():
            yield ParsedItem(item=_item(identifier, paragraph, source.file))
        else:
            yield SkippedRecord(reason="paragraph_empty", where=element.where, detail=paragraph.title)
    try:
        question = _question(record, paragraphs, source.split)
    except MalformedRecordError as error:
        yield state.questions.malformed(error, element.where, source.edition)
        return
    yield from state.questions.enter(question, element.where, source.edition)


def _item(identifier: str, paragraph: Paragraph, source: str) -> Item:
    return Item(
        id=identifier,
        dataset=DATASET,
        modality=Modality.TEXT,
        content_hash=text_hash(paragraph.title, paragraph.text),
        title=paragraph.title,
        text=paragraph.text,
        licence=LICENCE,
        source=source,
    )


def _paragraphs(record: Mapping[str, object]) -> list[Paragraph]:
    context = fields.literal(record.get("context"))
    if isinstance(context, Mapping):  # the hub's shape
        titles = fields.sequence(context.get("title"), "context.title")
        texts = fields.sequence(context.get("sentences"), "context.sentences")
        if len(titles) != len(texts):
            raise MalformedRecordError(f"context has {len(titles)} titles and {len(texts)} texts")
        pairs: list[object] = [list(pair) for pair in zip(titles, texts, strict=True)]
    else:
        pairs = fields.sequence(context, "context")
    return [_paragraph(pair) for pair in pairs]


def _paragraph(value: object) -> Paragraph:
    pair = fields.sequence(value, "context entry")
    if len(pair) != 2 or not isinstance(pair[0], str):
        raise MalformedRecordError("a context entry is not [title, sentences]")
    sentences = [pair[1]] if isinstance(pair[1], str) else fields.sequence(pair[1], "sentences")
    if not all(isinstance(sentence, str) for sentence in sentences):
        raise MalformedRecordError(f"a sentence of {pair[0]!r} is not a string")
    return Paragraph(pair[0], "".join(str(sentence) for sentence in sentences))


def _supporting_titles(record: Mapping[str, object]) -> tuple[str, ...]:
    facts = fields.literal(record.get("supporting_facts"))
    if facts is None:
        return ()
    if isinstance(facts, Mapping):  # the hub's shape
        titles = fields.sequence(facts.get("title"), "supporting_facts.title")
    else:
        pairs = [
            fields.sequence(fact, "supporting fact") for fact in fields.sequence(facts, "supporting_facts")
        ]
        titles = [pair[0] if pair else None for pair in pairs]
    if not all(isinstance(title, str) for title in titles):
        raise MalformedRecordError("a supporting fact has no title")
    return tuple(dict.fromkeys(str(title) for title in titles))


def _sentences(record: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    """The (title, sentence) pairs of the supporting facts, as far as they name sentences."""
    facts = fields.literal(record.get("supporting_facts"))
    if isinstance(facts, Mapping):  # the hub's shape
        numbers = facts.get("sent_id")
        titles = fields.sequence(facts.get("title"), "supporting_facts.title")
        pairs = list(zip(titles, numbers if isinstance(numbers, list) else (), strict=False))
    else:
        given = facts if isinstance(facts, list) else []
        pairs = [(fact[0], fact[1]) for fact in given if isinstance(fact, list) and len(fact) > 1]
    return tuple(
        dict.fromkeys((str(title), str(number)) for title, number in pairs if isinstance(number, int))
    )


def _question(record: Mapping[str, object], paragraphs: Mapping[str, Paragraph], split: str) -> Question:
    answer = fields.optional_text(record, "answer")
    titles = _supporting_titles(record)
    if titles and not answer:
        raise MalformedRecordError("supporting facts but no answer")
    # Of two paragraphs with one title the first is meant.
    entries = reversed(tuple(paragraphs.items()))
    by_title = {paragraph.title: identifier for identifier, paragraph in entries if paragraph.text.strip()}
    missing = [title for title in titles if title not in by_title]
    gold = tuple(sorted({by_title[title] for title in titles if title in by_title}))
    status = EvidenceStatus.PRESENT if gold else EvidenceStatus.INVALID if titles else EvidenceStatus.NONE
    return Question(
        id=f"{DATASET}:{split}:{fields.identifier(record, '_id', 'id')}",
        dataset=DATASET,
        split=split,
        text=fields.text(record, "question"),
        answers=(answer,) if answer else (),
        kind=AnswerKind.YES_NO if answer.strip().lower() in ("yes", "no") else AnswerKind.TEXT,
        gold=gold,
        evidence=status,
        notes=(
            *(f"gold_title_missing:{title}" for title in missing),
            *(f"supporting_fact:{title}#{number}" for title, number in _sentences(record)),
        ),
    )
