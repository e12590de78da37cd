"""Parsed records gathered into tables and shards, equal content folded into one item.

Two passes: the first takes records as they come, the second rewrites the (small) tables once every alias is
known. What must be remembered of each item, an id and two hashes, is in a file. Where the result is
published is decided by ``build.py``.
"""

import hashlib
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from assets.corpus import tables
from assets.corpus.item import Item
from assets.corpus.question import EvidenceStatus, Question
from assets.corpus.shards import ShardWriter
from assets.corpus.tables import TableWriter
from assets.parsers.types import EditionCounts, ParsedItem, ParsedRecord, SkippedRecord
from infra.progress import ProgressListener
from infra.storage.publication import ArtifactWriter

ITEMS, QUESTIONS, SKIPPED = "items.parquet", "questions.parquet", "skipped.parquet"
DETAIL_CHARS = 500  # of what is said about a skip; errors quote what they met, however long
CONTENT_CACHE_KIB = 8 * 1024  # of the table of ids and hashes in memory; the rest is on disk
PROGRESS_EVERY = 10  # records between two calls of the progress callback


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetReport:
    """What one dataset became. Every count is a number of items, questions or links."""

    items: int = 0
    questions: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    """Records that could not be used, by reason."""
    folded: int = 0
    """Items whose content another item already had; they are its aliases."""
    gold_moved: int = 0
    """Gold links that named a folded item and now name the one it was folded into."""
    gold_missing: int = 0
    """Gold links to items that the corpus does not hold; they are noted on their questions."""
    evidence: Mapping[str, int] = field(default_factory=dict)
    """Questions by the status of their evidence."""
    found: Mapping[str, int] = field(default_factory=dict)
    """Records of questions in the raw files by edition, those that could not be used too."""


class ItemFate(StrEnum):
    """What becomes of an item that is met."""

    NEW = "new"
    REPEATED = "repeated"  # the same item again: a paragraph is met once for each of its questions
    FOLDED = "folded"  # another item with equal content
    CONFLICTING = "item_id_conflict"  # an id that already has other content


class ContentTable:
    """Which item came first with some content: ids and hashes in a file, so that memory does not grow with items."""

    def __init__(self, path: Path) -> None:
        """``path`` is a new file, of use to nobody else and of none after ``close``."""
        self._table = sqlite3.connect(path, isolation_level=None)
        self._table.executescript(
            f"""
            PRAGMA journal_mode = OFF;
            PRAGMA synchronous = OFF;
            PRAGMA cache_size = -{CONTENT_CACHE_KIB};
            CREATE TABLE items (id TEXT PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID;
            CREATE TABLE firsts (content BLOB PRIMARY KEY, id TEXT NOT NULL) WITHOUT ROWID;
            BEGIN;
            """
        )

    def add(self, item: Item) -> ItemFate:
        """Remember the item and say what becomes of it; content is compared within a modality."""
        content = hashlib.blake2b(f"{item.modality}:{item.content_hash}".encode(), digest_size=16).digest()
        if (known := self._one("SELECT content FROM items WHERE id = ?", item.id)) is not None:
            return ItemFate.REPEATED if known == content else ItemFate.CONFLICTING
        self._table.execute("INSERT INTO items VALUES (?, ?)", (item.id, content))
        added = self._table.execute("INSERT OR IGNORE INTO firsts VALUES (?, ?)", (content, item.id))
        return ItemFate.NEW if added.rowcount else ItemFate.FOLDED

    def canonical(self, item_id: str) -> str | None:
        """The item that stands for ``item_id``; None if there is no such item."""
        return self._one("SELECT f.id FROM items i JOIN firsts f USING (content) WHERE i.id = ?", item_id)

    def close(self) -> None:
        """Let go of the file."""
        self._table.close()

    def _one(self, query: str, item_id: str) -> Any:
        row = self._table.execute(query, (item_id,)).fetchone()
        return row[0] if row else None


class CorpusMerger:
    """One dataset on its way into a publication: ``take`` its records, then ``resolve``."""

    def __init__(self, corpus: ArtifactWriter, media: ShardWriter) -> None:
        self._corpus, self._media = corpus, media
        self._scratch = corpus.directory / "scratch"
        self._scratch.mkdir()
        self._contents = ContentTable(self._scratch / "contents.sqlite")
        self._aliases: dict[str, list[str]] = {}
        self._question_ids: set[str] = set()
        self._skipped: Counter[str] = Counter()
        self._found: Counter[str] = Counter()
        self._moved = self._missing = 0

    def take(self, records: Iterable[ParsedRecord], *, stage: str, progress: ProgressListener) -> None:
        """Pass 1: media to the shards, rows to scratch tables, what cannot be used to ``skipped.parquet``."""
        done = 0
        with (
            TableWriter((self._scratch / ITEMS).open("wb"), tables.ITEMS) as self._items,
            TableWriter((self._scratch / QUESTIONS).open("wb"), tables.QUESTIONS) as self._questions,
            TableWriter(self._corpus.open(SKIPPED), tables.SKIPPED) as self._skips,
        ):
            for done, record in enumerate(records, start=1):
                match record:
                    case ParsedItem():
                        self._take_item(record)
                    case Question():
                        self._take_question(record)
                    case SkippedRecord():
                        self._skip(record)
                    case EditionCounts():
                        self._found[record.edition] += record.questions
                if done % PROGRESS_EVERY == 0:
                    progress(stage, done, None)
        self._media.finish({alias: item for item, aliases in self._aliases.items() for alias in aliases})
        progress(stage, done, done)

    def _take_item(self, parsed: ParsedItem) -> None:
        item, media = parsed.item, parsed.media
        fate = self._contents.add(item)
        if fate is ItemFate.CONFLICTING:
            detail = f"{item.id} came before with other content"
            self._skip(SkippedRecord(reason=fate.value, where=item.source, detail=detail))
        elif fate is ItemFate.FOLDED:
            first = self._contents.canonical(item.id)
            assert first is not None
            self._aliases.setdefault(first, []).append(item.id)
        elif fate is ItemFate.NEW:
            if media is not None:
                item = replace(item, media_key=item.content_hash)
                self._media.add(item.content_hash, item.id, media.members, media.meta)
            self._items.write(tables.item_row(item))

    def _take_question(self, question: Question) -> None:
        if question.id in self._question_ids:
            self._skip(SkippedRecord(reason="question_id_repeated", where=question.id))
            return
        self._question_ids.add(question.id)
        self._questions.write(tables.question_row(question))

    def _skip(self, skipped: SkippedRecord) -> None:
        self._skipped[skipped.reason] += 1
        detail = (
            skipped.detail if len(skipped.detail) <= DETAIL_CHARS else f"{skipped.detail[:DETAIL_CHARS]}…"
        )
        self._skips.write(asdict(replace(skipped, detail=detail)))

    def resolve(self, *, stage: str, progress: ProgressListener) -> DatasetReport:
        """Pass 2: items with their aliases, questions with the gold that stands for theirs."""
        total = self._items.num_rows + self._questions.num_rows
        evidence: Counter[str] = Counter()
        with TableWriter(self._corpus.open(ITEMS), tables.ITEMS) as items:
            for row in tables.rows(str(self._scratch / ITEMS)):
                items.write(row | {"aliases": sorted({*row["aliases"], *self._aliases.get(row["id"], ())})})
        progress(stage, items.num_rows, total)
        with TableWriter(self._corpus.open(QUESTIONS), tables.QUESTIONS) as questions:
            for row in tables.rows(str(self._scratch / QUESTIONS)):
                question = self._with_known_gold(tables.question_of(row))
                evidence[question.evidence.value] += 1
                questions.write(tables.question_row(question))
        self._contents.close()
        shutil.rmtree(self._scratch)
        progress(stage, total, total)
        return DatasetReport(
            items=items.num_rows,
            questions=questions.num_rows,
            skipped=dict(sorted(self._skipped.items())),
            folded=sum(len(aliases) for aliases in self._aliases.values()),
            gold_moved=self._moved,
            gold_missing=self._missing,
            evidence=dict(sorted(evidence.items())),
            found=dict(sorted(self._found.items())),
        )

    def _with_known_gold(self, question: Question) -> Question:
        """Gold by the ids that stand for it; what the corpus lacks is noted, none left changes the status.

        Items of another dataset can not be looked up here: they are kept as they are.
        """
        own = f"{question.dataset}:"
        resolved = {
            gold: self._contents.canonical(gold) if gold.startswith(own) else gold for gold in question.gold
        }
        missing = sorted(gold for gold, item in resolved.items() if item is None)
        known = {item for item in resolved.values() if item is not None}
        self._moved += sum(item is not None and item != gold for gold, item in resolved.items())
        self._missing += len(missing)
        notes = (*question.notes, f"gold_not_in_corpus:{missing}") if missing else question.notes
        lost = bool(missing) and not known and question.evidence is EvidenceStatus.PRESENT
        status = EvidenceStatus.MEDIA_MISSING if lost else question.evidence
        return replace(question, gold=tuple(sorted(known)), notes=notes, evidence=status)
