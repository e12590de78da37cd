"""Pairs of writers at once on S3: of each pair one publishes and the other says that it lost; one JSON line.

Both begin before either is done, in processes of their own, and publish versions of one artifact to a real SeaweedFS. After each
pair the current version is that of the winner, with every byte::

    python benchmarks/writers_at_once.py [--pairs 50]

There is no peer: a plain PUT would let both win, which is what is counted as ``both_won``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from multiprocessing.managers import SyncManager
from pathlib import Path
from threading import Barrier
from typing import Any

from infra.storage import manifest
from infra.storage.publication import publish
from infra.storage.root import Storage
from infra.storage.swap import LostRaceError
from tests.artifacts import verify
from tests.faults.places import BUCKET, Places

SAID = "was replaced by another writer since this one began; nothing was published"


def write(storage: Storage, text: bytes, barrier: Barrier) -> str:
    """What a writer says at its end; both have begun, and written, when either publishes."""
    try:
        with publish(storage, "art", producer="drill", params={}, inputs={}, versioned=True) as made:
            made.write_bytes("a.txt", text)
            barrier.wait(60)
    except LostRaceError as error:
        return str(error)
    return "won"


def pair(number: int, storage: Storage, pool: ProcessPoolExecutor, barrier: Barrier) -> tuple[int, bool]:
    """How many won, and whether what is current is whole and the winner's, and the other said so."""
    texts = [f"pair {number}, writer {writer}".encode() * 50 for writer in range(2)]
    said = [each.result() for each in [pool.submit(write, storage, text, barrier) for text in texts]]
    verify(storage, "art")
    with manifest.open_file(storage, "art", "a.txt") as file:
        current = file.read()
    won = [text for text, each in zip(texts, said, strict=True) if each == "won"]
    return len(won), won == [current] and all(each == "won" or SAID in each for each in said)


def drill(pairs: int, storage: Storage) -> dict[str, Any]:
    began = time.monotonic()
    context = get_context("spawn")
    with SyncManager(ctx=context) as manager, ProcessPoolExecutor(2, context) as pool:
        barrier = manager.Barrier(2)
        ended = [pair(number, storage, pool, barrier) for number in range(pairs)]
    return {
        "name": "writers_at_once",
        "pairs": pairs,
        "one_won_and_one_said_so": sum(right for _, right in ended),
        "both_won": sum(won == 2 for won, _ in ended),
        "none_won": sum(won == 0 for won, _ in ended),
        "versions": len(storage.list("art")) - 1,
        "seconds": round(time.monotonic() - began, 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Pairs of writers at once; exit code 1 if any pair ends otherwise."
    )
    parser.add_argument("--pairs", type=int, default=50)
    pairs = parser.parse_args().pairs
    with tempfile.TemporaryDirectory(prefix="writers-") as folder:
        places = Places(Path(folder))
        try:
            result = drill(pairs, Storage(f"s3://{BUCKET}/writers", places.s3.options))
        finally:
            places.close()
    print(json.dumps(result))
    return 0 if result["one_won_and_one_said_so"] == pairs else 1


if __name__ == "__main__":
    sys.exit(main())
