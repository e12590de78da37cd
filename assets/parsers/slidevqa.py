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
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from assets.corpus.item import Item, ItemKind, Modality, item_id
from assets.corpus.question import AnswerKind, EvidenceStatus, Question
from assets.parsers.evidence import with_evidence
from assets.parsers.files import fields
from assets.parsers.files.fields import MalformedRecordError
from assets.parsers.files.json_stream import JsonElement
from assets.parsers.files.raw_folder import RawFile, RawFolder
from assets.parsers.files.record_files import PARQUET_SUFFIX, find_records, read_records
from assets.parsers.files.slide_columns import QUESTION_COLUMNS, deck_names, slides_of
from assets.parsers.images import image_item, read_image, read_text
from assets.parsers.question_registry import QuestionRegistry
from assets.parsers.reworded import EXAMPLE, deck_question, worded
from assets.parsers.splits import split_of
from assets.parsers.types import ParseContext, ParsedItem, ParsedRecord, SkippedRecord
from infra.errors import MediaError
from infra.media import media_decoder

DATASET = "slidevqa"
LICENCE = "NTT software evaluation licence: internal evaluation only, no redistribution"
MARKS = (frozenset({"deck_name", "question"}), EXAMPLE)
BOXES = "bbox"
PDF_SUFFIX = ".pdf"
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
_PAGE = re.compile(r"(.*?)(?:[_-](\d+)[_-](?:320|638|1024|2048)|[_-](\d+)|(\d+))", re.DOTALL)  # widths
_UPLOAD = re.compile(r"-\d{9,}-phpapp\d+(_\d+)?$")  # what SlideShare appends to a deck's name


class SlidevqaState(NamedTuple):
    """What has been met so far."""

    items: set[str]
    missing: set[str]  # decks and pages that are asked about and not at hand
    roll: QuestionRegistry


class Slide(NamedTuple):
    """Which slide an image shows."""

    deck: str
    page: int
    text: str = ""  # that the file itself carries


def parse(raw: Path, context: ParseContext) -> Iterator[ParsedRecord]:
    """Stream the slides of every deck, then the questions."""
    folder = RawFolder(raw)
    folder.take((".jsonl",), lambda file: file.folder == BOXES)  # of a clone; no questions
    found = find_records(folder, MARKS, wanted=lambda file: file.folder != BOXES)
    yield from folder.faults
    yield from found.skipped
    seen = SlidevqaState(set(), set(), QuestionRegistry())
    yield from _images(folder, _decks_asked_about(found.files), seen, context)
    for file in found.files:
        if file.suffix == PARQUET_SUFFIX:
            yield from _columns(file, seen, context)
    for file in folder.take((PDF_SUFFIX,)):
        yield from _document(file, seen, context)
    for file in found.files:
        split = split_of(file.name) or file.path.stem.lower()
        for element in read_records(file, MARKS, columns=QUESTION_COLUMNS):
            if isinstance(element, SkippedRecord):
                yield element
            else:
                yield from _record(element, split, seen)
    yield from seen.roll.tallies()
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
    folder: RawFolder, asked: Set[str], seen: SlidevqaState, context: ParseContext
) -> Iterator[ParsedItem | SkippedRecord]:
    """The slides that are files, decks in name order; of two files for one slide the first by name."""
    found: dict[Slide, RawFile] = {}
    files = folder.take(IMAGE_SUFFIXES)
    flat = {file.name.rpartition("/")[0] for file in files if _deck_in_name(file) in asked}
    for file in files:
        slide = _slide_of(file, asked, flat)
        if slide is None:
            yield SkippedRecord(
                reason="slide_unplaced", where=file.name, detail="no deck or page in its name"
            )
        elif slide in found:
            yield SkippedRecord(reason="slide_duplicate", where=file.name, detail=found[slide].name)
        else:
            found[slide] = file
    for slide, file in sorted(found.items()):
        try:
            item = _item(slide, read_image(file.path, context), file.name, seen, context)
        except MediaError as error:
            yield SkippedRecord(reason=error.reason, where=file.name, detail=error.detail)
            continue
        yield item


def _deck_in_name(file: RawFile) -> str:
    match = _PAGE.fullmatch(file.path.stem)
    return match.group(1) if match else ""


def _slide_of(file: RawFile, asked: Set[str], flat: Set[str]) -> Slide | None:
    """The deck is the folder's name, or stands in the file's where a folder holds ``flat`` several decks."""
    page = page_of(file.path.stem)
    in_name = _deck_in_name(file)
    is_flat = file.folder not in asked and file.name.rpartition("/")[0] in flat
    deck = in_name if is_flat else file.folder
    return Slide(deck, page) if deck and page is not None else None


def _columns(
    file: RawFile, seen: SlidevqaState, context: ParseContext
) -> Iterator[ParsedItem | SkippedRecord]:
    """The slides in the columns of a Parquet file; most decks are repeated for several questions."""
    for stored in slides_of(file, lambda deck, page: slide_id(deck, page) not in seen.items):
        if isinstance(stored, SkippedRecord):
            yield stored
            continue
        try:
            image = media_decoder().image(stored.data, max_pixels=context.max_pixels)
            item = _item(Slide(stored.deck, stored.page), image, file.name, seen, context)
        except MediaError as error:
            yield SkippedRecord(reason=error.reason, where=stored.where, detail=error.detail)
            continue
        yield item


def _document(
    file: RawFile, seen: SlidevqaState, context: ParseContext
) -> Iterator[ParsedItem | SkippedRecord]:
    """The slides of a deck that is at hand as ``<deck_name>.pdf``, as far as they are at hand nowhere else."""
    try:
        with media_decoder().open_pdf(file.path) as pdf:
            for number in range(1, min(pdf.num_pages, context.max_pages or pdf.num_pages) + 1):
                if slide_id(file.path.stem, number) in seen.items:
                    continue
                try:
                    page = pdf.page(number, dpi=context.dpi)
                    slide = Slide(file.path.stem, number, page.text)
                    item = _item(slide, page.image, file.name, seen, context)
                except MediaError as error:
                    yield SkippedRecord(
                        reason=error.reason, where=f"{file.name}#{number}", detail=error.detail
                    )
                    continue
                yield item
    except MediaError as error:
        yield SkippedRecord(reason=error.reason, where=file.name, detail=error.detail)


def _item(
    slide: Slide, image: Image.Image, source: str, seen: SlidevqaState, context: ParseContext
) -> ParsedItem:
    deck, page, text = slide
    identifier = slide_id(deck, page)
    text = read_text(image, text, context)
    seen.items.add(identifier)
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


def _record(element: JsonElement, split: str, seen: SlidevqaState) -> Iterator[ParsedRecord]:
    try:
        reworded, record = worded(element.value, deck_question)
        split = reworded or split
        deck = fields.text(record, "deck_name").strip()
        question = _question(record, split)
    except MalformedRecordError as error:
        seen.roll.unusable(split)
        yield SkippedRecord(reason="record_malformed", where=element.where, detail=str(error))
        return
    try:
        pages = fields.page_numbers(record.get("evidence_pages"))
    except MalformedRecordError as error:
        yield SkippedRecord(reason="evidence_pages_malformed", where=element.where, detail=str(error))
        note = f"evidence_pages_malformed:{record.get('evidence_pages')}"
        invalid = replace(question, evidence=EvidenceStatus.INVALID, notes=(note,))
        yield from seen.roll.enter(invalid, element.where, split)
        return
    gold = [slide_id(deck, page) for page in pages]
    missing = [identifier for identifier in gold if identifier not in seen.items]
    for identifier in missing:
        if identifier not in seen.missing:
            seen.missing.add(identifier)
            yield SkippedRecord(
                reason="slide_missing", where=identifier, detail=f"asked about in {element.where}"
            )
    found = [one for one in gold if one in seen.items]
    question = with_evidence(question, found=found, missing=missing)
    yield from seen.roll.enter(question, element.where, split)


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
