"""The cold start: the checkpoint that ships, checked against this code, or the staged training from random weights.

Publishes checkpoints below ``checkpoints/<run>-cold-start``, one a stage when it trains: a run that was ended goes on with
the stage after its last one. The stages are ``imitation/pretraining_stages.py``, what they are made of
``model.imitation.stages`` and ``model.imitation.tiny.curriculum``.
"""

import random
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from transformers import Qwen3VLForConditionalGeneration

from infra.storage.atomic import replacing
from infra.storage.root import Storage
from model.imitation.stages import StageReport, TrainingStage, imitation, run_stage, segments_of
from model.imitation.tiny.shape import build_model
from model.policies.chat_template import PromptEncoder
from model.policies.fingerprint import of_policy
from model.policies.patch_embedding import as_matrix_product
from model.policies.transformers_policy import TransformersPolicy
from model.training import checkpoint
from model.types import Trajectory
from orchestration.imitation import pretraining_stages
from orchestration.imitation.demonstrations import demonstrate
from orchestration.imitation.distillation import DistillationJob
from orchestration.imitation.sft_stages import STAGES, TEACHER, SftStages, asked, stages_of, wanted
from orchestration.imitation.validation import validated
from orchestration.joins.adapters import read_plans, tasks_of_split
from orchestration.joins.agents import LoadedCheckpoint, RunContext, load
from orchestration.launch.process import prepare_torch, run_script
from orchestration.launch.reporter import Reporter, progress
from orchestration.launch.run_config import RunConfig
from orchestration.launch.synced_directory import SyncedDirectory
from orchestration.recipes.cold_start import SHIPPED, ColdStart


def run(config: RunConfig, reporter: Reporter) -> None:
    """Make the checkpoint and say what it is."""
    storage = Storage(config.root)
    with (
        SyncedDirectory(storage, config.cold_start_checkpoints) as target,
        SyncedDirectory(storage, config.demonstrations) as kept,
    ):
        done = checkpoint.latest(target.pull())
        if done is not None and wanted(config.recipe.cold_start) and stages_of(done):
            path = done
            reporter.log(f"going on after {', '.join(stages_of(done))}")
        else:
            path = start(config, reporter, target, kept)
            target.push()
        if wanted(config.recipe.cold_start):
            path = SftStages(config, reporter, target, kept).run(path)
        weights = load(path)
        found = {**metadata(weights), **stages_of(path)}
        reporter.finish(found, data_version=of_policy(weights.model, weights.tokenizer))


def start(config: RunConfig, reporter: Reporter, target: SyncedDirectory, kept: SyncedDirectory) -> Path:
    """The model as it is before it is refined: from elsewhere, shipped, or trained from nothing."""
    base, shipped = config.recipe.cold_start.base, config.recipe.cold_start.shipped
    if base is not None:
        path = adopt(Storage(config.root), base, target.path)
        reporter.log(f"cold start: the model in {base}, as it was published")
    elif shipped is None:
        path = ColdStartTraining(config, reporter, target, kept).run()
    else:
        path = unpack(shipped, target.path)
        reporter.log(f"cold start: the checkpoint {shipped!r} that ships")
    return path


class ColdStartTraining:
    """The stages of one cold start from random weights."""

    def __init__(
        self, config: RunConfig, reporter: Reporter, target: SyncedDirectory, kept: SyncedDirectory
    ) -> None:
        self._config, self._reporter, self._target, self._kept = config, reporter, target, kept
        self._taught: dict[str, Any] = {}  # what a teacher's rollouts came to
        self._seed = config.recipe.cold_start.seed
        torch.manual_seed(self._seed)
        self._tokenizer = pretraining_stages.tokenizer()
        self._encoder = PromptEncoder(self._tokenizer)
        self._storage = Storage(config.root)

    def run(self) -> Path:
        """Train every stage that is not done yet; returns the last checkpoint."""
        done = checkpoint.latest(self._target.pull())
        model, number = self._start(done)
        for stage in self._stages(after=number):
            number += 1
            report = run_stage(
                model, self._encoder, stage, random.Random(f"{self._seed}/{stage.name}"), report=self._say
            )
            score = self._validate(model) if stage.name == pretraining_stages.LAST_STAGE else None
            done = self._save(model, number, report, score)
        assert done is not None, "there are stages"
        return done

    def _start(self, done: Path | None) -> tuple[Qwen3VLForConditionalGeneration, int]:
        if done is None:
            return as_matrix_product(build_model(self._tokenizer, pretraining_stages.SHAPE)), 0
        self._reporter.log(f"going on after stage {checkpoint.read(done).update}")
        return load(done).model, checkpoint.read(done).update

    def _stages(self, *, after: int) -> Iterator[TrainingStage]:
        primary, most = (
            pretraining_stages.primary_stages(self._encoder),
            self._config.recipe.cold_start.stage_steps,
        )
        yield from (replace(stage, max_steps=min(stage.max_steps, most)) for stage in primary[after:])
        # a teacher acts as it acts: there is no cleaner version of it
        clean = self._config.recipe.cold_start.teacher is None
        last = (
            (pretraining_stages.CLEAN_STAGE, pretraining_stages.LAST_STAGE)
            if clean
            else (pretraining_stages.LAST_STAGE,)
        )
        yield from (self._demonstrations(name) for name in last[max(0, after - len(primary)) :])

    def _demonstrations(self, name: str) -> TrainingStage:
        recipe = self._config.recipe
        plan, steps = recipe.cold_start, recipe.cold_start.steps
        if name == pretraining_stages.CLEAN_STAGE:
            plan, steps = replace(plan, noise=plan.clean_noise, repair=0.0), plan.clean_steps
        world = RunContext.open(self._storage, recipe)
        shown = self._shown(world, plan)
        segments = segments_of(shown)
        self._reporter.log(f"{len(shown)} right demonstrations, {len(segments)} segments")
        lesson = imitation(segments, self._encoder, world.media)
        return pretraining_stages.demonstration_stage(self._encoder, lesson, name=name, steps=steps)

    def _shown(self, world: RunContext, plan: ColdStart) -> Sequence[Trajectory]:
        """Right rollouts of the teacher if there is one, else of the oracle."""
        if plan.teacher is None:
            tasks, plans = tasks_of_split(self._storage, "train"), read_plans(self._storage)
            return demonstrate(world, self._encoder, tasks, plans, plan, progress(self._reporter))
        tasks = tasks_of_split(
            self._storage, "train", per_dataset=plan.teacher.questions, seed=plan.teacher.seed
        )
        folder = self._kept.pull()
        lesson = DistillationJob(
            world=world, encoder=self._encoder, tasks=tasks, folder=folder, push=self._kept.push
        )
        taught = asked(plan.teacher, lesson, self._reporter)
        self._taught = {TEACHER: taught.counts}
        return taught.kept

    def _validate(self, model: Qwen3VLForConditionalGeneration) -> float:
        """Share of the validation questions answered rightly, greedily."""
        world = RunContext.open(self._storage, self._config.recipe)
        many = self._config.recipe.evaluation.concurrency
        policy = TransformersPolicy(model, self._encoder, world.media, max_batch=many)
        score = validated(world, self._storage, policy, self._encoder, self._config.recipe)
        self._reporter.log(f"validation: {score:.1%} right, mean of the benchmarks")
        return score

    def _say(self, now: StageReport) -> None:
        self._reporter.log(
            f"{now.name} {now.step}/{now.max_steps}: loss {now.loss:.3f}, accuracy {now.accuracy:.1%}, "
            f"{now.tokens / 1e6:.2f} M tokens, {now.seconds:.0f} s"
        )

    def _save(
        self, model: Qwen3VLForConditionalGeneration, number: int, report: StageReport, score: float | None
    ) -> Path:
        path = checkpoint.save_weights(
            self._target.path,
            model=model,
            tokenizer=self._tokenizer,
            progress=checkpoint.TrainingProgress(
                update=number,
                steps=report.step,
                score=score,
                data_order={STAGES: self._taught} if self._taught else {},
            ),
            params={"recipe": asdict(self._config.recipe), "stage": report._asdict()},
        )
        self._target.push()
        return path


def unpack(name: str, target: Path, *, shipped: Path = SHIPPED) -> Path:
    """Copy the shipped checkpoint called ``name`` below ``target`` and return where it is.

    Raises:
        ValueError: if no such checkpoint ships, or it is damaged.
    """
    source = checkpoint.latest(shipped / name)
    if source is None:
        known = sorted(path.name for path in shipped.iterdir()) if shipped.is_dir() else []
        raise ValueError(f"no checkpoint {name!r} ships in {shipped}; there are: {known}")
    checkpoint.read(source)
    place = target / source.name
    with replacing(place) as partial:
        shutil.copytree(source, partial)
    return place


def adopt(storage: Storage, base: str, target: Path) -> Path:
    """Publish a model folder of the root as the checkpoint to start from, and return where it is.

    Raises:
        ValueError: if there is no model there; nothing is downloaded.
    """
    place = target / "000000"
    if checkpoint.latest(target) == place:
        return place
    with SyncedDirectory(storage, base) as source:
        folder = source.pull()
        if not (folder / "config.json").is_file():
            raise ValueError(
                f"no model in {storage.path(base)}: put its config.json, tokenizer and safetensors there"
            )
        return checkpoint.adopt(folder, place)


def metadata(weights: LoadedCheckpoint) -> dict[str, Any]:
    """What the materialisation says of a checkpoint."""
    reached = checkpoint.read(weights.path)
    return {
        "checkpoint": weights.path.name,
        "parameters": sum(parameter.numel() for parameter in weights.model.parameters()),
        "vocabulary": len(weights.tokenizer),
        "steps": reached.steps,
        "validation": reached.score,
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    return run_script(
        run, RunConfig, setup=prepare_torch, description="Publish the cold start of a recipe.", argv=argv
    )


if __name__ == "__main__":
    sys.exit(main())
