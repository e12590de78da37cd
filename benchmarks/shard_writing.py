"""What publishing shards costs beside webdataset's own writer: one JSON line.

The same samples, page images of some 200 kB and clips of eight frames, go into tars twice: through ``assets.corpus.shards`` as a
corpus is built (tars, index, sha256 of every file, manifest) and through ``webdataset.ShardWriter``, which only writes tars::

    python benchmarks/shard_writing.py [--samples 1000] [--repeats 7]

The two take turns and the ratio is the median over the repeats of ours by theirs. ``unflushed`` is the same without waiting
for the device, which webdataset does not do either: what the disk takes to settle is not the writer's.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import numpy as np
import webdataset

from assets.corpus.shards import ShardWriter, directory
from infra.storage.publication import publish
from infra.storage.root import Storage

PAGE_BYTES, FRAME_BYTES = 200_000, 12_000
FRAMES = 8
CLIP_EVERY = 5  # every fifth sample is a clip
SHARD_BYTES = 64 * 1024 * 1024


class Sample(NamedTuple):
    """What both writers are given."""

    key: str
    members: tuple[tuple[str, bytes], ...]
    meta: dict[str, object]


def samples(num: int) -> list[Sample]:
    """Bytes that do not compress, as those of pictures; sizes vary by a third."""
    drawn = np.random.default_rng(1)

    def data(mean: int) -> bytes:
        return drawn.bytes(int(mean * drawn.uniform(0.67, 1.33)))

    return [
        Sample(f"{number:064x}", tuple((f"{at}.jpg", data(FRAME_BYTES)) for at in range(FRAMES)), _times())
        if number % CLIP_EVERY == 0
        else Sample(f"{number:064x}", (("jpg", data(PAGE_BYTES)),), {})
        for number in range(num)
    ]


def _times() -> dict[str, object]:
    return {"times": [0.5 + second for second in range(FRAMES)]}


def ours(given: list[Sample], folder: Path) -> None:
    storage = Storage(folder)
    with publish(storage, directory("bench"), producer="benchmark", params={}, inputs={}) as publication:
        writer = ShardWriter(publication, "bench", max_bytes=SHARD_BYTES)
        for sample in given:
            writer.add(sample.key, f"bench:page:{sample.key}", sample.members, sample.meta)
        writer.finish({})


def unflushed(given: list[Sample], folder: Path) -> None:
    with mock.patch.object(os, "fsync", lambda _: None):
        ours(given, folder)


def theirs(given: list[Sample], folder: Path) -> None:
    folder.mkdir()
    pattern = str(folder / "bench-%06d.tar")
    with webdataset.ShardWriter(pattern, maxcount=10**9, maxsize=SHARD_BYTES, mtime=0, verbose=0) as writer:
        for sample in given:
            record = {"item_id": f"bench:page:{sample.key}", "dataset": "bench", **sample.meta}
            writer.write({"__key__": sample.key, "json": record, **dict(sample.members)})


def seconds(write: Callable[[list[Sample], Path], None], given: list[Sample]) -> float:
    with tempfile.TemporaryDirectory() as scratch:
        started = time.perf_counter()
        write(given, Path(scratch, "out"))
        elapsed = time.perf_counter() - started
        os.sync()  # outside the clock, so that nobody pays for what another has left to the device
    return elapsed


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Shards with index and hashes; the peer is webdataset.ShardWriter."
    )
    parser.add_argument("--samples", type=int, default=1_000)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    given = samples(arguments.samples)
    writers = (theirs, unflushed, ours)
    for write in writers:
        seconds(write, given[:CLIP_EVERY])  # what is imported at first use
    rounds = [[seconds(write, given) for write in writers] for _ in range(arguments.repeats)]
    print(json.dumps(line(given, rounds)))


def line(given: list[Sample], rounds: list[list[float]]) -> dict[str, object]:
    """``rounds``: seconds of theirs, unflushed and ours, by repeat."""
    peer, quick, whole = (statistics.median(times) for times in zip(*rounds, strict=True))
    return {
        "name": "shard_writing",
        "sizes": {"samples": len(given), "repeats": len(rounds)},
        "bytes": sum(len(data) for sample in given for _, data in sample.members),
        "peer": "webdataset.ShardWriter, which neither hashes nor indexes",
        "ratio": round(statistics.median(times[2] / times[0] for times in rounds), 3),
        "ratio_unflushed": round(statistics.median(times[1] / times[0] for times in rounds), 3),
        "seconds": {"theirs": round(peer, 3), "unflushed": round(quick, 3), "ours": round(whole, 3)},
    }


if __name__ == "__main__":
    main()
