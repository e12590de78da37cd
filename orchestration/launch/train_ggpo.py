"""GGPO: rollouts of the current policy, one update from them, and again; a checkpoint and a validation now and then.

Holds the loop of a run; an update is ``model.trainer``, its rollouts ``rollout_phase.py``. Each rank rolls out its share of the
questions with its own copy of the weights, then all ranks train on all rollouts. A run that was ended goes on where its last
checkpoint stands.
"""

import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from time import monotonic
from typing import Any

from infra.progress import duration
from infra.storage import Storage
from model import checkpoint, trajectory_store
from model.advantage import with_advantages
from model.algorithm import ALGORITHMS, Algorithm, Schedule
from model.batches import InputBuilder
from model.engine import Engine, EngineConfig
from model.lora import Lora
from model.metrics import MetricsWriter, UpdateMetrics
from model.parity import ParityConfig, bf16_parity
from model.trainer import Trainer
from model.transformers_policy import TransformersPolicy
from orchestration.launch.agents import GREEDY, Weights, World, chosen, load
from orchestration.launch.join import tasks_of_split
from orchestration.launch.mirror import Mirror
from orchestration.launch.process import rank, run_script
from orchestration.launch.reporter import Reporter
from orchestration.launch.rollout_phase import Crew, RolloutPhase
from orchestration.recipes import Ggpo
from orchestration.run_config import RunConfig

METRICS = "ggpo.jsonl"


def train(config: RunConfig, reporter: Reporter) -> None:
    """Train until the recipe's number of updates is reached."""
    storage, recipe = Storage(config.root), config.recipe
    with (
        Mirror(storage, config.cold_start_checkpoints) as cold_start,
        Mirror(storage, config.ggpo_checkpoints) as checkpoints,
        Mirror(storage, config.metrics) as metrics,
        Mirror(storage, config.rollouts) as rollouts,
    ):
        metrics.pull()
        resumed = checkpoint.latest(checkpoints.pull())
        # adapters go on from the weights they were attached to; a checkpoint's own have them merged in
        start = None if recipe.ggpo.lora_rank else resumed
        weights = load(start or chosen(cold_start.pull(), what="cold_start"), bf16=recipe.ggpo.bf16)
        run = Run(config, storage, weights, reporter)
        if resumed is not None:
            run.resume(resumed)
        writer = MetricsWriter(metrics.path / METRICS, resume_at=run.trainer.updates) if rank() == 0 else None
        while run.trainer.updates < recipe.ggpo.updates:
            record = run.update(rollouts.path)
            due = (
                run.trainer.updates % recipe.ggpo.checkpoint_every == 0
                or run.trainer.updates == recipe.ggpo.updates
            )
            score = run.validate() if due else None
            if writer is not None:
                writer.write({**record, "validation": score})
                metrics.push()
                rollouts.push()
            if due:
                run.save(checkpoints.path, score)
                if rank() == 0:
                    checkpoints.push()
        if rank() == 0:
            reporter.finish(run.summary(checkpoints.path), data_version=run.policy.fingerprint)


class Run:
    """A policy under training with everything it needs: engine, trainer, agent, questions."""

    def __init__(self, config: RunConfig, storage: Storage, weights: Weights, reporter: Reporter) -> None:
        self._recipe, self._reporter, self._weights = config.recipe, reporter, weights
        ggpo = config.recipe.ggpo
        if ggpo.zero_stage == 3:
            raise ValueError(
                "ZeRO-3 shards the weights, which local rollouts need whole: choose stage 0, 1 or 2"
            )
        self._encoder = weights.encoder()
        world = World.open(storage, config.recipe)
        self.engine = Engine(weights.model, config=layout_of(ggpo), schedule=schedule_of(ggpo))
        self.policy = TransformersPolicy(
            self.engine.model, self._encoder, world.media, max_batch=config.recipe.evaluation.concurrency
        )
        self.trainer = Trainer(
            self.engine,
            InputBuilder(encoder=self._encoder, media=world.media),
            algorithm=algorithm_of(ggpo),
            parity=bf16_parity() if ggpo.bf16 else ParityConfig(),
        )
        memory = world.memory("vimrag", self._encoder, training=True)
        self._agent = world.agent(self.policy, memory, temperature=ggpo.temperature)
        self._careful = world.agent(self.policy, world.memory("vimrag", self._encoder), temperature=GREEDY)
        crew = Crew(self.engine.rank, self.engine.world_size)
        self._rollouts = RolloutPhase(config.recipe, tasks_of_split(storage, "train"), crew, reporter)
        self._validation = tasks_of_split(storage, "val", per_dataset=ggpo.validation, seed=ggpo.seed)
        self._began = monotonic()
        self._first = 0
        self._rewards: list[float] = []

    def resume(self, path: Path) -> None:
        """Go on from the checkpoint at ``path``, whose weights (without adapters: those it began with) were loaded."""
        reached = checkpoint.restore(path, engine=self.engine)
        self.trainer.updates = self._first = reached.update
        self._rollouts.curriculum.load(reached.data_order)
        self._reporter.say(f"resuming after update {reached.update}")

    def update(self, folder: Path) -> dict[str, Any]:
        """Rollouts and one update; its metrics as a record. The rollouts go to a file of ``folder``."""
        began, number = monotonic(), self.trainer.updates
        trajectories, spent = self._rollouts.gather(self._agent, number)
        rollout_s = monotonic() - began
        if self.engine.rank == 0:
            scored = with_advantages(trajectories, algorithm=self.trainer.algorithm)
            trajectory_store.write(folder / f"update-{number + 1:05d}.parquet", scored)
        metrics = self.trainer.update(trajectories)
        self.policy.refresh()
        self._rewards.append(metrics.mean_reward)
        self._reporter.say(self._line(metrics, rollout_s))
        return {**metrics.record(), "rollouts_spent": spent, "rollout_seconds": rollout_s}

    def validate(self) -> float:
        """Share of the validation questions answered rightly, greedily."""
        return self._rollouts.validate(self._careful, self._validation)

    def save(self, folder: Path, score: float | None) -> None:
        """A checkpoint of this update."""
        reached = checkpoint.Progress(
            update=self.trainer.updates,
            steps=self.engine.steps,
            score=score,
            data_order=self._rollouts.curriculum.state(),
        )
        checkpoint.save(
            folder,
            engine=self.engine,
            tokenizer=self._weights.tokenizer,
            progress=reached,
            params={"recipe": asdict(self._recipe), "started_from": str(self._weights.path.name)},
        )

    def summary(self, folder: Path) -> dict[str, Any]:
        """What the materialisation says."""
        best = chosen(folder, what="train_ggpo")
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
        done, total = metrics.update + 1, self._recipe.ggpo.updates
        gradient = "none" if math.isnan(metrics.gradient_norm) else f"{metrics.gradient_norm:.3g}"
        left = (monotonic() - self._began) / max(1, done - self._first) * (total - done)
        return (
            f"update {done}/{total}: reward {metrics.mean_reward:.3f}, trained {metrics.num_trained} of "
            f"{metrics.num_segments} segments ({metrics.num_pruned} pruned), gradient {gradient}, "
            f"rollouts {rollout_s:.0f} s, update {metrics.seconds:.0f} s, {duration(left)} left"
        )


def algorithm_of(ggpo: Ggpo) -> Algorithm:
    """The objective of that name with the recipe's group size; ``ValueError`` names those there are."""
    if ggpo.algorithm not in ALGORITHMS:
        raise ValueError(f"unknown algorithm {ggpo.algorithm!r}; known: {', '.join(ALGORITHMS)}")
    return replace(ALGORITHMS[ggpo.algorithm](), group_size=ggpo.group_size)


def schedule_of(ggpo: Ggpo) -> Schedule:
    """Learning rate and mini-batches of the recipe."""
    return Schedule(
        learning_rate=ggpo.learning_rate,
        mini_batches=ggpo.mini_batches,
        token_budget=ggpo.token_budget,
        logit_tokens=ggpo.logit_tokens,
        seed=ggpo.seed,
    )


def layout_of(ggpo: Ggpo) -> EngineConfig:
    """How the recipe lays the model out over its ranks, and what of it is trained."""
    return EngineConfig(
        zero_stage=ggpo.zero_stage,
        bf16=ggpo.bf16,
        offload_optimizer=ggpo.offload_optimizer,
        gradient_checkpointing=ggpo.gradient_checkpointing,
        lora=Lora(rank=ggpo.lora_rank, alpha=2 * ggpo.lora_rank) if ggpo.lora_rank else None,
        train_vision=ggpo.train_vision,
        temperature=ggpo.temperature,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    return run_script(train, description="Train with GGPO from the cold start.", argv=argv)


if __name__ == "__main__":
    sys.exit(main())
