"""Behaviour cloning: optimiser steps on segments of right rollouts, with AdamW for the tiny model, with DeepSpeed for others.

Holds the two training functions and the sampling of examples. Rollouts are chosen in ``sft_stages.py``.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch

from infra.progress import LogFunction
from model.config.algorithm import Algorithm
from model.config.engine import EngineConfig, Lora
from model.config.schedule import Schedule
from model.imitation.stages import StageReport, imitable_segments, mixture, run_stage, segment_sampler
from model.policies.chat_template import PromptEncoder
from model.protocols import MediaSource
from model.rl.segments import TrainingSample, supervised_samples
from model.training.batches import InputBuilder
from model.training.engine import DeepSpeedEngine
from model.training.trainer import Trainer
from model.types import Trajectory
from orchestration.imitation import pretraining_stages
from orchestration.joins.agents import LoadedCheckpoint
from orchestration.recipes.cold_start import ImitationOptions
from orchestration.recipes.options import Ggpo

REPORT_EVERY = 25  # steps between two reports
WARMUP_STEPS = 10


class SftResult(NamedTuple):
    """Outcome of a stage of supervised steps."""

    steps: int
    loss: float  # of the last step, nats a token
    segments: int  # that examples were drawn from
    weights: dict[str, torch.Tensor] | None = None  # to be saved in place of the model's own


@dataclass(frozen=True, slots=True, kw_only=True)
class SftData:
    """Trajectories to imitate: ``rollouts`` and, in a share ``demonstrations`` of the examples, ``others`` if there are any."""

    rollouts: Sequence[Trajectory]
    others: Sequence[Trajectory] = ()
    demonstrations: float = 0.0
    media: MediaSource

    @property
    def share(self) -> float:
        """Of examples that are drawn from ``others``."""
        return self.demonstrations if self.others else 0.0


def train_tiny(
    start: LoadedCheckpoint,
    encoder: PromptEncoder,
    data: SftData,
    options: ImitationOptions,
    *,
    name: str,
    log: LogFunction,
) -> SftResult:
    """Train as the last stage of the tiny model's cold start does: names permuted in every example, some reading mixed in."""
    own, others = imitable_segments(data.rollouts), imitable_segments(data.others)
    if not own:
        raise ValueError(f"{name}: no segment of the right rollouts is short enough for the tiny model")
    parts = [(part, share) for part, share in ((own, 1 - data.share), (others, data.share)) if part]
    samplers = [segment_sampler(segments, encoder, data.media) for segments, _ in parts]
    sampler = mixture(samplers, [share for _, share in parts])
    stage = replace(
        pretraining_stages.demonstration_stage(encoder, sampler, steps=options.steps),
        name=name,
        learning_rate=options.learning_rate,
        final_rate=options.learning_rate / 10,
        batch_size=options.batch_size,
        warmup_steps=WARMUP_STEPS,
    )

    def report(current: StageReport) -> None:
        log(f"{name} {current.step}/{current.max_steps}: loss {current.loss:.3f}, {current.seconds:.0f} s")

    last = run_stage(start.model, encoder, stage, random.Random(name), report=report)
    start.model.eval()
    return SftResult(last.step, last.loss, len(own) + len(others))


def train_with_engine(  # noqa: PLR0913 - as ``train_tiny``, and the layout
    start: LoadedCheckpoint,
    encoder: PromptEncoder,
    data: SftData,
    options: ImitationOptions,
    *,
    ggpo: Ggpo,
    name: str,
    log: LogFunction,
) -> SftResult:
    """The mean negative log-likelihood of a batch a step, under the recipe's layout on one rank; adapters come back merged."""
    own, others = supervised_samples(data.rollouts), supervised_samples(data.others)
    engine = DeepSpeedEngine(start.model, config=_engine(options, ggpo), schedule=_schedule(options, ggpo))
    inputs = InputBuilder(encoder=encoder, media=data.media)
    trainer = Trainer(engine, inputs, algorithm=Algorithm(), parity=None)
    rng, loss = random.Random(name), 0.0
    for number in range(1, options.steps + 1):
        metrics = trainer.nll_update(_batch(own, others, options.batch_size, data.share, rng))
        loss = metrics.loss
        if number % REPORT_EVERY == 0 or number == options.steps:
            log(f"{name} {number}/{options.steps}: loss {loss:.3f}, {metrics.seconds:.1f} s a step")
    engine.train(False)
    return SftResult(options.steps, loss, len(own) + len(others), engine.weights())


def _engine(options: ImitationOptions, ggpo: Ggpo) -> EngineConfig:
    """The recipe's layout at temperature 1, with adapters of ``options`` if these name a rank."""
    lora = ggpo.engine.lora
    if options.lora_rank is not None:
        lora = Lora(rank=options.lora_rank, alpha=2 * options.lora_rank) if options.lora_rank else None
    return replace(ggpo.engine, temperature=1.0, lora=lora)


def _schedule(options: ImitationOptions, ggpo: Ggpo) -> Schedule:
    warmup = min(WARMUP_STEPS, options.steps)
    return replace(
        ggpo.schedule,
        learning_rate=options.learning_rate,
        warmup_steps=warmup,
        decay=True,
        updates=options.steps + warmup,
        mini_batches=1,
    )


def _batch(
    own: Sequence[TrainingSample],
    others: Sequence[TrainingSample],
    size: int,
    share: float,
    rng: random.Random,
) -> list[TrainingSample]:
    """Examples of one step; a sample is repeated only where there are too few."""
    from_others = sum(rng.random() < share for _ in range(size))
    return [*_sampled(own, size - from_others, rng), *_sampled(others, from_others, rng)]


def _sampled(samples: Sequence[TrainingSample], count: int, rng: random.Random) -> list[TrainingSample]:
    if count <= len(samples):
        return rng.sample(samples, count)
    return rng.choices(samples, k=count)
