"""What the first search after a start takes: by itself, through a ``vimrag serve`` that runs, and of that server's own first.

    python benchmarks/first_search.py [--pages 60] [--repeats 3]

Each arm is a process as a person starts it; all take turns in the same run. ``alone`` is ``vimrag search`` without a server
(it loads index and embedder), ``running`` the same command beside a server that has started, ``first`` the server's answer to its
first ``POST /v1/search``, ``at_once`` the same sent the moment it listens. Seconds of the clock, and processor seconds of the
command where it is a process of its own. One JSON line with medians.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

QUESTION = "How are exceptions raised?"
LOADED = "index and embedder are loaded"


def search(root: Path) -> tuple[float, float]:
    """Seconds of one ``vimrag search``: of the clock, of the processor."""
    command = [sys.executable, "-m", "app.cli", "search", "--root", str(root), "--json", QUESTION]
    began_s, before = time.monotonic(), os.times()
    ended = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=True)
    after = os.times()
    assert json.loads(ended.stdout)["hits"], ended.stdout
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return time.monotonic() - began_s, used


@contextmanager
def serving(root: Path, *, loaded: bool) -> Iterator[str]:
    """The address of a server; with ``loaded`` once it has said that it has loaded its index."""
    command = [sys.executable, "-m", "app.cli", "serve", "--root", str(root), "--port", "0"]
    with subprocess.Popen(command, env=_environment(), stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        found = re.search(r"http://[^/ ]+", server.stderr.readline())
        assert found is not None
        while loaded and LOADED not in server.stderr.readline():
            pass
        try:
            yield found[0]
        finally:
            server.terminate()
            server.communicate(timeout=60)


def first(url: str) -> float:
    began_s = time.monotonic()
    answer = httpx.post(f"{url}/v1/search", json={"query": QUESTION}, timeout=120, trust_env=False)
    assert answer.json()["hits"]
    return time.monotonic() - began_s


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    from ingest_pages import ingest, write_pdf

    figures: dict[str, list[float]] = {}

    def note(**seconds: float) -> None:
        for name, value in seconds.items():
            figures.setdefault(name, []).append(round(value, 3))

    with tempfile.TemporaryDirectory() as folder:
        files, root = Path(folder) / "files", Path(folder) / "root"
        files.mkdir()
        write_pdf(files / "a.pdf", options.pages, 1)
        ingest(files, root, "references")
        for _ in range(options.repeats):
            alone_s, alone_cpu_s = search(root)
            note(alone_s=alone_s, alone_cpu_s=alone_cpu_s)
            with serving(root, loaded=True) as url:
                note(first_s=first(url))
                running_s, running_cpu_s = search(root)
                note(running_s=running_s, running_cpu_s=running_cpu_s)
            with serving(root, loaded=False) as url:
                note(at_once_s=first(url))
    print(
        json.dumps(
            {name: round(statistics.median(values), 3) for name, values in figures.items()} | {"of": figures}
        )
    )


def _environment() -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("VIMRAG", "OPENAI"))}
    return {**clean, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}


if __name__ == "__main__":
    main()
