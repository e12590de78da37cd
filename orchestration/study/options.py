"""What the training study compares, how large it is, and its runs: objectives from one cold start, seed after seed.

Holds options only and loads no torch, so that the command line reads them here; training is ``training.py``. Seeds go round
first, so that a study that was stopped has every objective as often as the others.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from model.config.algorithm import ALGORITHMS
from model.config.engine import EngineConfig
from model.config.reward import RewardWeights
from model.config.schedule import Retention, Schedule
from orchestration.launch.run_config import RunConfig
from orchestration.recipes.cold_start import SHIPPED
from orchestration.recipes.miniature import quickstart
from orchestration.recipes.options import Ggpo, MiniatureWorlds, Recipe

ARMS = ("ggpo", "gspo", "prune_at_random", "grpo")


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What is compared, and how large it is."""

    root: Path
    arms: tuple[str, ...] = ARMS
    """Keys of ``model.config.algorithm.ALGORITHMS``."""
    seeds: int = 5
    """Runs of each objective."""
    only: tuple[str, ...] = ()
    """Runs to make in this sitting, as ``gspo-0``; none means all."""
    parallel: int = 2
    """Runs trained side by side; they share the recipe's threads."""
    updates: int = 12
    """Policy updates of a run."""
    questions: int = 24
    """Questions of one update."""
    group_size: int = 8
    """Rollouts of one question in training."""
    mini_batches: int = 1
    """Optimiser steps of one update; with one every ratio is 1, and clipping cannot matter."""
    learning_rate: float = 3e-4
    """At its highest; it falls to zero over a run, so that the last weights, which are compared, are no noisy ones."""
    decay_updates: int = 0
    """Updates after which it is zero, for runs that end before; 0: their own number."""
    warmup_steps: int = 3
    """Optimiser steps in which it rises."""
    temperature: float = 1.0
    """Of rollouts in training and of sampled answers."""
    test_questions: int = 16
    """Unseen questions of each dataset."""
    samples: int = 4
    """Rollouts of each unseen question at the training temperature, beside the greedy one; 0 draws none."""
    checkpoint: str = "miniature"
    """The cold start: folder below ``checkpoints/`` of the repository."""
    limits: str = ""
    """Key of ``model.config.limits.LIMITS``; empty: those of the miniature."""
    datasets: tuple[str, ...] = ()
    """Datasets that are trained and measured on; none means all."""
    clips: tuple[float, float] | None = None
    """Lower and upper clip distance in place of each objective's own."""
    curve_every: int = 0
    """Updates between sampled answers to the unseen questions, for the area under their curve; 0: only the last ones."""
    reward: RewardWeights = RewardWeights(judge=0.0, exact=1.0)  # noqa: RUF009 - frozen
    """What a rollout is worth. No judge is asked: the datasets' own metrics decide right and wrong throughout a study."""
    worlds: MiniatureWorlds = MiniatureWorlds(train=48, val=4, test=8, questions=8)  # noqa: RUF009 - frozen
    """The invented worlds that are trained on, validated and tested on."""

    def __post_init__(self) -> None:
        if not self.arms or min(self.seeds, self.parallel, self.test_questions) < 1:
            raise ValueError(f"a study needs arms, a seed, a run at a time and test questions: {self}")
        if len(set(self.arms)) < len(self.arms):
            raise ValueError(f"an objective is named twice: {', '.join(self.arms)}")
        if unknown := set(self.arms) - ALGORITHMS.keys():
            raise ValueError(f"unknown objectives {sorted(unknown)}; known: {', '.join(ALGORITHMS)}")
        if unknown_runs := [
            name for name in self.only if name not in {run.name for run in runs(replace(self, only=()))}
        ]:
            raise ValueError(f"the study has no run {unknown_runs[0]!r}; an example is {self.arms[0]}-0")
        if self.samples < 0:
            raise ValueError(f"a study draws no sample of a question or some, got samples={self.samples}")
        if self.curve_every < 0 or (self.curve_every and self.updates % self.curve_every):
            raise ValueError(
                f"the {self.updates} updates of a run are a multiple of curve_every, got {self.curve_every}"
            )
        self.recipe(self.arms[0], 0)  # refuses group sizes, updates and the like that are out of range

    def recipe(self, arm: str, seed: int) -> Recipe:
        """The recipe of one run; all runs of a seed draw the same questions."""
        base = quickstart()
        algorithm = replace(ALGORITHMS[arm], group_size=self.group_size, seed=seed)
        if self.clips is not None:
            algorithm = replace(algorithm, clip_low=self.clips[0], clip_high=self.clips[1])
        ggpo = Ggpo(
            algorithm=algorithm,
            reward=self.reward,
            schedule=Schedule(
                updates=self.updates,
                mini_batches=self.mini_batches,
                learning_rate=self.learning_rate,
                warmup_steps=self.warmup_steps,
                decay=True,
                decay_updates=self.decay_updates,
                seed=seed,
            ),
            engine=EngineConfig(temperature=self.temperature),
            questions=self.questions,
            reproducible=False,  # what is compared are seeds; decoding in step would only cost time
            checkpoint_every=self.curve_every or max(1, self.updates // 3),
            retention=Retention(every=self.curve_every),
            validation=16,
        )
        threads = max(1, base.threads // self.parallel)
        return replace(
            base,
            name=f"study-{arm}-{seed}",
            worlds=self.worlds,
            ggpo=ggpo,
            threads=threads,
            limits=self.limits,
            datasets=self.datasets,
        )

    def command(self) -> list[str]:
        """The command line of the process that makes the study."""
        from orchestration.launch.commands import Script, entry_point

        return [sys.executable, "-m", *entry_point(Script.STUDY, self)]

    def require_checkpoint(self) -> None:
        """Raises ``ValueError`` if the cold start does not ship."""
        if not any((SHIPPED / self.checkpoint).glob("*/manifest.json")):
            known = ", ".join(sorted(path.name for path in SHIPPED.iterdir())) if SHIPPED.is_dir() else "none"
            raise ValueError(f"no checkpoint {self.checkpoint!r} ships; there are: {known}")


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRun:
    """One objective with one seed."""

    study: Study
    arm: str
    seed: int

    def __post_init__(self) -> None:
        if self.arm not in self.study.arms or not 0 <= self.seed < self.study.seeds:
            raise ValueError(f"the study has no run {self.name!r}")

    @property
    def name(self) -> str:
        """Of its answers."""
        return f"{self.arm}-{self.seed}"

    @property
    def config(self) -> RunConfig:
        """The training run."""
        recipe = self.study.recipe(self.arm, self.seed)
        return RunConfig(root=str(self.study.root), name=recipe.name, recipe=recipe)


def runs(study: Study) -> Iterator[StudyRun]:
    """Every run of this sitting, seed after seed."""
    for seed in range(study.seeds):
        for arm in study.arms:
            run = StudyRun(study=study, arm=arm, seed=seed)
            if not study.only or run.name in study.only:
                yield run
