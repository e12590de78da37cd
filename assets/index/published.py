"""The index in use: the pointer to it, and opening it.

An index lies under ``index/<version>/`` with a manifest; ``index/current.json``, written last by ``build.py``, points to the
one in use. Searching lives in ``search.py``.
"""

import json
import os
import weakref
from collections.abc import Mapping
from dataclasses import dataclass

from assets.index.search import PAYLOAD, Index
from infra.embedders.minilm import Embedder, MiniLmEmbedder
from infra.storage import manifest
from infra.storage.root import Storage
from infra.vector_stores.lance import LanceStore
from infra.vector_stores.types import VectorStore

SCHEMA_VERSION = 1


CURRENT = "index/current.json"


ALIAS = "VimragItems"  # on a Weaviate server, where others may want to search the index in use


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexPointer:
    """Which index is in use, and what it must answer."""

    schema_version: int = SCHEMA_VERSION
    version: str
    store: str
    embedder: str  # fingerprint
    fingerprint: str  # of the hits of the probes
    datasets: Mapping[str, int]  # items of each


def open_index(storage: Storage, *, embedder: Embedder | None = None) -> Index:
    """The index in use.

    Raises:
        ValueError: if there is none, if it is damaged, or if it was built with another embedder.
    """
    pointer = current_index(storage)
    if pointer is None:
        raise ValueError(f"no index at {storage.path('index')!r}; build one with `vimrag index build`")
    embedder = embedder or MiniLmEmbedder()
    if embedder.fingerprint != pointer.embedder:
        raise ValueError(
            f"the index was built with embedder {pointer.embedder[:12]}, this is {embedder.fingerprint[:12]}; "
            "build it again"
        )
    manifest.read(storage, f"index/{pointer.version}")
    store = published_store(storage, pointer.store, pointer.version, embedder.dim)
    return Index(store, embedder, version=pointer.version)


def current_index(storage: Storage) -> IndexPointer | None:
    """What ``index/current.json`` says; None if there is no index yet.

    Raises:
        ValueError: if the file is damaged or of a newer schema.
    """
    try:
        pointer = IndexPointer(**json.loads(storage.read_bytes(CURRENT)))
    except FileNotFoundError:
        return None
    except (TypeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"damaged {storage.path(CURRENT)!r}: {error}; build the index again") from error
    if pointer.schema_version > SCHEMA_VERSION:
        raise ValueError(
            f"the index has schema {pointer.schema_version}, this version reads up to {SCHEMA_VERSION}"
        )
    return pointer


def open_store(
    store: str, uri: str, options: Mapping[str, str], dim: int, *, version: str, live: bool
) -> VectorStore:
    """The store called ``store`` of one index version: for a build that fills it if ``live``, else for searching."""
    if store == "weaviate":
        from infra.vector_stores.weaviate import WeaviateStore, connect  # its client takes a second to import

        client = connect(os.environ.get("WEAVIATE_URL", ""), api_key=os.environ.get("WEAVIATE_API_KEY"))
        opened = WeaviateStore(client, alias=ALIAS, version=version, dim=dim, payload=PAYLOAD, live=live)
        weakref.finalize(opened, client.close)
        return opened
    return LanceStore(uri, dim=dim, payload=PAYLOAD, storage_options=options, live=live)


def published_store(storage: Storage, store: str, version: str, dim: int) -> VectorStore:
    """The store of a published index, open for searching."""
    uri, options = storage.path("index", version), storage.lance_options()
    return open_store(store, uri, options, dim, version=version, live=False)
