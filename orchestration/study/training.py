"""Training of the study's runs: their worlds, and every run in a process of its own, some of them side by side.

Holds how a run is made or found done; what it answers is ``answers.py``.
"""

import json
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import asdict
from hashlib import sha256
from os import environ
from threading import Event

from infra.progress import LogFunction, ProgressLogger
from infra.storage import manifest
from infra.storage.root import Storage
from model.training import checkpoint
from orchestration.imitation.cold_start import unpack
from orchestration.joins.adapters import tasks_of_split
from orchestration.launch.commands import Script, command, environment
from orchestration.recipes.cold_start import SHIPPED
from orchestration.study.answers import answer_names, is_answered, local_folder, stored_file
from orchestration.study.miniature_root import build_root
from orchestration.study.options import Study, StudyRun, runs
from orchestration.study.record import CLAIM, MAY_DIFFER, with_defaults


def prepare(study: Study, log: LogFunction) -> Storage:
    """Worlds, corpus and index below the study's root; nothing is built twice.

    Raises:
        ValueError: if the root holds runs of another study.
    """
    storage = Storage(str(study.root))
    _claim(storage, study)
    build_root(storage, study.worlds, ProgressLogger(log))
    return storage


def _claim(storage: Storage, study: Study) -> None:
    """Keep what all runs of a root share, so that a repeated command never mixes two studies."""
    shipped = checkpoint.latest(SHIPPED / study.checkpoint)
    assert shipped is not None, "asked for before (Study.require_checkpoint)"
    shared = {name: value for name, value in asdict(study).items() if name not in MAY_DIFFER}
    shared["weights"] = sha256(
        (shipped / manifest.MANIFEST).read_bytes()
    ).hexdigest()  # holds the hashes of all files
    text = json.dumps(shared, sort_keys=True)
    if not storage.exists(CLAIM):
        storage.write_bytes(CLAIM, text.encode())
    elif not _is_same(before := storage.read_bytes(CLAIM).decode(), text):
        raise ValueError(f"{storage.root} holds a study with {before}, not {text}: choose another root")


def _is_same(before: str, now: str) -> bool:
    """Whether two claims are of one study."""
    return with_defaults(json.loads(before)) == with_defaults(json.loads(now))


def is_trained(storage: Storage, run: StudyRun) -> bool:
    """Whether the run's last update has its checkpoint."""
    reached = checkpoint.latest(local_folder(storage, run.config.ggpo_checkpoints))
    return reached is not None and checkpoint.read(reached).update >= run.config.recipe.ggpo.schedule.updates


def make_all(storage: Storage, study: Study, log: LogFunction) -> None:
    """Train what is not trained and answer the unseen questions, ``study.parallel`` runs at a time, seed after seed.

    Raises:
        ValueError: if a run fails; those that are under way are waited for, the others not begun.
    """
    study_runs = list(runs(study))
    is_over = Event()

    def make(number: int, run: StudyRun) -> None:
        if is_over.is_set():
            return
        try:
            _make(storage, run, log, which=f"{number} of {len(study_runs)}")
        except BaseException:
            is_over.set()  # at once: the pool would hand out the next run before anybody could cancel it
            raise

    with ThreadPoolExecutor(study.parallel) as pool:
        futures = [pool.submit(make, number, run) for number, run in enumerate(study_runs, start=1)]
        try:
            wait(futures)
        except BaseException:  # an interrupt
            is_over.set()
            raise
    for future in futures:
        future.result()


def _make(storage: Storage, run: StudyRun, log: LogFunction, *, which: str) -> None:
    if not is_trained(storage, run):
        log(f"study: run {which}, {run.arm}, seed {run.seed}")
        train(storage, run, log)
    if not is_answered(storage, run):
        log(f"{run.arm} {run.seed}: answers the unseen questions")
        _run_process(command(Script.STUDY_ANSWERS, run), run, log)


def validation_questions(storage: Storage, run: StudyRun) -> frozenset[tuple[str, str]]:
    """The validation questions of a run, by dataset and id."""
    ggpo = run.config.recipe.ggpo
    tasks = tasks_of_split(
        storage,
        "val",
        per_dataset=ggpo.validation,
        seed=ggpo.schedule.seed,
        datasets=run.study.datasets or None,
    )
    return frozenset((task.dataset, task.id) for task in tasks)


def train(storage: Storage, run: StudyRun, log: LogFunction) -> None:
    """Train one run in a process of its own, on from its last checkpoint.

    Raises:
        ValueError: if it fails; its own lines went to ``log``.
    """
    start = local_folder(storage, run.config.cold_start_checkpoints)
    if checkpoint.latest(start) is None:
        unpack(run.study.checkpoint, start)
    if checkpoint.latest(local_folder(storage, run.config.ggpo_checkpoints)) is None:
        for name in answer_names(run):  # of weights that are gone
            stored_file(storage, name).unlink(missing_ok=True)
    _run_process(command(Script.TRAIN_GGPO, run.config), run, log)


def _run_process(line: Sequence[str], run: StudyRun, log: LogFunction) -> None:
    """Run the command to its end; ``ValueError`` if it fails."""
    with subprocess.Popen(
        line,
        env={**environ, **environment(run.config.recipe)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        assert process.stderr is not None, "it is a pipe"
        for text in process.stderr:  # runs side by side log at once: each line says whose it is
            log(f"{run.arm} {run.seed}: {text.rstrip()}")
    if process.returncode:
        raise ValueError(
            f"the run {run.config.name} ended with code {process.returncode}; its own lines say why. "
            "The same command goes on after what is finished"
        )
