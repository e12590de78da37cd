"""A Weaviate server's collections: connecting, making one, what unfinished builds left in it, the alias, and dropping.

What is read and written in a collection is in ``weaviate.py``.
"""

import logging
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import weaviate
from weaviate.classes.config import (
    Configure,
    DataType,
    Property,
    StopwordsPreset,
    Tokenization,
    VectorDistances,
)
from weaviate.classes.init import AdditionalConfig, Timeout
from weaviate.classes.query import Filter
from weaviate.exceptions import (
    UnexpectedStatusCodeError,
    WeaviateConnectionError,
    WeaviateGRPCUnavailableError,
    WeaviateRetryError,
    WeaviateTimeoutError,
)

from infra.errors import VectorStoreError, boundary

log = logging.getLogger(__name__)

FOREVER = 2**31 - 1  # the generation in which what is still there was removed
LEAST_VERSION = (1, 32)
EF_CONSTRUCTION, MAX_CONNECTIONS = (
    128,
    32,
)  # 64 / 16 takes rows twice as fast and misses one in a hundred (decision 0023)
QUANTIZERS = ("none", "rq", "sq", "bq")
INIT_S, QUERY_S, INSERT_S = 10, 30, 120
"""Deadlines of a call."""
_BUSY = re.compile(
    r"UNAVAILABLE|read-only|Connection refused|connection (closed|reset)|is not ready", re.IGNORECASE
)
_NAME = re.compile(r"[A-Z][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class WeaviateAddress:
    """Where a server is. The key is not shown."""

    url: str
    api_key: str | None = None
    grpc_port: int = 50051
    grpc_host: str | None = None
    """By default the host of ``url``."""

    def answers(self) -> bool:
        """Whether something listens at the address."""
        parts = urlsplit(self.url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        try:
            socket.create_connection((parts.hostname or "", port), timeout=2).close()
        except OSError:
            return False
        return True

    def __repr__(self) -> str:
        return f"WeaviateAddress({self.url!r}, grpc_port={self.grpc_port})"


def connect(address: WeaviateAddress) -> weaviate.WeaviateClient:
    """A client of the server; close it after use.

    Raises:
        ValueError: if the URL is not http or https.
        VectorStoreError: if the server does not answer, or is too old.
    """
    parts = urlsplit(address.url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"a Weaviate URL looks like http://host:8080, got {address.url!r}; set WEAVIATE_URL")
    secure = parts.scheme == "https"
    with boundary(VectorStoreError, f"connect to Weaviate at {parts.hostname}"):
        client = weaviate.connect_to_custom(
            http_host=parts.hostname,
            http_port=parts.port or (443 if secure else 80),
            http_secure=secure,
            grpc_host=address.grpc_host or parts.hostname,
            grpc_port=address.grpc_port,
            grpc_secure=secure,
            auth_credentials=weaviate.auth.AuthApiKey(address.api_key) if address.api_key else None,
            additional_config=AdditionalConfig(timeout=Timeout(init=INIT_S, query=QUERY_S, insert=INSERT_S)),
        )
        version = str(client.get_meta()["version"])
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < LEAST_VERSION:
        client.close()
        raise VectorStoreError(
            f"Weaviate at {parts.hostname} is version {version}; aliases need {'.'.join(map(str, LEAST_VERSION))}"
        )
    return client


def create(
    client: weaviate.WeaviateClient, name: str, dims: Mapping[str, int], *, quantizer: str = "none"
) -> None:
    """Make an empty collection with a named vector a space.

    Args:
        client: connected to the server.
        name: begins with a capital.
        dims: space -> width; the server learns the width from the first object.
        quantizer: of every space, decided here for good: later changes block writes.

    Raises:
        ValueError: for a name that the server would change, or an unknown quantiser.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"a collection's name begins with a capital and has letters, digits and _: {name!r}")
    if quantizer not in QUANTIZERS:
        raise ValueError(f"unknown quantizer {quantizer!r}; known: {', '.join(QUANTIZERS)}")
    with boundary(VectorStoreError, f"make collection {name!r}"):
        client.collections.create(
            name,
            properties=PROPERTIES,
            vector_config=[
                Configure.Vectors.self_provided(
                    name=space,
                    quantizer=getattr(Configure.VectorIndex.Quantizer, quantizer)(),
                    vector_index_config=Configure.VectorIndex.hnsw(
                        distance_metric=VectorDistances.COSINE,
                        ef_construction=EF_CONSTRUCTION,
                        max_connections=MAX_CONNECTIONS,
                    ),
                )
                for space in dims
            ],
            inverted_index_config=Configure.inverted_index(stopwords_preset=StopwordsPreset.NONE),
        )


def take_back(client: weaviate.WeaviateClient, name: str, generation: int) -> int:
    """Undo what builds behind ``generation`` have written and not published; the number of objects touched.

    Only for the newest published generation of a collection, and under the lock of builds.
    """
    objects = client.collections.use(name)
    with boundary(VectorStoreError, f"take back an unfinished build in {name!r}"):
        deleted = objects.data.delete_many(where=Filter.by_property("added").greater_than(generation))
        ended = Filter.by_property("removed").greater_than(generation) & Filter.by_property(
            "removed"
        ).less_than(FOREVER)
        revived = 0
        while some := objects.query.fetch_objects(filters=ended, limit=1_000, return_properties=[]).objects:
            for found in some:
                objects.data.update(uuid=found.uuid, properties={"removed": FOREVER})
            revived += len(some)
    return deleted.matches + revived


def drop_removed(client: weaviate.WeaviateClient, name: str, oldest: int) -> int:
    """Delete the objects that no reader of generation ``oldest`` or later sees; their number."""
    with boundary(VectorStoreError, f"delete removed objects of {name!r}"):
        answer = client.collections.use(name).data.delete_many(
            where=Filter.by_property("removed").less_or_equal(oldest)
        )
    return answer.matches


def set_alias(client: weaviate.WeaviateClient, alias: str, name: str) -> None:
    """Point ``alias`` to the collection ``name``."""
    with boundary(VectorStoreError, f"point {alias!r} to {name!r}"):
        before = client.alias.get(alias_name=alias)
        if before is None:
            client.alias.create(alias_name=alias, target_collection=name)
        elif before.collection != name:
            client.alias.update(alias_name=alias, new_target_collection=name)


def has_properties(client: weaviate.WeaviateClient, name: str) -> bool:
    """Whether a collection has every property that is written today; one of an earlier version may not."""
    with boundary(VectorStoreError, f"read the schema of {name!r}"):
        there = client.collections.use(name).config.get(simple=True).properties
    return {wanted.name for wanted in PROPERTIES} <= {found.name for found in there}


def exists(client: weaviate.WeaviateClient, name: str) -> bool:
    """Whether the server has the collection."""
    with boundary(VectorStoreError, f"look for collection {name!r}"):
        return client.collections.exists(name)


def names(client: weaviate.WeaviateClient, prefix: str) -> list[str]:
    """The collections whose names begin so."""
    with boundary(VectorStoreError, "list collections"):
        return sorted(name for name in client.collections.list_all(simple=True) if name.startswith(prefix))


def drop(client: weaviate.WeaviateClient, name: str) -> None:
    """Delete a collection with all it holds."""
    with boundary(VectorStoreError, f"drop collection {name!r}"):
        client.collections.delete(name)


def is_unavailable(error: BaseException) -> bool:
    """Whether the same call may succeed later: the server is away, starting, or refuses writes for now."""
    if isinstance(
        error,
        WeaviateConnectionError | WeaviateGRPCUnavailableError | WeaviateRetryError | WeaviateTimeoutError,
    ):
        return True
    if isinstance(error, UnexpectedStatusCodeError):
        return error.status_code in (429, 502, 503, 504) or bool(_BUSY.search(str(error)))
    return bool(_BUSY.search(str(error)))


def _text(name: str) -> Property:
    """Kept whole, to filter by."""
    return Property(
        name=name,
        data_type=DataType.TEXT,
        index_searchable=False,
        index_filterable=True,
        tokenization=Tokenization.FIELD,
    )


def _number(name: str, data_type: DataType = DataType.INT) -> Property:
    return Property(name=name, data_type=data_type, index_filterable=True, index_range_filters=True)


PROPERTIES = [
    *(_text(column) for column in ("row_id", "scope", "modality", "parent", "kind", "space")),
    *(_number(column) for column in ("number", "added", "removed")),
    *(_number(column, DataType.NUMBER) for column in ("start", "end")),
]
"""Of an object, beside its vector."""
