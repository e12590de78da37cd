"""Readers while an index is switched under them: the time of a search with and without, on both stores, one JSON line.

Eight threads ask, opening the index anew after every five questions; in one half of the run nothing happens, in the other the
corpus changes and is indexed again and again in another process, as schedules do it. Needs the binary of ``make weaviate``::

    python benchmarks/readers_during_switches.py [--items 2000] [--switches 20]

The peer is the quiet half of the same run: ``ratio`` is the 95th percentile during the switches over that one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from infra.storage.root import Storage
from tests.assets.index.test_index_faults import Readers, build, corpus
from tests.assets.small_corpus import write_corpus
from tests.weaviate.server import WeaviateServer

SWITCHING = """
import sys
from infra.storage.root import Storage
from tests.assets.index.test_index_faults import build, corpus
from tests.assets.small_corpus import write_corpus
storage, store, items, switches = Storage(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
for number in range(switches):
    write_corpus(storage, corpus(items // 10, seed=number + 1) + corpus(items)[items // 10 :])
    build(storage, store)
"""


def milliseconds(seconds: list[float]) -> list[float]:
    return [round(float(np.quantile(seconds, share)) * 1e3, 2) for share in (0.5, 0.95)]


def measured(store: str, items: int, switches: int, folder: Path) -> dict[str, Any]:
    storage = Storage(folder / store)
    write_corpus(storage, corpus(items))
    build(storage, store)
    command = [sys.executable, "-c", SWITCHING, storage.root, store, str(items), str(switches)]
    quiet, busy = Readers(storage, 8), Readers(storage, 8)
    began = time.monotonic()
    busy.during(lambda: subprocess.run(command, check=True))
    took = time.monotonic() - began
    quiet.during(lambda: time.sleep(took))
    ratio = milliseconds(busy.seconds)[1] / milliseconds(quiet.seconds)[1]
    return {
        "quiet_ms": milliseconds(quiet.seconds),
        "switching_ms": milliseconds(busy.seconds),
        "searches": len(quiet.seconds) + len(busy.seconds),
        "errors": len(quiet.errors) + len(busy.errors),
        "empty": quiet.empty + busy.empty,
        "ratio": round(ratio, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Readers under switches; the peer is the quiet half of the run."
    )
    parser.add_argument("--items", type=int, default=2_000)
    parser.add_argument("--switches", type=int, default=20)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = WeaviateServer(Path(folder) / "server")
        server.start()
        os.environ.update(server.environment)
        try:
            stores = {
                store: measured(store, arguments.items, arguments.switches, Path(folder))
                for store in ("lance", "weaviate")
            }
        finally:
            server.kill()
    print(
        json.dumps(
            {"name": "readers_during_switches", "peer": "the same readers, undisturbed", "stores": stores}
        )
    )


if __name__ == "__main__":
    main()
