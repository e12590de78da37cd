"""A training run that is killed outright, again and again, ends as the undisturbed one does: the same trace, the same weights.

The undisturbed run is the launch script; the processes that are killed are forked with its libraries imported, and run the same
entry point. SIGKILL, the checkpoint that ships and rewards that differ, so that there is a gradient. The moments are drawn anew
for each test run and named if it fails.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pytest
import torch

from assets.corpus.build import build_corpus
from assets.index.build import build_index
from infra.storage.root import Storage
from model.config.algorithm import Algorithm
from model.training.atomic import partial_path
from model.training.metrics import read_metrics
from orchestration.dagster_defs.miniature_raw import ensure_miniature
from orchestration.imitation import cold_start
from orchestration.launch.commands import Script, entry_point, environment, to_json
from orchestration.launch.run_config import RunConfig
from orchestration.recipes.miniature import paper_like
from orchestration.recipes.options import MiniatureWorlds, Recipe
from orchestration.runs import main
from tests import warm
from tests.orchestration.run_scene import DATASETS

REPOSITORY = Path(__file__).resolve().parents[2]
UPDATES = 5
PATIENCE_S = 200.0


@dataclass(frozen=True)
class Run:
    """One run of the launch script, in as many processes as it takes."""

    config: RunConfig
    log: Path
    patience_s: float = PATIENCE_S

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, **environment(self.config.recipe), "PYTHONPATH": str(REPOSITORY)}

    def by_command(self) -> None:
        """From beginning to end, by the command line."""
        command = [sys.executable, "-m", *entry_point(Script.TRAIN_GGPO, self.config)]
        with self.log.open("ab") as log:
            made = subprocess.run(
                command, cwd=REPOSITORY, env=self.environment, stdout=log, stderr=log, timeout=self.patience_s
            )
        assert made.returncode == 0, self.log.read_text()

    def start(self, work: Callable[..., int] = main, *arguments: object) -> ForkServerProcess:
        return warm.start(
            work,
            *arguments,
            Script.TRAIN_GGPO,
            to_json(self.config),
            environment=self.environment,
            log=self.log,
        )

    def finish(self) -> None:
        process = self.start()
        process.join(self.patience_s)
        assert process.exitcode == 0, self.log.read_text()

    def kill_while_it_writes(self, update: int, *, after_s: float) -> None:
        """Let it run until SIGKILL strikes, ``after_s`` after it began to write the checkpoint of ``update``."""
        process = self.start(killed_from_within, partial_path(self.folder / f"{update:06}").name, after_s)
        process.join(self.patience_s)
        assert process.exitcode == -signal.SIGKILL, self.log.read_text()

    def kill(self, when: Callable[[], object], *, after_s: float = 0.0) -> None:
        """Start it and kill it ``after_s`` after ``when`` became true."""
        process, deadline = self.start(), time.monotonic() + self.patience_s
        while not when():
            assert process.exitcode is None and time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.001)
        time.sleep(after_s)
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL, self.log.read_text()

    @property
    def folder(self) -> Path:
        return Path(self.config.root) / self.config.ggpo_checkpoints

    def records(self) -> list[dict[str, Any]]:
        path = Path(self.config.root) / self.config.metrics / "ggpo.jsonl"
        return list(read_metrics(path)) if path.exists() else []

    def trace(self) -> list[dict[str, Any]]:
        return [{k: v for k, v in each.items() if not k.startswith("seconds")} for each in self.records()]

    def shortest_update_s(self) -> float:
        return min(each["seconds_rollouts"] + each["seconds_update"] for each in self.records())

    def state(self) -> dict[str, Any]:
        path = self.folder / f"{UPDATES:06}" / "state" / "rank-00000.pt"
        return torch.load(path, weights_only=True)["engine"]["shards"][0]


def killed_from_within(folder: str, after_s: float, script: str, config: str) -> int:
    """The entry point in a process that SIGKILL ends ``after_s`` after it makes ``folder``.

    A watcher beside it, on a busy machine, would look too late.
    """

    def strike() -> None:
        time.sleep(after_s)
        os.kill(os.getpid(), signal.SIGKILL)

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "os.mkdir" and Path(os.fsdecode(arguments[0])).name == folder:
            threading.Thread(target=strike, daemon=True).start()

    sys.addaudithook(watch)
    return main(script, config)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exact")
    ensure_miniature(folder / "raw", recipe("any").worlds)
    build_corpus(folder / "raw", Storage(folder), datasets=DATASETS)
    build_index(Storage(folder))
    return folder


def recipe(name: str) -> Recipe:
    """Two mini-batches, so that clipping matters; a checkpoint after every second update."""
    base = paper_like()
    ggpo = replace(
        base.ggpo,
        algorithm=Algorithm(group_size=4),
        schedule=replace(base.ggpo.schedule, updates=UPDATES, mini_batches=2),
        questions=2,
        checkpoint_every=2,
        validation=1,
    )
    worlds = MiniatureWorlds(train=2, val=1, test=1, questions=2)
    return replace(base, name=name, threads=1, worlds=worlds, ggpo=ggpo)


def run(root: Path, name: str) -> Run:
    config = RunConfig(root=str(root), name=name, recipe=recipe(name))
    cold_start.unpack("miniature", root / config.cold_start_checkpoints)
    return Run(config, root / f"{name}.log")


@pytest.mark.timeout(600)
def test_a_killed_run_goes_on_bit_for_bit(root: Path):
    straight, killed = run(root, "straight"), run(root, "killed")
    straight.by_command()
    expected = straight.trace()
    # not so late that the run is over: two updates are left then
    update_s = straight.shortest_update_s()
    assert [each["update"] for each in expected] == list(range(UPDATES))
    assert any(each["gradient_norm"] for each in expected[2:]), expected  # there is something to continue

    moments = [random.uniform(0, 0.02), random.uniform(0, update_s), random.uniform(0, 0.02)]
    killed.kill_while_it_writes(2, after_s=moments[0])
    killed.kill(
        lambda: len(killed.trace()) >= 3, after_s=moments[1]
    )  # two updates ahead of a checkpoint, or one
    killed.kill_while_it_writes(UPDATES, after_s=moments[2])
    killed.finish()

    assert killed.trace() == expected, moments
    weights = [each.folder / f"{UPDATES:06}" / "model.safetensors" for each in (straight, killed)]
    assert weights[0].read_bytes() == weights[1].read_bytes(), moments
    optimisers = [each.state() for each in (straight, killed)]
    assert all(torch.equal(optimisers[0][name], each) for name, each in optimisers[1].items()), moments
    assert not list(killed.folder.glob(".*")), "what a killed process left is cleared"
