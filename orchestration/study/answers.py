"""Answers of the study: greedy and sampled rollouts of unseen questions, stored once a set.

Holds what is answered by which weights and where it is kept; what the answers show is ``study.py``.
"""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from infra.storage.atomic import replacing
from infra.storage.root import Storage
from model.agent.loop import Agent
from model.evaluation.evaluation import evaluate
from model.policies.transformers_policy import TransformersPolicy
from model.rl import trajectory_store
from model.rl.rollouts import RolloutPlan
from model.training import checkpoint
from model.training.metrics import read_metrics
from model.types import Trajectory
from orchestration.imitation.cold_start import unpack
from orchestration.joins.adapters import MetricGrader, tasks_of_split
from orchestration.joins.agents import GREEDY, RunContext, load
from orchestration.launch.reporter import Reporter
from orchestration.study import pilot3
from orchestration.study.options import Study, StudyRun
from orchestration.study.record import CLAIM, RUNS, record_of
from orchestration.training.ggpo_run import METRICS

COLD_START = "cold_start"
SPENT = ("seconds_rollouts", "seconds_grading", "seconds_update")
"""Of an update, in a run's metrics: what it is trained with."""


def is_answered(storage: Storage, run: StudyRun) -> bool:
    """Whether every answer of the run to unseen questions is stored."""
    return all(stored_file(storage, name).exists() for name in answer_names(run))


def answer_names(run: StudyRun) -> list[str]:
    """Names under which the answers of a run are stored."""
    samples = run.study.samples
    sampled = [_name(run.name, "test", samples)] if samples else []
    between = [_name(f"{run.name}-{update}", "test", samples) for update in points(run.study) if samples]
    return [_name(run.name, "test"), *sampled, *between]


def points(study: Study) -> range:
    """Updates between the first and the last at which unseen questions are answered."""
    return range(study.curve_every, study.updates, study.curve_every) if study.curve_every else range(0)


def curve(storage: Storage, run: StudyRun) -> list[tuple[int, list[Trajectory]]]:
    """Sampled answers of a run to the unseen questions by update, from the cold start to the last."""
    study = run.study
    start = sampled_answers(storage, study, COLD_START, cold_start_weights(storage, study))
    folder = local_folder(storage, run.config.ggpo_checkpoints)
    between = [
        (update, sampled_answers(storage, study, f"{run.name}-{update}", folder / f"{update:06d}"))
        for update in points(study)
    ]
    last = sampled_answers(storage, study, run.name, final_weights(storage, run))
    return [(0, start), *between, (study.updates, last)]


def answer(run: StudyRun, _reporter: Reporter) -> None:
    """Answer the unseen questions with the run's last weights, greedily and sampled, unless that is stored.

    A run whose sampled answers make a curve leaves its record.
    """
    storage = Storage(str(run.study.root))
    final = final_weights(storage, run)
    answers(storage, run.study, run.name, final)
    if not run.study.samples:
        return
    points_of_curve = curve(storage, run)
    if run.study.curve_every:
        metrics = read_metrics(local_folder(storage, run.config.metrics) / METRICS)
        shared = json.loads(storage.read_bytes(CLAIM))
        seconds = sum(record[name] for record in metrics for name in SPENT)
        record = record_of(
            run.arm,
            run.seed,
            shared,
            points_of_curve,
            seconds=seconds,
            trained_on=training_rollouts(storage, run),
        )
        storage.write_bytes(f"{RUNS}/{run.name}.json", record.to_json())


def training_rollouts(storage: Storage, run: StudyRun) -> Iterator[tuple[int, list[Trajectory]]]:
    """The rollouts that a run was trained on, update after update, from 1."""
    files = sorted(local_folder(storage, run.config.rollouts).glob("update-*.parquet"))
    for update, file in enumerate(files, start=1):
        yield update, list(trajectory_store.read(file))


def answers(
    storage: Storage, study: Study, name: str, weights: Path, *, split: str = "test", samples: int = 0
) -> list[Trajectory]:
    """Graded rollouts of every question of ``split`` by the checkpoint ``weights``, stored under ``name``.

    ``samples`` rollouts a question at the training temperature; one greedy rollout for 0.
    """
    tasks = tasks_of_split(
        storage,
        split,
        per_dataset=study.test_questions if split == "test" else None,
        datasets=study.datasets or None,
    )

    def make() -> tuple[Trajectory, ...]:
        agent = _agent(storage, study, weights, study.temperature if samples else GREEDY)
        concurrency = study.recipe(study.arms[0], 0).evaluation.concurrency
        plan = RolloutPlan(group_size=max(1, samples), concurrency=concurrency)
        return asyncio.run(evaluate(agent, tasks, MetricGrader(), plan)).trajectories

    return _stored(storage, _name(name, split, samples), make)


def sampled_answers(storage: Storage, study: Study, name: str, weights: Path) -> list[Trajectory]:
    """``study.samples`` rollouts of every unseen question; none where the study samples none."""
    return answers(storage, study, name, weights, samples=study.samples) if study.samples else []


def _name(name: str, split: str, samples: int = 0) -> str:
    return f"{name}-{split}-sampled-{samples}" if samples else f"{name}-{split}"


def stored_file(storage: Storage, name: str) -> Path:
    """Where the trajectories of that name are, once they are made."""
    return local_folder(storage, "trajectories/study") / f"{name}.parquet"


def _stored(storage: Storage, name: str, make: Callable[[], Sequence[Trajectory]]) -> list[Trajectory]:
    """The trajectories of that name, made if they are not there; a file is whole or missing."""
    file = stored_file(storage, name)
    if not file.exists():
        trajectories = make()
        with replacing(file) as partial:
            trajectory_store.write(partial, trajectories)
    return list(trajectory_store.read(file))


def final_weights(storage: Storage, run: StudyRun) -> Path:
    """The checkpoint of the run's last update: no choice among them, so that no objective gains by one."""
    latest = checkpoint.latest(local_folder(storage, run.config.ggpo_checkpoints))
    assert latest is not None, "a trained run has a checkpoint"
    return latest


def cold_start_weights(storage: Storage, study: Study) -> Path:
    """The checkpoint that every run starts from; ``ValueError`` if none of that name ships."""
    folder = local_folder(storage, "checkpoints/study-cold-start")
    return checkpoint.latest(folder) or unpack(study.checkpoint, folder)


def pilot3_answers(
    storage: Storage, study: Study, weights: Path, rollouts: Sequence[Trajectory]
) -> dict[str, list[Trajectory]]:
    """Greedy answers of the cold start from parts of its wrong rollouts' graphs, by cut, stored."""
    by_cut: dict[str, list[Trajectory]] = {}
    for name, cut in pilot3.CUTS.items():

        def make(cut: pilot3.Cut = cut) -> tuple[Trajectory, ...]:
            return pilot3.answered_again(_agent(storage, study, weights, GREEDY), rollouts, cut)

        by_cut[name] = _stored(storage, f"{COLD_START}-pilot3-{name}", make)
    return by_cut


def _agent(storage: Storage, study: Study, weights: Path, temperature: float) -> Agent:
    recipe = study.recipe(study.arms[0], 0)
    world, loaded = RunContext.open(storage, recipe), load(weights)
    encoder = loaded.encoder()
    policy = TransformersPolicy(loaded.model, encoder, world.media, max_batch=recipe.evaluation.concurrency)
    return world.agent(policy, world.memory("vimrag", encoder), temperature=temperature)


def local_folder(storage: Storage, directory: str) -> Path:
    """The folder of this machine that holds ``directory`` of the root."""
    local = storage.local_path(directory)
    assert local is not None, "a study works below a local root"
    return local
