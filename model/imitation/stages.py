"""The cold start: stages of supervised learning, each until its threshold, the last one on demonstrations.

Holds the loop and its record. Examples are sampled from ``tiny/curriculum.py`` or from trajectories (``segment_sampler``).
"""

import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import NamedTuple

import torch
from transformers import Qwen3VLForConditionalGeneration

from model.imitation.supervised import SftExample, step
from model.imitation.tiny.curriculum import ExampleSampler
from model.policies.chat_template import PromptEncoder
from model.protocols import MediaSource
from model.rl.segments import segment_tokens
from model.types import Segment, Trajectory

SMOOTHING = 0.95  # of the running accuracy that decides a stage


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingStage:
    """One stage; it ends when the running accuracy reaches ``threshold``, or after ``max_steps``."""

    name: str
    sampler: ExampleSampler
    threshold: float
    max_steps: int
    count_spans: bool = True
    """Accuracy is the share of trained spans with every token right; False: the share of tokens."""
    batch_size: int = 32
    learning_rate: float = 3e-3
    final_rate: float | None = None
    """Learning rate at the last step of a cosine decay; None keeps it constant."""
    warmup_steps: int = 30

    def rate(self, number: int) -> float:
        """Learning rate of step ``number``, from 0."""
        warm = min(1.0, (number + 1) / self.warmup_steps)
        if self.final_rate is None:
            return self.learning_rate * warm
        cosine = 0.5 * (1 + math.cos(math.pi * number / max(1, self.max_steps - 1)))
        return warm * (self.final_rate + (self.learning_rate - self.final_rate) * cosine)


class StageReport(NamedTuple):
    """Progress of a stage, reported every few steps and at its end."""

    name: str
    step: int
    max_steps: int
    loss: float
    accuracy: float
    tokens: int
    seconds: float
    finished: bool


def run_stage(
    model: Qwen3VLForConditionalGeneration,
    encoder: PromptEncoder,
    stage: TrainingStage,
    rng: random.Random,
    *,
    report: Callable[[StageReport], None],
    every: int = 25,
) -> StageReport:
    """Train ``model`` in place on one stage and return its last report."""
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=stage.learning_rate, betas=(0.9, 0.95), weight_decay=0.01
    )
    accuracy, tokens, began, number = 0.0, 0, monotonic(), 0
    while True:
        for group in optimizer.param_groups:
            group["lr"] = stage.rate(number)
        batch = [stage.sampler(rng) for _ in range(stage.batch_size)]
        scores = step(model, optimizer, batch, pad_id=encoder.pad_id, image_id=encoder.image_id)
        tokens += sum(len(example.ids) for example in batch)
        weight = max(1 - SMOOTHING, 1 / (number + 1))
        measured = scores.span_accuracy if stage.count_spans else scores.token_accuracy
        accuracy += weight * (measured - accuracy)
        number += 1
        passed = accuracy >= stage.threshold and number >= 2 * every
        finished = passed or number >= stage.max_steps
        if finished or number % every == 0:
            loss, seconds = float(scores.loss), monotonic() - began
            current = StageReport(
                stage.name, number, stage.max_steps, loss, accuracy, tokens, seconds, finished
            )
            report(current)
            if finished:
                return current


def segment_example(segment: Segment, encoder: PromptEncoder, media: MediaSource) -> SftExample:
    """The supervised example of one segment, with a loss on the tokens that its policy generated.

    A reply that the environment refused has no loss: its repair is imitated.

    Raises:
        ValueError: if it is not one sequence, see ``segments.segment_tokens``.
    """
    ids, positions, images = segment_tokens(segment, refused=False)
    trained = set(positions)
    loss_mask = tuple(place in trained for place in range(len(ids)))
    return SftExample(ids, loss_mask, encoder.pixels(images, media))


def segment_sampler(
    segments: Sequence[Segment], encoder: PromptEncoder, media: MediaSource
) -> ExampleSampler:
    """Samples one of the demonstrated segments; its pixels are fetched then."""

    def sample(rng: random.Random) -> SftExample:
        return segment_example(rng.choice(segments), encoder, media)

    return sample


def imitable_segments(trajectories: Iterable[Trajectory], *, longest: int = 1024) -> list[Segment]:
    """Every segment of ``trajectories`` with an accepted reply and at most ``longest`` tokens."""
    segments = (segment for trajectory in trajectories for segment in trajectory.segments)
    accepted = [segment for segment in segments if not all(call.rejected for call in segment.calls)]
    return [s for s in accepted if len(s.calls[-1].prompt_ids) + len(s.calls[-1].token_ids) <= longest]


def mixture(samplers: Sequence[ExampleSampler], shares: Sequence[float]) -> ExampleSampler:
    """Samples each example from one of ``samplers``, chosen in proportion to ``shares``."""

    def sample(rng: random.Random) -> SftExample:
        return rng.choices(samplers, weights=shares)[0](rng)

    return sample
