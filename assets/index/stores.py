"""Which store an index lies in, where in it, and opening it there for a build or for searching.

A store on a server keeps its vectors there and its words in the folder of the version; ``place`` says where on the server.
"""

import atexit
import hashlib
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, TypeAlias

from cachetools import cached

from assets.index.search import PAYLOAD
from assets.index.settings import IndexSettings
from infra.storage import manifest
from infra.storage.lease import Lease
from infra.storage.root import Storage
from infra.vector_stores.types import VectorStore

if TYPE_CHECKING:
    from weaviate import WeaviateClient

    from infra.vector_stores.lance import LanceStore
    from infra.vector_stores.weaviate_collections import WeaviateAddress

ALIAS = "VimragItems"  # on a Weaviate server, where others may want to search the index in use
PROBE_WAIT_S = 30.0
COLLECTIONS = "index/.collections"
"""A file for each collection that this root has made on a server, written before it is made and removed when it is dropped."""

Place: TypeAlias = Mapping[str, str | int]
"""``collection`` and ``generation`` on a Weaviate server; empty for LanceDB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexLocation:
    """A version that is there: where, and with which spaces."""

    version: str
    kind: str
    place: Place
    dims: Mapping[str, int]


def open_published(storage: Storage, index: IndexLocation) -> VectorStore:
    """The store of a published index, open for searching."""
    from infra.vector_stores.lance import LanceStore

    directory = f"index/{index.version}"
    folder = manifest.folder_of(directory, manifest.read(storage, directory))
    uri, options = storage.path(folder), storage.object_store_options()
    if index.kind == "weaviate":
        return _weaviate(
            LanceStore(uri, dims={}, payload=PAYLOAD, storage_options=options, live=False),
            index.place,
            index.dims,
        )
    return LanceStore(uri, dims=index.dims, payload=PAYLOAD, storage_options=options, live=False)


def open_new(
    storage: Storage,
    settings: IndexSettings,
    index: IndexLocation,
    folder: str,
    *,
    before: VectorStore | None,
    newest: int | None,
) -> tuple[Place, VectorStore]:
    """The store of a version that is to be filled, its words in ``folder``, and where it lies.

    Args:
        storage: the root.
        settings: what is wanted.
        index: the new version; its place is not known yet.
        folder: local folder of the words, or of everything.
        before: the index in use, if its vectors can be taken over.
        newest: the newest generation that is published in the collection of ``before``; a build goes on from that
            alone, for what lies behind it is taken back.
    """
    from infra.vector_stores.lance import LanceStore

    if settings.store == "lance":
        return {}, LanceStore(folder, dims=index.dims, payload=PAYLOAD, sole_writer=True)
    from infra.vector_stores import weaviate_collections as collections
    from infra.vector_stores.weaviate import WeaviateStore

    words = LanceStore(folder, dims={}, payload=PAYLOAD, sole_writer=True)
    if (
        isinstance(before, WeaviateStore)
        and before.generation == newest
        and collections.has_properties(weaviate_client(), before.collection)
    ):
        collections.take_back(weaviate_client(), before.collection, before.generation)
        place: Place = {"collection": before.collection, "generation": before.generation + 1}
        return place, _weaviate(words, place, index.dims, before=before)
    name = _new_collection(storage, index.version)
    lease = Lease(storage, [name], "a build of the index")
    storage.write_bytes(f"{COLLECTIONS}/{name}", f"{index.version}\n".encode())
    collections.create(weaviate_client(), name, index.dims, quantizer=settings.quantizer)
    place = {"collection": name, "generation": 1}
    store = _weaviate(words, place, index.dims)
    lease.bind(store)
    return place, store


def activate(kind: str, place: Place) -> None:
    """Let those who search by the alias see the version; readers of this project follow the pointer."""
    if kind == "weaviate":
        from infra.vector_stores.weaviate_collections import set_alias

        set_alias(weaviate_client(), os.environ.get("WEAVIATE_ALIAS", ALIAS), str(place["collection"]))


def drop(kind: str, place: Place, kept: Collection[Place]) -> None:
    """Drop what a version had on a server and no kept one has."""
    if kind != "weaviate":
        return
    from infra.vector_stores import weaviate_collections as collections

    generations = [
        int(other["generation"]) for other in kept if other.get("collection") == place["collection"]
    ]
    name = str(place["collection"])
    if not generations:
        collections.drop(weaviate_client(), name)
    elif int(place["generation"]) < min(generations):
        collections.drop_removed(weaviate_client(), name, min(generations))


def drop_collection(storage: Storage, name: str) -> None:
    """Drop a collection that this root has made and nobody uses, and what remembers it; the server's errors pass."""
    from infra.vector_stores import weaviate_collections as collections

    collections.drop(weaviate_client(), name)
    storage.remove_file(f"{COLLECTIONS}/{name}")


def weaviate_client() -> "WeaviateClient":
    """The client of this process for the server that the environment names; threads share it, and it closes at the end.

    WEAVIATE_URL, WEAVIATE_API_KEY, WEAVIATE_GRPC_PORT and WEAVIATE_GRPC_HOST; TLS where the URL is https.
    """
    return _client(_address(), os.getpid())


def _address() -> "WeaviateAddress":
    from infra.vector_stores.weaviate_collections import WeaviateAddress  # takes a second to import

    port = os.environ.get("WEAVIATE_GRPC_PORT", "50051")
    if not port.isdigit():
        raise ValueError(f"WEAVIATE_GRPC_PORT must be a number, not {port!r}")
    return WeaviateAddress(
        url=os.environ.get("WEAVIATE_URL", ""),
        api_key=os.environ.get("WEAVIATE_API_KEY"),
        grpc_port=int(port),
        grpc_host=os.environ.get("WEAVIATE_GRPC_HOST"),
    )


@cached(cache={}, lock=Lock())
def _client(address: "WeaviateAddress", process: int) -> "WeaviateClient":
    """A client a process: its connections do not survive a fork."""
    from infra.vector_stores.weaviate_collections import connect

    client = connect(address)
    atexit.register(client.close)
    return client


def _weaviate(
    words: "LanceStore", place: Place, dims: Mapping[str, int], before: VectorStore | None = None
) -> VectorStore:
    from infra.vector_stores.weaviate import WeaviateStore

    return WeaviateStore(
        weaviate_client(),
        words,
        collection=str(place["collection"]),
        generation=int(place["generation"]),
        dims=dims,
        before=before if isinstance(before, WeaviateStore) else None,
        address=_address(),
    )


def _new_collection(storage: Storage, version: str) -> str:
    """A name that no other root and no other attempt has."""
    root = hashlib.sha256(storage.root.encode()).hexdigest()[:8]
    return f"{ALIAS}_{root}_{version[:8]}_{os.urandom(4).hex()}"
