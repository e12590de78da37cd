"""Stages of a cold start that begin with a model that answers: distillation of a teacher, rounds of rejection sampling.

Each stage is a function of the checkpoint before it and of stored rollouts, and leaves a checkpoint that lists the completed
stages with their counts; a run that was ended goes on with the stage after them. Only the last checkpoint stays.
"""

import asyncio
import gc
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from transformers import Qwen3VLForConditionalGeneration

from infra.progress import ProgressLogger
from infra.storage.root import Storage
from model.config.schedule import Retention
from model.evaluation.evaluation import evaluate
from model.imitation.rejection import Selection, select, selection_counts, without_pruned_segments
from model.policies.chat_template import PromptEncoder
from model.policies.transformers_policy import TransformersPolicy
from model.rl import trajectory_store
from model.rl.rollouts import RolloutPlan
from model.training import checkpoint
from model.types import Trajectory
from orchestration.imitation.behaviour_cloning import SftData, SftResult, train_tiny, train_with_engine
from orchestration.imitation.demonstrations import demonstrate
from orchestration.imitation.distillation import (
    ROLLOUTS,
    DistillationJob,
    DistillationResult,
    distil,
    selected_rollouts,
)
from orchestration.imitation.refusals import REFUSED, refuse_refusals
from orchestration.imitation.rejection_sampling import SamplingRound, sample_round
from orchestration.joins.adapters import MetricGrader, read_plans, tasks_of_split
from orchestration.joins.agents import GREEDY, LoadedCheckpoint, RunContext, load
from orchestration.launch.reporter import Reporter
from orchestration.launch.run_config import RunConfig
from orchestration.launch.synced_directory import SyncedDirectory
from orchestration.recipes.cold_start import ColdStart, ImitationOptions, RejectionSampling, TeacherOptions

TEACHER = "teacher"
STAGES = "stages"  # in a checkpoint's progress


def stage_names(cold_start: ColdStart) -> tuple[str, ...]:
    """Names of the stages that the recipe asks for after its start."""
    from_scratch = cold_start.shipped is None and cold_start.base is None
    distils = cold_start.teacher is not None and not from_scratch
    rounds = 0 if cold_start.rejection is None else cold_start.rejection.rounds
    return (*([TEACHER] if distils else []), *(f"round {number}" for number in range(1, rounds + 1)))


def completed_stages(path: Path) -> dict[str, Any]:
    """Stages that led to a checkpoint, with their counts."""
    return dict(checkpoint.read(path).data_order.get(STAGES, {}))


def distil_and_report(
    teacher: TeacherOptions,
    world: RunContext,
    encoder: PromptEncoder,
    storage: Storage,
    folder: SyncedDirectory,
    reporter: Reporter,
) -> DistillationResult:
    """The teacher's rollouts of the training questions; a line of their counts and cost goes to ``reporter``."""
    tasks = tasks_of_split(
        storage,
        "train",
        per_dataset=teacher.questions,
        seed=teacher.seed,
        question_set=world.recipe.question_set,
    )
    folder.pull()
    job = DistillationJob(world=world, encoder=encoder, tasks=tasks, folder=folder)
    result = distil(teacher, job, ProgressLogger(reporter.log))
    counts, usage = result.counts, result.counts["all_runs"]
    reporter.log(
        f"teacher {counts['model']}: {counts['right']} of {counts['rollouts']} rollouts right, {counts['kept']} kept; "
        f"{usage['replies']:,} replies, {usage['prompt_tokens']:,} + {usage['completion_tokens']:,} tokens over all runs"
    )
    return result


class ValidationScore(NamedTuple):
    """How the validation questions were answered."""

    accuracy: float  # mean over the benchmarks
    refused: float  # of all replies


def validation_score(
    world: RunContext, storage: Storage, model: Qwen3VLForConditionalGeneration, encoder: PromptEncoder
) -> ValidationScore:
    """Validation questions with greedy decoding."""
    concurrency = world.recipe.evaluation.concurrency
    policy = TransformersPolicy(model, encoder, world.media, max_batch=concurrency)
    agent = world.agent(policy, world.memory("vimrag", encoder), temperature=GREEDY)
    plan = RolloutPlan(concurrency=concurrency, seed=world.recipe.cold_start.seed)
    tasks = tasks_of_split(
        storage, "val", datasets=world.recipe.datasets or None, question_set=world.recipe.question_set
    )
    evaluation = asyncio.run(evaluate(agent, tasks, MetricGrader(), plan))
    calls = [call for each in evaluation.trajectories for segment in each.segments for call in segment.calls]
    refused = sum(call.rejected for call in calls) / max(1, len(calls))
    return ValidationScore(evaluation.overall.estimate, refused)


class SftStages:
    """The stages of one run.

    Args:
        config: the run.
        reporter: for progress and results.
        target: folder of the checkpoints.
        folder: folder of the rollouts to imitate.
    """

    def __init__(
        self, config: RunConfig, reporter: Reporter, target: SyncedDirectory, folder: SyncedDirectory
    ) -> None:
        self._config, self._reporter, self._target, self._folder = config, reporter, target, folder
        self._recipe, self._options = config.recipe, config.recipe.cold_start
        self._storage = Storage(config.root)
        self._world = RunContext.open(self._storage, config.recipe)

    def run(self, start: Path) -> Path:
        """Run the stages that the checkpoint ``start`` has not completed; returns the last checkpoint.

        Raises:
            ValueError: after a stage, then or when it was done before, if more replies were refused than the recipe allows.
        """
        self._folder.pull()
        path = start
        self._refuse_refusals(path)
        for name in stage_names(self._options):
            if name not in completed_stages(path):
                path = self._stage(name, path)
                self._refuse_refusals(path)
                gc.collect()  # frees a stage's model and optimiser before the next stage's are made
        return path

    def _refuse_refusals(self, path: Path) -> None:
        """The gate behind the last stage of ``path``; a start that no stage has changed is not judged."""
        refused = checkpoint.manifest_of(path)["params"].get(REFUSED)
        if (stages := completed_stages(path)) and refused is not None:
            refuse_refusals(refused, options=self._options, after=list(stages)[-1])

    def _stage(self, name: str, path: Path) -> Path:
        start = load(path, bf16=self._recipe.ggpo.engine.bf16)
        encoder = start.encoder()
        if name == TEACHER:
            assert self._options.teacher is not None, "stage_names lists the stage"
            distilled = distil_and_report(
                self._options.teacher, self._world, encoder, self._storage, self._folder, self._reporter
            )
            data, counts = SftData(rollouts=distilled.kept, media=self._world.media), distilled.counts
            options = self._options.teacher.imitation
        else:
            assert self._options.rejection is not None, "stage_names lists the stage"
            options = self._options.rejection.imitation
            number = int(name.removeprefix("round "))
            data, counts = self._rejection_data(self._options.rejection, number, start, encoder)
        result = self._train(start, encoder, data, options, name)
        score = validation_score(self._world, self._storage, start.model, encoder)
        self._reporter.log(
            f"{name}: validation {score.accuracy:.1%} right, mean of the benchmarks; {score.refused:.1%} of all replies refused"
        )
        outcome = {
            "segments": result.segments,
            "steps": result.steps,
            "loss": result.loss,
            "validation": score.accuracy,
            REFUSED: score.refused,
        }
        return self._save(path, start, result, {**completed_stages(path), name: {**counts, **outcome}})

    def _rejection_data(
        self, rejection: RejectionSampling, number: int, start: LoadedCheckpoint, encoder: PromptEncoder
    ) -> tuple[SftData, dict[str, Any]]:
        """Right rollouts of the policy with the demonstrations they are mixed with, and counts."""
        tasks = tasks_of_split(
            self._storage,
            "train",
            per_dataset=rejection.questions,
            seed=rejection.seed,
            question_set=self._recipe.question_set,
        )
        concurrency = self._recipe.evaluation.concurrency
        current = SamplingRound(
            number=number,
            world=self._world,
            policy=TransformersPolicy(start.model, encoder, self._world.media, max_batch=concurrency),
            encoder=encoder,
            tasks=tasks,
            folder=self._folder,
        )
        rollouts = sample_round(rejection, current, ProgressLogger(self._reporter.log))
        selection = Selection(
            per_question=rejection.per_question, balance=rejection.balance, seed=rejection.seed
        )
        kept = select(rollouts, selection)
        counts = selection_counts(rollouts, kept)
        self._reporter.log(
            f"round {number}: {counts['right']} of {counts['rollouts']} rollouts right, {counts['kept']} kept "
            f"of {counts['questions_right']} questions"
        )
        if not kept:
            raise ValueError(
                f"round {number}: none of {len(rollouts)} rollouts is right, so there is nothing to learn from; "
                f"they are in {self._folder.path}. Begin with demonstrations, or allow more samples"
            )
        imitated = tuple(map(without_pruned_segments, kept)) if rejection.only_kept_segments else kept
        others = self._demonstrations(encoder) if rejection.demonstrations else ()
        data = SftData(
            rollouts=imitated,
            others=others,
            demonstrations=rejection.demonstrations,
            media=self._world.media,
        )
        return data, {**counts, "demonstrations": len(others)}

    def _demonstrations(self, encoder: PromptEncoder) -> tuple[Trajectory, ...]:
        """The teacher's if there is one, else the oracle's on the questions whose plans are known, else none."""
        if self._options.teacher is not None:
            rollouts = list(trajectory_store.read(self._folder.path / ROLLOUTS))
            return selected_rollouts(rollouts, self._options.teacher)
        plans = read_plans(self._storage)
        tasks = [task for task in tasks_of_split(self._storage, "train") if task.id in plans]
        if not tasks:
            return ()
        on_progress = ProgressLogger(self._reporter.log)
        return tuple(demonstrate(self._world, encoder, tasks, plans, self._options, on_progress))

    def _train(
        self,
        start: LoadedCheckpoint,
        encoder: PromptEncoder,
        data: SftData,
        options: ImitationOptions,
        name: str,
    ) -> SftResult:
        log = self._reporter.log
        if self._options.base is None:
            return train_tiny(start, encoder, data, options, name=name, log=log)
        return train_with_engine(start, encoder, data, options, ggpo=self._recipe.ggpo, name=name, log=log)

    def _save(
        self, before: Path, trained: LoadedCheckpoint, result: SftResult, stages: Mapping[str, Any]
    ) -> Path:
        previous = checkpoint.read(before)
        last = list(stages.values())[-1]
        path = checkpoint.save_weights(
            self._target.path,
            model=trained.model,
            tokenizer=trained.tokenizer,
            progress=checkpoint.TrainingProgress(
                update=previous.update + 1,
                steps=previous.steps + result.steps,
                score=last["validation"],
                data_order={STAGES: dict(stages)},
            ),
            params={"recipe": asdict(self._recipe), REFUSED: last[REFUSED]},
            weights=result.weights,
        )
        checkpoint.prune(self._target.path, Retention(keep_last=1, keep_best=False))
        self._target.push()
        return path
