"""The dataset ``documents``, put together from what is kept of each file: corpus, shards, index.

Holds where each item belongs; the layout is that of every other dataset. Nothing is decoded here.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from assets.corpus import shards
from assets.corpus.item import Item, ItemKind, item_id
from assets.corpus.merge import CorpusMerger
from assets.corpus.read import built_datasets
from assets.index.build import IndexReport, build_index
from assets.index.published import IndexPointer, current_index, remembered_settings
from assets.parsers.identity import bytes_hash
from assets.parsers.types import ParsedRecord
from assets.user_files import facts, ledger, parsed_files
from assets.user_files.ledger import FileLedger, IngestedFile
from assets.user_files.media import slides
from assets.user_files.paths import file_key
from assets.user_files.questions import corpus as questions
from assets.user_files.reading import DATASET
from infra.embedders.types import Embedder
from infra.progress import ProgressListener
from infra.storage import atomic, manifest
from infra.storage.publication import publish
from infra.storage.root import Storage

PRODUCER = "assets.own.publishing/1"
CORPUS = f"corpus/{DATASET}"


def publish_corpus(
    storage: Storage, files: FileLedger, progress: ProgressListener, *, anew: bool = False
) -> None:
    """Bring corpus and shards in line with ``files``; nothing is written if they are already, unless it is to be ``anew``."""
    inputs = _inputs(storage, files)
    if not anew and _is_current(storage, inputs):
        return
    made: dict[str, Any] = {"producer": PRODUCER, "params": {}, "inputs": inputs, "versioned": True}
    with publish(storage, CORPUS, **made) as corpus:
        with publish(storage, shards.directory(DATASET), **made) as media:
            merger = CorpusMerger(corpus, shards.ShardWriter(media, DATASET))
            merger.take(_records(storage, files), stage=f"{DATASET}: put together", progress=progress)
            report = merger.resolve(stage=f"{DATASET}: write", progress=progress)
        assert media.manifest is not None
        corpus.inputs["shards"] = manifest.digest(media.manifest)
        corpus.counts.update(
            {
                "files": len(files),
                "items": report.items,
                "folded": report.folded,
                "questions": report.questions,
            }
        )


def is_published(storage: Storage, digest: str) -> bool:
    """Whether the corpus holds just the files of the list whose ``ledger.digest`` this is."""
    inputs = {"files": digest, **questions.inputs(storage)}
    return manifest.is_current(storage, CORPUS, producer=PRODUCER, params={}, inputs=inputs)


def _inputs(storage: Storage, files: FileLedger) -> dict[str, str]:
    return {"files": ledger.digest_of(ledger.to_bytes(files)), **questions.inputs(storage)}


def update_index(storage: Storage, embedder: Embedder | None, progress: ProgressListener) -> IndexReport:
    """Index ``documents`` beside what the index in use holds; where there is none, every finished corpus."""
    finished = built_datasets(storage)
    in_use = _index_in_use(storage)
    names = finished if in_use is None else [name for name in finished if name in (*in_use.datasets, DATASET)]
    settings = replace(remembered_settings(storage), datasets=tuple(names))
    return build_index(storage, settings, embedder=embedder, progress=progress)


def sweep(storage: Storage, files: FileLedger) -> None:
    """Remove what is kept of files that ``documents`` no longer has, and what killed runs left half-written."""
    used = {file.kept for file in files.values()}
    if storage.list(slides.FOLDER):
        decks = {file.kept for file in files.values() if file.location.lower().endswith(slides.SUFFIXES)}
        slides.sweep(storage, filter(None, (parsed_files.deck_of(storage, name) for name in decks)))
    for name in storage.list(parsed_files.FOLDER):
        if name not in used and parsed_files.directory(name) not in (
            ledger.FILES,
            ledger.REFUSED,
            facts.FACTS,
        ):
            storage.remove_tree(parsed_files.directory(name))
    if folder := storage.local_path(parsed_files.FOLDER):
        for leftover in folder.glob(".*.partial"):
            atomic.remove(leftover)


def _index_in_use(storage: Storage) -> IndexPointer | None:
    """What the index holds; None also if it is damaged, for then it is built anew."""
    try:
        return current_index(storage)
    except ValueError:
        return None


def _is_current(storage: Storage, inputs: dict[str, str]) -> bool:
    if not manifest.is_current(storage, CORPUS, producer=PRODUCER, params={}, inputs=inputs):
        return False
    try:
        media = manifest.read(storage, shards.directory(DATASET))
    except ValueError:
        return False
    return manifest.read(storage, CORPUS).inputs.get("shards") == manifest.digest(media)


def _records(storage: Storage, files: FileLedger) -> Iterator[ParsedRecord]:
    for file in files.values():
        about = parsed_files.about(storage, file.kept)
        if about is None:
            raise ValueError(
                f"what was read of {file.source!r} is gone from {storage.root}; ingest it again or forget it"
            )
        for parsed in parsed_files.items(storage, file.kept):
            yield replace(parsed, item=_placed(parsed.item, file))
        for skip in about.skipped:
            yield replace(skip, where=f"{file.source}: {skip.where}")
    yield from questions.question_records(storage, files)


def _placed(item: Item, file: IngestedFile) -> Item:
    """``item`` with the ids and the title that its file gives it."""
    key = file_key(file.location)
    written = file.location.rsplit("/", 1)[-1]
    name = " ".join("".join(char if char.isprintable() else " " for char in written).split())
    return replace(
        item,
        id=placed_id(item.id, file),
        # of the file and the place in it: copies of a file fold, equal parts of one file do not
        content_hash=bytes_hash(file.kept.encode(), item.id.encode()),
        title=f"{name}{item.title}",
        parent=key,
        source=file.source,
    )


def placed_id(kept_id: str, file: IngestedFile) -> str:
    """The id that an item has in the corpus, of the one that is kept: ``page:#3``."""
    kind, _, native = kept_id.partition(":")
    return item_id(DATASET, ItemKind(kind), f"{file_key(file.location)}{native}")
