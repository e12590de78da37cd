"""The runs of the training study: every objective from one cold start, with equal rollouts, seed by seed.

Holds what a study is, its runs and how one of them is made or found done; what the runs show is ``study.py``. Seeds go round
first, so that a study that was stopped has every objective as often as the others.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from os import environ
from pathlib import Path
from threading import Event
from typing import NamedTuple

from pydantic import TypeAdapter

from assets.corpus.build import build_corpus
from assets.corpus.dataset import DATASETS
from assets.corpus.read import built_datasets
from assets.index.build import build_index
from infra.progress import ProgressLogger
from infra.storage import manifest
from infra.storage.atomic import replacing
from infra.storage.root import Storage
from model.agent.loop import Agent
from model.config.algorithm import ALGORITHMS
from model.config.engine import EngineConfig
from model.config.reward import RewardWeights
from model.config.schedule import Schedule
from model.evaluation.evaluation import evaluate
from model.policies.transformers_policy import TransformersPolicy
from model.rl import trajectory_store
from model.rl.rollouts import RolloutPlan
from model.training import checkpoint
from model.types import Task, Trajectory
from orchestration.dagster_defs.miniature_assets import ensure_miniature
from orchestration.joins.adapters import MetricGrader, tasks_of_split
from orchestration.joins.agents import GREEDY, RunContext, load
from orchestration.launch.commands import Script, command, environment, supervised
from orchestration.launch.run_config import RunConfig
from orchestration.recipes.miniature import quickstart
from orchestration.recipes.options import Ggpo, MiniatureWorlds, Recipe
from orchestration.runs.cold_start import SHIPPED, unpack
from orchestration.study import pilot3

ARMS = ("ggpo", "gspo", "prune_at_random", "grpo")
COLD_START = "cold_start"
Say = Callable[[str], None]
CLAIM = "study.json"  # below the root
SHARED = (
    "test_questions",
    "updates",
    "questions",
    "group_size",
    "mini_batches",
    "learning_rate",
    "warmup_steps",
    "temperature",
    "checkpoint",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What is compared, and how large it is."""

    root: Path
    arms: tuple[str, ...] = ARMS
    """Keys of ``model.config.algorithm.ALGORITHMS``."""
    seeds: int = 5
    parallel: int = 2
    """Runs trained side by side; they share the recipe's threads."""
    updates: int = 12
    questions: int = 24
    """Questions of one update."""
    group_size: int = 8
    """Rollouts of one question."""
    mini_batches: int = 1
    """Optimiser steps of one update; with one every ratio is 1, and clipping cannot matter."""
    learning_rate: float = 3e-4
    """At its highest; it falls to zero over a run, so that the last weights, which are compared, are no noisy ones."""
    warmup_steps: int = 3
    """Optimiser steps in which it rises."""
    temperature: float = 1.0
    test_questions: int = 16
    """Unseen questions of each dataset."""
    samples: int = 4
    """Rollouts of each unseen question at the training temperature, beside the greedy one; 0 draws none."""
    checkpoint: str = "miniature"
    """The cold start: folder below ``checkpoints/`` of the repository."""
    reward: RewardWeights = RewardWeights(judge=0.0, exact=1.0)  # noqa: RUF009 - frozen
    """What a rollout is worth. No judge is asked: the datasets' own metrics decide right and wrong throughout a study."""
    worlds: MiniatureWorlds = MiniatureWorlds(train=48, val=4, test=8, questions=8)  # noqa: RUF009 - frozen

    def __post_init__(self) -> None:
        if not self.arms or min(self.seeds, self.parallel, self.test_questions) < 1:
            raise ValueError(f"a study needs arms, a seed, a run at a time and test questions: {self}")
        if len(set(self.arms)) < len(self.arms):
            raise ValueError(f"an objective is named twice: {', '.join(self.arms)}")
        if unknown := set(self.arms) - ALGORITHMS.keys():
            raise ValueError(f"unknown objectives {sorted(unknown)}; known: {', '.join(ALGORITHMS)}")
        if self.samples < 0:
            raise ValueError(f"a study draws no sample of a question or some, got samples={self.samples}")
        for arm in self.arms:
            self.recipe(arm, 0)  # refuses group sizes, updates and the like that are out of range

    def recipe(self, arm: str, seed: int) -> Recipe:
        """The recipe of one run; all runs of a seed draw the same questions."""
        base = quickstart()
        ggpo = Ggpo(
            algorithm=replace(ALGORITHMS[arm], group_size=self.group_size),
            reward=self.reward,
            schedule=Schedule(
                updates=self.updates,
                mini_batches=self.mini_batches,
                learning_rate=self.learning_rate,
                warmup_steps=self.warmup_steps,
                decay=True,
                seed=seed,
            ),
            engine=EngineConfig(temperature=self.temperature),
            questions=self.questions,
            reproducible=False,  # what is compared are seeds; decoding in step would only cost time
            checkpoint_every=max(1, self.updates // 3),
            validation=16,
        )
        threads = max(1, base.threads // self.parallel)
        return replace(base, name=f"study-{arm}-{seed}", worlds=self.worlds, ggpo=ggpo, threads=threads)


class StudyRun(NamedTuple):
    """One objective with one seed."""

    arm: str
    seed: int
    config: RunConfig

    @property
    def name(self) -> str:
        """Of its answers."""
        return f"{self.arm}-{self.seed}"


def runs(study: Study) -> Iterator[StudyRun]:
    """Every run, seed after seed."""
    for seed in range(study.seeds):
        for arm in study.arms:
            recipe = study.recipe(arm, seed)
            yield StudyRun(arm, seed, RunConfig(root=str(study.root), name=recipe.name, recipe=recipe))


def require_checkpoint(study: Study) -> None:
    """Raises ``ValueError`` if the cold start that a study names does not ship."""
    if checkpoint.latest(SHIPPED / study.checkpoint) is None:
        known = ", ".join(sorted(path.name for path in SHIPPED.iterdir())) if SHIPPED.is_dir() else "none"
        raise ValueError(f"no checkpoint {study.checkpoint!r} ships; there are: {known}")


def prepare(study: Study, say: Say) -> Storage:
    """Worlds, corpus and index below the study's root; nothing is built twice.

    Raises:
        ValueError: if the root holds runs of another study.
    """
    storage = Storage(str(study.root))
    _claim(storage, study)
    raw = study.root / "raw"
    progress = ProgressLogger(say)
    is_new = ensure_miniature(raw, study.worlds)
    if is_new or not DATASETS.keys() <= set(built_datasets(storage)):
        build_corpus(raw, storage, progress=progress)
    build_index(storage, progress=progress)
    return storage


def _claim(storage: Storage, study: Study) -> None:
    """Keep what all runs of a root share, so that a repeated command never mixes two studies."""
    shared = {name: getattr(study, name) for name in SHARED}
    shipped = checkpoint.latest(SHIPPED / study.checkpoint)
    assert shipped is not None, "asked for before (require_checkpoint)"
    weights = sha256(
        (shipped / manifest.MANIFEST).read_bytes()
    ).hexdigest()  # it holds the hashes of all files
    more = {"reward": asdict(study.reward), "worlds": asdict(study.worlds), "weights": weights}
    text = json.dumps({**shared, **more}, sort_keys=True)
    if not storage.exists(CLAIM):
        storage.write_bytes(CLAIM, text.encode())
    elif (before := storage.read_bytes(CLAIM).decode()) != text:
        raise ValueError(f"{storage.root} holds a study with {before}, not {text}: choose another root")


def is_trained(storage: Storage, run: StudyRun) -> bool:
    """Whether the run's last update has its checkpoint."""
    reached = checkpoint.latest(_folder(storage, run.config.ggpo_checkpoints))
    return reached is not None and checkpoint.read(reached).update >= run.config.recipe.ggpo.schedule.updates


def make_all(storage: Storage, study: Study, say: Say) -> None:
    """Train what is not trained and answer the unseen questions, ``study.parallel`` runs at a time, seed after seed.

    Raises:
        ValueError: if a run fails; those that are under way are waited for, the others not begun.
    """
    every = list(runs(study))
    is_over = Event()

    def make(number: int, run: StudyRun) -> None:
        if is_over.is_set():
            return
        try:
            _make(storage, study, run, say, which=f"{number} of {len(every)}")
        except BaseException:
            is_over.set()  # at once: the pool would hand out the next run before anybody could cancel it
            raise

    with ThreadPoolExecutor(study.parallel) as pool:
        made = [pool.submit(make, number, run) for number, run in enumerate(every, start=1)]
        try:
            wait(made)
        except BaseException:  # an interrupt
            is_over.set()
            raise
    for each in made:
        each.result()


def _make(storage: Storage, study: Study, run: StudyRun, say: Say, *, which: str) -> None:
    if not is_trained(storage, run):
        say(f"study: run {which}, {run.arm}, seed {run.seed}")
        train(storage, study, run, say)
    if not is_answered(storage, study, run):
        say(f"{run.arm} {run.seed}: answers the unseen questions")
        _ran(_answering(study, run), run, say)


def is_answered(storage: Storage, study: Study, run: StudyRun) -> bool:
    """Whether every answer of the run to unseen questions is stored."""
    return all(_file(storage, name).exists() for name in _answer_names(study, run))


def _answer_names(study: Study, run: StudyRun) -> list[str]:
    return [_greedy_name(run.name, "test"), *([_sampled_name(run.name, study)] if study.samples else [])]


def answer(study: Study, run: StudyRun) -> None:
    """Answer the unseen questions with the run's last weights, greedily and sampled, unless that is stored."""
    storage = Storage(str(study.root))
    final = final_weights(storage, run)
    answers(storage, study, run.name, final, "test")
    sampled_answers(storage, study, run.name, final)


def validated(storage: Storage, run: StudyRun) -> frozenset[tuple[str, str]]:
    """The validation questions of a run, by dataset and id."""
    ggpo = run.config.recipe.ggpo
    tasks = tasks_of_split(storage, "val", per_dataset=ggpo.validation, seed=ggpo.schedule.seed)
    return frozenset((each.dataset, each.id) for each in tasks)


def train(storage: Storage, study: Study, run: StudyRun, say: Say) -> None:
    """Train one run in a process of its own, on from its last checkpoint.

    Raises:
        ValueError: if it fails; its own lines went to ``say``.
    """
    start = _folder(storage, run.config.cold_start_checkpoints)
    if checkpoint.latest(start) is None:
        unpack(study.checkpoint, start)
    if checkpoint.latest(_folder(storage, run.config.ggpo_checkpoints)) is None:
        for stored in _answer_names(study, run):  # of weights that are gone
            _file(storage, stored).unlink(missing_ok=True)
    _ran(command(Script.TRAIN_GGPO, run.config), run, say)


def _answering(study: Study, run: StudyRun) -> list[str]:
    told = ["--study-json", TypeAdapter(Study).dump_json(study).decode(), "--run", run.name]
    return supervised([sys.executable, "-m", "orchestration.study.answers", *told])


def _ran(started: Sequence[str], run: StudyRun, say: Say) -> None:
    """The command, to its end; ``ValueError`` if it fails."""
    with subprocess.Popen(
        started,
        env={**environ, **environment(run.config.recipe)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        assert process.stderr is not None, "it is a pipe"
        for line in process.stderr:  # runs side by side speak at once: each line says whose it is
            say(f"{run.arm} {run.seed}: {line.rstrip()}")
    if process.returncode:
        raise ValueError(
            f"the run {run.config.name} ended with code {process.returncode}; its own lines say why. "
            "The same command goes on after what is finished"
        )


def answers(storage: Storage, study: Study, name: str, weights: Path, split: str) -> list[Trajectory]:
    """Greedy, graded rollouts of every question of ``split`` by the checkpoint ``weights``, stored under ``name``."""
    tasks = tasks_of_split(storage, split, per_dataset=study.test_questions if split == "test" else None)
    return _stored(
        storage, _greedy_name(name, split), lambda: _answered(storage, study, weights, tasks, samples=0)
    )


def sampled_answers(storage: Storage, study: Study, name: str, weights: Path) -> list[Trajectory]:
    """``study.samples`` graded rollouts of every unseen question at the training temperature, stored under ``name``."""
    if not study.samples:
        return []
    tasks = tasks_of_split(storage, "test", per_dataset=study.test_questions)
    return _stored(
        storage,
        _sampled_name(name, study),
        lambda: _answered(storage, study, weights, tasks, samples=study.samples),
    )


def training_rollouts(storage: Storage, run: StudyRun) -> Iterator[Trajectory]:
    """Every rollout that a run was trained on, update after update."""
    for file in sorted(_folder(storage, run.config.rollouts).glob("update-*.parquet")):
        yield from trajectory_store.read(file)


def _greedy_name(name: str, split: str) -> str:
    return f"{name}-{split}"


def _sampled_name(name: str, study: Study) -> str:
    return f"{name}-test-sampled-{study.samples}"


def _file(storage: Storage, name: str) -> Path:
    return _folder(storage, "trajectories/study") / f"{name}.parquet"


def _stored(storage: Storage, name: str, make: Callable[[], Sequence[Trajectory]]) -> list[Trajectory]:
    """The trajectories of that name, made if they are not there; a file is whole or missing."""
    file = _file(storage, name)
    if not file.exists():
        trajectories = make()
        with replacing(file) as partial:
            trajectory_store.write(partial, trajectories)
    return list(trajectory_store.read(file))


def final_weights(storage: Storage, run: StudyRun) -> Path:
    """The checkpoint of the run's last update: no choice among them, so that no objective gains by one."""
    found = checkpoint.latest(_folder(storage, run.config.ggpo_checkpoints))
    assert found is not None, "a trained run has a checkpoint"
    return found


def cold_start_weights(storage: Storage, study: Study) -> Path:
    """The checkpoint that every run starts from; ``ValueError`` if none of that name ships."""
    folder = _folder(storage, "checkpoints/study-cold-start")
    return checkpoint.latest(folder) or unpack(study.checkpoint, folder)


def _answered(
    storage: Storage, study: Study, weights: Path, tasks: Sequence[Task], *, samples: int
) -> tuple[Trajectory, ...]:
    """``samples`` rollouts a question at the training temperature; one greedy rollout for 0."""
    agent = _agent(storage, study, weights, study.temperature if samples else GREEDY)
    concurrency = study.recipe(study.arms[0], 0).evaluation.concurrency
    plan = RolloutPlan(group_size=max(1, samples), concurrency=concurrency)
    return asyncio.run(evaluate(agent, tasks, MetricGrader(), plan)).trajectories


def pilot3_answers(
    storage: Storage, study: Study, weights: Path, rollouts: Sequence[Trajectory]
) -> dict[str, list[Trajectory]]:
    """Greedy answers of the cold start from parts of its wrong rollouts' graphs, by cut, stored."""
    found: dict[str, list[Trajectory]] = {}
    for name, cut in pilot3.CUTS.items():

        def make(cut: pilot3.Cut = cut) -> tuple[Trajectory, ...]:
            return pilot3.answered_again(_agent(storage, study, weights, GREEDY), rollouts, cut)

        found[name] = _stored(storage, f"{COLD_START}-pilot3-{name}", make)
    return found


def _agent(storage: Storage, study: Study, weights: Path, temperature: float) -> Agent:
    recipe = study.recipe(study.arms[0], 0)
    world, loaded = RunContext.open(storage, recipe), load(weights)
    encoder = loaded.encoder()
    policy = TransformersPolicy(loaded.model, encoder, world.media, max_batch=recipe.evaluation.concurrency)
    return world.agent(policy, world.memory("vimrag", encoder), temperature=temperature)


def _folder(storage: Storage, directory: str) -> Path:
    local = storage.local_path(directory)
    assert local is not None, "a study works below a local root"
    return local
