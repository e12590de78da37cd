"""What a vector store takes and what it finds.

Holds records and the Protocol only; several kinds of search become one in ``fusion.py``; each
engine is one adapter (``lance.py``, ``weaviate.py``).
Text arrives analysed (terms split by spaces), so that every engine scores the very same terms with its BM25. Vectors live
in named spaces, one an embedder; a row has one vector a passage in each space that sees it, and is as near as its nearest.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Vectors: TypeAlias = NDArray[np.float32]
Scalar: TypeAlias = str | int | float | None

TEXT_SPACE = "text"  # passages of what an item says
IMAGE_SPACE = "image"  # pages, pictures and key frames
CLIP_SPACE = "clip"  # clips, as a whole
UNIT_TOLERANCE = 1e-2  # of a vector's length; half precision and int8 stay well below


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VectorRow:
    """One item as a store keeps it."""

    id: str
    scope: str
    """The part of the collection it belongs to; searches can be limited to some scopes."""
    content_hash: str
    """Hash of what the vectors were made from; equal hashes need no new embedding."""
    vectors: Mapping[str, Vectors]
    """Of each space that sees the row: ``[P, D]``, one unit vector a passage, P at least 1."""
    terms: str = ""
    pairs: str = ""
    payload: Mapping[str, Scalar] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.id or not self.scope:
            raise ValueError(f"a row needs an id and a scope: {(self.id, self.scope)!r}")
        for space, vectors in self.vectors.items():
            if vectors.ndim != 2 or not len(vectors):
                raise ValueError(
                    f"row {self.id!r} needs {space} vectors [passages, dim], got shape {vectors.shape}"
                )
            if not np.isfinite(vectors).all():
                raise ValueError(f"row {self.id!r} has a {space} vector that is not finite")
            if (np.abs(np.linalg.norm(vectors, axis=1) - 1.0) > UNIT_TOLERANCE).any():
                raise ValueError(f"row {self.id!r} has a {space} vector that is not of length 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFilter:
    """Which rows a search may find: those that fulfil every field that is not None. An empty tuple allows no row."""

    scopes: tuple[str, ...] | None = None
    modalities: tuple[str, ...] | None = None
    """Values of the payload column ``modality``."""
    parents: tuple[str, ...] | None = None
    """Values of the payload column ``parent``: the file, deck or video a row is a part of."""
    kinds: tuple[str, ...] | None = None
    """What ``kind_of`` says of a row's id."""
    between: tuple[float, float] | None = None
    """First and last page, or second; infinite where open. Rows without a place in something are not among them."""

    def __post_init__(self) -> None:
        if self.between is not None and not self.between[0] <= self.between[1]:
            raise ValueError(f"a filter goes from a place to a later one, got {self.between}")

    @classmethod
    def of_scopes(cls, scopes: Iterable[str] | None) -> "RowFilter":
        """The rows of some scopes, of all for None; equal filters for equal scopes in any order."""
        return cls(scopes=None if scopes is None else tuple(sorted(set(scopes))))

    def __bool__(self) -> bool:
        return bool(self.columns()) or self.between is not None

    @property
    def allows_none(self) -> bool:
        """Whether no row at all can fulfil it."""
        return () in self.columns().values()

    def columns(self) -> dict[str, tuple[str, ...]]:
        """Column -> its allowed values, of the columns that are limited."""
        columns = {
            "scope": self.scopes,
            "modality": self.modalities,
            "parent": self.parents,
            "kind": self.kinds,
        }
        return {name: values for name, values in columns.items() if values is not None}


EVERY_ROW = RowFilter()
FILTER_COLUMNS = ("scope", "modality", "parent")
"""Those that are stored; the kind is read out of the id."""
PLACE_COLUMNS = ("position", "duration_s")
"""Payload columns of where a row is in its file: its page, or the second it starts at and how long it is."""


def kind_of(row_id: str) -> str:
    """The second part of an id ``scope:kind:native``; empty for an id of another form.

    >>> kind_of("mmlongbench_doc:page:report.pdf#3")
    'page'
    """
    return "".join(row_id.split(":")[1:2])


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
    vectors: Mapping[str, Vectors]


class VectorStore(Protocol):
    """One version of a collection of rows. Writes are certain to be found only after ``publish``."""

    def upsert(self, rows: Sequence[VectorRow]) -> None:
        """Insert rows, or replace those of equal id.

        Raises:
            ValueError: if an id stands twice, or a vector has another width or an unknown space.
            VectorStoreError: if the engine fails, or did not take every row; the text names ids.
        """
        ...

    def carry(self, rows: Sequence[VectorRow]) -> None:
        """``upsert`` of rows that are as in the version before; a store that still holds their vectors does not write them."""
        ...

    def delete(self, ids: Sequence[str]) -> None:
        """Remove rows; ids that are not there are ignored."""
        ...

    def publish(self) -> None:
        """Build what search needs, and make what was written the collection that readers see."""
        ...

    def search_vectors(
        self, space: str, queries: Vectors, *, limit: int, where: RowFilter = EVERY_ROW
    ) -> list[list[StoreHit]]:
        """For each of ``queries [Q, D]`` the rows of highest cosine (best passage), best first, ties in id order."""
        ...

    def search_texts(
        self, queries: Sequence[TextQuery], *, limit: int, where: RowFilter = EVERY_ROW
    ) -> list[list[StoreHit]]:
        """For each query the rows of highest BM25, best first, ties in id order; rows without a common term are absent."""
        ...

    def payloads(self, ids: Sequence[str]) -> dict[str, dict[str, Scalar]]:
        """The payload of each row there is."""
        ...

    def stored(self, ids: Sequence[str]) -> dict[str, StoredVectors]:
        """Content hash and vectors of each row there is."""
        ...

    def content_hashes(self, ids: Sequence[str]) -> dict[str, str]:
        """Content hash of each row there is."""
        ...

    def count(self, where: RowFilter = EVERY_ROW) -> int:
        """Number of rows."""
        ...

    def fingerprint(self) -> str:
        """Hash of ids and content hashes: equal for equal content, however it was written."""
        ...


def ranked(scores: Iterable[tuple[str, float]]) -> list[StoreHit]:
    """Best first, ties in id order."""
    return [StoreHit(id_, score) for id_, score in sorted(scores, key=lambda pair: (-pair[1], pair[0]))]


def check_batch(rows: Sequence[VectorRow], *, dims: Mapping[str, int]) -> None:
    """Refuse what no engine may be given: an id twice in one batch, a vector of another width or of an unknown space.

    Raises:
        ValueError: naming the ids.
    """
    if twice := [id_ for id_, times in Counter(row.id for row in rows).items() if times > 1]:
        raise ValueError(f"ids twice in one batch: {sorted(twice)[:5]}")
    for row in rows:
        if unknown := sorted(set(row.vectors) - set(dims)):
            raise ValueError(f"row {row.id!r} has vectors of {unknown}; the collection has {sorted(dims)}")
    for space, dim in dims.items():
        if wrong := [row.id for row in rows if space in row.vectors and row.vectors[space].shape[1] != dim]:
            raise ValueError(f"{space} vectors of another width than {dim}: {wrong[:5]}")


def content_fingerprint(hashes: Iterable[tuple[str, str]]) -> str:
    """Hash over (id, content hash) pairs in id order, in hex."""
    digest = hashlib.sha256()
    for id_, content_hash in sorted(hashes):
        digest.update(f"{id_}\0{content_hash}\n".encode())
    return digest.hexdigest()
