"""The cold start of a run: a published model, the checkpoint that ships, or staged training from random weights.

Publishes checkpoints below ``checkpoints/<run>-cold-start``, one a stage when it trains: a run that was ended goes on with
the stage after its last one. Stages from random weights are in ``pretraining_stages.py``, those after it in ``sft_stages.py``.
"""

import random
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from transformers import Qwen3VLForConditionalGeneration

from infra.progress import ProgressLogger
from infra.storage.atomic import replacing
from infra.storage.root import Storage
from model.agent.memory.names import TRAINED
from model.imitation.oracle import shares
from model.imitation.stages import (
    StageReport,
    TrainingStage,
    imitable_segments,
    mixture,
    run_stage,
    segment_sampler,
)
from model.imitation.tiny.curriculum import ExampleSampler
from model.imitation.tiny.shape import build_model
from model.imitation.tiny.tokenizer import INSTRUCTIONS, PLACES, SHARED_INSTRUCTION
from model.imitation.tiny.vocabulary import with_vocabulary
from model.policies.chat_template import PromptEncoder
from model.policies.families import linear_patch_embedding
from model.policies.fingerprint import policy_fingerprint
from model.training import checkpoint
from model.types import Trajectory
from orchestration.imitation import pretraining_stages
from orchestration.imitation.demonstrations import demonstrate
from orchestration.imitation.refusals import REFUSED, refuse_refusals
from orchestration.imitation.sft_stages import (
    STAGES,
    TEACHER,
    SftStages,
    ValidationScore,
    completed_stages,
    distil_and_report,
    stage_names,
    validation_score,
)
from orchestration.joins.adapters import read_plans, tasks_of_split
from orchestration.joins.agents import LoadedCheckpoint, RunContext, load
from orchestration.launch.reporter import Reporter
from orchestration.launch.run_config import RunConfig
from orchestration.launch.synced_directory import SyncedDirectory
from orchestration.recipes.cold_start import SHIPPED, ColdStart


def run(config: RunConfig, reporter: Reporter) -> None:
    """Publish the checkpoint and report its metadata."""
    storage = Storage(config.root)
    with (
        SyncedDirectory(storage, config.cold_start_checkpoints) as target,
        SyncedDirectory(storage, config.demonstrations) as demonstrations,
    ):
        path = checkpoint.latest(target.pull())
        if path is not None and stage_names(config.recipe.cold_start) and completed_stages(path):
            reporter.log(f"going on after {', '.join(completed_stages(path))}")
        else:
            path = first_checkpoint(config, reporter, target, demonstrations)
            target.push()
        if stage_names(config.recipe.cold_start):
            path = SftStages(config, reporter, target, demonstrations).run(path)
        loaded = load(path)
        fingerprint = policy_fingerprint(loaded.model, loaded.tokenizer)
        reporter.finish({**metadata(loaded), **completed_stages(path)}, data_version=fingerprint)


def first_checkpoint(
    config: RunConfig, reporter: Reporter, target: SyncedDirectory, demonstrations: SyncedDirectory
) -> Path:
    """The checkpoint before any stage on rollouts: from elsewhere, shipped, or trained from random weights."""
    base, shipped = config.recipe.cold_start.base, config.recipe.cold_start.shipped
    if base is not None:
        path = adopt(Storage(config.root), base, target.path)
        reporter.log(f"cold start: the model in {base}, as it was published")
    elif shipped is None or config.recipe.cold_start.further:
        path = ColdStartTraining(config, reporter, target, demonstrations).run()
    else:
        path = unpack(shipped, target.path)
        reporter.log(f"cold start: the checkpoint {shipped!r} that ships")
    return path


class ColdStartTraining:
    """The stages of one cold start: all from random weights, or those of demonstrations from a checkpoint that ships."""

    def __init__(
        self, config: RunConfig, reporter: Reporter, target: SyncedDirectory, demonstrations: SyncedDirectory
    ) -> None:
        self._config, self._reporter, self._target = config, reporter, target
        self._demonstrations = demonstrations
        self._stage_counts: dict[str, Any] = {}  # of a teacher's rollouts
        self._seed = config.recipe.cold_start.seed
        torch.manual_seed(self._seed)
        self._tokenizer = pretraining_stages.miniature_tokenizer()
        self._encoder = PromptEncoder(self._tokenizer)
        self._storage = Storage(config.root)

    def run(self) -> Path:
        """Train every stage that is not done yet; returns the last checkpoint."""
        path = checkpoint.latest(self._target.pull())
        if path is not None:
            self._refuse_refusals(checkpoint.manifest_of(path)["params"].get(REFUSED))
        model, number = self._start(path)
        for stage in self._stages(after=number):
            number += 1
            rng = random.Random(f"{self._seed}/{stage.name}")
            report = run_stage(model, self._encoder, stage, rng, report=self._report)
            score = self._validate(model) if stage.name == pretraining_stages.LAST_STAGE else None
            path = self._save(model, number, report, score)
            self._refuse_refusals(None if score is None else score.refused)
        assert path is not None, "there are stages"
        return path

    def _refuse_refusals(self, refused: float | None) -> None:
        if refused is not None:
            refuse_refusals(refused, options=self._config.recipe.cold_start)

    def _start(self, path: Path | None) -> tuple[Qwen3VLForConditionalGeneration, int]:
        """The model to go on with, and how many stages it has behind it."""
        if path is not None:
            done = checkpoint.read(path).update
            self._reporter.log(f"going on after stage {done}")
            return load(path).model, done
        shipped = self._config.recipe.cold_start.shipped
        if shipped is not None:
            self._reporter.log(f"going on from the checkpoint {shipped!r} that ships")
            return self._grown(load(shipped_checkpoint(shipped))), self._num_primary
        return linear_patch_embedding(build_model(self._tokenizer, pretraining_stages.SHAPE)), 0

    def _grown(self, start: LoadedCheckpoint) -> Qwen3VLForConditionalGeneration:
        """Under today's vocabulary: the instruction of a policy begins as the one that all of them shared, a place as another."""
        copies = {**dict.fromkeys(INSTRUCTIONS, SHARED_INSTRUCTION), **dict.fromkeys(PLACES, "clip")}
        model = with_vocabulary(start.model, start.tokenizer, self._tokenizer, copies=copies, spread=1.0)
        return linear_patch_embedding(model)

    def _stages(self, *, after: int) -> Iterator[TrainingStage]:
        options = self._config.recipe.cold_start
        for stage in pretraining_stages.primary_stages(self._encoder)[after:]:
            yield replace(stage, max_steps=min(stage.max_steps, options.stage_steps))
        names = [pretraining_stages.CLEAN_STAGE, pretraining_stages.LAST_STAGE]
        if options.teacher is not None or not options.clean_steps:
            names = names[1:]  # of a teacher's rollouts there is no version without noise
        yield from (self._demonstration_stage(name) for name in names[max(0, after - self._num_primary) :])

    @property
    def _num_primary(self) -> int:
        """How many stages there are before the demonstrations."""
        return len(pretraining_stages.primary_stages(self._encoder))

    def _demonstration_stage(self, name: str) -> TrainingStage:
        recipe = self._config.recipe
        options, steps = recipe.cold_start, recipe.cold_start.steps
        if name == pretraining_stages.CLEAN_STAGE:
            options, steps = replace(options, noise=options.clean_noise), options.clean_steps
        world = RunContext.open(self._storage, recipe)
        trajectories = self._trajectories(world, options)
        sampler = self._demonstrated(trajectories, world)
        return pretraining_stages.demonstration_stage(self._encoder, sampler, name=name, steps=steps)

    def _demonstrated(self, trajectories: Sequence[Trajectory], world: RunContext) -> ExampleSampler:
        """Samples segments: half of the policy that is trained afterwards; the rest alike by script, and by policy within one."""
        by_memory: dict[str, list[Trajectory]] = {}
        for each in trajectories:
            by_memory.setdefault(each.memory, []).append(each)
        segments = {name: imitable_segments(of_memory) for name, of_memory in by_memory.items()}
        for name, of_memory in segments.items():
            self._reporter.log(f"{name}: {len(by_memory[name])} demonstrations, {len(of_memory)} segments")
        shown = {name: of_memory for name, of_memory in segments.items() if of_memory}
        samplers = [segment_sampler(part, self._encoder, world.media) for part in shown.values()]
        return mixture(samplers, shares(tuple(shown), learner=TRAINED))

    def _trajectories(self, world: RunContext, options: ColdStart) -> Sequence[Trajectory]:
        """Right rollouts of the teacher if there is one, else of the oracle."""
        teacher = options.teacher
        if teacher is None:
            datasets = self._config.recipe.datasets or None
            tasks, plans = (
                tasks_of_split(self._storage, "train", datasets=datasets),
                read_plans(self._storage),
            )
            return demonstrate(
                world, self._encoder, tasks, plans, options, ProgressLogger(self._reporter.log)
            )
        result = distil_and_report(
            teacher, world, self._encoder, self._storage, self._demonstrations, self._reporter
        )
        self._stage_counts = {TEACHER: result.counts}
        return result.kept

    def _validate(self, model: Qwen3VLForConditionalGeneration) -> ValidationScore:
        """The validation questions answered greedily."""
        world = RunContext.open(self._storage, self._config.recipe)
        score = validation_score(world, self._storage, model, self._encoder)
        self._reporter.log(
            f"validation: {score.accuracy:.1%} right, mean of the benchmarks; {score.refused:.1%} of all replies refused"
        )
        return score

    def _report(self, stage: StageReport) -> None:
        self._reporter.log(
            f"{stage.name} {stage.step}/{stage.max_steps}: loss {stage.loss:.3f}, accuracy {stage.accuracy:.1%}, "
            f"{stage.tokens / 1e6:.2f} M tokens, {stage.seconds:.0f} s"
        )

    def _save(
        self,
        model: Qwen3VLForConditionalGeneration,
        number: int,
        report: StageReport,
        score: ValidationScore | None,
    ) -> Path:
        path = checkpoint.save_weights(
            self._target.path,
            model=model,
            tokenizer=self._tokenizer,
            progress=checkpoint.TrainingProgress(
                update=number,
                steps=report.step,
                score=None if score is None else score.accuracy,
                data_order={STAGES: self._stage_counts} if self._stage_counts else {},
            ),
            params={
                "recipe": asdict(self._config.recipe),
                "stage": report._asdict(),
                REFUSED: None if score is None else score.refused,
            },
        )
        self._target.push()
        return path


def unpack(name: str, target: Path, *, shipped: Path = SHIPPED) -> Path:
    """Copy the shipped checkpoint called ``name`` below ``target``; returns its directory.

    Raises:
        ValueError: if no such checkpoint ships, or it is damaged.
    """
    source = shipped_checkpoint(name, shipped=shipped)
    checkpoint.read(source)
    place = target / source.name
    with replacing(place) as partial:
        shutil.copytree(source, partial)
    return place


def shipped_checkpoint(name: str, *, shipped: Path = SHIPPED) -> Path:
    """The directory of the shipped checkpoint called ``name``.

    Raises:
        ValueError: if no such checkpoint ships.
    """
    source = checkpoint.latest(shipped / name)
    if source is None:
        known = sorted(path.name for path in shipped.iterdir()) if shipped.is_dir() else []
        raise ValueError(f"no checkpoint {name!r} ships in {shipped}; known: {known}")
    return source


def adopt(storage: Storage, base: str, target: Path) -> Path:
    """Publish a model folder of the root as the checkpoint to start from; returns its directory.

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


def metadata(loaded: LoadedCheckpoint) -> dict[str, Any]:
    """Metadata of a checkpoint for Dagster."""
    reached = checkpoint.read(loaded.path)
    return {
        "checkpoint": loaded.path.name,
        "parameters": sum(parameter.numel() for parameter in loaded.model.parameters()),
        "vocabulary": len(loaded.tokenizer),
        "steps": reached.steps,
        "validation": reached.score,
    }
