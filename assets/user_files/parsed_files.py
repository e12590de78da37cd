"""What was read of a file, kept under ``ingest/<name>/`` by content, so that it need not be read again.

``name`` is a hash of the file's bytes and of the settings that matter to its kind: it holds for every copy of the file,
wherever it lies. Each is an artifact of its own, so a run that is killed has kept all files before the one in hand.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any, NamedTuple

from assets.corpus import tables
from assets.corpus.shards import ShardWriter
from assets.corpus.tables import TableWriter
from assets.parsers.types import MediaBlob, ParsedItem, SkippedRecord
from assets.user_files.reading import FileRecord, IngestSettings, ReaderNote, SourceFile
from infra.errors import MediaError
from infra.storage import manifest
from infra.storage.publication import ArtifactWriter, publish
from infra.storage.root import Storage

FOLDER = "ingest"
DECK = "deck"  # parameter of what is kept of a deck whose slides were drawn: its hash
PRODUCER = "assets.own.kept/1"
ITEMS, MEDIA_INDEX, ABOUT = "items.parquet", "index.parquet", "about.json"


class ParsedFileInfo(NamedTuple):
    """What became of a file: the number of its items, what its reader should know, which parts are missing."""

    items: int
    notes: tuple[str, ...]
    skipped: tuple[SkippedRecord, ...]

    def skipped_parts(self) -> Iterator[str]:
        """``page 3: pdf_page_unreadable``: each part that is missing."""
        for skip in self.skipped:
            yield f"{skip.where}: {skip.reason}" if skip.where else skip.reason


class ParsedFileDetails(NamedTuple):
    """What is kept of a file, its kind, and when it was read (seconds since 1970)."""

    about: ParsedFileInfo
    kind: str
    read_at: float


def directory(name: str) -> str:
    """Where what was read lies below the root."""
    return f"{FOLDER}/{name}"


def content_of(source: SourceFile) -> dict[str, str]:
    """Hashes of the file (``file``) and of its transcripts, in hex. Raises ``MediaError``."""
    try:
        read = {"file": manifest.sha256_of(source.path)}
        for number, transcript in enumerate(source.transcripts):
            read[f"transcript {number}"] = manifest.sha256_of(transcript)
    except OSError as error:
        raise MediaError("file_unreadable", error.strerror or type(error).__name__) from error
    return read


def name_of(content: Mapping[str, str], source: SourceFile, settings: IngestSettings) -> str:
    """Hash of what ``content_of`` found and of the settings that matter, in hex."""
    described = json.dumps(
        [dict(content), settings.matters(source.kind, is_drawn=source.is_drawn)], sort_keys=True
    )
    return hashlib.sha256(described.encode()).hexdigest()


def keep(
    storage: Storage, name: str, records: Iterable[FileRecord], params: dict[str, Any]
) -> ParsedFileInfo:
    """Write what a file holds, item by item.

    Raises:
        MediaError: as ``records`` does, and if it holds no item; nothing is kept then.
    """
    notes: list[str] = []
    skipped: list[SkippedRecord] = []
    with publish(storage, directory(name), producer=PRODUCER, params=params, inputs={}) as kept:
        writer = _Writer(kept)
        for record in records:
            match record:
                case ParsedItem():
                    writer.add(record)
                case SkippedRecord():
                    skipped.append(record)
                case ReaderNote():
                    notes.append(record.text)
        about = ParsedFileInfo(writer.finish(), tuple(notes), tuple(skipped))
        if not about.items:
            first = skipped[0] if skipped else SkippedRecord(reason="nothing_in_it", where="")
            raise MediaError(first.reason, f"{first.where}: {first.detail}".strip(": "))
        described = {"notes": notes, "skipped": [asdict(skip) for skip in skipped]}
        kept.write_bytes(ABOUT, json.dumps(described, ensure_ascii=False).encode())
        kept.counts["items"] = about.items
    return about


def about(storage: Storage, name: str) -> ParsedFileInfo | None:
    """What is kept under ``name``; None if nothing is, or if it is damaged."""
    try:
        kept = manifest.read(storage, directory(name))
        described = json.loads(storage.read_bytes(f"{directory(name)}/{ABOUT}"))
        skipped = tuple(SkippedRecord(**skip) for skip in described["skipped"])
        return ParsedFileInfo(kept.counts["items"], tuple(described["notes"]), skipped)
    except (ValueError, KeyError, TypeError, FileNotFoundError):
        return None


def described(storage: Storage, name: str) -> ParsedFileDetails | None:
    """``about``, with the kind of the file and the time it was read."""
    known = about(storage, name)
    if known is None:
        return None
    kept = manifest.read(storage, directory(name))
    read_at = storage.modified(f"{directory(name)}/{manifest.MANIFEST}")
    return ParsedFileDetails(known, str(kept.params.get("kind", "")), read_at)


def deck_of(storage: Storage, name: str) -> str | None:
    """The hash of the deck whose slides were drawn for what is kept; None if none were, or nothing is kept."""
    try:
        return manifest.read(storage, directory(name)).params.get(DECK)
    except (ValueError, FileNotFoundError):
        return None


def first_visual(storage: Storage, name: str) -> str | None:
    """The id, without its place, of the first item that has a picture; None if none has, or nothing is kept."""
    try:
        with storage.open(f"{directory(name)}/{ITEMS}") as file:
            rows = tables.rows(file, columns=["id", "media_key"])
            return next((row["id"] for row in rows if row["media_key"]), None)
    except FileNotFoundError:
        return None


def items(storage: Storage, name: str) -> Iterator[ParsedItem]:
    """What is kept under ``name``, one item with its media in memory at a time; ``ValueError`` if it is not whole."""
    names = {file.name for file in manifest.read(storage, directory(name)).files}
    media = _media(storage, name) if MEDIA_INDEX in names else iter(())
    with storage.open(f"{directory(name)}/{ITEMS}") as file:
        for row in tables.rows(file):
            item = tables.item_of(row)
            yield ParsedItem(item=item, media=next(media) if item.media_key else None)


class _Writer:
    """Items to a table and their media to tars; the tars begin with the first image, for texts have none."""

    def __init__(self, kept: ArtifactWriter) -> None:
        self._kept = kept
        self._items = TableWriter(kept.open(ITEMS), tables.ITEMS)
        self._media: ShardWriter | None = None

    def add(self, parsed: ParsedItem) -> None:
        if parsed.media is not None:
            self._media = self._media or ShardWriter(self._kept, "media")
            key = f"{self._items.num_rows:06d}"
            self._media.add(key, parsed.item.id, parsed.media.members, parsed.media.meta)
        self._items.write(tables.item_row(parsed.item))

    def finish(self) -> int:
        if self._media is not None:
            self._media.finish({})
        self._items.close()
        return self._items.num_rows


def _media(storage: Storage, name: str) -> Iterator[MediaBlob]:
    """The media in the order they were written."""
    with storage.open(f"{directory(name)}/{MEDIA_INDEX}") as index:
        for row in tables.rows(index):
            places = zip(row["extensions"], row["offsets"], row["sizes"], strict=True)
            with storage.open(f"{directory(name)}/{row['shard']}") as shard:
                members = [(extension, _bytes(shard, offset, size)) for extension, offset, size in places]
            yield MediaBlob(members=tuple(members), meta={"times": row["times"]} if row["times"] else {})


def _bytes(file: Any, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)
