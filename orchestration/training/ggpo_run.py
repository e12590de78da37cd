"""GGPO: rollouts of the current policy, one update from them, and again; a checkpoint and a validation now and then.

Holds the loop of a run; an update is ``model.training.trainer``, its rollouts ``rollouts/rollout_phase.py``. Each rank rolls
out its share of the questions with its own copy of the weights, then all ranks train on all rollouts. A run that was ended
goes on where its last checkpoint stands.
"""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from dataclasses import asdict
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

from torch import distributed as dist
from transformers import Qwen3VLForConditionalGeneration

from infra import trackers
from infra.progress import duration
from infra.storage.lock import claimed
from infra.storage.root import Storage
from model.config.schedule import Schedule
from model.policies.transformers_policy import TransformersPolicy
from model.protocols import MediaSource
from model.rl import trajectory_store
from model.rl.credit import credited
from model.training import checkpoint
from model.training.batches import InputBuilder
from model.training.engine import DeepSpeedEngine
from model.training.logprobs import TokenLogprobs
from model.training.metrics import MetricsWriter, UpdateMetrics, read_metrics
from model.training.parity import ParityConfig, bf16_parity
from model.training.trainer import Trainer
from model.training.watch import TrainingStoppedError, Watch
from orchestration.evaluation.training_curves import materialisation
from orchestration.joins.adapters import tasks_of_split
from orchestration.joins.agents import GREEDY, LoadedCheckpoint, RunContext, best_checkpoint, load
from orchestration.launch.process import rank
from orchestration.launch.reporter import Reporter
from orchestration.launch.run_config import RunConfig
from orchestration.launch.synced_directory import SyncedDirectory
from orchestration.recipes.stored import upgraded
from orchestration.rollouts import prefetch
from orchestration.rollouts.local_source import CopySource, LocalSource, RolloutSource
from orchestration.rollouts.rollout_phase import RankGroup, RolloutBatch, RolloutPhase
from orchestration.rollouts.served_source import open_served
from orchestration.training.inputs import fingerprints

METRICS = "ggpo.jsonl"
ENDING_S = 60.0  # that a run which was told to end may take
_Result = TypeVar("_Result")


def train(config: RunConfig, reporter: Reporter) -> None:
    """Train until the recipe's number of updates is reached."""
    storage, recipe = Storage(config.root), config.recipe
    names = trackers.chosen(os.environ.get(trackers.VARIABLE)) if rank() == 0 else ()
    with (
        _writer_of(storage, config) as still_ours,
        SyncedDirectory(storage, config.cold_start_checkpoints) as cold_start,
        SyncedDirectory(storage, config.ggpo_checkpoints, before_write=still_ours) as checkpoints,
        SyncedDirectory(storage, config.metrics, before_write=still_ours) as metrics,
        SyncedDirectory(storage, config.rollouts, before_write=still_ours) as rollouts,
    ):
        metrics.pull()
        resumed = checkpoint.latest(checkpoints.pull())
        rollouts.pull()
        # adapters go on from the weights they were attached to; a checkpoint's own have them merged in
        start = None if recipe.ggpo.engine.lora else resumed
        bf16, is_anchored = recipe.ggpo.engine.bf16, recipe.ggpo.algorithm.kl_coefficient > 0
        begun = None if start and not is_anchored else best_checkpoint(cold_start.pull(), what="cold_start")
        first = start or begun
        assert first is not None, "chosen raises where there is none"
        weights = load(first, bf16=bf16)
        anchor = load(begun, bf16=bf16) if begun and is_anchored else None
        run = TrainingRun(config, storage, weights, reporter, verdicts=metrics.path, anchor=anchor)
        run.start(resumed, rollouts.path)
        writer = MetricsWriter(metrics.path / METRICS, resume_at=run.trainer.updates) if rank() == 0 else None
        watch = Watch(recipe.ggpo.watch)
        with track(names, metrics.path, config.name, reporter) as tracking:
            while run.trainer.updates < recipe.ggpo.schedule.updates:
                record = run.update(rollouts.path)
                stopped = stopped_by(watch, record)
                due = stopped is None and (
                    run.trainer.updates % recipe.ggpo.checkpoint_every == 0
                    or run.trainer.updates == recipe.ggpo.schedule.updates
                )
                validation, seconds = timed(run.validate) if due else (None, 0.0)
                if writer is not None:
                    record |= {"validation": validation, "seconds_validation": seconds}
                    writer.write(record)
                    tracking.log(record)
                    metrics.push()
                    rollouts.push()
                if stopped is not None:
                    raise stopped
                if due:
                    _, seconds = timed(lambda score=validation: run.save(checkpoints.path, score))
                    if writer is not None:
                        checkpoints.push()
                        writer.complete({"seconds_checkpoint": seconds})
                        metrics.push()
            if rank() == 0:
                records = list(read_metrics(metrics.path / METRICS))
                reporter.finish(
                    {**materialisation(records), **run.summary(checkpoints.path)},
                    data_version=run.fingerprint,
                )


def _writer_of(storage: Storage, config: RunConfig) -> AbstractContextManager[Callable[[], None]]:
    """Of two trainings of one run one goes on; the first rank speaks for all."""
    if rank() != 0:
        return nullcontext(lambda: None)
    return claimed(storage, config.ggpo_checkpoints, wait_s=ENDING_S)


class TrainingRun:
    """A policy under training with everything it needs: engine, trainer, agent, questions."""

    def __init__(
        self,
        config: RunConfig,
        storage: Storage,
        weights: LoadedCheckpoint,
        reporter: Reporter,
        *,
        verdicts: Path,
        anchor: LoadedCheckpoint | None = None,
    ) -> None:
        self._recipe, self._reporter, self._weights = config.recipe, reporter, weights
        ggpo = config.recipe.ggpo
        if ggpo.engine.zero_stage == 3 and ggpo.served is None:
            raise ValueError(
                "ZeRO-3 shards the weights, which local rollouts need whole: choose stage 0, 1 or 2, or servers"
            )
        self._encoder = weights.encoder()
        world = RunContext.open(storage, config.recipe, lockstep=ggpo.reproducible)
        copy = deepcopy(weights.model) if ggpo.overlap and ggpo.served is None else None
        self.engine = DeepSpeedEngine(weights.model, config=ggpo.engine, schedule=ggpo.schedule)
        self._source, careful = sources(config, self.engine, weights, world.media, copy)
        self.trainer = Trainer(
            self.engine,
            InputBuilder(encoder=self._encoder, media=world.media),
            algorithm=ggpo.algorithm,
            parity=bf16_parity() if ggpo.engine.bf16 else ParityConfig(),
            reference=None if anchor is None else _reference(anchor, self.engine),
        )
        memory = world.memory("vimrag", self._encoder, training=True)
        self._agent = world.agent(self._source.policy, memory, temperature=ggpo.engine.temperature)
        self._validating = careful
        self._careful = world.agent(careful.policy, world.memory("vimrag", self._encoder), temperature=GREEDY)
        ranks = rank_group(self.engine, apart=ggpo.overlap)
        tasks = tasks_of_split(
            storage,
            "train",
            datasets=config.recipe.datasets or None,
            question_set=config.recipe.question_set,
        )
        self._rollouts = RolloutPhase(config.recipe, tasks, ranks, reporter, verdicts=verdicts)
        self._validation = tasks_of_split(
            storage,
            "val",
            datasets=config.recipe.datasets or None,
            per_dataset=ggpo.validation,
            seed=ggpo.schedule.seed,
            question_set=config.recipe.question_set,
        )
        self._inputs = fingerprints(storage, config, world)
        self._began = monotonic()
        self._first = 0
        self._rewards: list[float] = []
        self._next: RolloutBatch | None = None

    @property
    def fingerprint(self) -> str:
        """Of the policy as it is now."""
        return self._validating.policy.fingerprint

    def start(self, path: Path | None, folder: Path) -> None:
        """Begin, or go on from the checkpoint at ``path``, whose weights (without adapters: those it began with) were loaded.

        Rollouts that were made ahead of that checkpoint lie in ``folder``.
        """
        data_order: Mapping[str, Any] = {}
        if path is not None:
            reached = checkpoint.restore(path, engine=self.engine)
            self.trainer.updates = self._first = reached.update
            data_order = reached.data_order
            manifest = checkpoint.manifest_of(path)
            for name, value in manifest["inputs"].items():
                if self._inputs.get(name) != value:
                    self._reporter.log(f"note: {name} differs from that of the checkpoint, {value}")
            for name, value in changed_rates(manifest["params"], self._recipe.ggpo.schedule).items():
                self._reporter.log(
                    f"note: {name} was {value}, so the learning rate goes on from another course"
                )
            self._rollouts.curriculum.load(data_order)
            self._reporter.log(f"resuming after update {reached.update}")
        self._refresh()
        self._next = prefetch.load(data_order, folder, self.trainer.updates)
        if self._next is not None:
            self._source.check(self.trainer, self._next.trajectories)

    def _refresh(self) -> None:
        self._source.refresh(self.trainer.updates)
        if self._validating is not self._source:
            self._validating.refresh(self.trainer.updates)

    def update(self, folder: Path) -> dict[str, Any]:
        """Rollouts and one update; its metrics as a record. The rollouts go to a file of ``folder``."""
        began, number = monotonic(), self.trainer.updates
        batch = self._next or self._gather(number, folder)
        rollout_s = monotonic() - began
        following = self._following(number + 1, folder)
        metrics = self.trainer.update(batch.trajectories, gate=batch.version == number)
        self._next = following.result() if following is not None else None
        self._refresh()
        self._source.check(self.trainer, batch.trajectories)
        self._rewards.append(metrics.mean_reward)
        self._reporter.log(self._line(metrics, rollout_s))
        record = metrics.record()
        return {
            "seconds_rollouts": rollout_s,
            "seconds_grading": batch.grading_s,
            "seconds_update": record.pop("seconds"),
            **record,
            "rollouts_spent": batch.spent,
            "staleness": number - batch.version,
            "rollouts_failed": batch.failed,
            "groups_dropped": batch.dropped,
            **self._source.tally(),
        }

    def _following(self, number: int, folder: Path) -> Future[RolloutBatch] | None:
        """The rollouts of the next update under way, with the weights as they are now, where the recipe overlaps."""
        ggpo = self._recipe.ggpo
        if not ggpo.overlap or number >= ggpo.schedule.updates:
            return None
        return prefetch.in_background(lambda: self._gather(number, folder))

    def _gather(self, number: int, folder: Path) -> RolloutBatch:
        batch = self._rollouts.gather(self._agent, self._source, number)
        if self.engine.rank == 0:
            scored = credited(batch.trajectories, algorithm=self.trainer.algorithm)
            trajectory_store.write(prefetch.file_of(folder, number), scored)
        return batch

    def validate(self) -> float:
        """Share of the validation questions answered rightly, greedily."""
        return self._rollouts.validate(self._careful, self._validating, self._validation)

    def save(self, folder: Path, score: float | None) -> None:
        """A checkpoint of this update."""
        reached = checkpoint.TrainingProgress(
            update=self.trainer.updates,
            steps=self.engine.steps,
            score=score,
            data_order={**self._rollouts.curriculum.state(), **prefetch.state(self._next)},
        )
        checkpoint.save(
            folder,
            engine=self.engine,
            tokenizer=self._weights.tokenizer,
            progress=reached,
            params={"recipe": asdict(self._recipe), "started_from": str(self._weights.path.name)},
            retention=self._recipe.ggpo.retention,
            inputs=self._inputs,
        )

    def summary(self, folder: Path) -> dict[str, Any]:
        """What the materialisation says."""
        best = best_checkpoint(folder, what="train_ggpo")
        return {
            "checkpoint": str(best.name),
            "updates": self.trainer.updates,
            "optimiser_steps": self.engine.steps,
            "first_mean_reward": self._rewards[0] if self._rewards else None,
            "last_mean_reward": self._rewards[-1] if self._rewards else None,
            "validation": checkpoint.read(best).score,
            "ranks": self.engine.world_size,
            "zero_stage": self.engine.config.zero_stage,
            "seconds": monotonic() - self._began,
        }

    def _line(self, metrics: UpdateMetrics, rollout_s: float) -> str:
        done, total = metrics.update + 1, self._recipe.ggpo.schedule.updates
        gradient = "none" if math.isnan(metrics.gradient_norm) else f"{metrics.gradient_norm:.3g}"
        left = (monotonic() - self._began) / max(1, done - self._first) * (total - done)
        return (
            f"update {done}/{total}: reward {metrics.mean_reward:.3f}, trained {metrics.num_trained} of "
            f"{metrics.num_segments} segments ({metrics.num_pruned} pruned), gradient {gradient}, "
            f"rollouts {rollout_s:.0f} s, update {metrics.seconds:.0f} s, {duration(left)} left"
        )


def stopped_by(watch: Watch, record: Mapping[str, Any]) -> TrainingStoppedError | None:
    """Why the run stops behind this update, once its numbers are written; None if it goes on."""
    try:
        watch.check(record)
    except TrainingStoppedError as error:
        return error
    return None


def track(names: Sequence[str], folder: Path, run: str, reporter: Reporter) -> trackers.Trackers:
    """Trackers of the run whose metrics lie in ``folder``, told what it has so far."""
    path = folder / METRICS
    past = list(read_metrics(path)) if path.exists() else []
    openers = {name: partial(trackers.TRACKERS[name], folder, run) for name in names}
    return trackers.Trackers(openers, past=past, report=reporter.log)


def timed(work: Callable[[], _Result]) -> tuple[_Result, float]:
    """What ``work`` gives, and the seconds it took."""
    began = monotonic()
    return work(), monotonic() - began


def sources(
    config: RunConfig,
    engine: DeepSpeedEngine,
    weights: LoadedCheckpoint,
    media: MediaSource,
    copy: Qwen3VLForConditionalGeneration | None,
) -> tuple[RolloutSource, RolloutSource]:
    """Who rolls out, and who answers the validation questions; ``copy`` rolls out if it is given."""
    ggpo, many = config.recipe.ggpo, config.recipe.evaluation.concurrency
    if ggpo.served is not None:
        served = open_served(ggpo.served, config, engine, weights.encoder(), media)
        return served, served
    batching: dict[str, Any] = {"max_batch": many, "lockstep": ggpo.reproducible}
    local = LocalSource(TransformersPolicy(engine.model, weights.encoder(), media, **batching))
    if copy is None:
        return local, local
    return CopySource(engine, copy, weights.encoder(), media, **batching), local


def rank_group(engine: DeepSpeedEngine, *, apart: bool) -> RankGroup:
    """The ranks that roll out together; ``apart`` keeps their exchanges from meeting those of training."""
    group = dist.new_group(backend="gloo") if apart and engine.world_size > 1 else None
    return RankGroup(engine.rank, engine.world_size, group)


def _reference(anchor: LoadedCheckpoint, engine: DeepSpeedEngine) -> TokenLogprobs:
    """What the divergence is measured from: the anchor's weights, never trained, at the temperature of the rollouts."""
    wrapped = TokenLogprobs(anchor.model, temperature=engine.config.temperature)
    return wrapped.to(engine.device).requires_grad_(False).eval()


def changed_rates(params: Mapping[str, Any], schedule: Schedule) -> dict[str, Any]:
    """The old values of what decides learning rates, where a checkpoint with ``params`` was made with another ``schedule``."""
    before = upgraded(params.get("recipe", {})).get("ggpo", {}).get("schedule", {})
    names = (
        "learning_rate",
        "warmup_steps",
        "decay",
        "decay_updates",
        *(("updates", "mini_batches") if schedule.decay else ()),
    )
    return {
        name: before[name] for name in names if name in before and before[name] != getattr(schedule, name)
    }
