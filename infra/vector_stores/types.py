"""What a vector store takes, what it finds, and how two kinds of search become one.

Holds records, the Protocol and the fusion only; each engine is one adapter (``lance.py``, ``weaviate.py``).
Text arrives analysed (terms split by spaces), so that every engine scores the very same terms with its BM25; an item of
many passages has one vector per passage and is as near as its nearest passage.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Vectors: TypeAlias = NDArray[np.float32]
Scalar: TypeAlias = str | int | float | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VectorRow:
    """One item as a store keeps it."""

    id: str
    scope: str
    """The part of the collection it belongs to; searches can be limited to some scopes."""
    content_hash: str
    """Hash of what the vectors were made from; equal hashes need no new embedding."""
    vectors: Vectors
    """``[P, D]``, one unit vector per passage, P at least 1."""
    terms: str = ""
    pairs: str = ""
    payload: Mapping[str, Scalar] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.id or not self.scope:
            raise ValueError(f"a row needs an id and a scope: {(self.id, self.scope)!r}")
        if self.vectors.ndim != 2 or not len(self.vectors):
            raise ValueError(f"row {self.id!r} needs vectors [passages, dim], got shape {self.vectors.shape}")
        if not np.isfinite(self.vectors).all():
            raise ValueError(f"row {self.id!r} has a vector that is not finite")


class TextQuery(NamedTuple):
    """Analysed query text. The score of a row is BM25(terms) + ``pair_weight`` * BM25(pairs)."""

    terms: str
    pairs: str = ""
    pair_weight: float = 1.0


class StoreHit(NamedTuple):
    """One row a search returned: the higher the score the better."""

    id: str
    score: float


class StoredVectors(NamedTuple):
    """What a store can give back of a row so that it need not be embedded again."""

    content_hash: str
    vectors: Vectors


class VectorStore(Protocol):
    """One collection of rows. Writes are certain to be found only after ``publish``."""

    def upsert(self, rows: Sequence[VectorRow]) -> None:
        """Insert rows, or replace those of equal id.

        Raises:
            ValueError: if an id stands twice or a vector has another width.
            VectorStoreError: if the engine fails, or did not take every row; the text names ids.
        """
        ...

    def delete(self, ids: Sequence[str]) -> None:
        """Remove rows; ids that are not there are ignored."""
        ...

    def publish(self) -> None:
        """Build what search needs, and make what was written the collection that readers see."""
        ...

    def search_vectors(
        self, queries: Vectors, *, limit: int, scopes: Sequence[str] | None = None
    ) -> list[list[StoreHit]]:
        """For each of ``queries [Q, D]`` the rows of highest cosine (best passage), best first, ties in id order."""
        ...

    def search_texts(
        self, queries: Sequence[TextQuery], *, limit: int, scopes: Sequence[str] | None = None
    ) -> list[list[StoreHit]]:
        """For each query the rows of highest BM25, best first, ties in id order; rows without a common term are absent."""
        ...

    def payloads(self, ids: Sequence[str]) -> dict[str, dict[str, Scalar]]:
        """The payload of each row there is."""
        ...

    def kept(self, ids: Sequence[str]) -> dict[str, StoredVectors]:
        """Content hash and vectors of each row there is."""
        ...

    def count(self, scopes: Sequence[str] | None = None) -> int:
        """Number of rows."""
        ...

    def fingerprint(self) -> str:
        """Hash of ids and content hashes: equal for equal content, however it was written."""
        ...


class HybridSettings(NamedTuple):
    """How text and vector search are joined."""

    depth: int = 100
    """Candidates taken from each of the two."""
    vector_weight: float = 0.5
    """Share of the vector score in the fused score, the rest is the text's."""


def hybrid(
    store: VectorStore,
    vectors: Vectors,
    texts: Sequence[TextQuery],
    *,
    limit: int,
    scopes: Sequence[str] | None = None,
    settings: HybridSettings | None = None,
) -> list[list[StoreHit]]:
    """Both searches for each query (``vectors [Q, D]``), fused by ``fuse``; the ``limit`` best rows.

    Raises:
        ValueError: if there is not one vector per text.
    """
    if len(vectors) != len(texts):
        raise ValueError(f"{len(vectors)} vectors for {len(texts)} texts")
    depth, vector_weight = settings or HybridSettings()
    depth = max(depth, limit)
    near = store.search_vectors(vectors, limit=depth, scopes=scopes)
    worded = store.search_texts(texts, limit=depth, scopes=scopes)
    return [
        fuse(by_text, by_vector, vector_weight=vector_weight)[:limit]
        for by_text, by_vector in zip(worded, near, strict=True)
    ]


def fuse(
    by_text: Iterable[StoreHit], by_vector: Iterable[StoreHit], *, vector_weight: float
) -> list[StoreHit]:
    """Convex combination of min-max scaled scores, best first, ties in id order.

    Each list is scaled to [0, 1] by itself: cosines from their lowest to their highest, BM25 from 0, which is what a
    row without a common term has. A row that one list lacks gets 0 from it. Unlike reciprocal ranks this keeps how
    *much* better the best row is.
    """
    text_scores, vector_scores = dict(by_text), dict(by_vector)
    total: dict[str, float] = {}
    for scores, weight, low in (
        (text_scores, 1.0 - vector_weight, 0.0),
        (vector_scores, vector_weight, min(vector_scores.values(), default=0.0)),
    ):
        span = max(scores.values(), default=0.0) - low
        for id_, score in scores.items():
            scaled = (score - low) / span if span > 0 else 1.0
            total[id_] = total.get(id_, 0.0) + weight * scaled
    return ranked(total.items())


def ranked(scores: Iterable[tuple[str, float]]) -> list[StoreHit]:
    """Best first, ties in id order."""
    return [StoreHit(id_, score) for id_, score in sorted(scores, key=lambda pair: (-pair[1], pair[0]))]


def check_batch(rows: Sequence[VectorRow], *, dim: int) -> None:
    """Refuse what no engine may be given: an id twice in one batch, a vector of another width.

    Raises:
        ValueError: naming the ids.
    """
    ids = [row.id for row in rows]
    if twice := sorted({id_ for id_ in ids if ids.count(id_) > 1}) if len(set(ids)) < len(ids) else []:
        raise ValueError(f"ids twice in one batch: {twice[:5]}")
    if wrong := [row.id for row in rows if row.vectors.shape[1] != dim]:
        raise ValueError(f"vectors of another width than {dim}: {wrong[:5]}")


def content_fingerprint(hashes: Iterable[tuple[str, str]]) -> str:
    """Hash over (id, content hash) pairs in id order, in hex."""
    digest = hashlib.sha256()
    for id_, content_hash in sorted(hashes):
        digest.update(f"{id_}\0{content_hash}\n".encode())
    return digest.hexdigest()
