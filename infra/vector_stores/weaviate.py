"""A collection of rows on a Weaviate server: the store for production.

Each version of the index is a collection of its own; ``publish`` points the alias that readers use to it and keeps the one
before for going back. Every object's answer is read: what a batch did not take is sent again, and what then still fails
raises an error that names the ids. Needs a server of at least 1.32 (aliases) and writes only ids made from row ids.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import weaviate
from weaviate.classes.config import (
    Configure,
    DataType,
    Property,
    StopwordsPreset,
    Tokenization,
    VectorDistances,
)
from weaviate.classes.data import DataObject
from weaviate.classes.query import Filter, MetadataQuery
from weaviate.collections import Collection
from weaviate.exceptions import WeaviateInsertManyAllFailedError

from infra.errors import VectorStoreError, boundary
from infra.vector_stores.types import (
    Scalar,
    StoredVectors,
    StoreHit,
    TextQuery,
    VectorRow,
    Vectors,
    check_batch,
    content_fingerprint,
    ranked,
)

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:vimrag:item")
VECTOR = "passages"
ATTEMPTS = 3  # of each object of a batch
IDS_PER_FILTER = 200
_TYPES = {str: DataType.TEXT, int: DataType.INT, float: DataType.NUMBER}


def object_uuid(row_id: str) -> uuid.UUID:
    """The same for the same row in every run, so that writing a row again replaces it."""
    return uuid.uuid5(NAMESPACE, row_id)


def connect(url: str, *, api_key: str | None = None, grpc_port: int = 50051) -> weaviate.WeaviateClient:
    """A client of the server at ``url``; close it after use.

    Raises:
        ValueError: if the URL is not http or https.
        VectorStoreError: if the server does not answer.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"a Weaviate URL looks like http://host:8080, got {url!r}; set WEAVIATE_URL")
    secure = parts.scheme == "https"
    with boundary(VectorStoreError, f"connect to Weaviate at {parts.hostname}"):
        return weaviate.connect_to_custom(
            http_host=parts.hostname,
            http_port=parts.port or (443 if secure else 8080),
            http_secure=secure,
            grpc_host=parts.hostname,
            grpc_port=grpc_port,
            grpc_secure=secure,
            auth_credentials=weaviate.auth.AuthApiKey(api_key) if api_key else None,
        )


class WeaviateStore:
    """One collection, named ``<alias>_<version>``. ``VectorStore`` says what each method does."""

    def __init__(
        self,
        client: weaviate.WeaviateClient,
        *,
        alias: str,
        version: str,
        dim: int,
        payload: Mapping[str, type],
        live: bool = True,
    ) -> None:
        """Open the collection, or make it when ``live``; the client stays the caller's, to close.

        Raises:
            ValueError: if ``live`` is False and there is no such collection.
        """
        self._client, self._alias, self._dim, self._payload = client, alias, dim, dict(payload)
        self._name = f"{alias}_{version}"
        with boundary(VectorStoreError, f"open collection {self._name!r}"):
            exists = client.collections.exists(self._name)
            if live and not exists:
                self._create()
        if not live and not exists:
            raise ValueError(f"the server has no collection {self._name!r}")
        self._collection: Collection[Any, Any] = client.collections.use(self._name)

    def upsert(self, rows: Sequence[VectorRow]) -> None:
        """See ``VectorStore``; what the server refuses is sent ``ATTEMPTS`` times in all."""
        check_batch(rows, dim=self._dim)
        pending, reasons = list(rows), dict[str, str]()
        for _ in range(ATTEMPTS):
            if not pending:
                return
            reasons = self._insert(pending)
            pending = [row for row in pending if row.id in reasons]
        if pending:
            shown = "; ".join(f"{id_}: {reason}" for id_, reason in list(reasons.items())[:5])
            raise VectorStoreError(f"Weaviate did not take {len(pending)} of {len(rows)} objects: {shown}")

    def _insert(self, rows: Sequence[VectorRow]) -> dict[str, str]:
        """One batch; row id -> reason for each object the server refused."""
        with boundary(VectorStoreError, f"write {len(rows)} objects to {self._name!r}"):
            try:
                answer = self._collection.data.insert_many([self._object(row) for row in rows])
            except WeaviateInsertManyAllFailedError as error:  # the client raises only if not one was taken
                return {row.id: error.message for row in rows}
        return {rows[at].id: error.message for at, error in answer.errors.items()}

    def delete(self, ids: Sequence[str]) -> None:
        """See ``VectorStore``."""
        for some in _slices(sorted(set(ids))):
            with boundary(VectorStoreError, f"delete {len(some)} objects of {self._name!r}"):
                answer = self._collection.data.delete_many(
                    where=Filter.by_id().contains_any([object_uuid(id_) for id_ in some])
                )
            if answer.failed:
                raise VectorStoreError(f"Weaviate did not delete {answer.failed} of {len(some)} objects")

    def publish(self) -> None:
        """Point the alias to this collection, and drop versions older than the one it pointed to before."""
        with boundary(VectorStoreError, f"publish {self._name!r} as {self._alias!r}"):
            before = self._client.alias.get(alias_name=self._alias)
            if before is None:
                self._client.alias.create(alias_name=self._alias, target_collection=self._name)
            else:
                self._client.alias.update(alias_name=self._alias, new_target_collection=self._name)
            keep = {self._name, before.collection if before else self._name}
            for name in self._client.collections.list_all(simple=True):
                if name.startswith(f"{self._alias}_") and name not in keep:
                    self._client.collections.delete(name)

    def search_vectors(
        self, queries: Vectors, *, limit: int, scopes: Sequence[str] | None = None
    ) -> list[list[StoreHit]]:
        """See ``VectorStore``; nearest by the server's index, which is approximate in a large collection."""
        found: list[list[StoreHit]] = []
        for query in queries:
            with boundary(VectorStoreError, f"vector search in {self._name!r}"):
                answer = self._collection.query.near_vector(
                    near_vector=[query.tolist()],  # one query vector against the passages of each row
                    target_vector=VECTOR,
                    limit=limit,
                    filters=_in_scopes(scopes),
                    return_metadata=MetadataQuery(distance=True),
                    return_properties=["row_id"],
                )
            hits = ((str(o.properties["row_id"]), 1.0 - (o.metadata.distance or 0.0)) for o in answer.objects)
            found.append(ranked(hits))
        return found

    def search_texts(
        self, queries: Sequence[TextQuery], *, limit: int, scopes: Sequence[str] | None = None
    ) -> list[list[StoreHit]]:
        """See ``VectorStore``; the server weighs the two columns as fields of one BM25F."""
        found: list[list[StoreHit]] = []
        for query in queries:
            if not query.terms:
                found.append([])
                continue
            with boundary(VectorStoreError, f"text search in {self._name!r}"):
                answer = self._collection.query.bm25(
                    query=f"{query.terms} {query.pairs}".strip(),
                    query_properties=["terms", f"pairs^{query.pair_weight:g}"],
                    limit=limit,
                    filters=_in_scopes(scopes),
                    return_metadata=MetadataQuery(score=True),
                    return_properties=["row_id"],
                )
            found.append(
                ranked((str(o.properties["row_id"]), o.metadata.score or 0.0) for o in answer.objects)
            )
        return found

    def payloads(self, ids: Sequence[str]) -> dict[str, dict[str, Scalar]]:
        """See ``VectorStore``."""
        objects = self._objects(ids, properties=["row_id", *self._payload], vectors=False)
        return {
            str(o.properties["row_id"]): {name: o.properties.get(name) for name in self._payload}
            for o in objects
        }

    def kept(self, ids: Sequence[str]) -> dict[str, StoredVectors]:
        """See ``VectorStore``."""
        objects = self._objects(ids, properties=["row_id", "content_hash"], vectors=True)
        return {
            str(o.properties["row_id"]): StoredVectors(
                str(o.properties["content_hash"]), np.array(o.vector[VECTOR], np.float32)
            )
            for o in objects
        }

    def count(self, scopes: Sequence[str] | None = None) -> int:
        """See ``VectorStore``."""
        with boundary(VectorStoreError, f"count {self._name!r}"):
            total = self._collection.aggregate.over_all(filters=_in_scopes(scopes), total_count=True)
        return total.total_count or 0

    def fingerprint(self) -> str:
        """See ``VectorStore``."""
        with boundary(VectorStoreError, f"read {self._name!r}"):
            objects = self._collection.iterator(return_properties=["row_id", "content_hash"])
            return content_fingerprint(
                (str(o.properties["row_id"]), str(o.properties["content_hash"])) for o in objects
            )

    def _create(self) -> None:
        self._client.collections.create(
            self._name,
            properties=[
                _property("row_id", str, filterable=True),
                _property("scope", str, filterable=True),
                _property("content_hash", str),
                _property("terms", str, searchable=True),
                _property("pairs", str, searchable=True),
                *(_property(name, kind) for name, kind in self._payload.items()),
            ],
            vector_config=Configure.MultiVectors.self_provided(
                name=VECTOR,
                multi_vector_config=Configure.VectorIndex.MultiVector.multi_vector(),
                vector_index_config=Configure.VectorIndex.hnsw(distance_metric=VectorDistances.COSINE),
            ),
            inverted_index_config=Configure.inverted_index(
                bm25_k1=1.2, bm25_b=0.75, stopwords_preset=StopwordsPreset.NONE
            ),
        )

    def _object(self, row: VectorRow) -> DataObject[dict[str, Any], None]:
        properties = {name: value for name, value in row.payload.items() if value is not None}
        for name in ("scope", "content_hash", "terms", "pairs"):
            properties[name] = getattr(row, name)
        return DataObject(
            properties={**properties, "row_id": row.id},
            uuid=object_uuid(row.id),
            vector={VECTOR: row.vectors.tolist()},
        )

    def _objects(self, ids: Sequence[str], *, properties: list[str], vectors: bool) -> Iterator[Any]:
        for some in _slices(sorted(set(ids))):
            with boundary(VectorStoreError, f"read {len(some)} objects of {self._name!r}"):
                answer = self._collection.query.fetch_objects(
                    filters=Filter.by_id().contains_any([object_uuid(id_) for id_ in some]),
                    limit=len(some),
                    include_vector=vectors,
                    return_properties=properties,
                )
            yield from answer.objects


def _property(name: str, kind: type, *, searchable: bool = False, filterable: bool = False) -> Property:
    """A column; text is split at spaces alone where it is searched, and kept whole elsewhere."""
    if kind is not str:
        return Property(name=name, data_type=_TYPES[kind], index_filterable=filterable)
    return Property(
        name=name,
        data_type=DataType.TEXT,
        index_searchable=searchable,
        index_filterable=filterable,
        tokenization=Tokenization.WHITESPACE if searchable else Tokenization.FIELD,
    )


def _in_scopes(scopes: Sequence[str] | None) -> Any:
    return Filter.by_property("scope").contains_any(list(scopes)) if scopes is not None else None


def _slices(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), IDS_PER_FILTER):
        yield ids[start : start + IDS_PER_FILTER]
