"""The Weaviate adapter against the raw client on the same live server: ingest, search, recall and memory, one JSON line.

Vectors around 200 centres, one object a row. The raw client inserts the same vectors with one property into a collection of
the same settings; recall is taken against all cosines. Needs the binary of ``make weaviate``::

    python benchmarks/weaviate_scale.py [--rows 20000] [--dim 384]

The peer is the raw client: ratios above 1 mean that the adapter is faster in ingest, slower in search.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import weaviate
from weaviate.classes.data import DataObject

from infra.vector_stores.lance import LanceStore
from infra.vector_stores.types import VectorRow, Vectors
from infra.vector_stores.weaviate import WeaviateStore
from infra.vector_stores.weaviate_collections import connect, create
from tests.weaviate.server import WeaviateServer

CENTRES, SPREAD = 200, 0.06
BATCH, RAW_BATCH = 2_048, 1_000
QUERIES, TOP, OBJECTS = 200, 10, 30  # the adapter asks for three objects a row


def vectors(count: int, dim: int, seed: int) -> Vectors:
    """Unit vectors ``[count, dim]`` around shared centres."""
    centres = np.random.default_rng(1).standard_normal((CENTRES, dim), dtype=np.float32)
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    noise = np.random.default_rng(seed)
    drawn = centres[noise.integers(0, CENTRES, count)] + SPREAD * noise.standard_normal(
        (count, dim), np.float32
    )
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def raw_ingest(client: weaviate.WeaviateClient, name: str, matrix: Vectors) -> None:
    create(client, name, {"text": matrix.shape[1]})
    objects = client.collections.use(name).data
    for start in range(0, len(matrix), RAW_BATCH):
        objects.insert_many(
            [
                DataObject(properties={"row_id": str(start + at)}, vector={"text": vector.tolist()})
                for at, vector in enumerate(matrix[start : start + RAW_BATCH])
            ]
        )


def ours_ingest(store: WeaviateStore, matrix: Vectors) -> None:
    for start in range(0, len(matrix), BATCH):
        store.upsert(
            [
                VectorRow(id=str(start + at), scope="s", content_hash="", vectors={"text": vector[None]})
                for at, vector in enumerate(matrix[start : start + BATCH])
            ]
        )
    store.publish()


def latencies(search: Callable[[Vectors], Any], queries: Vectors) -> list[float]:
    """Milliseconds: median and 95th percentile."""
    times = [seconds(lambda query=query: search(query)) for query in queries]
    return [round(float(np.quantile(times, share)) * 1e3, 2) for share in (0.5, 0.95)]


def measured(rows: int, dim: int, folder: Path) -> dict[str, Any]:
    matrix, queries = vectors(rows, dim, 2), vectors(QUERIES, dim, 3)
    server = WeaviateServer(folder / "server")
    server.start()
    try:
        with connect(server.address) as client:
            raw_s = seconds(lambda: raw_ingest(client, "Raw", matrix))
            create(client, "Ours", {"text": dim})
            words = LanceStore(str(folder / "words"), dims={}, payload={})
            store = WeaviateStore(
                client, words, collection="Ours", generation=1, dims={"text": dim}, address=server.address
            )
            ours_s = seconds(lambda: ours_ingest(store, matrix))
            raw = client.collections.use("Raw").query
            peer = latencies(
                lambda query: raw.near_vector(query.tolist(), limit=OBJECTS, return_properties=["row_id"]),
                queries,
            )
            ours = latencies(lambda query: store.search_vectors("text", query[None], limit=TOP), queries)
            recall = [
                len(
                    {hit.id for hit in hits}
                    & {str(at) for at in np.argpartition(-(matrix @ query), TOP)[:TOP]}
                )
                / TOP
                for query, hits in zip(queries, store.search_vectors("text", queries, limit=TOP), strict=True)
            ]
        return {
            "rows": rows,
            "dim": dim,
            "ingest_per_s": round(rows / ours_s),
            "raw_ingest_per_s": round(rows / raw_s),
            "ingest_ratio": round(raw_s / ours_s, 2),
            "search_ms": ours,
            "raw_search_ms": peer,
            "p95_ratio": round(ours[1] / peer[1], 2),
            "recall_at_10": round(float(np.mean(recall)), 4),
            "server_mib": server.resident_mib,
        }
    finally:
        server.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description="The Weaviate adapter; the peer is the raw client.")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--dim", type=int, default=384)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        facts = measured(arguments.rows, arguments.dim, Path(folder))
    print(
        json.dumps(
            {"benchmark": "weaviate_scale", "peer": "weaviate-client insert_many and near_vector", **facts}
        )
    )


if __name__ == "__main__":
    main()
