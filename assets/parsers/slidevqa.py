"""SlideVQA: questions on decks of 20 slides; one slide or several hold the evidence.

One question a line in ``{train,dev,test}.jsonl`` (there or in ``annotations/qa/``); ``arithmetic_expression``
is the string "None" where there is none::

    {"deck_name": "some-deck-120221022442-phpapp02_95", "deck_url": "...", "image_urls": [...],
     "qa_id": 1, "question": "...", "answer": "12.5 bn", "arithmetic_expression": "None",
     "evidence_pages": [5, 7]}

Slides are pictures in a folder named after their deck, anywhere below the raw folder, with the page (from 1)
in the file name: ``<anything>-<page>-1024.jpg`` as the downloader writes them, or ``<anything>_<page>.jpg``.
The hub's parquet shards are to be unpacked into this layout. An item is a slide, its text what OCR reads on
it; gold are (deck, page) pairs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from assets.item import Item, Modality, item_id
from assets.parsers import fields
from assets.parsers.evidence import with_evidence
from assets.parsers.fields import RecordMalformed
from assets.parsers.json_stream import Element, json_lines
from assets.parsers.pictures import image_item, read_picture, read_text
from assets.parsers.records import ParseContext, Parsed, Record, Skipped
from assets.question import AnswerKind, Question
from infra.errors import MediaError

DATASET = "slidevqa"
LICENCE = "NTT software evaluation licence: internal evaluation only, no redistribution"
SPLITS = {"train": "train", "dev": "dev", "val": "dev", "validation": "dev", "test": "test"}
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
_PAGE = re.compile(r".*?(?:[_-](\d+)[_-](?:320|638|1024|2048)|[_-](\d+)|(\d+))", re.DOTALL)  # widths
_UPLOAD = re.compile(r"-\d{9,}-phpapp\d+(_\d+)?$")  # what SlideShare appends to a deck's name


class Seen(NamedTuple):
    """What has been met so far."""

    items: set[str]
    questions: set[str]
    missing: set[str]  # decks and pages that are asked about and not at hand


def parse(raw: Path, context: ParseContext) -> Iterator[Record]:
    """Stream the slides of every deck folder, then the questions."""
    seen = Seen(set(), set(), set())
    for deck, slides in _decks(raw).items():
        for page, path in sorted(slides.items()):
            yield from _slide(deck, page, path, raw, seen, context)
    for path in sorted((*raw.glob("*.jsonl"), *raw.glob("annotations/qa/*.jsonl"))):
        split = SPLITS.get(path.stem.lower(), path.stem.lower())
        for element in json_lines(path, where=path.relative_to(raw).as_posix()):
            if isinstance(element, Skipped):
                yield element
            else:
                yield from _record(element, split, seen)


def slide_id(deck: str, page: int) -> str:
    """The item id of slide ``page`` (from 1)."""
    return item_id(DATASET, "slide", f"{deck}#{page}")


def page_of(stem: str) -> int | None:
    """The page number in a slide's file name without extension; None if it has none."""
    match = _PAGE.fullmatch(stem)
    return next((int(group) for group in match.groups() if group), None) if match else None


def _decks(raw: Path) -> dict[str, dict[int, Path]]:
    """Slide files by deck and page, decks in name order; of two files for one page the first by name."""
    found: dict[str, dict[int, Path]] = {}
    for path in sorted(
        path for path in raw.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()
    ):
        page = page_of(path.stem)
        if page is not None and path.parent != raw:
            found.setdefault(path.parent.name, {}).setdefault(page, path)
    return dict(sorted(found.items()))


def _slide(
    deck: str, page: int, path: Path, raw: Path, seen: Seen, context: ParseContext
) -> Iterator[Parsed | Skipped]:
    where = path.relative_to(raw).as_posix()
    try:
        picture = read_picture(path, context)
    except MediaError as error:
        yield Skipped(reason=error.reason, where=where, detail=error.detail)
        return
    identifier = slide_id(deck, page)
    seen.items.add(identifier)
    yield image_item(
        Item(
            id=identifier,
            dataset=DATASET,
            modality=Modality.IMAGE,
            content_hash="",
            title=" ".join(re.split(r"[_\-\s]+", _UPLOAD.sub("", deck))).strip() or deck,
            text=read_text(picture, "", context),
            parent=deck,
            position=float(page),
            licence=LICENCE,
            source=where,
        ),
        picture,
    )


def _record(element: Element, split: str, seen: Seen) -> Iterator[Record]:
    try:
        record = fields.mapping(element.value)
        deck = fields.text(record, "deck_name")
        question = _question(record, split)
        pages = fields.page_numbers(record.get("evidence_pages"))
    except RecordMalformed as error:
        yield Skipped(reason="record_malformed", where=element.where, detail=str(error))
        return
    if question.id in seen.questions:
        yield Skipped(reason="question_duplicate", where=element.where, detail=question.id)
        return
    seen.questions.add(question.id)
    gold = [slide_id(deck, page) for page in pages]
    missing = [identifier for identifier in gold if identifier not in seen.items]
    for identifier in missing:
        if identifier not in seen.missing:
            seen.missing.add(identifier)
            yield Skipped(reason="slide_missing", where=identifier, detail=f"asked about in {element.where}")
    yield with_evidence(question, found=[one for one in gold if one in seen.items], missing=missing)


def _question(record: Mapping[str, object], split: str) -> Question:
    answer = " ".join(fields.text(record, "answer").split())
    return Question(
        id=f"{DATASET}:{split}:{fields.text(record, 'qa_id')}",
        dataset=DATASET,
        split=split,
        text=fields.text(record, "question").strip(),
        answers=(answer,),
        kind=AnswerKind.YES_NO if answer.lower() in ("yes", "no") else AnswerKind.TEXT,
    )
