r"""WebQA: questions on one or two Wikimedia images, or on text snippets, among negatives of both kinds.

``WebQA_train_val.json`` and ``WebQA_test.json`` are one JSON object each, by Guid; images are in
``imgs.tsv`` (``files/image_table.py``). All may lie anywhere below the raw folder, the JSON under any name. Strings
often carry literal double quotes; a test record has ``img_Facts`` and ``txt_Facts`` instead of the four lists,
and no usable answer::

    {"d5bb...": {"Q": "\"What color ...?\"", "A": ["\"The ... is red.\""], "topic": "...", "split": "train",
     "Qcate": "color", "Guid": "d5bb...",
     "img_posFacts": [{"image_id": 30000001, "title": "...", "caption": "...", "url": "...", "imgUrl": "."}],
     "img_negFacts": [...],
     "txt_posFacts": [{"title": "...", "fact": "...", "url": "...", "snippet_id": "d5bb..._0"}],
     "txt_negFacts": [...]}}

Every fact is an item, negative ones too; gold are the positive facts of both kinds. A snippet has another id
in every question: equal (url, fact) have equal content hashes, by which the corpus folds them. Captions are
kept as they are.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from assets.corpus.item import Item, ItemKind, Modality, item_id
from assets.corpus.question import AnswerKind, Question
from assets.parsers.files import fields
from assets.parsers.files.fields import MalformedRecordError
from assets.parsers.files.image_table import TABLE_NAME, ImageTable
from assets.parsers.files.json_stream import JsonElement
from assets.parsers.files.raw_folder import RawFile, RawFolder
from assets.parsers.files.record_files import find_records, parsed_records, read_records
from assets.parsers.identity import text_hash
from assets.parsers.images import image_item
from assets.parsers.questions import QuestionRegistry, with_evidence
from assets.parsers.reworded import UNIVERSALRAG, image_question, worded
from assets.parsers.types import ParseContext, ParsedItem, ParsedRecord, SkippedRecord
from infra.errors import MediaError
from infra.media import media_decoder

DATASET = "webqa"
LICENCE = "CC0 1.0 (annotations); pictures and texts under the licences of their pages"
IMAGE_LISTS = ("img_posFacts", "img_negFacts", "img_Facts")
TEXT_LISTS = ("txt_posFacts", "txt_negFacts", "txt_Facts")
MARKS = (
    frozenset({"Q"}),
    *(frozenset({name}) for name in (*IMAGE_LISTS, *TEXT_LISTS)),
    UNIVERSALRAG,
)
SPLITS = {"dev": "val"}  # as the release calls it


class WebqaState(NamedTuple):
    """What has been parsed so far."""

    items: set[str]
    unreadable: set[str]  # images that could not be read
    questions: QuestionRegistry


class WebqaSource(NamedTuple):
    """The file a record stands in, and what its name says of the split."""

    file: str
    split: str | None
    reworded: str = ""  # the split of a record that is


def parse(raw: Path, context: ParseContext) -> Iterator[ParsedRecord]:
    """Stream the facts of each record, then its question."""
    folder = RawFolder(raw)
    tables = folder.take((".tsv",), lambda file: file.path.name.lower() == TABLE_NAME)[:1]
    records = find_records(folder, MARKS)
    yield from (*folder.faults, *records.skipped)
    table = ImageTable(tables[0].path.parent if tables else raw)
    state = WebqaState(set(), set(), QuestionRegistry())
    # The file with the answers first, so that a snippet keeps the id under which it is gold.
    for file in sorted(records.files, key=_turn):
        source = WebqaSource(file.name, SPLITS.get(file.split, file.split) if file.split else None)
        parse_record = partial(_record, source=source, table=table, state=state, context=context)
        yield from parsed_records(file, MARKS, parse_record)
    yield from state.questions.counts()
    yield from folder.untaken()


def _turn(file: RawFile) -> int:
    """The release with its answers, then its test split, then what only names the images of both."""
    elements = read_records(file, MARKS)
    first = next((element.value for element in elements if isinstance(element, JsonElement)), None)
    if isinstance(first, Mapping) and first.keys() >= UNIVERSALRAG:
        return 2
    return 1 if file.split == "test" else 0


def image_id(native: object) -> str:
    """The item id of an image."""
    return item_id(DATASET, ItemKind.IMAGE, str(native))


def snippet_id(native: object) -> str:
    """The item id of a text snippet."""
    return item_id(DATASET, ItemKind.TEXT, str(native))


def _record(
    element: JsonElement, source: WebqaSource, table: ImageTable, state: WebqaState, context: ParseContext
) -> Iterator[ParsedRecord]:
    try:
        reworded, record = worded(element.value, image_question)
        source = source._replace(reworded=reworded)
        images = _facts(record, IMAGE_LISTS)
        snippets = _facts(record, TEXT_LISTS)
    except MalformedRecordError as error:
        yield state.questions.malformed(error, element.where, source.split or "test")
        return
    for fact in () if reworded else images:  # its images are items of the original, or missing
        yield from _image(fact, element.where, table, state, context)
    for fact in snippets:
        yield from _snippet(fact, element.where, source.file, state)
    yield from _question_records(record, element, source, state)


def _facts(record: Mapping[str, object], names: tuple[str, ...]) -> list[Mapping[str, object]]:
    return [
        fields.mapping(fact, name) for name in names for fact in fields.sequence(record.get(name) or [], name)
    ]


def _image(
    fact: Mapping[str, object], where: str, table: ImageTable, state: WebqaState, context: ParseContext
) -> Iterator[ParsedRecord]:
    try:
        native = int(fields.identifier(fact, "image_id"))
    except ValueError as error:  # RecordMalformed is one
        yield SkippedRecord(reason="record_malformed", where=where, detail=f"image_id: {error}")
        return
    identifier = image_id(native)
    if identifier in state.items or identifier in state.unreadable:
        return
    where = f"{TABLE_NAME}:{native}"
    try:
        image, lost = _decode(table.image(native), context)
    except MediaError as error:
        state.unreadable.add(identifier)
        yield SkippedRecord.of(error, where)
        return
    if lost:
        yield SkippedRecord(reason="image_truncated_kept", where=where, detail=lost)
    state.items.add(identifier)
    yield image_item(
        Item(
            id=identifier,
            dataset=DATASET,
            modality=Modality.IMAGE,
            content_hash="",
            title=fields.optional_text(fact, "title"),
            text=fields.optional_text(fact, "caption"),
            licence=LICENCE,
            source=fields.optional_text(fact, "url"),
        ),
        image,
    )


def _decode(data: bytes, context: ParseContext) -> tuple[Image.Image, str]:
    """The image, and what is lost of it: the release has truncated ones, to be shown as far as they go."""
    try:
        return media_decoder().image(data, max_pixels=context.max_pixels), ""
    except MediaError as error:
        if error.reason != "image_truncated":
            raise
        return media_decoder().image(data, max_pixels=context.max_pixels, truncated=True), error.detail


def _snippet(
    fact: Mapping[str, object], where: str, source: str, state: WebqaState
) -> Iterator[ParsedRecord]:
    try:
        identifier = snippet_id(fields.identifier(fact, "snippet_id"))
        text = fields.text(fact, "fact")
    except MalformedRecordError as error:
        yield SkippedRecord(reason="record_malformed", where=where, detail=str(error))
        return
    if identifier in state.items:
        return
    state.items.add(identifier)
    url = fields.optional_text(fact, "url")
    yield ParsedItem(
        item=Item(
            id=identifier,
            dataset=DATASET,
            modality=Modality.TEXT,
            content_hash=text_hash(url, text),
            title=fields.optional_text(fact, "title"),
            text=text,
            licence=LICENCE,
            source=url or source,
        )
    )


def _question_records(
    record: Mapping[str, object], element: JsonElement, source: WebqaSource, state: WebqaState
) -> Iterator[ParsedRecord]:
    split = _split(record, source)
    try:
        question = _question(record, element.key, split)
    except MalformedRecordError as error:
        yield state.questions.malformed(error, element.where, split)
        return
    gold = [image_id(_native(fact, "image_id")) for fact in _facts(record, IMAGE_LISTS[:1])]
    gold += [snippet_id(_native(fact, "snippet_id")) for fact in _facts(record, TEXT_LISTS[:1])]
    missing = [identifier for identifier in gold if identifier not in state.items]
    question = with_evidence(question, gold=state.items.intersection(gold), missing=missing)
    yield from state.questions.enter(question, element.where, split)


def _native(fact: Mapping[str, object], name: str) -> str:
    """The id of a fact that is gold; "unknown" where it has none, which is then gold that is missing."""
    try:
        return fields.identifier(fact, name)
    except MalformedRecordError:
        return "unknown"


def _split(record: Mapping[str, object], source: WebqaSource) -> str:
    """What the record says, else the file; a record with gold is none of the test split."""
    if source.reworded:
        return source.reworded
    if named := fields.optional_text(record, "split").strip().lower():
        return named
    has_gold = any(record.get(name) for name in (IMAGE_LISTS[0], TEXT_LISTS[0]))
    return "train" if has_gold and source.split in (None, "test") else source.split or "test"


def _question(record: Mapping[str, object], key: str, split: str) -> Question:
    answers = tuple(unquoted(answer) for answer in fields.strings(record.get("A"), "A"))
    category = fields.optional_text(record, "Qcate")
    return Question(
        id=f"{DATASET}:{split}:{fields.optional_text(record, 'Guid').strip() or key}",
        dataset=DATASET,
        split=split,
        text=unquoted(fields.text(record, "Q")),
        answers=() if split == "test" else tuple(dict.fromkeys(answer for answer in answers if answer)),
        kind=AnswerKind.YES_NO if category.lower() == "yesno" else AnswerKind.TEXT,
    )


def unquoted(text: str) -> str:
    """``text`` without one surrounding pair of literal double quotes."""
    text = text.strip()
    return text[1:-1].strip() if len(text) >= 2 and text[0] == text[-1] == '"' else text
