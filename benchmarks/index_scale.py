"""A large index on disk through the LanceDB adapter: time, memory and recall by size, one JSON line.

Vectors of 256 dimensions around 200 centres are upserted in batches and published, in a process a size, so that its peak
memory is its own; recall is taken on disk, with nothing resident, against all cosines::

    python benchmarks/index_scale.py [--sizes 20000,200000]

The peer is the exact search over the same vectors in NumPy; the ratio is the median time of a query, ours by its.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from infra.vector_stores.lance import LanceStore
from infra.vector_stores.types import VectorRow, Vectors

DIM, CENTRES, SPREAD = 256, 200, 0.06
BATCH = 4_096
QUERIES, TOP = 100, 10
LIMIT_MIB = 4 * 1024  # what an index of 200,000 rows may take


def vectors(first: int, num: int) -> Vectors:
    """Unit vectors ``[num, DIM]`` around shared centres; a batch depends on where it begins."""
    centres = np.random.default_rng(1).standard_normal((CENTRES, DIM), dtype=np.float32)
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    drawn = np.random.default_rng([2, first])
    found = centres[drawn.integers(0, CENTRES, num)]
    found += SPREAD * drawn.standard_normal((num, DIM), dtype=np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def batches(size: int) -> Iterator[tuple[int, Vectors]]:
    """The first number of each batch, and its vectors."""
    for first in range(0, size, BATCH):
        yield first, vectors(first, min(BATCH, size - first))


def row(number: int, vector: Vectors) -> VectorRow:
    terms = f"word{number % 1_000} word{number % 977} word{number % 31}"
    name = f"bench:page:{number:07d}"
    return VectorRow(
        id=name, scope="bench", content_hash=f"{number:064x}", vectors={"text": vector[None]}, terms=terms
    )


def measured(size: int, folder: Path) -> dict[str, Any]:
    """Write, publish and search one index in this process."""
    store = LanceStore(str(folder / "index"), dims={"text": DIM}, payload={}, resident_passages=0)
    began = time.perf_counter()
    for first, part in batches(size):
        store.upsert([row(first + at, vector) for at, vector in enumerate(part)])
    written = time.perf_counter()
    store.publish()
    published = time.perf_counter()
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if (count := store.count()) != size:
        raise SystemExit(f"{count} rows of {size} are in the index")
    facts = {"rows": size, "upsert_s": round(written - began, 1), "publish_s": round(published - written, 1)}
    return facts | {"peak_mib": round(peak_mib)} | searched(store, size)


def searched(store: LanceStore, size: int) -> dict[str, Any]:
    """Recall of the nearest ``TOP`` and milliseconds a query, on disk and by all cosines."""
    queries = vectors(10**9, QUERIES)
    every = np.concatenate([part for _, part in batches(size)])
    hits: list[int] = []
    ours: list[float] = []
    peer: list[float] = []
    for query in queries:
        began = time.perf_counter()
        found = {hit.id for hit in store.search_vectors("text", query[None], limit=TOP)[0]}
        between = time.perf_counter()
        nearest = np.argpartition(-(every @ query), TOP)[:TOP]
        peer.append(time.perf_counter() - between)
        ours.append(between - began)
        hits.append(len(found & {f"bench:page:{number:07d}" for number in nearest}))
    return {
        "recall_at_10": round(sum(hits) / (TOP * QUERIES), 4),
        "query_ms": round(float(np.median(ours)) * 1e3, 2),
        "exact_ms": round(float(np.median(peer)) * 1e3, 2),
    }


def in_a_process(size: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--sizes", str(size), "--inside"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise SystemExit(finished.stderr[-2_000:])
    return json.loads(finished.stdout)


def _sizes(text: str) -> list[int]:
    sizes = [int(size) for size in text.split(",")]
    if min(sizes) < TOP:
        raise argparse.ArgumentTypeError(f"at least {TOP} rows each, not {text!r}")
    return sizes


def main() -> None:
    parser = argparse.ArgumentParser(description="A large index on disk; the peer is exact search in NumPy.")
    parser.add_argument("--sizes", type=_sizes, default="20000,200000", help="rows of each index")
    parser.add_argument("--inside", action="store_true", help="measure the one size in this very process")
    arguments = parser.parse_args()
    sizes = arguments.sizes
    if arguments.inside:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(measured(sizes[0], Path(folder))))
        return
    runs = [in_a_process(size) for size in sizes]
    peer = "all cosines in NumPy, everything in memory"
    line = {"name": "index_scale", "sizes": sizes, "peer": peer, "limit_mib": LIMIT_MIB, "runs": runs}
    print(json.dumps(line | {"ratio": round(runs[-1]["query_ms"] / runs[-1]["exact_ms"], 3)}))


if __name__ == "__main__":
    main()
