"""Optimiser steps on segments of right rollouts: the tiny model plainly, one from elsewhere under DeepSpeed.

Holds the two ways of learning and the drawing of examples. Which rollouts are imitated is decided in ``sft_stages.py``.
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
from model.imitation.stages import StageReport, imitation, mixture, run_stage, segments_of
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

EVERY = 25  # steps between two reports
WARMUP_STEPS = 10


class SftResult(NamedTuple):
    """What steps came to."""

    steps: int
    loss: float  # of the last step, nats a token
    segments: int  # that examples were drawn from
    weights: dict[str, torch.Tensor] | None = None  # to be saved in place of the model's own


@dataclass(frozen=True, slots=True, kw_only=True)
class SftData:
    """What is imitated: ``rollouts``, and in a share ``demonstrations`` of the examples others, if there are any."""

    rollouts: Sequence[Trajectory]
    others: Sequence[Trajectory] = ()
    demonstrations: float = 0.0
    media: MediaSource

    @property
    def share(self) -> float:
        """Of examples that are drawn from ``others``."""
        return self.demonstrations if self.others else 0.0


def learn_plainly(
    weights: LoadedCheckpoint,
    encoder: PromptEncoder,
    material: SftData,
    plan: ImitationOptions,
    *,
    name: str,
    say: LogFunction,
) -> SftResult:
    """As the last stage of the tiny model's cold start does it: names renamed for every example, some reading in between."""
    own, others = segments_of(material.rollouts), segments_of(material.others)
    if not own:
        raise ValueError(f"{name}: no segment of the right rollouts is short enough for the tiny model")
    parts = [(own, 1 - material.share), (others, material.share)]
    drawn = [(imitation(segments, encoder, material.media), share) for segments, share in parts if segments]
    lesson = mixture([each for each, _ in drawn], [share for _, share in drawn])
    stage = replace(
        pretraining_stages.demonstration_stage(encoder, lesson, steps=plan.steps),
        name=name,
        learning_rate=plan.learning_rate,
        final_rate=plan.learning_rate / 10,
        batch_size=plan.batch_size,
        warmup_steps=WARMUP_STEPS,
    )

    def report(now: StageReport) -> None:
        say(f"{name} {now.step}/{now.max_steps}: loss {now.loss:.3f}, {now.seconds:.0f} s")

    done = run_stage(weights.model, encoder, stage, random.Random(name), report=report)
    weights.model.eval()
    return SftResult(done.step, done.loss, len(own) + len(others))


def learn_under_engine(  # noqa: PLR0913 - as ``learn_plainly``, and the layout
    weights: LoadedCheckpoint,
    encoder: PromptEncoder,
    material: SftData,
    plan: ImitationOptions,
    *,
    ggpo: Ggpo,
    name: str,
    say: LogFunction,
) -> SftResult:
    """The mean negative log-likelihood of a batch a step, under the recipe's layout on one rank; adapters come back merged."""
    own, others = supervised_samples(material.rollouts), supervised_samples(material.others)
    engine = DeepSpeedEngine(weights.model, config=_engine(plan, ggpo), schedule=_schedule(plan, ggpo))
    inputs = InputBuilder(encoder=encoder, media=material.media)
    trainer = Trainer(engine, inputs, algorithm=Algorithm(), parity=None)
    rng, loss = random.Random(name), 0.0
    for number in range(1, plan.steps + 1):
        done = trainer.nll_update(_batch(own, others, plan.batch_size, material.share, rng))
        loss = done.loss
        if number % EVERY == 0 or number == plan.steps:
            say(f"{name} {number}/{plan.steps}: loss {loss:.3f}, {done.seconds:.1f} s a step")
    engine.train(False)
    return SftResult(plan.steps, loss, len(own) + len(others), engine.weights())


def _engine(plan: ImitationOptions, ggpo: Ggpo) -> EngineConfig:
    """The recipe's, at the temperature of likelihoods, with the plan's own adapters if it names a rank."""
    lora = ggpo.engine.lora
    if plan.lora_rank is not None:
        lora = Lora(rank=plan.lora_rank, alpha=2 * plan.lora_rank) if plan.lora_rank else None
    return replace(ggpo.engine, temperature=1.0, lora=lora)


def _schedule(plan: ImitationOptions, ggpo: Ggpo) -> Schedule:
    warmup = min(WARMUP_STEPS, plan.steps)
    return replace(
        ggpo.schedule,
        learning_rate=plan.learning_rate,
        warmup_steps=warmup,
        decay=True,
        updates=plan.steps + warmup,
        mini_batches=1,
    )


def _batch(
    own: Sequence[TrainingSample],
    others: Sequence[TrainingSample],
    size: int,
    share: float,
    rng: random.Random,
) -> list[TrainingSample]:
    """Examples of one step; a sample comes twice only where there are too few."""
    from_others = sum(rng.random() < share for _ in range(size))
    return [*_drawn(own, size - from_others, rng), *_drawn(others, from_others, rng)]


def _drawn(samples: Sequence[TrainingSample], count: int, rng: random.Random) -> list[TrainingSample]:
    if count <= len(samples):
        return rng.sample(samples, count)
    return rng.choices(samples, k=count)
