"""Stages of a cold start after there is a model that answers: imitation of a teacher, rounds of rejection sampling.

Each stage is a function of the checkpoint before it and of rollouts that are kept, and leaves a checkpoint that lists the
stages done with their counts; a run that was ended goes on with the stage after them. Only the last checkpoint stays.
"""

import gc
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from infra.storage.root import Storage
from model.config.schedule import Retention
from model.imitation.rejection import Selection, only_kept, select, tally
from model.policies.chat_template import PromptEncoder
from model.policies.transformers_policy import TransformersPolicy
from model.rl import trajectory_store
from model.training import checkpoint
from model.types import Trajectory
from orchestration.imitation.behaviour_cloning import SftData, SftResult, learn_plainly, learn_under_engine
from orchestration.imitation.demonstrations import demonstrate
from orchestration.imitation.distillation import (
    ROLLOUTS,
    DistillationJob,
    DistillationResult,
    distil,
    kept_of,
)
from orchestration.imitation.rejection_sampling import SamplingRound, rollouts_of
from orchestration.imitation.validation import validated
from orchestration.joins.adapters import read_plans, tasks_of_split
from orchestration.joins.agents import LoadedCheckpoint, RunContext, load
from orchestration.launch.reporter import Reporter, progress
from orchestration.launch.run_config import RunConfig
from orchestration.launch.synced_directory import SyncedDirectory
from orchestration.recipes.cold_start import ColdStart, ImitationOptions, RejectionSampling, TeacherOptions

TEACHER = "teacher"
STAGES = "stages"  # in a checkpoint's progress


def wanted(cold_start: ColdStart) -> tuple[str, ...]:
    """Names of the stages that the recipe asks for after its start."""
    from_nothing = cold_start.shipped is None and cold_start.base is None
    taught = cold_start.teacher is not None and not from_nothing
    rounds = 0 if cold_start.rejection is None else cold_start.rejection.rounds
    return (*([TEACHER] if taught else []), *(f"round {number}" for number in range(1, rounds + 1)))


def stages_of(path: Path) -> dict[str, Any]:
    """Stages that a checkpoint has behind it, and their counts."""
    return dict(checkpoint.read(path).data_order.get(STAGES, {}))


def asked(teacher: TeacherOptions, lesson: DistillationJob, reporter: Reporter) -> DistillationResult:
    """The teacher's rollouts, and a line of what they are and cost."""
    taught = distil(teacher, lesson, progress(reporter))
    counts, bill = taught.counts, taught.counts["all_runs"]
    reporter.log(
        f"teacher {counts['model']}: {counts['right']} of {counts['rollouts']} rollouts right, {counts['kept']} kept; "
        f"{bill['replies']:,} replies, {bill['prompt_tokens']:,} + {bill['completion_tokens']:,} tokens over all runs"
    )
    return taught


class SftStages:
    """The stages of one run.

    Args:
        config: the run.
        reporter: hears how it goes.
        target: folder of the checkpoints.
        folder: folder of the rollouts that are imitated.
    """

    def __init__(
        self, config: RunConfig, reporter: Reporter, target: SyncedDirectory, folder: SyncedDirectory
    ) -> None:
        self._config, self._reporter, self._target, self._folder = config, reporter, target, folder
        self._recipe, self._plan = config.recipe, config.recipe.cold_start
        self._storage = Storage(config.root)
        self._world = RunContext.open(self._storage, config.recipe)

    def run(self, start: Path) -> Path:
        """Run the stages that the checkpoint ``start`` does not have behind it; returns the last checkpoint."""
        self._folder.pull()
        path = start
        for name in wanted(self._plan):
            if name not in stages_of(path):
                path = self._stage(name, path)
                gc.collect()  # a stage's model and optimiser go before the next one's come
        return path

    def _stage(self, name: str, path: Path) -> Path:
        weights = load(path, bf16=self._recipe.ggpo.engine.bf16)
        encoder = weights.encoder()
        if name == TEACHER:
            assert self._plan.teacher is not None, "the stage is wanted"
            taught = asked(self._plan.teacher, self._lesson(self._plan.teacher, encoder), self._reporter)
            material, counts = SftData(rollouts=taught.kept, media=self._world.media), taught.counts
            plan = self._plan.teacher.imitation
        else:
            assert self._plan.rejection is not None, "the stage is wanted"
            plan = self._plan.rejection.imitation
            number = int(name.removeprefix("round "))
            material, counts = self._own(self._plan.rejection, number, weights, encoder)
        learnt = self._learn(weights, encoder, material, plan, name)
        score = validated(self._world, self._storage, self._policy(weights, encoder), encoder, self._recipe)
        self._reporter.log(f"{name}: validation {score:.1%} right, mean of the benchmarks")
        done = {
            "segments": learnt.segments,
            "steps": learnt.steps,
            "loss": learnt.loss,
            "validation": score,
        }
        return self._save(path, weights, learnt, {**stages_of(path), name: {**counts, **done}})

    def _lesson(self, teacher: TeacherOptions, encoder: PromptEncoder) -> DistillationJob:
        tasks = tasks_of_split(self._storage, "train", per_dataset=teacher.questions, seed=teacher.seed)
        return DistillationJob(
            world=self._world,
            encoder=encoder,
            tasks=tasks,
            folder=self._folder.path,
            push=self._folder.push,
        )

    def _own(
        self, rejection: RejectionSampling, number: int, weights: LoadedCheckpoint, encoder: PromptEncoder
    ) -> tuple[SftData, dict[str, Any]]:
        """Right rollouts of the policy, with the demonstrations that they are mixed with."""
        tasks = tasks_of_split(self._storage, "train", per_dataset=rejection.questions, seed=rejection.seed)
        one = SamplingRound(
            number=number,
            world=self._world,
            policy=self._policy(weights, encoder),
            encoder=encoder,
            tasks=tasks,
            folder=self._folder.path,
            push=self._folder.push,
        )
        rollouts = rollouts_of(rejection, one, progress(self._reporter))
        selection = Selection(
            per_question=rejection.per_question, balance=rejection.balance, seed=rejection.seed
        )
        kept = select(rollouts, selection)
        counts = tally(rollouts, kept)
        self._reporter.log(
            f"round {number}: {counts['right']} of {counts['rollouts']} rollouts right, {counts['kept']} kept "
            f"of {counts['questions_right']} questions"
        )
        if not kept:
            raise ValueError(
                f"round {number}: none of {len(rollouts)} rollouts is right, so there is nothing to learn from; "
                f"they are in {self._folder.path}. Begin with demonstrations, or allow more samples"
            )
        chosen = tuple(map(only_kept, kept)) if rejection.only_kept_segments else kept
        others = self._demonstrations(encoder) if rejection.demonstrations else ()
        material = SftData(
            rollouts=chosen,
            others=others,
            demonstrations=rejection.demonstrations,
            media=self._world.media,
        )
        return material, {**counts, "demonstrations": len(others)}

    def _demonstrations(self, encoder: PromptEncoder) -> tuple[Trajectory, ...]:
        """The teacher's if there is one, else the oracle's on the questions whose plans are known, else none."""
        if self._plan.teacher is not None:
            return kept_of(list(trajectory_store.read(self._folder.path / ROLLOUTS)), self._plan.teacher)
        plans = read_plans(self._storage)
        tasks = [task for task in tasks_of_split(self._storage, "train") if task.id in plans]
        if not tasks:
            return ()
        shown = progress(self._reporter)
        return tuple(demonstrate(self._world, encoder, tasks, plans, self._plan, shown))

    def _policy(self, weights: LoadedCheckpoint, encoder: PromptEncoder) -> TransformersPolicy:
        many = self._recipe.evaluation.concurrency
        return TransformersPolicy(weights.model, encoder, self._world.media, max_batch=many)

    def _learn(
        self,
        weights: LoadedCheckpoint,
        encoder: PromptEncoder,
        material: SftData,
        plan: ImitationOptions,
        name: str,
    ) -> SftResult:
        say = self._reporter.log
        if self._plan.base is None:
            return learn_plainly(weights, encoder, material, plan, name=name, say=say)
        ggpo = self._recipe.ggpo
        return learn_under_engine(weights, encoder, material, plan, ggpo=ggpo, name=name, say=say)

    def _save(
        self, before: Path, weights: LoadedCheckpoint, learnt: SftResult, stages: Mapping[str, Any]
    ) -> Path:
        reached = checkpoint.read(before)
        path = checkpoint.save_weights(
            self._target.path,
            model=weights.model,
            tokenizer=weights.tokenizer,
            progress=checkpoint.TrainingProgress(
                update=reached.update + 1,
                steps=reached.steps + learnt.steps,
                score=list(stages.values())[-1]["validation"],
                data_order={STAGES: dict(stages)},
            ),
            params={"recipe": asdict(self._recipe)},
            weights=learnt.weights,
        )
        checkpoint.prune(self._target.path, Retention(keep_last=1, keep_best=False))
        self._target.push()
        return path
