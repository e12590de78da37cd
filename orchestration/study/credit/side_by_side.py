"""Parts of an audit made in several processes: rollouts part by part, sums of gradients fold by fold.

For policies so small that a core has nothing of a second thread. Each of several processes loads the policy for itself, reads the
rollouts that are stored, and leaves what it made in files; nothing depends on how many processes there are.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from infra.progress import LogFunction
from infra.storage.root import Storage
from infra.workers.local import LocalEngine
from model.audit.audit import FoldPart, planned, sum_fold
from model.audit.gradients import PolicyGradients
from model.training.batches import InputBuilder
from orchestration.joins import agents
from orchestration.joins.agents import LoadedCheckpoint, RunContext
from orchestration.recipes.miniature import quickstart
from orchestration.study.credit.judged import objectives
from orchestration.study.credit.options import CreditStudy
from orchestration.study.credit.rollouts import Roller, part_starts, rollouts

MOST_WEIGHTS = 10_000_000
"""Of a policy that several processes load by themselves unless told otherwise."""


def workers_of(study: CreditStudy, loaded: LoadedCheckpoint) -> int:
    """Processes: as asked for, else one a thread for a small policy and one for any other."""
    small = sum(weight.numel() for weight in loaded.model.parameters()) <= MOST_WEIGHTS
    return study.workers or (study.threads if small else 1)


@dataclass(frozen=True, slots=True)
class Opened:
    """The policy of an audit and the world it answers in, in this process."""

    study: CreditStudy
    storage: Storage
    loaded: LoadedCheckpoint
    world: RunContext

    @classmethod
    def open(cls, study: CreditStudy, path: Path) -> "Opened":
        """Load the checkpoint at ``path`` and open the index of the study's root."""
        storage = Storage(str(study.root))
        recipe = replace(quickstart(), threads=study.threads, limits=study.limits)
        return cls(study, storage, agents.load(path), RunContext.open(storage, recipe))

    def gradients(self) -> PolicyGradients:
        """The policy, to be differentiated."""
        inputs = InputBuilder(encoder=self.loaded.encoder(), media=self.world.media, always_vision=False)
        return PolicyGradients(
            self.loaded.model,
            inputs,
            temperature=self.study.temperature,
            parameters=self.study.parameters,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rolling:
    """Told to a process: rolls out the questions that begin at a number, unless that is stored."""

    study: CreditStudy
    path: Path
    threads: int

    def __call__(self) -> Callable[[int], int]:
        torch.set_num_threads(self.threads)
        return self.on(Opened.open(self.study, self.path))

    def on(self, opened: Opened) -> Callable[[int], int]:
        """The work, with a policy that is loaded."""
        roller = Roller(self.study, opened.storage, opened.loaded, opened.world)

        def roll(start: int) -> int:
            roller.make(start)
            return 1

        return roll


def roll_side_by_side(
    study: CreditStudy, opened: Opened, path: Path, *, workers: int, log: LogFunction
) -> None:
    """Make the rollouts that are not stored yet, a part a process.

    Raises:
        EngineError: if processes die again and again; what they finished is kept.
    """
    roller = Roller(study, opened.storage, opened.loaded, opened.world)
    missing = [start for start in part_starts(roller.tasks) if not roller.file(start).exists()]
    make = _Rolling(study=study, path=path, threads=max(1, study.threads // workers))
    engine = LocalEngine(workers=workers)
    # one process has loaded its policy already, and a large one fits once
    for done, _ in enumerate(engine.run(make if workers > 1 else lambda: make.on(opened), missing), start=1):
        log(f"credit: rollouts {done} of {len(missing)} parts")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Summing:
    """Told to a process: sums a fold into ``folder``."""

    study: CreditStudy
    path: Path
    folder: Path
    threads: int

    def __call__(self) -> Callable[[int], int]:
        torch.set_num_threads(self.threads)
        return self.on(Opened.open(self.study, self.path))

    def on(self, opened: Opened) -> Callable[[int], int]:
        """The work, with a policy that is loaded."""
        trajectories = rollouts(self.study, opened.storage, opened.loaded, opened.world)
        plan = planned(trajectories, objectives(self.study), folds=self.study.folds, seed=self.study.seed)
        source = opened.gradients()

        def work(fold: int) -> int:
            _write(self.folder, fold, sum_fold(plan, fold, source))
            return len(plan.folds[fold])

        return work


def _write(folder: Path, fold: int, part: FoldPart) -> None:
    np.save(folder / f"{fold}.npy", part.sums_KP.numpy(), allow_pickle=False)
    counts = {"weighed": part.weighed_K.tolist(), "tokens": part.tokens}
    (folder / f"{fold}.json").write_text(json.dumps(counts))


def _read(folder: Path, fold: int) -> FoldPart:
    """A fold's part; its sums stay in their file and are read as they are needed."""
    counts = json.loads((folder / f"{fold}.json").read_text())
    sums = np.load(folder / f"{fold}.npy", mmap_mode="c", allow_pickle=False)
    return FoldPart(
        sums_KP=torch.from_numpy(sums), weighed_K=np.array(counts["weighed"]), tokens=counts["tokens"]
    )


def sum_side_by_side(
    study: CreditStudy,
    opened: Opened,
    path: Path,
    folder: Path,
    *,
    workers: int,
    on_questions: Callable[[int], None],
) -> Iterator[FoldPart]:
    """The parts of all folds in order, a fold a process; they live as long as ``folder`` does.

    Raises:
        EngineError: if processes die again and again.
        ValueError: what an objective or the rollouts are refused for.
    """
    make = _Summing(study=study, path=path, folder=folder, threads=max(1, study.threads // workers))
    done, engine = 0, LocalEngine(workers=workers)
    for count in engine.run(make if workers > 1 else lambda: make.on(opened), range(study.folds)):
        done += count
        on_questions(done)
    yield from (_read(folder, fold) for fold in range(study.folds))
