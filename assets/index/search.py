"""Questions to items: one opened index, and how an item becomes a row of it.

A search joins BM25 over stemmed terms and term pairs of the whole item with the best passage of a sentence embedder.
Building and opening live in ``build.py``, measuring in ``retrieval.py``.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import Any, NamedTuple

from cachetools import LRUCache

from assets.corpus.item import Item, Modality
from assets.index.analysis import analyse, passages
from infra.embedders.minilm import Embedder
from infra.vector_stores.types import Scalar, StoreHit, TextQuery, VectorRow, Vectors, VectorStore, hybrid

PAIR_WEIGHT = 0.4  # of neighbouring terms found together, beside 1 for each term
CACHED_PAYLOADS = 20_000
CACHED_SEARCHES = 20_000  # rollouts of one question ask the same things again and again
PAYLOAD: dict[str, type] = {
    "dataset": str,
    "modality": str,
    "title": str,
    "text": str,
    "media_key": str,
    "width": int,
    "height": int,
    "duration_s": float,
    "parent": str,
    "position": float,
}
PROBES = (
    "Who founded the company?",
    "In which year was the city taken?",
    "What does the table show for the last quarter?",
    "How do you fix a leaking tap?",
    "Which river flows through the capital?",
    "What percentage of people agreed in the survey?",
    "What is the person in the picture holding?",
    "When is the next launch planned?",
)
"""Fixed questions whose hits identify an index; what they ask is of no importance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexHit:
    """One found item; ``score`` lies in [0, 1] and compares hits of one search only."""

    item_id: str
    score: float
    dataset: str
    modality: str
    title: str
    text: str
    media_key: str | None
    width: int
    height: int
    duration_s: float
    start_s: float

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it."""
        names = ("score", "dataset", "modality", "title", "text")
        return {"id": self.item_id, **{name: getattr(self, name) for name in names}, "media": self.media_key}


class Index:
    """A published index, open for searching. Threads may share it."""

    def __init__(self, store: VectorStore, embedder: Embedder, *, version: str) -> None:
        self._store, self._embedder, self.version = store, embedder, version
        self._payloads: LRUCache[str, dict[str, Scalar]] = LRUCache(CACHED_PAYLOADS)
        self._ranked: LRUCache[_Ranking, list[StoreHit]] = LRUCache(CACHED_SEARCHES)
        self._lock = Lock()  # of the two caches

    def search(self, query: str, top_k: int = 5, datasets: Sequence[str] | None = None) -> list[IndexHit]:
        """The ``top_k`` best items, best first, ties in id order."""
        return self.search_many([query], top_k, datasets)[0]

    def search_many(
        self, queries: Sequence[str], top_k: int = 5, datasets: Sequence[str] | None = None
    ) -> list[list[IndexHit]]:
        """``search`` for each query; they are embedded and scored together, which is much faster.

        Raises:
            ValueError: if ``top_k`` is below 1.
        """
        found = self.rank_many(queries, top_k, datasets)
        payloads = self._payloads_of([hit.id for hits in found for hit in hits])
        return [[_hit(hit, payloads[hit.id]) for hit in hits] for hits in found]

    def rank_many(
        self, queries: Sequence[str], top_k: int, datasets: Sequence[str] | None = None
    ) -> list[list[StoreHit]]:
        """Ids and scores only."""
        if top_k < 1:
            raise ValueError(f"top_k must be at least 1, got {top_k}")
        scopes = tuple(sorted(set(datasets))) if datasets is not None else None
        rankings = [_Ranking(query, top_k, scopes) for query in queries]
        with self._lock:
            ranked = {key: self._ranked[key] for key in rankings if key in self._ranked}
        if new := list(dict.fromkeys(key.query for key in rankings if key not in ranked)):
            texts = [TextQuery(*analyse(query), PAIR_WEIGHT) for query in new]
            found = hybrid(self._store, self._embedder.encode_queries(new), texts, limit=top_k, scopes=scopes)
            fresh = {_Ranking(query, top_k, scopes): hits for query, hits in zip(new, found, strict=True)}
            with self._lock:
                self._ranked.update(fresh)
            ranked |= fresh
        return [list(ranked[key]) for key in rankings]

    def count(self, datasets: Sequence[str] | None = None) -> int:
        """Number of items."""
        return self._store.count(datasets)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the hits of ``PROBES``, in hex: equal fingerprints retrieve alike.

        Scores are left out, for they differ in the last digits from machine to machine.
        """
        hits = self.rank_many(PROBES, 10)
        lines = [
            f"{probe}\0{' '.join(hit.id for hit in found)}" for probe, found in zip(PROBES, hits, strict=True)
        ]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def _payloads_of(self, ids: Sequence[str]) -> dict[str, dict[str, Scalar]]:
        with self._lock:
            cached = {item_id: self._payloads[item_id] for item_id in ids if item_id in self._payloads}
        if missing := [item_id for item_id in dict.fromkeys(ids) if item_id not in cached]:
            fetched = self._store.payloads(missing)
            with self._lock:
                self._payloads.update(fetched)
            cached |= fetched
        return cached


class _Ranking(NamedTuple):
    """What decides the hits of a published index."""

    query: str
    top_k: int
    scopes: tuple[str, ...] | None


def embedded_texts(item: Item) -> list[str]:
    """What is embedded of an item: each passage behind the title, which says what a passage is about."""
    return [f"{item.title}. {passage}" if item.title else passage for passage in passages(item.text)]


def content_hash(item: Item) -> str:
    """Hash of what the vectors are made from, in hex; unlike the item's own it sees a text that was read anew."""
    return hashlib.sha256(f"{item.title}\0{item.text}".encode()).hexdigest()


def row_of(item: Item, vectors: Vectors) -> VectorRow:
    """The row of an item whose ``embedded_texts`` have ``vectors [P, D]``."""
    terms, pairs = analyse(item.title, item.text)
    return VectorRow(
        id=item.id,
        scope=item.dataset,
        content_hash=content_hash(item),
        vectors=vectors,
        terms=terms,
        pairs=pairs,
        payload={name: getattr(item, name) for name in PAYLOAD} | {"modality": item.modality.value},
    )


def _hit(found: StoreHit, payload: dict[str, Any]) -> IndexHit:
    names = ("dataset", "modality", "title", "text", "media_key", "width", "height", "duration_s")
    start_s = payload["position"] if payload["modality"] == Modality.VIDEO else 0.0
    return IndexHit(
        item_id=found.id, score=found.score, start_s=start_s, **{name: payload[name] for name in names}
    )
