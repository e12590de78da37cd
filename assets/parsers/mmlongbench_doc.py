"""MMLongBench-Doc: questions on long PDF documents, about a fifth of them unanswerable.

``samples.json`` (or the hub's Parquet) is one array in which every value is a string; the documents are
``documents/*.pdf``. Both may lie anywhere below the raw folder::

    {"doc_id": "some-report.pdf", "doc_type": "Research report / Introduction", "question": "...",
     "answer": "['A', 'B']", "evidence_pages": "[19, 20]", "evidence_sources": "['Chart']",
     "answer_format": "List"}

VRAG's examples (``reworded.py``) are a split of their own. An item is one page (of every PDF in the folder,
asked about or not), gold are the (document, page) pairs, pages counted from 1.
Questions have no id of their own: the index in the file and a hash of document and
question make one, for one question stands twice. Impossible pages (0, or behind the last one) are dropped and
noted; a question left without a page is INVALID, one whose document cannot be read or was not rendered that
far is MEDIA_MISSING, and both are kept.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from assets.corpus.item import Item, ItemKind, Modality, item_id
from assets.corpus.question import AnswerKind, EvidenceStatus, Question
from assets.grading.normalise import NOT_ANSWERABLE, abstains
from assets.parsers.files import fields
from assets.parsers.files.fields import MalformedRecordError
from assets.parsers.files.json_stream import JsonElement
from assets.parsers.files.raw_folder import RawFile, RawFolder
from assets.parsers.files.record_files import find_records, read_records
from assets.parsers.identity import bytes_hash, short_hash
from assets.parsers.images import image_item, item_or_skip, pages_to_render, read_text
from assets.parsers.questions import QuestionRegistry
from assets.parsers.reworded import EXAMPLE, document_question, worded
from assets.parsers.types import ParseContext, ParsedItem, ParsedRecord, SkippedRecord
from infra.errors import MediaError
from infra.media import PdfDocument, media_decoder

DATASET = "mmlongbench_doc"
EDITION = "test"
MARKS = (frozenset({"doc_id", "question"}), EXAMPLE)
LICENCE = "CC BY-NC 4.0"
KINDS = {
    "int": AnswerKind.INTEGER,
    "float": AnswerKind.FLOAT,
    "list": AnswerKind.LIST,
    "str": AnswerKind.TEXT,
    "none": AnswerKind.UNANSWERABLE,
}
PDF_SUFFIX = ".pdf"
TITLE_WORDS = 12
_HASH_NAME = re.compile(r"[0-9a-f]{24,}", re.IGNORECASE)


class RenderedDocument(NamedTuple):
    """What became of one document; ``name`` is that of its file."""

    name: str
    digest: str
    num_pages: int
    readable: frozenset[int]  # page numbers that are items


class DocumentPages(NamedTuple):
    """A document that is open; ``title`` is that of its items, "" before the first."""

    pdf: PdfDocument
    file: RawFile
    digest: str
    title: str = ""


class MmlongbenchState(NamedTuple):
    """What has been parsed so far."""

    documents: dict[str, RenderedDocument]  # by the file's name as ``known_as`` writes it
    questions: QuestionRegistry


class GoldPages(NamedTuple):
    """The gold pages of one question, sorted out."""

    gold: tuple[int, ...]
    impossible: tuple[int, ...]
    unread: tuple[int, ...]  # real pages that are no items: behind the cap, or damaged


def page_id(doc_id: str, page: int) -> str:
    """The item id of page ``page`` (from 1); ``doc_id`` is the file name with its extension."""
    return item_id(DATASET, ItemKind.PAGE, f"{doc_id}#{page}")


def known_as(doc_id: str) -> str:
    """A document's name without folders, and without what copying between file systems changes in it."""
    return unicodedata.normalize("NFC", PurePosixPath(doc_id.strip()).name).casefold()


def parse(raw: Path, context: ParseContext) -> Iterator[ParsedRecord]:
    """Stream the pages of every document, then the questions."""
    folder = RawFolder(raw)
    documents = folder.take((PDF_SUFFIX,))
    records = find_records(folder, MARKS)
    yield from (*folder.faults, *records.skipped)
    state = MmlongbenchState({}, QuestionRegistry())
    for file in documents:
        yield from _document(file, state, context)
    for file in records.files:
        for index, element in enumerate(read_records(file, MARKS)):
            if isinstance(element, SkippedRecord):
                yield element
            else:
                yield from _record(element, index, state)
    yield from state.questions.counts()
    yield from folder.untaken()


def _document(file: RawFile, state: MmlongbenchState, context: ParseContext) -> Iterator[ParsedRecord]:
    """The pages of one document, unless one of its name came before."""
    digest = bytes_hash(file.path.read_bytes())
    if (before := state.documents.get(known_as(file.path.name))) is not None:
        reason = "document_duplicate" if before.digest == digest else "document_name_conflict"
        yield SkippedRecord(reason=reason, where=file.name)
        return
    readable: set[int] = set()
    num_pages = 0
    try:
        with media_decoder().open_pdf(file.path) as pdf:
            num_pages = pdf.num_pages
            pages = DocumentPages(pdf, file, digest)
            for number in pages_to_render(pdf, context):
                record = item_or_skip(f"{file.name}#{number}", _page_item, pages, number, context)
                if isinstance(record, ParsedItem):
                    pages = pages._replace(title=record.item.title)
                    readable.add(number)
                yield record
    except MediaError as error:
        yield SkippedRecord.of(error, file.name)
    rendered = RenderedDocument(file.path.name, digest, num_pages, frozenset(readable))
    state.documents[known_as(file.path.name)] = rendered


def _page_item(pages: DocumentPages, number: int, context: ParseContext) -> ParsedItem:
    pdf, file, digest, title = pages
    page = pdf.page(number, dpi=context.dpi)
    item = Item(
        id=page_id(file.path.name, number),
        dataset=DATASET,
        modality=Modality.IMAGE,
        # Of document and page, not of the pixels: copies of a document fold page by page, blank pages do not.
        content_hash=bytes_hash(digest.encode(), str(number).encode()),
        title=title or _title(file.path.stem, page.text),
        text=read_text(page.image, page.text, context),
        parent=file.path.name,
        position=float(number),
        licence=LICENCE,
        source=file.name,
    )
    return image_item(item, page.image)


def _title(stem: str, first_page: str) -> str:
    """The file's name in words; where that is a hash, the first line of the document's first legible page."""
    if not _HASH_NAME.fullmatch(stem):
        return " ".join(re.split(r"[_\s]+", stem)).strip()
    lines = (line.split() for line in first_page.splitlines())
    return " ".join(next((line for line in lines if line), [])[:TITLE_WORDS])


def _record(element: JsonElement, index: int, state: MmlongbenchState) -> Iterator[ParsedRecord]:
    """One question, preceded by what is wrong with its evidence."""
    edition = EDITION
    try:
        split, record = worded(element.value, document_question)
        edition = split or EDITION
        doc_id = fields.text(record, "doc_id").strip()
        question = _question(record, doc_id, index, edition)
    except MalformedRecordError as error:
        yield state.questions.malformed(error, element.where, edition)
        return
    document = state.documents.get(known_as(doc_id))
    if document is None:
        yield from state.questions.missing("document_missing", f"documents/{doc_id}", element.where)
    try:
        pages = fields.page_numbers(record.get("evidence_pages"))
        question = _with_evidence(question, doc_id, pages, document)
    except MalformedRecordError as error:
        note = f"evidence_pages_malformed:{record.get('evidence_pages')}"
        question = replace(question, evidence=EvidenceStatus.INVALID, notes=(note,))
        yield SkippedRecord(reason="evidence_pages_malformed", where=element.where, detail=str(error))
    if "evidence_pages" not in record:
        question = replace(question, notes=(*question.notes, "evidence_pages_absent"))
    yield from state.questions.enter(question, element.where, edition)


def _question(record: Mapping[str, object], doc_id: str, index: int, split: str) -> Question:
    """The question without its evidence."""
    text = fields.text(record, "question")
    answer = fields.text(record, "answer").strip()
    answer_format = fields.optional_text(record, "answer_format").strip().lower()
    kind = KINDS.get(answer_format, AnswerKind.TEXT)
    if abstains(answer):
        kind = AnswerKind.UNANSWERABLE
    return Question(
        id=f"{DATASET}:{split}:{index}-{short_hash(doc_id, text)}",
        dataset=DATASET,
        split=split,
        text=text.strip(),
        answers=(NOT_ANSWERABLE if kind == AnswerKind.UNANSWERABLE else answer,),
        kind=kind,
    )


def _with_evidence(
    question: Question, doc_id: str, pages: tuple[int, ...], document: RenderedDocument | None
) -> Question:
    if question.kind == AnswerKind.UNANSWERABLE:
        notes = (f"unanswerable_lists_pages:{list(pages)}",) if pages else ()
        return replace(question, evidence=EvidenceStatus.UNANSWERABLE, notes=notes)
    if not pages:
        return replace(question, evidence=EvidenceStatus.NONE)
    if document is None or not document.num_pages:
        return replace(question, evidence=EvidenceStatus.MEDIA_MISSING, notes=(f"document_missing:{doc_id}",))
    sorted_out = _sort_out(pages, document)
    if sorted_out.gold:
        status = EvidenceStatus.PRESENT
    else:
        status = EvidenceStatus.MEDIA_MISSING if sorted_out.unread else EvidenceStatus.INVALID
    notes = (
        *((f"pages_out_of_range:{list(sorted_out.impossible)}",) if sorted_out.impossible else ()),
        *((f"pages_unread:{list(sorted_out.unread)}",) if sorted_out.unread else ()),
    )
    gold = tuple(sorted(page_id(document.name, page) for page in sorted_out.gold))
    return replace(question, gold=gold, evidence=status, notes=notes)


def _sort_out(pages: tuple[int, ...], document: RenderedDocument) -> GoldPages:
    possible = [page for page in pages if 1 <= page <= document.num_pages]
    return GoldPages(
        gold=tuple(page for page in possible if page in document.readable),
        impossible=tuple(page for page in pages if page not in possible),
        unread=tuple(page for page in possible if page not in document.readable),
    )
