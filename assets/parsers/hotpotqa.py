"""HotpotQA: two-hop questions over Wikipedia paragraphs.

One JSON array a file (key order differs between files; the test file has only _id, question and context)::

    {"_id": "5a8b57f25542995d1e6f1371", "question": "...", "answer": "yes",
     "type": "comparison", "level": "hard",
     "supporting_facts": [["Some Title", 0], ["Other Title", 2]],
     "context": [["Some Title", ["First sentence.", " Second sentence."]], ...]}

The hub's shape ({"id", "supporting_facts": {"title", "sent_id"}, "context": {"title", "sentences"}}) is read
as well, as an array or as JSON lines. An item is a paragraph, known by title and text; gold are the
paragraphs whose titles the supporting facts name. The contexts of fullwiki files are retrieval results: they
are corpus, and a question that a distractor file also holds keeps the gold found there. Sentence ids are not
used: they may run past the paragraph.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from assets.item import Item, Modality, item_id
from assets.parsers import fields
from assets.parsers.fields import RecordMalformed
from assets.parsers.identity import short_hash, text_hash
from assets.parsers.json_stream import Element, elements, first_char, json_lines
from assets.parsers.records import ParseContext, Parsed, Record, Skipped
from assets.question import AnswerKind, EvidenceStatus, Question

DATASET = "hotpotqa"
LICENCE = "CC BY-SA 4.0"
SPLIT_WORDS = ("train", "dev", "validation", "val", "test")


class Paragraph(NamedTuple):
    """One entry of a context."""

    title: str
    text: str

    @property
    def id(self) -> str:
        """The item's id: a title recurs with other texts, so both count."""
        return item_id(DATASET, "para", short_hash(self.title, self.text))


def parse(raw: Path, context: ParseContext) -> Iterator[Record]:
    """Stream every ``*.json`` and ``*.jsonl`` under ``raw``; fullwiki files come last."""
    del context  # nothing to render or read
    seen: set[str] = set()
    files = sorted(
        (*raw.rglob("*.json"), *raw.rglob("*.jsonl")), key=lambda path: ("fullwiki" in path.name, path)
    )
    for path in files:
        where = path.relative_to(raw).as_posix()
        read = json_lines if path.suffix == ".jsonl" or first_char(path) == "{" else elements
        for element in read(path, where=where):
            if isinstance(element, Skipped):
                yield element
            else:
                yield from _record(element, where, seen)


def _record(element: Element, source: str, seen: set[str]) -> Iterator[Record]:
    """The new paragraphs of one record, then its question."""
    try:
        record = fields.mapping(element.value)
        # Hashing is most of the work here, so it is done once for each entry.
        paragraphs = {paragraph.id: paragraph for paragraph in _paragraphs(record)}
        question = _question(record, paragraphs, source)
    except RecordMalformed as error:
        yield Skipped(reason="record_malformed", where=element.where, detail=str(error))
        return
    for identifier, paragraph in paragraphs.items():
        if identifier in seen:
            continue
        seen.add(identifier)
        if paragraph.text.strip():
            yield Parsed(item=_item(identifier, paragraph, source))
        else:
            yield Skipped(reason="paragraph_empty", where=element.where, detail=paragraph.title)
    if question.id in seen:
        yield Skipped(reason="question_duplicate", where=element.where, detail=question.id)
    else:
        seen.add(question.id)
        yield question


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
    context = record.get("context")
    if isinstance(context, Mapping):  # the hub's shape
        titles = fields.sequence(context.get("title"), "context.title")
        texts = fields.sequence(context.get("sentences"), "context.sentences")
        pairs: list[object] = [list(pair) for pair in zip(titles, texts, strict=False)]
    else:
        pairs = fields.sequence(context, "context")
    return [_paragraph(pair) for pair in pairs]


def _paragraph(value: object) -> Paragraph:
    pair = fields.sequence(value, "context entry")
    if len(pair) != 2 or not isinstance(pair[0], str):
        raise RecordMalformed("a context entry is not [title, sentences]")
    sentences = [pair[1]] if isinstance(pair[1], str) else fields.sequence(pair[1], "sentences")
    if not all(isinstance(sentence, str) for sentence in sentences):
        raise RecordMalformed(f"a sentence of {pair[0]!r} is not a string")
    return Paragraph(pair[0], "".join(str(sentence) for sentence in sentences))


def _supporting_titles(record: Mapping[str, object]) -> tuple[str, ...]:
    facts = record.get("supporting_facts")
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
        raise RecordMalformed("a supporting fact has no title")
    return tuple(dict.fromkeys(str(title) for title in titles))


def _question(record: Mapping[str, object], paragraphs: Mapping[str, Paragraph], source: str) -> Question:
    answer = fields.optional_text(record, "answer")
    titles = _supporting_titles(record)
    split = _split(source)
    if titles and not answer:
        raise RecordMalformed("supporting facts but no answer")
    # Of two paragraphs with one title the first is meant.
    entries = reversed(tuple(paragraphs.items()))
    by_title = {one.title: identifier for identifier, one in entries if one.text.strip()}
    missing = [title for title in titles if title not in by_title]
    gold = tuple(sorted({by_title[title] for title in titles if title in by_title}))
    status = EvidenceStatus.PRESENT if gold else EvidenceStatus.INVALID if titles else EvidenceStatus.NONE
    return Question(
        id=f"{DATASET}:{split}:{fields.text(record, '_id', 'id')}",
        dataset=DATASET,
        split=split,
        text=fields.text(record, "question"),
        answers=(answer,) if answer else (),
        kind=AnswerKind.YES_NO if answer.strip().lower() in ("yes", "no") else AnswerKind.TEXT,
        gold=gold,
        evidence=status,
        notes=tuple(f"gold_title_missing:{title}" for title in missing),
    )


def _split(source: str) -> str:
    name = source.lower()
    word = next((word for word in SPLIT_WORDS if word in name), "train")
    return {"validation": "dev", "val": "dev"}.get(word, word)
