"""The rollouts that an audit judges on: made once, part by part, or read from where a run left them."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from assets.corpus.build import build_corpus
from assets.corpus.dataset import DATASETS
from assets.corpus.read import built_datasets
from assets.index.build import build_index
from infra.progress import LogFunction, ProgressLogger
from infra.storage.atomic import replacing
from infra.storage.root import Storage
from model.evaluation.evaluation import grade_all
from model.policies.transformers_policy import TransformersPolicy
from model.rl import trajectory_store
from model.rl.rollouts import RolloutPlan, ordered_by_group, run_rollouts
from model.types import Task, Trajectory
from orchestration.dagster_defs.miniature_raw import ensure_miniature, worlds_of
from orchestration.joins.adapters import MetricGrader, tasks_of_split
from orchestration.joins.agents import LoadedCheckpoint, RunContext
from orchestration.study.credit.options import CreditStudy

QUESTIONS_OF_A_PART = 36
CONCURRENCY = 128


def prepare(study: CreditStudy, log: LogFunction) -> Storage:
    """Worlds, corpus and index below the root, unless it holds a corpus already.

    Raises:
        ValueError: if it holds worlds of questions that are shorter or longer than what is asked for.
    """
    storage = Storage(str(study.root))
    progress = ProgressLogger(log)
    there = worlds_of(study.root / "raw")
    if there is not None and there.hops != study.worlds.hops:
        raise ValueError(
            f"{study.root} holds worlds whose longest questions have {there.hops} hops, not {study.worlds.hops}: "
            f"choose another root, or ask for {there.hops}"
        )
    if built := built_datasets(storage):
        if not (study.root / "raw").is_dir():
            log(f"credit: the corpus of {', '.join(built)} that is there")
    else:
        ensure_miniature(study.root / "raw", study.worlds)
    if not built or ((study.root / "raw").is_dir() and not DATASETS.keys() <= set(built)):
        build_corpus(study.root / "raw", storage, progress=progress)
    build_index(storage, progress=progress)
    return storage


def rollouts(
    study: CreditStudy, storage: Storage, loaded: LoadedCheckpoint, world: RunContext
) -> list[Trajectory]:
    """Graded rollouts of the study's questions; what is stored is not made again."""
    if study.trajectories:
        return [
            each
            for path in study.trajectories
            for file in _files(path)
            for each in trajectory_store.read(file)
        ]
    roller = Roller(study, storage, loaded, world)
    return [each for start in part_starts(roller.tasks) for each in trajectory_store.read(roller.make(start))]


def part_starts(tasks: Sequence[Task]) -> range:
    """The number of each part's first question."""
    return range(0, len(tasks), QUESTIONS_OF_A_PART)


def _files(path: Path) -> Sequence[Path]:
    return sorted(path.glob("*.parquet")) if path.is_dir() else [path]


class Roller:
    """The agent under training's own conditions, and where its rollouts are stored, part by part."""

    def __init__(
        self, study: CreditStudy, storage: Storage, loaded: LoadedCheckpoint, world: RunContext
    ) -> None:
        self._study = study
        self.tasks = tasks_of_split(
            storage,
            study.split,
            per_dataset=study.questions,
            seed=study.seed,
            datasets=study.datasets or None,
        )
        encoder = loaded.encoder()
        policy = TransformersPolicy(loaded.model, encoder, world.media, max_batch=CONCURRENCY)
        memory = world.memory("vimrag", encoder, training=True)
        self._agent = world.agent(policy, memory, temperature=study.temperature)
        weights = policy.fingerprint.split(":")[1][:8]
        self._key = (
            f"{weights}-{study.group_size}-{study.temperature:g}-{study.seed}-{self._agent.limits.calls}"
        )

    def file(self, start: int) -> Path:
        """Of the part whose first question is number ``start``."""
        folder = self._study.root / "trajectories" / "study-credit"
        return folder / f"{self._study.name}-{self._key}-{start:05d}.parquet"

    def make(self, start: int) -> Path:
        """Roll the part out, unless it is stored; returns its file."""
        file = self.file(start)
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            made = self._roll(self.tasks[start : start + QUESTIONS_OF_A_PART])
            with replacing(file) as partial:
                trajectory_store.write(partial, made)
        return file

    def _roll(self, tasks: Sequence[Task]) -> tuple[Trajectory, ...]:
        plan = RolloutPlan(group_size=self._study.group_size, concurrency=CONCURRENCY, seed=self._study.seed)

        async def run() -> tuple[Trajectory, ...]:
            groups = await run_rollouts(self._agent, tasks, plan)
            return await grade_all(ordered_by_group(groups), MetricGrader())

        return asyncio.run(run())
