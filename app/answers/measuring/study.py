"""Experiments of the paper one after another, on one root and one model."""

import logging
import re
from dataclasses import dataclass, replace
from pathlib import Path

from app.answers.corpus_handle import CorpusHandle
from app.answers.measuring.arms import ArmOpener
from app.answers.measuring.crowding import NothingCrowdedError
from app.answers.measuring.evaluating import EvaluationPlan
from app.answers.measuring.experiments import ExperimentResult, run_experiment
from app.answers.models import ModelChoice, open_model
from app.errors import UsageError
from assets.corpus.read import built_datasets
from assets.index.published import current_index
from infra.progress import ProgressListener
from infra.storage.root import Storage
from model.config.limits import BY_PROFILE
from orchestration.joins.adapters import tasks_of_split
from orchestration.joins.clusters import clusters_of
from orchestration.study.experiments import EXPERIMENTS
from orchestration.study.miniature_root import WORLDS, build_root

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyChoice:
    """Which experiments, on which questions."""

    root: str
    names: tuple[str, ...]
    questions: int | None = None
    """Of each dataset, at most."""
    datasets: tuple[str, ...] = ()
    """Some of the benchmarks; none for all."""
    attempts: int = 1
    concurrency: int = 32
    seed: int = 0
    worlds: int = WORLDS.test
    """Invented ones, where the root has no corpus."""


async def run_study(
    study: StudyChoice, choice: ModelChoice, progress: ProgressListener
) -> list[ExperimentResult]:
    """Every experiment; what is answered is not asked again.

    Raises:
        UsageError: if the root is remote, or nothing is left of the only experiment.
    """
    storage = Storage(study.root)
    prepare(storage, study.worlds, progress)
    opened = await open_model(choice)
    try:
        snapshot = CorpusHandle(storage).snapshot()
        opener = ArmOpener(storage, snapshot, opened)
        tasks = tasks_of_split(
            storage, "test", per_dataset=study.questions, seed=study.seed, datasets=study.datasets or None
        )
        clusters, base = clusters_of(storage, tasks), BY_PROFILE[opened.profile.name]
        plan = EvaluationPlan(attempts=study.attempts, seed=study.seed, concurrency=study.concurrency)
        done: list[ExperimentResult] = []
        for name in study.names:
            folder = study_folder(storage, f"{name}-{opened.name}")
            try:
                found = await run_experiment(
                    EXPERIMENTS[name](base),
                    storage,
                    opener,
                    opened,
                    tasks,
                    plan,
                    folder,
                    index=snapshot.version,
                    clusters=clusters,
                    progress=progress,
                )
            except NothingCrowdedError as error:
                if len(study.names) == 1:
                    raise
                logger.warning("%s is left out: %s", name, error)
            else:
                done.append(found)
        return done
    finally:
        await opened.close()


def prepare(storage: Storage, worlds: int, progress: ProgressListener) -> None:
    """Invented worlds where there is no corpus; a corpus without an index is left to its owner."""
    if built_datasets(storage) and not storage.exists("raw/miniature"):
        return
    if current_index(storage) is None:
        build_root(storage, replace(WORLDS, test=worlds), progress)


def study_folder(storage: Storage, name: str) -> Path:
    """Where an experiment is kept. Raises ``UsageError`` for a remote root."""
    folder = storage.local_path("studies", re.sub(r"[^\w.-]+", "-", name))
    if folder is None:
        raise UsageError(
            "studies are kept on a local disk: give a local root, to which index and corpus were copied"
        )
    return folder
