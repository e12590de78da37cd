"""The whole path on published files by one command: corpus to report, trained and served, with times and what was left out.

Corpus, index and question sets of every benchmark in the raw folder; a preflight; the jobs cold_start, train_ggpo (three
updates) and evaluate of ``published_tiny``; then the trained checkpoint behind the chat protocol, and every memory policy on
every benchmark through its address. Nothing is learnt by the tiny model: what is shown is that the path holds, and what it
takes. One JSON line; run again with the same root it goes on where it was::

    python benchmarks/published_path.py --raw shared/data --root runs/published [--questions 2]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))  # the server is one of the tests'

from app.answers.agent import OFFERED  # noqa: E402
from model.training import checkpoint  # noqa: E402
from tests.servers.tiny_chat_server import TinyChatServer  # noqa: E402

RECIPE = "published_tiny"
CUTS = ("squad=0.5", "hotpotqa=0.5")


class PublishedPath:
    """Commands of one run, timed."""

    def __init__(self, root: Path) -> None:
        self.root, self.seconds = root, dict[str, float]()
        home = root / "dagster"
        home.mkdir(parents=True, exist_ok=True)
        (home / "dagster.yaml").write_text((REPOSITORY / "dagster.yaml").read_text())
        told = {"VIMRAG_ROOT": str(root), "VIMRAG_RECIPE": RECIPE, "DAGSTER_HOME": str(home)}
        self._environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", **told}

    def run(self, step: str, *command: str) -> str:
        """Standard output of a command; what it says beside goes to ours. The run ends with one that fails."""
        began = time.monotonic()
        ended = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", *command],
            cwd=REPOSITORY,
            env=self._environment,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        self.seconds[step] = round(time.monotonic() - began, 1)
        if ended.returncode:
            sys.exit(f"{step} ended with {ended.returncode}: {ended.stdout[-2000:]}")
        return ended.stdout

    def vimrag(self, step: str, *arguments: str) -> Any:
        """The JSON of a command of ours."""
        return json.loads(self.run(step, "app.cli", *arguments, "--root", str(self.root), "--json"))

    def job(self, name: str) -> None:
        """One Dagster job."""
        self.run(name, "dagster", "job", "execute", "-m", "orchestration.definitions", "-j", name)


def measure(raw: Path, root: Path, questions: int) -> dict[str, object]:
    """The line."""
    path = PublishedPath(root)
    path.vimrag("corpus", "corpus", "build", "--raw", str(raw))
    path.vimrag("index", "index", "build")
    cuts = [text for cut in CUTS for text in ("--cut", cut)]
    made = path.vimrag("questions", "questions", "build", *cuts)
    path.vimrag("preflight", "preflight", RECIPE)
    for job in ("cold_start", "train_ggpo", "evaluate"):
        path.job(job)
    weights = checkpoint.latest(root / f"checkpoints/{RECIPE}-ggpo")
    assert weights is not None, "the job train_ggpo leaves one"
    with TinyChatServer(weights) as server:
        chosen = ["--endpoint", server.base_url, "--memory", ",".join(OFFERED), "--questions", str(questions)]
        how = ["--max-tokens", "96", "--profile", "compact", "--name", "served", "--concurrency", "16"]
        told = path.vimrag("served", "evaluate", *chosen, *how)
    path.run("export", "app.cli", "export", "served", "--root", str(root), "--to", str(root / "report"))
    return {
        "name": "published_path",
        "seconds": path.seconds,
        "total_s": round(sum(path.seconds.values()), 1),
        "questions": {
            row["dataset"]: {"roles": row["roles"], "dropped": row["dropped"]} for row in made["rows"]
        },
        "served": {name: _scores(arm) for name, arm in told["memories"].items()},
        "unscored": {name: arm["unscored"] for name, arm in told["memories"].items() if arm["unscored"]},
        "report": str(root / "report/report.html"),
    }


def _scores(arm: dict[str, Any]) -> dict[str, str]:
    """``right/scored of rollouts`` by benchmark."""
    return {
        each["dataset"]: f"{each['correct']}/{each['scored']} of {each['rollouts']}"
        for each in arm["datasets"]
    }


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--raw", type=Path, required=True, help="one folder a dataset, as it is published")
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--questions", type=int, default=2, help="of each benchmark, for the served model")
    arguments = parser.parse_args(argv)
    print(json.dumps(measure(arguments.raw.resolve(), arguments.root.resolve(), arguments.questions)))


if __name__ == "__main__":
    main()
