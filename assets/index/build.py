"""Building the index of the whole corpus anew from what changed.

An index is a function of corpus, embedder and analysis; an older index is only asked for the vectors of unchanged items.
Opening the index in use lives in ``published.py``, searching in ``search.py``.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from assets.corpus.item import Item
from assets.corpus.read import built_datasets, read_range, read_ranges
from assets.index import vector_parts
from assets.index.analysis import ANALYSIS_VERSION
from assets.index.published import (
    CURRENT,
    SCHEMA_VERSION,
    IndexPointer,
    current_index,
    open_store,
    published_store,
)
from assets.index.search import Index, content_hash, row_of
from assets.index.vector_parts import VectorPart
from infra.embedders.minilm import Embedder, MiniLmEmbedder
from infra.progress import ProgressListener, silent
from infra.storage import manifest
from infra.storage.lock import only_writer
from infra.storage.root import Storage
from infra.vector_stores.types import Vectors, VectorStore
from infra.workers.local import LocalEngine, WorkerEngine

PRODUCER = f"assets.index/{SCHEMA_VERSION}"
STORES = ("lance", "weaviate")
PART_ITEMS = 512  # of one unit of embedding: some seconds of work, which is what a killed build loses
BATCH_ITEMS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexReport:
    """What a build made. ``items`` = ``embedded`` + ``reused``; ``vanished`` were in the index before."""

    version: str
    fingerprint: str
    datasets: Mapping[str, int]
    items: int
    embedded: int
    reused: int
    vanished: int

    def to_json(self) -> dict[str, Any]:
        """All fields, as the command line prints them."""
        return asdict(self)


def build_index(
    storage: Storage,
    *,
    store: str = "lance",
    embedder: Embedder | None = None,
    datasets: Sequence[str] | None = None,
    engine: WorkerEngine | None = None,
    progress: ProgressListener = silent,
) -> IndexReport:
    """Index every finished corpus, or those named, and make that the index in use.

    Items whose title and text the index in use already has are not embedded again; items that are gone from the corpus
    are gone from the new index. Until the pointer is replaced readers keep the old one. ``engine`` does the embedding, by
    default this process; which one it is changes no byte. What a build that was killed had embedded is taken up by the next.

    Raises:
        ValueError: if a named dataset has no finished corpus, if there is none at all, if another process builds the
            index, or for an unknown store.
    """
    if store not in STORES:
        raise ValueError(f"unknown store {store!r}; known: {', '.join(STORES)}")
    _inputs(storage, datasets)  # a root without a corpus is refused before anything is written there
    with only_writer(storage, "index"):
        work = _Work(storage, embedder or _default_embedder(engine), engine or LocalEngine(), progress)
        return _built(work, store, datasets)


class _Work(NamedTuple):
    """With what an index is built."""

    storage: Storage
    embedder: Embedder
    engine: WorkerEngine
    progress: ProgressListener


def _default_embedder(engine: WorkerEngine | None) -> Embedder:
    """Workers side by side take one core each."""
    return MiniLmEmbedder(num_threads=1 if engine is not None and engine.workers > 1 else None)


def _built(work: _Work, store: str, datasets: Sequence[str] | None) -> IndexReport:
    storage, embedder = work.storage, work.embedder
    inputs = _inputs(storage, datasets)
    params = {"analysis": ANALYSIS_VERSION, "embedder": embedder.fingerprint, "store": store}
    version = hashlib.sha256(json.dumps([SCHEMA_VERSION, params, inputs]).encode()).hexdigest()[:16]
    before = _before(storage)
    if before and before.version == version and _is_whole(storage, version):
        total = sum(before.datasets.values())
        return _report(before, embedded=0, reused=total, vanished=0)
    old = _old_store(storage, before, embedder)
    num_before = old.count() if old else 0
    plan = _Plan(old, embedder)
    for name in inputs:
        plan.add(storage, name)
    vector_parts.embed(storage, plan.parts, embedder, work.engine, work.progress)
    with manifest.publish(
        storage, f"index/{version}", producer=PRODUCER, params=params, inputs=inputs
    ) as publication:
        target = open_store(store, str(publication.directory), {}, embedder.dim, version=version, live=True)
        builder = _Builder(target, old, work, dict.fromkeys(inputs, 0))
        for part in plan.parts:
            builder.add(part)
        target.publish()
        publication.counts.update({**builder.counts, "embedded": plan.embedded})
    index = Index(published_store(storage, store, version, embedder.dim), embedder, version=version)
    pointer = IndexPointer(
        version=version,
        store=store,
        embedder=embedder.fingerprint,
        fingerprint=index.fingerprint,
        datasets=builder.counts,
    )
    storage.write_bytes(CURRENT, (json.dumps(asdict(pointer), indent=1, sort_keys=True) + "\n").encode())
    _drop_others(storage, keep={version, before.version if before else version})
    storage.remove_tree(vector_parts.FOLDER)
    return _report(pointer, embedded=plan.embedded, reused=plan.reused, vanished=num_before - plan.known)


class _Plan:
    """All parts of the new index, and which of their items need vectors that the old store does not have."""

    def __init__(self, old: VectorStore | None, embedder: Embedder) -> None:
        self._old, self._embedder = old, embedder
        self.parts: list[VectorPart] = []
        self.embedded = self.reused = 0
        self.known = 0  # items that the old store had too, changed or not

    def add(self, storage: Storage, dataset: str) -> None:
        for range_, items in read_ranges(storage, dataset, max_items=PART_ITEMS):
            wanted = self._wanted(items)
            self.parts.append(vector_parts.part_of(range_, items, wanted, self._embedder))
            self.embedded += len(wanted)
            self.reused += len(items) - len(wanted)

    def _wanted(self, items: Sequence[Item]) -> list[int]:
        kept = self._old.kept([item.id for item in items]) if self._old else {}
        self.known += len(kept)
        return [
            at
            for at, item in enumerate(items)
            if item.id not in kept or kept[item.id].content_hash != content_hash(item)
        ]


class _Builder:
    """Feeds a new store with the parts, taking from the old one what was not embedded again."""

    def __init__(
        self, target: VectorStore, old: VectorStore | None, work: _Work, counts: dict[str, int]
    ) -> None:
        self._target, self._old, self._work = target, old, work
        self.counts = counts

    def add(self, part: VectorPart) -> None:
        items = read_range(self._work.storage, part.range)
        vectors = self._vectors(part, items)
        for start in range(0, len(items), BATCH_ITEMS):
            batch = items[start : start + BATCH_ITEMS]
            self._target.upsert([row_of(item, vectors[item.id]) for item in batch])
        dataset = part.range.dataset
        self.counts[dataset] += len(items)
        self._work.progress(f"{dataset}: index", self.counts[dataset], None)

    def _vectors(self, part: VectorPart, items: Sequence[Item]) -> dict[str, Vectors]:
        made = vector_parts.read(self._work.storage, part, items, self._work.embedder.dim)
        fresh = {items[at].id: vectors for at, vectors in zip(part.wanted, made, strict=True)}
        others = [item.id for item in items if item.id not in fresh]
        kept = self._old.kept(others) if self._old and others else {}
        return fresh | {id_: row.vectors for id_, row in kept.items()}


def _inputs(storage: Storage, datasets: Sequence[str] | None) -> dict[str, str]:
    """Dataset -> digest of its corpus manifest, in name order."""
    names = sorted(set(datasets)) if datasets else built_datasets(storage)
    if not names:
        raise ValueError(
            f"no finished corpus at {storage.path('corpus')!r}; build one with `vimrag corpus build`"
        )
    return {name: manifest.digest(manifest.read(storage, f"corpus/{name}")) for name in names}


def _before(storage: Storage) -> IndexPointer | None:
    """The index in use; None also if its pointer cannot be read, for a build replaces it."""
    try:
        return current_index(storage)
    except ValueError:
        return None


def _old_store(storage: Storage, before: IndexPointer | None, embedder: Embedder) -> VectorStore | None:
    """The store to take vectors from; None if there is none, or of another embedder, or damaged."""
    if before is None or before.embedder != embedder.fingerprint or not _is_whole(storage, before.version):
        return None
    return published_store(storage, before.store, before.version, embedder.dim)


def _is_whole(storage: Storage, version: str) -> bool:
    try:
        manifest.read(storage, f"index/{version}")
    except ValueError:
        return False
    return True


def _drop_others(storage: Storage, *, keep: set[str]) -> None:
    """Remove indexes older than the one before this; that one stays, for a reader that has it open and for going back."""
    for name in storage.list("index"):
        if name not in keep and f"index/{name}" != CURRENT:
            storage.remove_tree(f"index/{name}")


def _report(pointer: IndexPointer, *, embedded: int, reused: int, vanished: int) -> IndexReport:
    return IndexReport(
        version=pointer.version,
        fingerprint=pointer.fingerprint,
        datasets=dict(pointer.datasets),
        items=sum(pointer.datasets.values()),
        embedded=embedded,
        reused=reused,
        vanished=vanished,
    )
