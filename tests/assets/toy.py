"""A tenth dataset of invented records, for tests of what is done with records whatever their format."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from assets.corpus.build import build_corpus
from assets.corpus.item import Item, Modality
from assets.corpus.merge import DatasetReport
from assets.corpus.question import EvidenceStatus, Question
from assets.parsers.types import MediaBlob, ParseContext, ParsedItem, ParsedRecord, SkippedRecord
from infra.media import encode_png
from infra.storage.root import Storage

CONTEXT = ParseContext()


def text(native: str, content: str) -> ParsedItem:
    digest = hashlib.sha256(content.encode()).hexdigest()
    return ParsedItem(
        item=Item(
            id=f"toy:text:{native}",
            dataset="toy",
            modality=Modality.TEXT,
            content_hash=digest,
            title=native,
            text=content,
        )
    )


def image(native: str, grey: int) -> ParsedItem:
    data = encode_png(Image.new("RGB", (8, 8), (grey,) * 3))
    item = Item(
        id=f"toy:page:{native}",
        dataset="toy",
        modality=Modality.IMAGE,
        content_hash=hashlib.sha256(data).hexdigest(),
        title=native,
        text="",
        width=8,
        height=8,
    )
    return ParsedItem(item=item, media=MediaBlob(members=(("png", data),)))


def question(native: str, *gold: str, evidence: EvidenceStatus = EvidenceStatus.PRESENT) -> Question:
    return Question(
        id=f"toy:dev:{native}",
        dataset="toy",
        split="dev",
        text="?",
        answers=("!",),
        gold=gold,
        evidence=evidence,
    )


def toy_records() -> Iterator[ParsedRecord]:
    yield question("early", "toy:text:b")  # its gold comes later, and is folded
    yield text("a", "same words")
    yield text("a", "same words")  # a paragraph met again with another question
    yield text("b", "same words")
    yield text("a", "other words")
    yield image("p1", 10)
    yield image("p2", 20)
    yield image("p3", 10)
    yield SkippedRecord(reason="pdf_truncated", where="documents/x.pdf")
    yield SkippedRecord(reason="pdf_truncated", where="documents/y.pdf")
    yield question("both", "toy:page:p3", "toy:text:a")
    yield question("half", "toy:page:p2", "toy:page:gone")
    yield question("lost", "toy:page:gone")
    yield question("none", evidence=EvidenceStatus.UNANSWERABLE)
    yield question("none", evidence=EvidenceStatus.UNANSWERABLE)


def build(raw: Path, storage: Storage) -> DatasetReport:
    """Build the toy alone."""
    return build_corpus(raw, storage, datasets=["toy"], settings=CONTEXT).datasets["toy"]
