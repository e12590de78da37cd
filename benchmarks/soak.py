"""A platform at work for hours: a server is asked, the corpus changes and is indexed anew, a training runs beside; what grows?

The server (``vimrag serve``) and the training are processes of their own, sampled from ``/proc``: resident memory, open files,
threads. The model behind the endpoint is a loopback stub. Writes ``soak.json`` and ``soak.png``::

    python benchmarks/soak.py [--minutes 120] [--folder runs/soak]

The verdict is by slope: least squares over twelve stretches behind the first third, with the 95 % interval of Student's t. Of
memory a stretch has its mean; of files and threads its lowest, for a question that is being answered has a connection open.
Something grows if that interval lies above zero and an hour adds more than one percent.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import numpy as np
from scipy import stats

from infra.storage.root import Storage
from memory_graph.actions import Answer, render
from model.config.watch import WatchLimits
from orchestration.launch.commands import Script, entry_point, environment
from orchestration.launch.run_config import RunConfig
from tests import warm
from tests.assets.small_corpus import item, write_corpus
from tests.orchestration import plumbing
from tests.ports import free_ports
from tests.servers.openai_server import Messages, OpenAIServer, Spoken

SAMPLE_S = 5.0
STRETCHES = 12
MIN_SHARE_AN_HOUR = 0.01
REPOSITORY = Path(__file__).resolve().parents[1]
METRICS = ("memory_mib", "files", "threads")
EXPECTED = ("searches", "answers", "indexed", "updates")


@dataclass(frozen=True, kw_only=True)
class Slope:
    """Of one number of one process, an hour."""

    mean: float
    an_hour: float
    low: float
    high: float
    grows: bool


def slope(hours: Sequence[float], values: Sequence[float], *, lowest: bool = False) -> Slope:
    """Over the means, or the ``lowest``, of stretches, whose errors depend on each other less than those of samples do."""
    first = len(values) // 3
    t = [float(part.mean()) for part in np.array_split(np.asarray(hours[first:]), STRETCHES)]
    y = [
        float(part.min() if lowest else part.mean())
        for part in np.array_split(np.asarray(values[first:]), STRETCHES)
    ]
    fit: Any = stats.linregress(t, y)
    reach = float(np.nan_to_num(stats.t.ppf(0.975, STRETCHES - 2) * fit.stderr))  # none where all are equal
    low, high, mean = fit.slope - reach, fit.slope + reach, float(np.mean(y))
    grows = bool(low > 0 and fit.slope > MIN_SHARE_AN_HOUR * mean)
    return Slope(mean=mean, an_hour=float(fit.slope), low=float(low), high=float(high), grows=grows)


def sample(pid: int) -> dict[str, float] | None:
    """Of a process now; None if it is gone."""
    try:
        status = dict(
            line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line
        )
        files = len(os.listdir(f"/proc/{pid}/fd"))
        return {
            "memory_mib": int(status["VmRSS"].split()[0]) / 1024,
            "files": float(files),
            "threads": float(status["Threads"]),
        }
    except (FileNotFoundError, ProcessLookupError, KeyError):
        return None


def reply(messages: Messages) -> Spoken:
    """An answer at once."""
    return Spoken(text=f"<think>It is said.</think>{render(Answer(parents=('root',), text='by the river'))}")


class Asker:
    """Searches and asks in turn until the end."""

    def __init__(self, url: str, ended: Event) -> None:
        self.done: Counter[str] = Counter()
        self._url, self._ended = url, ended
        self.thread = Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        draw = random.Random(0)
        with httpx.Client(base_url=self._url, timeout=120, trust_env=False) as http:
            while not self._ended.wait(0.5):
                town = f"Where does Town{draw.randrange(40)} lie?"
                try:
                    found = http.post("/search", json={"queries": [town]})
                    asked = http.post("/v1/ask", json={"question": town})
                    self.done["searches" if found.status_code == 200 else f"search {found.status_code}"] += 1
                    whole = asked.status_code == 200 and "river" in asked.text
                    self.done["answers" if whole else f"ask {asked.status_code}"] += 1
                except httpx.HTTPError as error:
                    self.done[type(error).__name__] += 1


class Soak:
    """The processes at work over one root."""

    def __init__(self, folder: Path, endpoint: str) -> None:
        self.folder, self.ended = folder, Event()
        self.config = RunConfig(root=str(folder / "root"), name="plumbing", recipe=recipe())
        warm.elsewhere(prepare, self.config.root)
        self.indexed: Counter[str] = Counter()
        self.asker: Asker | None = None
        self.port = free_ports(1)[0]
        self._log = (folder / "soak.log").open("ab")
        serve = ["-m", "app.cli", "serve", "--root", self.config.root, "--endpoint", endpoint]
        self.processes = {
            "serve": self._start([*serve, "--port", str(self.port)]),
            "training": self._start(
                ["-m", *entry_point(Script.TRAIN_GGPO, self.config)], environment(self.config.recipe)
            ),
        }
        self._wait()
        self.asker = Asker(f"http://127.0.0.1:{self.port}", self.ended)
        self._indexing = Thread(target=self._index, daemon=True)
        self._indexing.start()

    def updates(self) -> int:
        """That the training has made."""
        path = Path(self.config.root) / self.config.metrics / "ggpo.jsonl"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def close(self) -> None:
        """End all, the server after the question that is on its way."""
        self.ended.set()
        if self.asker is not None:
            self.asker.thread.join(130)
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()
            process.wait()
        self._log.close()

    def _start(self, line: list[str], more: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        variables = {**os.environ, **(more or {}), "PYTHONPATH": str(REPOSITORY)}
        return subprocess.Popen(
            [sys.executable, *line], cwd=REPOSITORY, env=variables, stdout=self._log, stderr=self._log
        )

    def _wait(self) -> None:
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline and self.processes["serve"].poll() is None:
            with suppress(httpx.HTTPError):
                httpx.get(f"http://127.0.0.1:{self.port}/", timeout=5, trust_env=False)
                return
            time.sleep(0.5)
        raise RuntimeError(f"the server did not start: {(self.folder / 'soak.log').read_text()[-2000:]}")

    def _index(self) -> None:
        """A changed corpus and its index, again and again, by processes of their own, as schedules do it."""
        number = 0
        while not self.ended.wait(60):
            number += 1
            towns(self.config.root, number)
            line = ["-m", "app.cli", "index", "build", "--root", self.config.root]
            self.indexed["indexed" if self._start(line).wait() == 0 else "failed"] += 1


def recipe() -> Any:
    """A training that goes on for as long as it is let, and stops for nothing."""
    base = plumbing.recipe(1_000_000)
    ggpo = replace(base.ggpo, checkpoint_every=20, watch=WatchLimits(patience=1_000_000))
    return replace(base, threads=1, ggpo=ggpo)


def prepare(root: str) -> None:
    """The root with its corpora, index and cold start."""
    from tests.orchestration.run_scene import build_root, random_checkpoint

    config = RunConfig(root=root, name="plumbing", recipe=recipe())
    build_root(Path(root), config, random_checkpoint(Path(root).with_name("shipped")))


def towns(root: str, number: int) -> None:
    """A dataset of forty towns, a tenth of which changes."""
    texts = {n: f"Town{n} lies {n + (number if n % 10 == 0 else 0)} km from the river." for n in range(40)}
    write_corpus(Storage(root), [item(f"t{n}", text, dataset="toy") for n, text in texts.items()])


def watched(soak: Soak, minutes: float) -> dict[str, list[dict[str, float]]]:
    """Samples of each process until the time is over; ``RuntimeError`` if one ends before."""
    began, samples = time.monotonic(), {name: list[dict[str, float]]() for name in soak.processes}
    while (passed := time.monotonic() - began) < minutes * 60:
        for name, process in soak.processes.items():
            if process.poll() is not None or (found := sample(process.pid)) is None:
                raise RuntimeError(f"{name} ended after {passed:.0f} s with {process.returncode}")
            samples[name].append({"hours": passed / 3600, **found})
        time.sleep(SAMPLE_S)
    return samples


def draw(samples: Mapping[str, list[dict[str, float]]], path: Path) -> None:
    """Each number of each process over time."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(len(METRICS), len(samples), figsize=(9, 6), sharex=True, squeeze=False)
    for column, (name, taken) in enumerate(samples.items()):
        for row, metric in enumerate(METRICS):
            axis = axes[row][column]
            axis.plot([one["hours"] * 60 for one in taken], [one[metric] for one in taken], linewidth=0.8)
            axis.set_ylim(bottom=0)
            axis.set_title(f"{name}: {metric}", fontsize=9)
    for axis in axes[-1]:
        axis.set_xlabel("minutes")
    figure.tight_layout()
    figure.savefig(path, dpi=90)


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Hours of work, and what grows; exit code 1 if anything does or fails."
    )
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--folder", type=Path, default=Path("runs/soak"))
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="soak-") as scratch, OpenAIServer(reply) as endpoint:
        soak = Soak(Path(scratch), endpoint.base_url)
        try:
            samples = watched(soak, given.minutes)
        finally:
            soak.close()
        assert soak.asker is not None, "it began when the server answered"
        done = {**soak.asker.done, **soak.indexed, "updates": soak.updates()}
    slopes = {
        name: {
            metric: slope(
                [one["hours"] for one in taken],
                [one[metric] for one in taken],
                lowest=metric != "memory_mib",
            )
            for metric in METRICS
        }
        for name, taken in samples.items()
    }
    grown = [f"{name}: {m}" for name, of in slopes.items() for m, each in of.items() if each.grows]
    document = {
        "name": "soak",
        "minutes": given.minutes,
        "done": done,
        "grows": grown,
        "failed": {name: count for name, count in done.items() if name not in EXPECTED},
        "slopes": {
            name: {metric: asdict(each) for metric, each in of.items()} for name, of in slopes.items()
        },
    }
    (given.folder / "soak.json").write_text(json.dumps({**document, "samples": samples}))
    draw(samples, given.folder / "soak.png")
    print(json.dumps(document))
    return 1 if grown or document["failed"] or not done.get("indexed") else 0


if __name__ == "__main__":
    sys.exit(main())
