"""Vectors on a Weaviate server: the store for production.

One object a passage, with a named vector a space; no multi-vectors, which lose live rows when others are deleted (decision
0023). Words, payloads and content hashes stay in a Lance table beside the manifest, for the server's BM25 is wrong for a
minute after a write and drifts after deletes.

Versions share a collection: an object says in which *generation* it was added and in which it was removed, and a reader
sees those of its own. So a new version sends what changed only, readers of the one before go on undisturbed, and going back
is a pointer. What builds that did not end have left is taken back by the next. Needs a server of at least 1.32 (aliases).
"""

import math
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import weaviate
from weaviate.classes.data import DataObject
from weaviate.classes.query import Filter, MetadataQuery
from weaviate.collections import Collection
from weaviate.exceptions import WeaviateBaseError, WeaviateInsertManyAllFailedError

from infra.errors import VectorStoreError, boundary
from infra.vector_stores.lance import LanceStore
from infra.vector_stores.types import (
    EVERY_ROW,
    PLACE_COLUMNS,
    RowFilter,
    Scalar,
    StoredVectors,
    StoreHit,
    TextQuery,
    VectorRow,
    Vectors,
    check_batch,
    kind_of,
    ranked,
)
from infra.vector_stores.weaviate_collections import FOREVER, WeaviateAddress, is_unavailable

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:vimrag:passage")
ATTEMPTS = 3  # of each object that the server refuses
PATIENCE_S = 90.0  # with a server that does not answer, while writing
READ_PATIENCE_S = 15.0  # while searching: a restart takes about ten
CONCURRENT_WRITES = 2
CONCURRENT_SEARCHES = 8
MAX_BATCH_OBJECTS = 1_000
MAX_BATCH_BYTES = 16_000_000  # the client refuses 104,858,000
OBJECT_BYTES = 400  # of an object beside its vector
IDS_PER_FILTER = 500
PASSAGES_PER_ROW = 3  # objects asked for a wanted row, before more are asked for
MAX_OBJECTS = 10_000  # that the server gives in one answer
DECIMALS = 6  # of a cosine
LOG_ROW = "~log"
LOG_OBJECTS = 256  # each writes 400 bytes and more
SELF_LIMIT = 10  # objects among which one has to be that is searched by its own vector
SELF_SCORE = 0.9999  # cosine from which another vector is the same
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """One object: a vector of a row in one space."""

    uuid: uuid.UUID
    row_id: str
    space: str
    number: int
    vector: Vectors
    properties: Mapping[str, Any]

    @property
    def num_bytes(self) -> int:
        """Roughly what sending it costs."""
        return 4 * len(self.vector) + OBJECT_BYTES

    def to_object(self, **changes: Any) -> DataObject[dict[str, Any], None]:
        """As the client sends it."""
        properties = {**self.properties, "row_id": self.row_id, "space": self.space, "number": self.number}
        return DataObject(
            properties={**properties, **changes}, uuid=self.uuid, vector={self.space: self.vector.tolist()}
        )


def passages_of(row: VectorRow, generation: int) -> list[Passage]:
    """The objects of a row. Equal for equal arguments, so that sending a row again changes nothing."""
    filterable = {name: row.payload[name] for name in ("modality", "parent") if row.payload.get(name)}
    placed = {"kind": kind_of(row.id), **_place(row.payload)}
    properties = {**filterable, **placed, "scope": row.scope, "added": generation, "removed": FOREVER}
    return [
        Passage(
            uuid=uuid.uuid5(NAMESPACE, f"{generation}\0{space}\0{number}\0{row.id}"),
            row_id=row.id,
            space=space,
            number=number,
            vector=vector,
            properties=properties,
        )
        for space, vectors in row.vectors.items()
        for number, vector in enumerate(vectors)
    ]


def _place(payload: Mapping[str, Scalar]) -> dict[str, float]:
    """Start and end in the file, of a row that has a place in one."""
    start, duration = (float(payload.get(name) or 0.0) for name in PLACE_COLUMNS)
    return {"start": start, "end": start + duration} if start > 0 or duration > 0 else {}


class WeaviateStore:
    """One generation of a collection. ``VectorStore`` says what each method does."""

    def __init__(  # noqa: PLR0913 - one place in a server, one in a folder, and what is known of them
        self,
        client: weaviate.WeaviateClient,
        words: LanceStore,
        *,
        collection: str,
        generation: int,
        dims: Mapping[str, int],
        before: "WeaviateStore | None" = None,
        address: WeaviateAddress | None = None,
    ) -> None:
        """Open a generation; the client stays the caller's, to close.

        Args:
            client: connected to the server.
            words: the rows without their vectors, of this version alone.
            collection: there already (``weaviate_collections.create``).
            generation: for a build the one that it writes, with everything of a later one taken back.
            dims: width of the vectors of each space.
            before: for a build, the generation before of the same collection, if it goes on with one.
            address: of the server, by which a search sees soon that it is gone.
        """
        self._client, self._words, self._dims = client, words, dict(dims)
        self.collection, self.generation, self._before = collection, generation, before
        self._address = address
        self._objects: Collection[Any, Any] = client.collections.use(collection)
        self._carried: set[str] = set()
        self._interrupted = False
        self.healed = 0
        """Objects that had fallen out of the server's vector index and were written anew."""

    def upsert(self, rows: Sequence[VectorRow]) -> None:
        """See ``VectorStore``; what the server refuses is sent ``ATTEMPTS`` times in all."""
        check_batch(rows, dims=self._dims)
        if again := [row.id for row in rows if row.id in self._written]:
            self._remove_rows(again)  # it may have had more passages
        self._send([passage for row in rows for passage in passages_of(row, self.generation)])
        self._words.upsert(_without_vectors(rows))
        self._written.update(row.id for row in rows)

    def carry(self, rows: Sequence[VectorRow]) -> None:
        """See ``VectorStore``; within a collection nothing is sent."""
        if self._before is None:
            self.upsert(rows)
            return
        self._words.upsert(_without_vectors(rows))
        self._carried.update(row.id for row in rows)

    def delete(self, ids: Sequence[str]) -> None:
        """See ``VectorStore``; objects of generations before stay for their readers."""
        self._remove_rows(ids)
        self._carried.difference_update(ids)
        self._words.delete(ids)

    def publish(self) -> None:
        """See ``VectorStore``: end what the version before had and this one has not, and count what is there."""
        if self._before is not None:
            for ids in _slices(sorted(self._before.row_ids() - self._carried), IDS_PER_FILTER):
                self._send(list(self._before.passages(ids)), removed=self.generation)
        if self._interrupted:
            self.heal()
        self._flush_log()
        self._words.publish()

    def search_vectors(
        self, space: str, queries: Vectors, *, limit: int, where: RowFilter = EVERY_ROW
    ) -> list[list[StoreHit]]:
        """See ``VectorStore``; nearest by the server's index, which is approximate in a large collection."""
        if where.allows_none or limit < 1:
            return [[] for _ in queries]
        self._wait_until_live()
        if len(queries) < 2:
            return [self._nearest(space, query, limit, where) for query in queries]
        with ThreadPoolExecutor(CONCURRENT_SEARCHES) as pool:
            return list(pool.map(lambda query: self._nearest(space, query, limit, where), queries))

    def search_texts(
        self, queries: Sequence[TextQuery], *, limit: int, where: RowFilter = EVERY_ROW
    ) -> list[list[StoreHit]]:
        """See ``VectorStore``."""
        return self._words.search_texts(queries, limit=limit, where=where)

    def payloads(self, ids: Sequence[str]) -> dict[str, dict[str, Scalar]]:
        """See ``VectorStore``."""
        return self._words.payloads(ids)

    def stored(self, ids: Sequence[str]) -> dict[str, StoredVectors]:
        """See ``VectorStore``."""
        vectors: dict[str, dict[str, dict[int, Vectors]]] = {id_: {} for id_ in ids}
        for passage in self.passages(ids):
            vectors[passage.row_id].setdefault(passage.space, {})[passage.number] = passage.vector
        return {
            id_: StoredVectors(
                content_hash,
                {
                    space: np.stack([numbered[number] for number in sorted(numbered)])
                    for space, numbered in vectors[id_].items()
                },
            )
            for id_, content_hash in self.content_hashes(ids).items()
        }

    def content_hashes(self, ids: Sequence[str]) -> dict[str, str]:
        """See ``VectorStore``."""
        return self._words.content_hashes(ids)

    def count(self, where: RowFilter = EVERY_ROW) -> int:
        """See ``VectorStore``."""
        return self._words.count(where)

    def fingerprint(self) -> str:
        """See ``VectorStore``."""
        return self._words.fingerprint()

    def row_ids(self) -> set[str]:
        """Of every row."""
        return self._words.row_ids()

    def passages(self, ids: Sequence[str]) -> Iterator[Passage]:
        """The objects of some rows that a reader of this generation sees.

        Raises:
            VectorStoreError: if one row has more than ``MAX_OBJECTS``.
        """
        for some in _slices(sorted(set(ids)), IDS_PER_FILTER):
            yield from self._passages(some)

    def _passages(self, ids: Sequence[str]) -> list[Passage]:
        wanted = Filter.by_property("row_id").contains_any(list(ids)) & self._visible()
        passages: list[Passage] = []
        for start in range(0, MAX_OBJECTS, MAX_BATCH_OBJECTS):
            answer = self._ask(
                f"read {len(ids)} rows",
                lambda start=start: self._objects.query.fetch_objects(
                    filters=wanted, limit=MAX_BATCH_OBJECTS, offset=start, include_vector=True
                ),
            )
            passages += map(_passage, answer.objects)
            if len(answer.objects) < MAX_BATCH_OBJECTS:
                return passages
        if len(ids) == 1:
            raise VectorStoreError(
                f"row {ids[0]!r} has {MAX_OBJECTS} vectors and more in {self.collection!r}"
            )
        middle = len(ids) // 2
        return self._passages(ids[:middle]) + self._passages(ids[middle:])

    def heal(self) -> int:
        """Write anew what the server holds and its vector index does not find; the number of such objects.

        A server that is killed keeps the objects it acknowledged, but the last of them may miss in the vector index, and
        sending them again changes nothing: they are deleted and inserted. Looks at every object of this generation's
        own writes, one search each.
        """
        lost: list[Passage] = []
        with ThreadPoolExecutor(CONCURRENT_SEARCHES) as pool:
            scan = self._scan()
            while chunk := list(islice(scan, MAX_BATCH_OBJECTS)):
                lost += [p for p, found in zip(chunk, pool.map(self._finds, chunk), strict=True) if not found]
        for some in _slices(lost, IDS_PER_FILTER):
            self._remove(Filter.by_id().contains_any([passage.uuid for passage in some]))
            self._send(some)
        self.healed += len(lost)
        return len(lost)

    @cached_property
    def _written(self) -> set[str]:
        """The rows that this version has, as far as it was written through this object or is on disk."""
        return self._words.row_ids()

    def _nearest(self, space: str, query: Vectors, limit: int, where: RowFilter) -> list[StoreHit]:
        """Asks for more objects until there are ``limit`` rows, or no more objects."""
        num_objects = min(PASSAGES_PER_ROW * limit, MAX_OBJECTS)
        while True:
            objects = self._near(space, query, num_objects, where)
            best: dict[str, float] = {}
            for found in objects:
                if self._sees(found.properties):
                    score = round(1.0 - (found.metadata.distance or 0.0), DECIMALS)
                    best.setdefault(str(found.properties["row_id"]), score)
            if len(best) >= limit or len(objects) < num_objects or num_objects == MAX_OBJECTS:
                return ranked(best.items())[:limit]
            num_objects = min(2 * num_objects, MAX_OBJECTS)

    def _near(self, space: str, query: Vectors, num_objects: int, where: RowFilter) -> Sequence[Any]:
        """The nearest objects, those of other generations among them."""
        answer = self._ask(
            "vector search",
            lambda: self._objects.query.near_vector(
                near_vector=query.tolist(),
                target_vector=space,
                limit=num_objects,
                filters=_in_filter(where),
                return_metadata=MetadataQuery(distance=True),
                return_properties=["row_id", "added", "removed"],
            ),
            patience_s=READ_PATIENCE_S,
        )
        return answer.objects

    def _finds(self, passage: Passage) -> bool:
        """Whether a search with an object's own vector gives it back, or another with the same vector."""
        return any(
            found.uuid == passage.uuid or 1.0 - (found.metadata.distance or 0.0) >= SELF_SCORE
            for found in self._near(passage.space, passage.vector, SELF_LIMIT, EVERY_ROW)
        )

    def _scan(self) -> Iterator[Passage]:
        """Every object that this generation added, with its vectors."""
        with boundary(VectorStoreError, f"read {self.collection!r}"):
            for found in self._objects.iterator(include_vector=True):
                passage = _passage(found)
                if passage.properties["added"] == self.generation:
                    yield passage

    def _send(self, passages: Sequence[Passage], **changes: Any) -> None:
        batches = list(_batches(passages))
        with ThreadPoolExecutor(CONCURRENT_WRITES) as pool:
            list(pool.map(lambda batch: self._send_batch(batch, changes), batches))

    def _send_batch(self, batch: Sequence[Passage], changes: Mapping[str, Any]) -> None:
        pending, reasons = list(batch), dict[uuid.UUID, str]()
        for _ in range(ATTEMPTS):
            reasons = self._insert(pending, changes)
            pending = [passage for passage in pending if passage.uuid in reasons]
            if not pending:
                return
        shown = "; ".join(f"{passage.row_id}: {reasons[passage.uuid]}" for passage in pending[:5])
        raise VectorStoreError(f"Weaviate did not take {len(pending)} of {len(batch)} objects: {shown}")

    def _insert(self, passages: Sequence[Passage], changes: Mapping[str, Any]) -> dict[uuid.UUID, str]:
        """One request; object -> reason for each that the server refused."""
        objects = [passage.to_object(**changes) for passage in passages]

        def insert() -> dict[uuid.UUID, str]:
            try:
                answer = self._objects.data.insert_many(objects)
            except WeaviateInsertManyAllFailedError as error:  # the client raises only if not one was taken
                reason = error.message.rpartition("all errors: ")[2]
                return dict.fromkeys((passage.uuid for passage in passages), reason)
            return {passages[at].uuid: error.message for at, error in answer.errors.items()}

        return self._ask(f"write {len(objects)} objects, the first of {passages[0].row_id!r}", insert)

    def _flush_log(self) -> None:
        """Push what was written out of the buffer of the server's vector log, with objects that no reader sees.

        The server acknowledges an object whose links are still in a buffer of 32 KiB, and nothing but more links empties
        it: killed at any later time, it would not find the last 70 objects again. So these are not the last.
        """
        noise = np.random.default_rng(self.generation)
        for space, dim in self._dims.items():
            vectors = noise.standard_normal((LOG_OBJECTS, dim)).astype(np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            row = VectorRow(id=LOG_ROW, scope=LOG_ROW, content_hash="", vectors={space: vectors})
            self._send(passages_of(row, FOREVER), removed=0)

    def _remove_rows(self, ids: Sequence[str]) -> None:
        for some in _slices(sorted(set(ids)), IDS_PER_FILTER):
            self._remove(Filter.by_property("row_id").contains_any(list(some)) & self._added_here())

    def _remove(self, where: Any) -> None:
        answer = self._ask("delete objects", lambda: self._objects.data.delete_many(where=where))
        if answer.failed:
            raise VectorStoreError(f"Weaviate did not delete {answer.failed} objects of {self.collection!r}")

    def _ask(self, action: str, call: Callable[[], _T], *, patience_s: float = PATIENCE_S) -> _T:
        """``call``, again and again while the server does not answer, up to ``patience_s``."""
        deadline, pause_s = time.monotonic() + patience_s, 0.5
        while True:
            try:
                return call()
            except WeaviateBaseError as error:
                if not is_unavailable(error) or time.monotonic() + pause_s > deadline:
                    raise VectorStoreError(f"{action} in {self.collection!r}: {error}") from error
            self._interrupted = True  # what it had acknowledged may have fallen out of its vector index
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, 8.0)

    def _wait_until_live(self) -> None:
        """Return when the server answers: the client itself would try for a minute to reach one that is gone."""
        deadline = time.monotonic() + READ_PATIENCE_S
        while self._address and not self._address.answers():
            if time.monotonic() > deadline:
                raise VectorStoreError(
                    f"Weaviate at {self._address.url} does not answer, for {READ_PATIENCE_S:.0f} s now; is it running?"
                )
            time.sleep(0.5)

    def _sees(self, properties: Mapping[str, Any]) -> bool:
        return properties["added"] <= self.generation < properties["removed"]

    def _visible(self) -> Any:
        added = Filter.by_property("added").less_or_equal(self.generation)
        return added & Filter.by_property("removed").greater_than(self.generation)

    def _added_here(self) -> Any:
        return Filter.by_property("added").equal(self.generation)


def _without_vectors(rows: Sequence[VectorRow]) -> list[VectorRow]:
    return [replace(row, vectors={}) for row in rows]


def _passage(found: Any) -> Passage:
    properties = dict(found.properties)
    row_id, space, number = (properties.pop(name) for name in ("row_id", "space", "number"))
    return Passage(
        uuid=uuid.UUID(str(found.uuid)),
        row_id=row_id,
        space=space,
        number=int(number),
        vector=np.array(found.vector[space], np.float32),
        properties={name: value for name, value in properties.items() if value is not None},
    )


def _in_filter(where: RowFilter) -> Any:
    filters = [
        Filter.by_property(name).contains_any(list(values)) for name, values in where.columns().items()
    ]
    if where.between is not None:
        first, last = where.between
        start, end = Filter.by_property("start"), Filter.by_property("end")
        filters.append(
            start.less_or_equal(min(last, sys.float_info.max))
        )  # without a place there is no start
        if math.isfinite(first):
            filters.append(end.greater_than(first) | start.greater_or_equal(first))
    return Filter.all_of(filters) if filters else None


def _batches(passages: Sequence[Passage]) -> Iterator[list[Passage]]:
    batch: list[Passage] = []
    size = 0
    for passage in passages:
        if batch and (len(batch) == MAX_BATCH_OBJECTS or size + passage.num_bytes > MAX_BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(passage)
        size += passage.num_bytes
    if batch:
        yield batch


def _slices(values: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
