"""Searches while releases are promoted, rolled back and collected: none may fail, none may mix releases; one JSON line.

Four threads search; each opens the current release again and again, and asks for items of the corpus that this very release was
built from by their own text, which no other corpus answers so. Another process promotes, rolls back and collects::

    python benchmarks/readers_of_releases.py [--searches 10000] [--switches 30] [--root file|s3]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from threading import Event, Thread
from typing import Any

from infra.storage.root import Storage
from tests.faults import stages
from tests.faults.places import Places

READERS = 4
SWITCHING = """
import json, sys, time
from assets.index.published import roll_back
from infra.storage.root import Storage
from tests.faults import stages
storage = Storage(sys.argv[1], json.loads(sys.argv[2]))
for number in range(int(sys.argv[3])):
    if number % 3 == 0:
        stages.build(storage, "lance", corpus=number % 10)  # a new release is promoted
    else:
        roll_back(storage)
    stages.gc(storage)
    time.sleep(float(sys.argv[4]))
"""


class Reader:
    """Searches until ``enough`` says so."""

    def __init__(self, storage: Storage, ended: Event) -> None:
        self.searches = 0
        self.opened: set[str] = set()
        self.wrong: list[str] = []
        self.errors: list[str] = []
        self._storage, self._ended = Storage(storage.root, storage.__getstate__()["options"]), ended
        self.thread = Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        while not self._ended.is_set():
            try:
                index = stages.opened(self._storage, "a reader of the drill")
                self.opened.add(index.version)
                for _ in range(5):
                    self.wrong += stages.wrong_answers(self._storage, index)
                    self.searches += stages.ASKED
            except Exception as error:
                self.errors.append(f"{type(error).__name__}: {error}")


def drill(storage: Storage, searches: int, switches: int) -> dict[str, Any]:
    """Until both the searches and the switches are done."""
    for corpus in (1, 2):
        stages.build(storage, "lance", corpus=corpus)
    began, ended = time.monotonic(), Event()
    readers = [Reader(storage, ended) for _ in range(READERS)]
    options = json.dumps(storage.__getstate__()["options"])
    line = [sys.executable, "-c", SWITCHING, storage.root, options, str(switches), "0.2"]
    switched = subprocess.run(line, check=False).returncode
    while sum(reader.searches for reader in readers) < searches and not any(r.errors for r in readers):
        time.sleep(0.2)
    ended.set()
    for reader in readers:
        reader.thread.join(60)
    errors = [error for reader in readers for error in reader.errors]
    wrong = [each for reader in readers for each in reader.wrong]
    return {
        "name": "readers_of_releases",
        "root": "file" if storage.is_local else "s3",
        "searches": sum(reader.searches for reader in readers),
        "switches": switches if switched == 0 else -1,
        "releases_read": len(set().union(*(reader.opened for reader in readers))),
        "errors": len(errors),
        "wrong_or_mixed": len(wrong),
        "first": (errors + wrong)[:3],
        "seconds": round(time.monotonic() - began, 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="Readers under promotions, rollbacks and collections.")
    parser.add_argument("--searches", type=int, default=10_000)
    parser.add_argument("--switches", type=int, default=30)
    parser.add_argument("--root", choices=["file", "s3"], default="file")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="readers-") as folder:
        places = Places(Path(folder))
        try:
            result = drill(places.storage(given.root, "readers"), given.searches, given.switches)
        finally:
            places.close()
    print(json.dumps(result))
    return (
        0 if result["switches"] == given.switches and not result["errors"] + result["wrong_or_mixed"] else 1
    )


if __name__ == "__main__":
    sys.exit(main())
