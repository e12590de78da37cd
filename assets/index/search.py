"""Questions to items: one opened index, and how an item becomes a row of it.

A search joins BM25 over stemmed terms and term pairs of the whole item with the best passage of a sentence embedder and,
where there is an embedder that sees, with the best picture. Building lives in ``build.py``, opening in ``published.py``.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from cachetools import LRUCache
from PIL.Image import Image

from assets.corpus.item import Item, Modality
from assets.index.analysis import analyse
from assets.index.probes import PROBES
from assets.index.spaces import Embedders, content_hash
from infra.vector_stores.fusion import HybridSettings, fuse, hybrid, nearest
from infra.vector_stores.types import (
    EVERY_ROW,
    TEXT_SPACE,
    RowFilter,
    Scalar,
    StoreHit,
    TextQuery,
    VectorRow,
    Vectors,
    VectorStore,
)

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
    parent: str = ""

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it."""
        names = ("score", "dataset", "modality", "title", "text")
        return {"id": self.item_id, **{name: getattr(self, name) for name in names}, "media": self.media_key}


class Index:
    """A published index, open for searching. Threads may share it."""

    def __init__(
        self,
        store: VectorStore,
        embedders: Embedders,
        *,
        version: str,
        spaces: frozenset[str] | None = None,
        settings: HybridSettings | None = None,
    ) -> None:
        """``spaces``: those that are searched, by default all that ``embedders`` have."""
        self._store, self._embedders, self.version = store, embedders, version
        self._spaces = sorted(embedders.spaces if spaces is None else spaces)
        self._settings = settings or HybridSettings()
        self._payloads: LRUCache[str, dict[str, Scalar]] = LRUCache(CACHED_PAYLOADS)
        self._ranked: LRUCache[_Ranking, list[StoreHit]] = LRUCache(CACHED_SEARCHES)
        self._lock = Lock()  # of the two caches

    @property
    def sees(self) -> bool:
        """Whether it can be asked with an image."""
        return any(space != TEXT_SPACE for space in self._spaces)

    def search(self, query: str, top_k: int = 5, where: RowFilter = EVERY_ROW) -> list[IndexHit]:
        """The ``top_k`` best items, best first, ties in id order."""
        return self.search_many([query], top_k, where)[0]

    def search_many(
        self, queries: Sequence[str], top_k: int = 5, where: RowFilter = EVERY_ROW
    ) -> list[list[IndexHit]]:
        """``search`` for each query; they are embedded and scored together, which is much faster.

        Raises:
            ValueError: if ``top_k`` is below 1.
        """
        return self._hits(self.rank_many(queries, top_k, where))

    def search_image(self, image: Image, top_k: int = 5, where: RowFilter = EVERY_ROW) -> list[IndexHit]:
        """The ``top_k`` pages, pictures and clips that look most like ``image``, best first.

        Raises:
            ValueError: if the index has no vectors of pictures, or ``top_k`` is below 1.
            EmbedderError: if the image cannot be embedded.
        """
        vision = self._embedders.vision
        if vision is None or not self.sees:
            raise ValueError(
                "this index has no vectors of pictures; build it with an embedder that sees (`vimrag index build --vision`)"
            )
        _check_top_k(top_k)
        query = vision.encode_image_queries([image])
        queries = {space: query for space in self._spaces if space != TEXT_SPACE}
        return self._hits([self._nearest(queries, top_k, where)[:top_k]])[0]

    def search_like(
        self, query: str, item_ids: Sequence[str], top_k: int = 5, where: RowFilter = EVERY_ROW
    ) -> list[IndexHit]:
        """The ``top_k`` items that fit the words and look like one of some items, which are not among them.

        Words and looks count alike. Of items without vectors of pictures only the words count.

        Raises:
            ValueError: if the index has no vectors of pictures, or ``top_k`` is below 1.
        """
        if not self.sees:
            raise ValueError("this index has no vectors of pictures")
        depth = max(self._settings.depth, top_k)
        vectors = [row.vectors for row in self._store.stored(item_ids).values()]
        queries = {
            space: np.concatenate(seen)
            for space in self._spaces
            if space != TEXT_SPACE and (seen := [spaces[space] for spaces in vectors if space in spaces])
        }
        [worded] = self.rank_many([query], depth, where)
        alike = self._nearest(queries, depth, where)
        found = fuse([(0.5, 0.0, worded), (0.5, None, alike)])
        return self._hits([[hit for hit in found if hit.id not in item_ids][:top_k]])[0]

    def _nearest(self, queries: Mapping[str, Vectors], depth: int, where: RowFilter) -> list[StoreHit]:
        """Rows by their greatest cosine, not below 0, with any of the ``[Q, D]`` vectors of each space."""
        hits = nearest(
            found
            for space, vectors in queries.items()
            for found in self._store.search_vectors(space, vectors, limit=depth, where=where)
        )
        return [hit._replace(score=max(hit.score, 0.0)) for hit in hits]

    def rank_many(
        self, queries: Sequence[str], top_k: int, where: RowFilter = EVERY_ROW
    ) -> list[list[StoreHit]]:
        """Ids and scores only."""
        _check_top_k(top_k)
        rankings = [_Ranking(query, top_k, where) for query in queries]
        with self._lock:
            ranked = {key: self._ranked[key] for key in rankings if key in self._ranked}
        if new := list(dict.fromkeys(key.query for key in rankings if key not in ranked)):
            texts = [TextQuery(*analyse(query), PAIR_WEIGHT) for query in new]
            vectors = self._encoded(new)
            hits = hybrid(self._store, vectors, texts, limit=top_k, where=where, settings=self._settings)
            fresh = {_Ranking(query, top_k, where): best for query, best in zip(new, hits, strict=True)}
            with self._lock:
                self._ranked.update(fresh)
            ranked |= fresh
        return [list(ranked[key]) for key in rankings]

    def count(self, where: RowFilter = EVERY_ROW) -> int:
        """Number of items."""
        return self._store.count(where)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the hits of ``PROBES``, in hex: equal fingerprints retrieve alike.

        Scores are left out, for they differ in the last digits from machine to machine.
        """
        hits = self.rank_many(PROBES, 10)
        lines = [
            f"{probe}\0{' '.join(hit.id for hit in best)}" for probe, best in zip(PROBES, hits, strict=True)
        ]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def _encoded(self, queries: Sequence[str]) -> dict[str, Vectors]:
        """The queries in each space; an embedder of several spaces is asked once."""
        by_embedder: dict[str, Vectors] = {}
        fingerprints, embedders = self._embedders.fingerprints, self._embedders.spaces
        for space in self._spaces:
            if fingerprints[space] not in by_embedder:
                by_embedder[fingerprints[space]] = embedders[space].encode_queries(queries)
        return {space: by_embedder[fingerprints[space]] for space in self._spaces}

    def _hits(self, rankings: Sequence[Sequence[StoreHit]]) -> list[list[IndexHit]]:
        payloads = self._payloads_of([hit.id for hits in rankings for hit in hits])
        return [[_hit(hit, payloads[hit.id]) for hit in hits] for hits in rankings]

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
    where: RowFilter


def row_of(item: Item, vectors: Mapping[str, Vectors]) -> VectorRow:
    """The row of an item with ``vectors [P, D]`` of each space; those without a vector are left out."""
    terms, pairs = analyse(item.title, item.text)
    return VectorRow(
        id=item.id,
        scope=item.dataset,
        content_hash=content_hash(item),
        vectors={space: matrix for space, matrix in vectors.items() if len(matrix)},
        terms=terms,
        pairs=pairs,
        payload={name: getattr(item, name) for name in PAYLOAD} | {"modality": item.modality.value},
    )


def _check_top_k(top_k: int) -> None:
    if top_k < 1:
        raise ValueError(f"top_k must be at least 1, got {top_k}")


def _hit(found: StoreHit, payload: dict[str, Any]) -> IndexHit:
    names = ("dataset", "modality", "title", "text", "media_key", "width", "height", "duration_s")
    start_s = payload["position"] if payload["modality"] == Modality.VIDEO else 0.0
    return IndexHit(
        item_id=found.id,
        score=found.score,
        start_s=start_s,
        parent=payload["parent"] or "",
        **{name: payload[name] for name in names},
    )
