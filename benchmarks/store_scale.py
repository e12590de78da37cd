"""Both stores at size beside their raw clients, FAISS and bm25s: ingest, hybrid search, recall and memory, one JSON line.

Unit vectors around 200 centres with texts of Zipf-like words, one vector a row. Every side stands in a process of its own and
is fed the same rows: the adapter, the raw client of the same store with the same settings (its own calls and nothing besides),
FAISS (HNSW, M 32, as the raw graph) and bm25s where they are installed. A hybrid query is one vector and three words; recall is
taken against all cosines. Weaviate needs the binary of ``make weaviate``::

    pip install faiss-cpu bm25s  # optional
    python benchmarks/store_scale.py [--rows 200000] [--dim 384] [--stores lance,weaviate]

Ratios: ``ingest`` above 1 means that the adapter is faster than the raw client, ``p95`` above 1 that it is slower.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from infra.vector_stores.types import StoreHit, TextQuery, VectorRow, Vectors, VectorStore

CENTRES, SPREAD = 200, 0.06
VOCABULARY, WORDS = 20_000, 24
BATCH, RAW_BATCH = 2_048, 1_000
QUERIES, TOP = 200, 10
STORES = ("lance", "weaviate")


class Batch(NamedTuple):
    """Rows ``first`` and on."""

    first: int
    vectors: Vectors
    texts: list[str]

    @property
    def ids(self) -> list[str]:
        return [f"bench:page:{self.first + at:07d}" for at in range(len(self.texts))]


class Size(NamedTuple):
    """Of the whole."""

    rows: int
    dim: int

    def batch(self, first: int, count: int) -> Batch:
        """A batch depends on where it begins and on nothing else."""
        centres = np.random.default_rng(1).standard_normal((CENTRES, self.dim), dtype=np.float32)
        centres /= np.linalg.norm(centres, axis=1, keepdims=True)
        draw = np.random.default_rng([2, first])
        found = centres[draw.integers(0, CENTRES, count)]
        found += SPREAD * draw.standard_normal((count, self.dim), dtype=np.float32)
        words = np.minimum(draw.zipf(1.3, (count, WORDS)), VOCABULARY)
        texts = [" ".join(f"word{number}" for number in row) for row in words]
        return Batch(first, found / np.linalg.norm(found, axis=1, keepdims=True), texts)

    def batches(self, rows: int = BATCH) -> Iterator[Batch]:
        for first in range(0, self.rows, BATCH):
            whole = self.batch(first, min(BATCH, self.rows - first))
            for at in range(0, len(whole.texts), rows):
                yield Batch(first + at, whole.vectors[at : at + rows], whole.texts[at : at + rows])

    def queries(self) -> tuple[Vectors, list[str]]:
        drawn = self.batch(10**9, QUERIES)
        return drawn.vectors, [" ".join(text.split()[:3]) for text in drawn.texts]


class Side(NamedTuple):
    """What is measured of one side: how it takes everything, how it answers, and who else holds memory for it."""

    ingest: Callable[[], None]
    nearest: Callable[[Vectors], Sequence[str]] | None
    words: Callable[[str], Any] | None
    memory_mib: Callable[[], int]


def own_memory() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def adapter(store: VectorStore, size: Size, memory_mib: Callable[[], int]) -> Side:
    def ingest() -> None:
        for batch in size.batches():
            store.upsert(
                [
                    VectorRow(
                        id=id_, scope="bench", content_hash=id_, vectors={"text": vector[None]}, terms=text
                    )
                    for id_, vector, text in zip(batch.ids, batch.vectors, batch.texts, strict=True)
                ]
            )
        store.publish()

    def ids(hits: list[list[StoreHit]]) -> list[str]:
        return [hit.id for hit in hits[0]]

    return Side(
        ingest,
        lambda query: ids(store.search_vectors("text", query[None], limit=TOP)),
        lambda text: store.search_texts([TextQuery(text)], limit=TOP),
        memory_mib,
    )


def lance(size: Size, folder: Path, *, raw: bool) -> Side:
    from infra.vector_stores.lance import LanceStore

    if not raw:
        store = LanceStore(str(folder), dims={"text": size.dim}, payload={}, sole_writer=True)
        return adapter(store, size, own_memory)
    import lancedb
    import pyarrow as pa
    from lancedb.index import FTS, BTree, IvfSq
    from lancedb.table import Table

    database = lancedb.connect(str(folder))
    opened: list[Table] = []

    def table_of(batch: Batch) -> pa.Table:
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(batch.vectors.ravel()), size.dim)
        return pa.table({"id": batch.ids, "terms": batch.texts, "vector": vectors})

    def ingest() -> None:
        for batch in size.batches():
            if opened:
                opened[0].add(table_of(batch))
            else:
                opened.append(database.create_table("raw", table_of(batch)))
        table = opened[0]
        table.create_index(
            "terms", config=FTS(base_tokenizer="whitespace", stem=False, remove_stop_words=False)
        )
        table.create_index("id", config=BTree())
        table.create_index(
            "vector", config=IvfSq(distance_type="cosine", num_partitions=max(size.rows // 4096, 1))
        )
        table.optimize()

    def nearest(query: Vectors) -> list[str]:
        search: Any = opened[0].search(query, vector_column_name="vector")
        found = (
            search.distance_type("cosine").nprobes(20).refine_factor(4).select(["id", "_distance"]).limit(TOP)
        )
        return found.to_arrow()["id"].to_pylist()

    def words(text: str) -> Any:
        return opened[0].search(text, query_type="fts").select(["id", "_score"]).limit(TOP).to_arrow()

    return Side(ingest, nearest, words, own_memory)


def weaviate(size: Size, folder: Path, *, raw: bool) -> Side:
    from weaviate.classes.config import DataType, Property
    from weaviate.classes.data import DataObject

    from infra.vector_stores.lance import LanceStore
    from infra.vector_stores.weaviate import WeaviateStore
    from infra.vector_stores.weaviate_collections import connect, create
    from tests.weaviate.server import WeaviateServer

    server = WeaviateServer(folder / "server")
    server.start()
    client = connect(server.address)

    def memory_mib() -> int:
        resident = server.resident_mib
        client.close()
        server.kill()
        return resident if raw else resident + own_memory()

    create(client, "Bench", {"text": size.dim})
    if not raw:
        words_store = LanceStore(str(folder / "words"), dims={}, payload={}, sole_writer=True)
        store = WeaviateStore(
            client,
            words_store,
            collection="Bench",
            generation=1,
            dims={"text": size.dim},
            address=server.address,
        )
        return adapter(store, size, memory_mib)
    collection = client.collections.use("Bench")
    collection.config.add_property(Property(name="terms", data_type=DataType.TEXT))

    def ingest() -> None:
        for batch in size.batches(RAW_BATCH):
            collection.data.insert_many(
                [
                    DataObject(properties={"row_id": id_, "terms": text}, vector={"text": vector.tolist()})
                    for id_, vector, text in zip(batch.ids, batch.vectors, batch.texts, strict=True)
                ]
            )

    def nearest(query: Vectors) -> list[str]:
        found = collection.query.near_vector(query.tolist(), limit=TOP, return_properties=["row_id"])
        return [str(each.properties["row_id"]) for each in found.objects]

    def words(text: str) -> Any:
        return collection.query.bm25(
            text, query_properties=["terms"], limit=TOP, return_properties=["row_id"]
        )

    return Side(ingest, nearest, words, memory_mib)


def faiss(size: Size, folder: Path, *, raw: bool) -> Side:
    import faiss as library

    graph: Any = library.IndexHNSWFlat(size.dim, 32, library.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction, graph.hnsw.efSearch = 128, 128

    def ingest() -> None:
        for batch in size.batches():
            graph.add(batch.vectors)

    def nearest(query: Vectors) -> list[str]:
        return [f"bench:page:{number:07d}" for number in graph.search(query[None], TOP)[1][0]]

    return Side(ingest, nearest, None, own_memory)


def bm25s(size: Size, folder: Path, *, raw: bool) -> Side:
    import bm25s as library

    index: Any = library.BM25(k1=1.2, b=0.75, method="lucene")

    def ingest() -> None:
        texts = [text.split() for batch in size.batches() for text in batch.texts]
        index.index(texts, show_progress=False)

    return Side(
        ingest, None, lambda text: index.retrieve([text.split()], k=TOP, show_progress=False), own_memory
    )


SIDES: dict[str, Callable[..., Side]] = {"lance": lance, "weaviate": weaviate, "faiss": faiss, "bm25s": bm25s}


def measured(side: Side, size: Size) -> dict[str, Any]:
    """Figures of one side, and under ``found`` the nearest rows it gave each query."""
    began = time.perf_counter()
    side.ingest()
    facts: dict[str, Any] = {"rows_per_s": round(size.rows / (time.perf_counter() - began))}
    vectors, texts = size.queries()
    calls: dict[str, list[Callable[[], Any]]] = {}
    if nearest := side.nearest:
        facts["found"] = [list(nearest(query)) for query in vectors]
        calls["vector_ms"] = [partial(nearest, query) for query in vectors]
    if words := side.words:
        calls["words_ms"] = [partial(words, text) for text in texts]
    if nearest and words:
        calls["hybrid_ms"] = [
            lambda both=both: [call() for call in both]
            for both in zip(calls["vector_ms"], calls["words_ms"], strict=True)
        ]
    facts |= {name: latencies(each) for name, each in calls.items()}
    return facts | {"memory_mib": side.memory_mib()}


def latencies(calls: Sequence[Callable[[], Any]]) -> list[float]:
    """Median and 95th percentile in milliseconds, one call after the other; the first ten warm up."""
    times = []
    for call in calls:
        began = time.perf_counter()
        call()
        times.append((time.perf_counter() - began) * 1e3)
    return [round(float(np.quantile(times[10:], share)), 2) for share in (0.5, 0.95)]


def exact(size: Size) -> list[set[str]]:
    """The nearest ``TOP`` rows of each query by all cosines."""
    queries, _ = size.queries()
    scores = np.concatenate([queries @ batch.vectors.T for batch in size.batches()], axis=1)
    nearest = np.argpartition(-scores, TOP, axis=1)[:, :TOP]
    return [{f"bench:page:{number:07d}" for number in row} for row in nearest]


def in_a_process(name: str, size: Size, *, raw: bool) -> dict[str, Any]:
    command = [sys.executable, __file__, "--rows", str(size.rows), "--dim", str(size.dim), "--inside", name]
    finished = subprocess.run(command + ["--raw"] * raw, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise SystemExit(finished.stderr[-2_000:])
    return json.loads(finished.stdout)


def compared(size: Size, stores: Sequence[str]) -> dict[str, Any]:
    nearest = exact(size)
    figures: dict[str, Any] = {}
    sides = [(store, raw) for store in stores for raw in (True, False)]
    sides += [(peer, False) for peer in ("faiss", "bm25s") if importlib.util.find_spec(peer)]
    for name, raw in sides:
        side = in_a_process(name, size, raw=raw)
        if found := side.pop("found", None):
            hits = [len(set(one) & other) / TOP for one, other in zip(found, nearest, strict=True)]
            side["recall_at_10"] = round(float(np.mean(hits)), 4)
        figures[f"{name}_raw" if raw else name] = side
    ratios = {
        store: {
            "ingest": round(figures[store]["rows_per_s"] / figures[f"{store}_raw"]["rows_per_s"], 2),
            "p95": round(figures[store]["hybrid_ms"][1] / figures[f"{store}_raw"]["hybrid_ms"][1], 2),
        }
        for store in stores
    }
    return {"ratios": ratios, "sides": figures}


def main() -> None:
    parser = argparse.ArgumentParser(description="Both stores at size; the peers are their raw clients.")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--dim", type=int, default=384)
    parser.add_argument("--stores", default=",".join(STORES))
    parser.add_argument("--inside", choices=SIDES, help="measure this side in this very process")
    parser.add_argument("--raw", action="store_true")
    arguments = parser.parse_args()
    size = Size(arguments.rows, arguments.dim)
    if arguments.inside:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(measured(SIDES[arguments.inside](size, Path(folder), raw=arguments.raw), size)))
        return
    peer = "the raw client of the same store"
    line = {"benchmark": "store_scale", "peer": peer, "rows": size.rows, "dim": size.dim}
    print(json.dumps(line | compared(size, arguments.stores.split(","))))


if __name__ == "__main__":
    main()
