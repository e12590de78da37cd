"""Building the index of the whole corpus anew from what changed.

An index is a function of corpus, embedders and analysis; an older index is only asked for the vectors of unchanged items.
It is published when it answers like the exact reference (``probes.py``). Which store it lies in is decided in ``stores.py``,
opening the index in use in ``published.py``, searching in ``search.py``.
"""

import hashlib
import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

from assets.corpus.item import Item
from assets.corpus.media import ShardMedia
from assets.corpus.read import built_datasets, read_range, read_ranges
from assets.index import retention, vector_parts
from assets.index.analysis import ANALYSIS_VERSION
from assets.index.probes import ProbeSet
from assets.index.published import (
    CURRENT,
    POINTER,
    SCHEMA_VERSION,
    IndexPointer,
    current_index,
    open_store,
    remembered_settings,
    use,
    version_pointer,
    versions,
)
from assets.index.search import PAIR_WEIGHT, Index, row_of
from assets.index.settings import IndexSettings, embedders_of
from assets.index.spaces import Embedders, content_hash, encode, has_same_source, is_in_space
from assets.index.stores import PROBE_WAIT_S, IndexLocation, activate, open_new
from assets.index.vector_parts import VectorPart
from infra.embedders.types import Embedder, VisionEmbedder
from infra.errors import VectorStoreError
from infra.progress import ProgressListener, silent
from infra.storage import manifest
from infra.storage.lock import only_writer
from infra.storage.publication import publish
from infra.storage.root import Storage
from infra.storage.swap import look
from infra.vector_stores.types import TEXT_SPACE, StoredVectors, VectorRow, Vectors, VectorStore
from infra.workers.local import LocalEngine, WorkerEngine

log = logging.getLogger(__name__)

PRODUCER = f"assets.index/{SCHEMA_VERSION}"
PART_ITEMS = 512  # of one unit of embedding: some seconds of work, which is what a killed build loses
BATCH_ITEMS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexReport:
    """What a build made. ``items`` = ``embedded`` + ``reused``; ``vanished`` were in the index before."""

    version: str
    fingerprint: str
    store: str
    datasets: Mapping[str, int]
    items: int
    embedded: int
    """Items of which something was embedded."""
    reused: int
    vanished: int
    vectors: Mapping[str, int] = field(default_factory=dict)
    """Space -> vectors in the index."""
    embedding_s: float = field(default=0.0, compare=False)
    """Seconds of embedding, the loading of a model included."""
    writing_s: float = field(default=0.0, compare=False)
    """Seconds of writing to the store and of asking the probes."""
    unseen: Mapping[str, int] = field(default_factory=dict)
    """Space -> items whose pixels could not be read or embedded; the log names them."""
    over: str | None = None
    """The version that was current when the build began."""

    def to_json(self) -> dict[str, Any]:
        """All fields, as the command line prints them."""
        return asdict(self)


def build_index(  # noqa: PLR0913 - what may differ from build to build, by name
    storage: Storage,
    settings: IndexSettings | None = None,
    *,
    embedder: Embedder | None = None,
    vision: VisionEmbedder | None = None,
    engine: WorkerEngine | None = None,
    progress: ProgressListener = silent,
    promote: bool = True,
) -> IndexReport:
    """Index every finished corpus, or those named, and make that the index in use.

    Items that the index in use has with the same words and pixels are not embedded again; items that are gone from the
    corpus are gone from the new index. Until the pointer is replaced readers keep the old one. What a build that was killed
    had embedded is taken up by the next.

    Args:
        storage: the root with the corpus.
        settings: what is indexed, by which embedders, and where it goes; by default as the index in use.
        embedder: of words, instead of the one that the settings name.
        vision: of pages, pictures and clips, beside such an ``embedder``.
        engine: does the embedding, by default this process; which one it is changes no byte.
        progress: is told what is being done.
        promote: make it the index in use; else it is whole, checked against its probes, and waits (``candidate.py``).

    Raises:
        ValueError: if a named dataset has no finished corpus, if there is none at all, or if another process builds the
            index.
        VectorStoreError: if the store fails, or does not answer like the exact reference; the index in use stays.
    """
    settings = settings or remembered_settings(storage)
    _inputs(storage, settings.datasets)  # a root without a corpus is refused before anything is written there
    with only_writer(storage, "index"):
        side_by_side = engine is not None and engine.workers > 1  # workers take one core each
        named = Embedders(text=embedder, vision=vision) if embedder else None
        embedders = named or embedders_of(settings, threads=1 if side_by_side else None)
        work = _Work(storage, embedders, engine or LocalEngine(), progress)
        return _built(work, settings, promote=promote)


class _Work(NamedTuple):
    """With what an index is built."""

    storage: Storage
    embedders: Embedders
    engine: WorkerEngine
    progress: ProgressListener


def _built(work: _Work, settings: IndexSettings, *, promote: bool) -> IndexReport:
    storage, embedders = work.storage, work.embedders
    seen = look(storage, CURRENT)
    inputs = _inputs(storage, settings.datasets)
    params = {"analysis": ANALYSIS_VERSION, "embedders": embedders.fingerprints, "store": settings.store}
    version = hashlib.sha256(json.dumps([SCHEMA_VERSION, params, inputs]).encode()).hexdigest()[:16]
    before = _before(storage)
    if before and before.version == version and version_pointer(storage, version):
        activate(before.store, before.place)  # a build may have been killed behind its pointer
        return _report(before, before, embedded=0, vanished=0)
    old = _old_store(storage, before, settings.store)
    plan = _Plan(old, embedders)
    for name, corpus in inputs.items():
        plan.add(storage, name, corpus)
    started = time.monotonic()
    vector_parts.embed(storage, plan.parts, inputs, embedders, work.engine, work.progress)
    embedded = time.monotonic()
    index = IndexLocation(version=version, kind=settings.store, place={}, dims=embedders.dims)
    continued = old.store if old and before and before.embedders == embedders.fingerprints else None
    with publish(
        storage, f"index/{version}", producer=PRODUCER, params=params, inputs=inputs, versioned=True
    ) as publication:
        place, target = open_new(
            storage,
            settings,
            index,
            str(publication.directory),
            before=continued,
            newest=_newest_generation(storage, before),
        )
        builder = _Builder(target, old, work, inputs)
        for items in plan.ranges:
            builder.add(items)
        work.progress("index: check", 0, None)
        target.publish()
        builder.probes.check(target, wait_s=PROBE_WAIT_S)
        pointer = IndexPointer(
            version=version,
            store=settings.store,
            embedders=embedders.fingerprints,
            dims=embedders.dims,
            fingerprint=Index(target, embedders, version=version).fingerprint,
            datasets=builder.counts,
            place=place,
            settings=settings.to_json(),
        )
        with publication.open(POINTER) as file:
            file.write(pointer.to_bytes())
        publication.counts.update({**builder.counts, "embedded": plan.embedded})
    if promote:
        use(storage, pointer, seen)
        retention.collect(storage, keep_s=settings.keep_s, before=before.version if before else None)
    storage.remove_tree(vector_parts.FOLDER)
    vanished = old.num_items - plan.known if old else 0
    report = _report(pointer, before, embedded=plan.embedded, vanished=vanished)
    return replace(
        report,
        vectors=builder.vectors,
        embedding_s=embedded - started,
        writing_s=time.monotonic() - embedded,
        unseen=builder.unseen,
    )


class _OldIndex(NamedTuple):
    """The index in use, to take vectors from: those of the spaces whose embedder is the same."""

    store: VectorStore
    fingerprints: Mapping[str, str]
    num_items: int

    def has(self, space: str, embedders: Embedders) -> bool:
        return self.fingerprints.get(space) == embedders.fingerprints[space]


class _RangeParts(NamedTuple):
    """The parts of one range of items, and which of its items are in the old index with the same content."""

    parts: tuple[VectorPart, ...]
    unchanged: frozenset[str]


class _Plan:
    """All ranges of the new index, and which of their items need vectors that the old store does not have."""

    def __init__(self, old: _OldIndex | None, embedders: Embedders) -> None:
        self._old, self._embedders = old, embedders
        self.ranges: list[_RangeParts] = []
        self.embedded = 0
        self.known = 0  # items that the old store had too, changed or not

    @property
    def parts(self) -> list[VectorPart]:
        """Of every range."""
        return [part for range_ in self.ranges for part in range_.parts]

    def add(self, storage: Storage, dataset: str, corpus: str) -> None:
        for range_, items in read_ranges(storage, dataset, corpus, max_items=PART_ITEMS):
            hashes = self._old.store.content_hashes([item.id for item in items]) if self._old else {}
            wanted = {space: self._wanted(space, items, hashes) for space in self._embedders.spaces}
            self.ranges.append(
                _RangeParts(
                    tuple(
                        vector_parts.part_of(range_, items, space, at, self._embedders)
                        for space, at in wanted.items()
                    ),
                    frozenset(item.id for item in items if hashes.get(item.id) == content_hash(item)),
                )
            )
            self.known += len(hashes)
            self.embedded += len(set().union(*wanted.values()))

    def _wanted(self, space: str, items: Sequence[Item], hashes: Mapping[str, str]) -> list[int]:
        reusable = self._old is not None and self._old.has(space, self._embedders)
        return [
            at
            for at, item in enumerate(items)
            if is_in_space(item, space)
            and not (reusable and has_same_source(content_hash(item), hashes.get(item.id, ""), space))
        ]


class _Builder:
    """Feeds a new store with the ranges, taking from the old one what was not embedded again."""

    def __init__(
        self, target: VectorStore, old: _OldIndex | None, work: _Work, corpora: Mapping[str, str]
    ) -> None:
        self._target, self._old, self._work = target, old, work
        self.counts = dict.fromkeys(corpora, 0)
        self.vectors = dict.fromkeys(work.embedders.spaces, 0)
        self.unseen = dict.fromkeys((space for space in work.embedders.spaces if space != TEXT_SPACE), 0)
        self.probes = ProbeSet(work.embedders, pair_weight=PAIR_WEIGHT)
        self._media = ShardMedia(work.storage, corpora)

    def add(self, range_parts: _RangeParts) -> None:
        """Write the rows of one range."""
        range_ = range_parts.parts[0].range
        items = read_range(self._work.storage, range_)
        fresh = self._fresh(range_parts.parts, items)
        stored = self._stored([item.id for item in items], range_parts)
        for start in range(0, len(items), BATCH_ITEMS):
            rows = [
                row_of(item, self._vectors(item, fresh[item.id], stored.get(item.id)))
                for item in items[start : start + BATCH_ITEMS]
            ]
            untouched = range_parts.unchanged - {id_ for id_, made in fresh.items() if made}
            self._target.carry([row for row in rows if row.id in untouched])
            self._target.upsert([row for row in rows if row.id not in untouched])
            self._count(items[start : start + BATCH_ITEMS], rows)
            self.probes.add(rows)
        self.counts[range_.dataset] += len(items)
        self._work.progress(f"{range_.dataset}: index", self.counts[range_.dataset], None)

    def _fresh(self, parts: Sequence[VectorPart], items: Sequence[Item]) -> dict[str, dict[str, Vectors]]:
        """What was embedded for this build: item -> space -> vectors."""
        fresh: dict[str, dict[str, Vectors]] = {item.id: {} for item in items}
        for part in parts:
            vectors = vector_parts.read(self._work.storage, part, self._work.embedders.dims[part.space])
            for at, matrix in zip(part.wanted, vectors, strict=True):
                fresh[items[at].id][part.space] = matrix
        return fresh

    def _stored(self, ids: Sequence[str], range_parts: _RangeParts) -> dict[str, StoredVectors]:
        """What the old index has of the items, where any of them takes something from it."""
        taken = any(len(part.wanted) < len(ids) for part in range_parts.parts)
        return self._old.store.stored(ids) if self._old and taken else {}

    def _vectors(
        self, item: Item, fresh: Mapping[str, Vectors], stored: StoredVectors | None
    ) -> dict[str, Vectors]:
        """Of each space: fresh, else stored, else made now, for a store may have lost it."""
        vectors = dict(fresh)
        for space in self._work.embedders.spaces:
            if space in fresh or not is_in_space(item, space):
                continue
            if stored and space in stored.vectors:
                vectors[space] = stored.vectors[space]
            else:
                [vectors[space]] = encode(space, [item], self._work.embedders, self._media)
        return vectors

    def _count(self, items: Sequence[Item], rows: Sequence[VectorRow]) -> None:
        for item, row in zip(items, rows, strict=True):
            for space, vectors in row.vectors.items():
                self.vectors[space] += len(vectors)
            for space in self.unseen:
                self.unseen[space] += is_in_space(item, space) and space not in row.vectors


def _inputs(storage: Storage, datasets: Sequence[str] | None) -> dict[str, str]:
    """Dataset -> digest of its corpus manifest, in name order; none that is indexed and half there drops out unsaid."""
    names = sorted(set(datasets)) if datasets else built_datasets(storage)
    if datasets is None and (before := _before(storage)):
        half_there = {*before.datasets}.intersection(storage.list("corpus")).difference(names)
        for name in sorted(half_there):
            raise ValueError(
                f"the corpus of {name} at {storage.path('corpus', name)!r} is not finished, and the index in use has it; "
                "build it again, or remove the folder"
            )
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


def _old_store(storage: Storage, before: IndexPointer | None, store: str) -> _OldIndex | None:
    """The store to take vectors from; None if there is none, it is damaged, or it is another one that does not answer."""
    if before is None:
        return None
    try:
        manifest.read(storage, f"index/{before.version}")
        old = open_store(storage, before)
        return _OldIndex(old, before.embedders, old.count())
    except ValueError:
        return None
    except VectorStoreError:
        if before.store == store:
            raise
        log.warning(
            "the %s store of the index before does not answer; everything is embedded anew", before.store
        )
        return None


def _newest_generation(storage: Storage, before: IndexPointer | None) -> int | None:
    """The newest that was published in the collection of ``before``."""
    if before is None or "collection" not in before.place:
        return None
    pointers = [before, *versions(storage)]
    places = [pointer.place for pointer in pointers]
    same = [place for place in places if place.get("collection") == before.place["collection"]]
    return max(int(place["generation"]) for place in same)


def _report(
    pointer: IndexPointer, before: IndexPointer | None, *, embedded: int, vanished: int
) -> IndexReport:
    items = sum(pointer.datasets.values())
    return IndexReport(
        version=pointer.version,
        fingerprint=pointer.fingerprint,
        store=pointer.store,
        datasets=dict(pointer.datasets),
        items=items,
        embedded=embedded,
        reused=items - embedded,
        vanished=vanished,
        over=before.version if before else None,
    )
