"""The runs of the training study: every objective from one cold start, with equal rollouts, seed by seed.

Holds what a study is, its runs and how one of them is made or found done; what the runs show is ``study.py``. Seeds go round
first, so that a study that was stopped has every objective as often as the others.
"""

import asyncio
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from os import environ
from pathlib import Path
from typing import NamedTuple

from assets.corpus import build_corpus
from assets.index import build_index
from infra.storage import Storage
from model import checkpoint, trajectory_store
from model.evaluation import evaluate
from model.records import Task, Trajectory
from model.rollouts import Collection
from model.transformers_policy import TransformersPolicy
from orchestration.launch.agents import GREEDY, World, load
from orchestration.launch.cold_start import unpack
from orchestration.launch.join import MetricGrader, tasks_of_split
from orchestration.launching import Script, command, environment
from orchestration.miniature_assets import ensure_miniature
from orchestration.recipes import Ggpo, MiniatureWorlds, Recipe, quickstart
from orchestration.run_config import RunConfig

ARMS = ("ggpo", "gspo", "prune_at_random", "grpo")
COLD_START = "cold_start"


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What is compared, and how large it is."""

    root: Path
    arms: tuple[str, ...] = ARMS
    seeds: int = 5
    updates: int = 12
    questions: int = 16
    """Questions of one update."""
    group_size: int = 8
    """Rollouts of one question."""
    mini_batches: int = 2
    """Optimiser steps of one update; with one every ratio is 1, and clipping cannot matter."""
    learning_rate: float = 3e-4
    temperature: float = 0.6
    test_questions: int = 16
    """Unseen questions of each dataset."""
    worlds: MiniatureWorlds = MiniatureWorlds(train=16, val=3, test=6)  # noqa: RUF009 - frozen

    def __post_init__(self) -> None:
        if not self.arms or min(self.seeds, self.test_questions) < 1:
            raise ValueError(f"a study needs arms, a seed and test questions: {self}")

    def recipe(self, arm: str, seed: int) -> Recipe:
        """The recipe of one run; all runs of a seed draw the same questions."""
        base = quickstart()
        ggpo = Ggpo(
            algorithm=arm,
            updates=self.updates,
            questions=self.questions,
            group_size=self.group_size,
            mini_batches=self.mini_batches,
            learning_rate=self.learning_rate,
            temperature=self.temperature,
            checkpoint_every=max(1, self.updates // 4),
            validation=16,
            seed=seed,
        )
        return replace(base, name=f"study-{arm}-{seed}", worlds=self.worlds, ggpo=ggpo)


class StudyRun(NamedTuple):
    """One objective with one seed."""

    arm: str
    seed: int
    config: RunConfig


def runs(study: Study) -> Iterator[StudyRun]:
    """Every run, seed after seed."""
    for seed in range(study.seeds):
        for arm in study.arms:
            recipe = study.recipe(arm, seed)
            yield StudyRun(arm, seed, RunConfig(root=str(study.root), name=recipe.name, recipe=recipe))


def prepare(study: Study) -> Storage:
    """Worlds, corpus and index below the study's root; nothing is built twice."""
    storage = Storage(str(study.root))
    raw = study.root / "raw"
    ensure_miniature(raw, study.worlds)
    build_corpus(raw, storage)
    build_index(storage)
    return storage


def is_trained(storage: Storage, run: StudyRun) -> bool:
    """Whether the run's last update has its checkpoint."""
    reached = checkpoint.latest(_folder(storage, run.config.ggpo_checkpoints))
    return reached is not None and checkpoint.read(reached).update >= run.config.recipe.ggpo.updates


def train(storage: Storage, run: StudyRun) -> None:
    """Train one run in a process of its own, on from its last checkpoint.

    Raises:
        ValueError: if it fails; its own lines went to standard error.
    """
    start = _folder(storage, run.config.cold_start_checkpoints)
    if checkpoint.latest(start) is None:
        unpack("miniature", start)
    started = command(Script.TRAIN_GGPO, run.config)
    ended = subprocess.run(
        started, env={**environ, **environment(run.config.recipe)}, check=False, stdout=subprocess.DEVNULL
    )
    if ended.returncode:
        raise ValueError(
            f"the run {run.config.name} ended with code {ended.returncode}; "
            "the same command goes on after its last checkpoint"
        )


def answers(storage: Storage, study: Study, name: str, weights: Path, split: str) -> list[Trajectory]:
    """Greedy, graded rollouts of every question of ``split`` by the checkpoint ``weights``, stored under ``name``."""
    file = _folder(storage, "trajectories/study") / f"{name}-{split}.parquet"
    if not file.exists():
        tasks = tasks_of_split(storage, split, per_dataset=study.test_questions if split == "test" else None)
        found = _answered(storage, study, weights, tasks)
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".partial")
        trajectory_store.write(partial, found)
        partial.rename(file)
    return list(trajectory_store.read(file))


def final_weights(storage: Storage, run: StudyRun) -> Path:
    """The checkpoint of the run's last update: no choice among them, so that no objective gains by one."""
    found = checkpoint.latest(_folder(storage, run.config.ggpo_checkpoints))
    assert found is not None, "a trained run has a checkpoint"
    return found


def cold_start_weights(storage: Storage) -> Path:
    """The checkpoint that every run starts from."""
    folder = _folder(storage, "checkpoints/study-cold-start")
    return checkpoint.latest(folder) or unpack("miniature", folder)


def _answered(storage: Storage, study: Study, weights: Path, tasks: Sequence[Task]) -> tuple[Trajectory, ...]:
    recipe = study.recipe(study.arms[0], 0)
    world, loaded = World.open(storage, recipe), load(weights)
    encoder = loaded.encoder()
    policy = TransformersPolicy(loaded.model, encoder, world.media, max_batch=recipe.evaluation.concurrency)
    agent = world.agent(policy, world.memory("vimrag", encoder), temperature=GREEDY)
    plan = Collection(concurrency=recipe.evaluation.concurrency)
    return asyncio.run(evaluate(agent, tasks, MetricGrader(), plan)).trajectories


def _folder(storage: Storage, directory: str) -> Path:
    local = storage.local_path(directory)
    assert local is not None, "a study works below a local root"
    return local
