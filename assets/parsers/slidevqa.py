"""SlideVQA: questions on decks of 20 slides; one slide or several hold the evidence.

One question a line in ``{train,dev,test}.jsonl``, anywhere below the raw folder (a clone has them in
``annotations/qa/``); ``arithmetic_expression`` is the string "None" where there is none::

    {"deck_name": "some-deck-120221022442-phpapp02_95", "deck_url": "...", "image_urls": [...],
     "qa_id": 1, "question": "...", "answer": "12.5 bn", "arithmetic_expression": "None",
     "evidence_pages": [5, 7]}

Slides are images in a folder named after their deck, anywhere below the raw folder, with the page (from 1)
in the file name: ``<anything>-<page>-1024.jpg`` as the downloader writes them, or ``<anything>_<page>.jpg``;
or all decks in one folder, ``<deck_name>_<page>.jpg``. The hub's Parquet has the slides in columns
``page_1`` to ``page_20`` of every question of a deck (``files/slide_columns.py``); a deck may be ``<deck_name>.pdf``.
``slidevqa_refined.json`` (``reworded.py``) is a split of its own. An item is a slide, its text
what OCR reads on it; gold are (deck, page) pairs.
"""

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from assets.corpus.item import Item, ItemKind, Modality, item_id
from assets.corpus.question import AnswerKind, EvidenceStatus, Question
from assets.parsers.files import fields
from assets.parsers.files.fields import MalformedRecordError
from assets.parsers.files.json_stream import JsonElement
from assets.parsers.files.raw_folder import RawFile, RawFolder
from assets.parsers.files.record_files import PARQUET_SUFFIX, find_records, parsed_records, read_records
from assets.parsers.files.slide_columns import QUESTION_COLUMNS, StoredSlide, deck_names, slides_of
from assets.parsers.images import image_item, item_or_skip, pages_to_render, read_image, read_text
from assets.parsers.questions import QuestionRegistry, with_evidence
from assets.parsers.reworded import EXAMPLE, deck_question, worded
from assets.parsers.types import ParseContext, ParsedItem, ParsedRecord, SkippedRecord
from infra.errors import MediaError
from infra.media import PdfDocument, media_decoder

DATASET = "slidevqa"
LICENCE = "NTT software evaluation licence: internal evaluation only, no redistribution"
MARKS = (frozenset({"deck_name", "question"}), EXAMPLE)
BOXES = "bbox"
PDF_SUFFIX = ".pdf"
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
_PAGE = re.compile(r"(.*?)(?:[_-](\d+)[_-](?:320|638|1024|2048)|[_-](\d+)|(\d+))", re.DOTALL)  # widths
_UPLOAD = re.compile(r"-\d{9,}-phpapp\d+(_\d+)?$")  # what SlideShare appends to a deck's name


class SlidevqaState(NamedTuple):
    """What has been parsed so far."""

    items: set[str]
    questions: QuestionRegistry


class Slide(NamedTuple):
    """Which slide an image shows."""

    deck: str
    page: int
    text: str = ""  # that the file itself carries


def parse(raw: Path, context: ParseContext) -> Iterator[ParsedRecord]:
    """Stream the slides of every deck, then the questions."""
    folder = RawFolder(raw)
    folder.take((".jsonl",), lambda file: file.folder == BOXES)  # of a clone; no questions
    records = find_records(folder, MARKS, wanted=lambda file: file.folder != BOXES)
    yield from (*folder.faults, *records.skipped)
    state = SlidevqaState(set(), QuestionRegistry())
    yield from _images(folder, _decks_asked_about(records.files), state, context)
    for file in records.files:
        if file.suffix == PARQUET_SUFFIX:
            yield from _columns(file, state, context)
    for file in folder.take((PDF_SUFFIX,)):
        yield from _document(file, state, context)
    for file in records.files:
        parse_record = partial(_record, split=file.split or file.path.stem.lower(), state=state)
        yield from parsed_records(file, MARKS, parse_record, columns=QUESTION_COLUMNS)
    yield from state.questions.counts()
    yield from folder.untaken(IMAGE_SUFFIXES)


def slide_id(deck: str, page: int) -> str:
    """The item id of slide ``page`` (from 1)."""
    return item_id(DATASET, ItemKind.SLIDE, f"{deck}#{page}")


def page_of(stem: str) -> int | None:
    """The page number in a slide's file name without extension; None if it has none."""
    match = _PAGE.fullmatch(stem)
    return next((int(group) for group in match.groups()[1:] if group), None) if match else None


def _decks_asked_about(files: list[RawFile]) -> frozenset[str]:
    names: set[str] = set()
    for file in files:
        if file.suffix == PARQUET_SUFFIX:
            names.update(deck_names(file))
            continue
        for element in read_records(file, MARKS):
            if isinstance(element, JsonElement):
                names.add(_deck_of(element.value))
    return frozenset(names)


def _deck_of(value: object) -> str:
    """The deck that a record asks about; "" where it is malformed, which is told when it is read."""
    try:
        return fields.optional_text(worded(value, deck_question).record, "deck_name").strip()
    except MalformedRecordError:
        return ""


def _images(
    folder: RawFolder, decks: Set[str], state: SlidevqaState, context: ParseContext
) -> Iterator[ParsedItem | SkippedRecord]:
    """The slides that are files, decks in name order; of two files for one slide the first by name."""
    slides: dict[Slide, RawFile] = {}
    files = folder.take(IMAGE_SUFFIXES)
    flat = {file.name.rpartition("/")[0] for file in files if _deck_in_name(file) in decks}
    for file in files:
        slide = _slide_of(file, decks, flat)
        if slide is None:
            yield SkippedRecord(
                reason="slide_unplaced", where=file.name, detail="no deck or page in its name"
            )
        elif slide in slides:
            yield SkippedRecord(reason="slide_duplicate", where=file.name, detail=slides[slide].name)
        else:
            slides[slide] = file
    for slide, file in sorted(slides.items()):
        yield item_or_skip(file.name, _file_item, slide, file, state, context)


def _file_item(slide: Slide, file: RawFile, state: SlidevqaState, context: ParseContext) -> ParsedItem:
    return _item(slide, read_image(file.path, context), file.name, state, context)


def _deck_in_name(file: RawFile) -> str:
    match = _PAGE.fullmatch(file.path.stem)
    return match.group(1) if match else ""


def _slide_of(file: RawFile, decks: Set[str], flat: Set[str]) -> Slide | None:
    """The deck is the folder's name, or stands in the file's where a folder holds ``flat`` several decks."""
    page = page_of(file.path.stem)
    in_name = _deck_in_name(file)
    is_flat = file.folder not in decks and file.name.rpartition("/")[0] in flat
    deck = in_name if is_flat else file.folder
    return Slide(deck, page) if deck and page is not None else None


def _columns(
    file: RawFile, state: SlidevqaState, context: ParseContext
) -> Iterator[ParsedItem | SkippedRecord]:
    """The slides in the columns of a Parquet file; most decks are repeated for several questions."""
    for stored in slides_of(file, lambda deck, page: slide_id(deck, page) not in state.items):
        if isinstance(stored, SkippedRecord):
            yield stored
        else:
            yield item_or_skip(stored.where, _stored_item, stored, file, state, context)


def _stored_item(
    stored: StoredSlide, file: RawFile, state: SlidevqaState, context: ParseContext
) -> ParsedItem:
    image = media_decoder().image(stored.data, max_pixels=context.max_pixels)
    return _item(Slide(stored.deck, stored.page), image, file.name, state, context)


def _document(
    file: RawFile, state: SlidevqaState, context: ParseContext
) -> Iterator[ParsedItem | SkippedRecord]:
    """The slides of a deck that is at hand as ``<deck_name>.pdf``, as far as they are at hand nowhere else."""
    try:
        with media_decoder().open_pdf(file.path) as pdf:
            for number in pages_to_render(pdf, context):
                if slide_id(file.path.stem, number) not in state.items:
                    yield item_or_skip(f"{file.name}#{number}", _page_item, pdf, number, file, state, context)
    except MediaError as error:
        yield SkippedRecord.of(error, file.name)


def _page_item(
    pdf: PdfDocument, number: int, file: RawFile, state: SlidevqaState, context: ParseContext
) -> ParsedItem:
    page = pdf.page(number, dpi=context.dpi)
    return _item(Slide(file.path.stem, number, page.text), page.image, file.name, state, context)


def _item(
    slide: Slide, image: Image.Image, source: str, state: SlidevqaState, context: ParseContext
) -> ParsedItem:
    deck, page, text = slide
    identifier = slide_id(deck, page)
    text = read_text(image, text, context)
    state.items.add(identifier)
    return image_item(
        Item(
            id=identifier,
            dataset=DATASET,
            modality=Modality.IMAGE,
            content_hash="",
            title=" ".join(re.split(r"[_\-\s]+", _UPLOAD.sub("", deck))).strip() or deck,
            text=text,
            parent=deck,
            position=float(page),
            licence=LICENCE,
            source=source,
        ),
        image,
    )


def _record(element: JsonElement, split: str, state: SlidevqaState) -> Iterator[ParsedRecord]:
    try:
        reworded, record = worded(element.value, deck_question)
        split = reworded or split
        deck = fields.text(record, "deck_name").strip()
        question = _question(record, split)
    except MalformedRecordError as error:
        yield state.questions.malformed(error, element.where, split)
        return
    try:
        pages = fields.page_numbers(record.get("evidence_pages"))
    except MalformedRecordError as error:
        yield SkippedRecord(reason="evidence_pages_malformed", where=element.where, detail=str(error))
        note = f"evidence_pages_malformed:{record.get('evidence_pages')}"
        invalid = replace(question, evidence=EvidenceStatus.INVALID, notes=(note,))
        yield from state.questions.enter(invalid, element.where, split)
        return
    gold = [slide_id(deck, page) for page in pages]
    missing = [identifier for identifier in gold if identifier not in state.items]
    for identifier in missing:
        yield from state.questions.missing("slide_missing", identifier, element.where)
    question = with_evidence(question, gold=state.items.intersection(gold), missing=missing)
    yield from state.questions.enter(question, element.where, split)


def _question(record: Mapping[str, object], split: str) -> Question:
    answer = " ".join(fields.text(record, "answer").split())
    return Question(
        id=f"{DATASET}:{split}:{fields.identifier(record, 'qa_id')}",
        dataset=DATASET,
        split=split,
        text=fields.text(record, "question").strip(),
        answers=(answer,),
        kind=AnswerKind.YES_NO if answer.lower() in ("yes", "no") else AnswerKind.TEXT,
    )
