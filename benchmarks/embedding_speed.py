"""Texts embedded a second by MiniLM: runs of equal length against one text a run, in the same process, taking turns.

    OMP_NUM_THREADS=2 python benchmarks/embedding_speed.py

Both give the same vectors, bit by bit; the script fails otherwise. Ratios are of processor time and of wall time; on a busy
machine the first is the steadier one.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from infra.embedders.minilm import MiniLmEmbedder

WORDS = ("river", "bridge", "engine", "market", "winter", "signal", "garden", "copper", "window", "valley")
LENGTHS = {
    "titles (6 words)": 6,
    "captions (20 words)": 20,
    "sentences (45 words)": 45,
    "passages (96 words)": 96,
}


class Timing(NamedTuple):
    wall_s: float
    cpu_s: float


def one_a_run(embedder: MiniLmEmbedder, texts: Sequence[str], threads: int) -> np.ndarray:
    """As it was: every text a run of its own, some at once."""
    with ThreadPoolExecutor(max_workers=threads) as pool:
        return np.concatenate(list(pool.map(lambda text: embedder.encode_documents([text]), texts)))


def timed(work) -> tuple[np.ndarray, Timing]:
    wall, cpu = time.perf_counter(), time.process_time()
    found = work()
    return found, Timing(time.perf_counter() - wall, time.process_time() - cpu)


def drawn(words: int, count: int, rng: random.Random) -> list[str]:
    """Texts of about ``words`` words, lengths spread by a fifth as in prose."""
    spread = max(1, words // 5)
    return [
        " ".join(rng.choice(WORDS) for _ in range(max(1, words + rng.randint(-spread, spread))))
        for _ in range(count)
    ]


def measure(threads: int, count: int, repeats: int) -> dict[str, dict[str, float]]:
    embedder, rng = MiniLmEmbedder(num_threads=threads), random.Random(0)
    embedder.encode_documents(["loaded"])
    results = {}
    for name, words in LENGTHS.items():
        texts = drawn(words, count if words < 60 else count // 4, rng)
        single, grouped = [], []
        for _ in range(repeats):
            before, took = timed(lambda texts=texts: one_a_run(embedder, texts, threads))
            single.append(took)
            after, took = timed(lambda texts=texts: embedder.encode_documents(texts))
            grouped.append(took)
            assert np.array_equal(before, after), "a vector depends on its company"
        old, new = min(single, key=lambda t: t.cpu_s), min(grouped, key=lambda t: t.cpu_s)
        results[name] = {
            "texts_per_s_before": len(texts) / min(t.wall_s for t in single),
            "texts_per_s": len(texts) / min(t.wall_s for t in grouped),
            "wall_ratio": min(t.wall_s for t in single) / min(t.wall_s for t in grouped),
            "cpu_ratio": old.cpu_s / new.cpu_s,
        }
    results["process"] = {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--texts", type=int, default=400)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    print(json.dumps(measure(arguments.threads, arguments.texts, arguments.repeats), indent=1))
