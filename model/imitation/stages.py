"""The cold start: stages of supervised learning, each until its threshold, the last one on demonstrations.

Holds the loop and its record. Lessons come from ``tiny/curriculum.py`` or from trajectories (``demonstrations``), data and
pictures from the launch script that joins them.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import NamedTuple

import torch
from transformers import Qwen3VLForConditionalGeneration

from model.imitation.supervised import SftExample, step
from model.imitation.tiny.curriculum import Lesson
from model.policies.chat_template import PromptEncoder
from model.protocols import MediaSource
from model.types import Segment, Trajectory

SMOOTHING = 0.95  # of the running accuracy that decides a stage


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingStage:
    """One stage; it ends when the running accuracy reaches ``threshold``, or after ``max_steps``."""

    name: str
    lesson: Lesson
    threshold: float
    max_steps: int
    whole_spans: bool = True
    """Accuracy counts learnt spans whose every token is right; False counts tokens."""
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
    """Where a stage stands; one is yielded every few steps and one at its end."""

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
        batch = [stage.lesson(rng) for _ in range(stage.batch_size)]
        scores = step(model, optimizer, batch, pad_id=encoder.pad_id, image_id=encoder.image_id)
        tokens += sum(len(example.ids) for example in batch)
        weight = max(1 - SMOOTHING, 1 / (number + 1))
        seen = scores.span_accuracy if stage.whole_spans else scores.token_accuracy
        accuracy += weight * (seen - accuracy)
        number += 1
        passed = accuracy >= stage.threshold and number >= 2 * every
        finished = passed or number >= stage.max_steps
        if finished or number % every == 0:
            now = StageReport(
                stage.name,
                number,
                stage.max_steps,
                float(scores.loss),
                accuracy,
                tokens,
                monotonic() - began,
                finished,
            )
            report(now)
            if finished:
                return now


def segment_example(segment: Segment, encoder: PromptEncoder, media: MediaSource) -> SftExample:
    """The supervised example of one segment: everything its policy generated is learnt, everything it read is not.

    A reply that the environment refused is read, not learnt: what is imitated is the repair.

    Raises:
        ValueError: if a later call does not extend the earlier one.
    """
    last = segment.calls[-1]
    ids = (*last.prompt_ids, *last.token_ids)
    learn = [False] * len(ids)
    for call in segment.calls:
        end = len(call.prompt_ids) + len(call.token_ids)
        if ids[:end] != (*call.prompt_ids, *call.token_ids):
            raise ValueError(f"segment {segment.node_id}: a call is not a prefix of the next one")
        learn[len(call.prompt_ids) : end] = [not call.rejected] * len(call.token_ids)
    return SftExample(ids, tuple(learn), encoder.pixels(last.images, media))


def imitation(segments: Sequence[Segment], encoder: PromptEncoder, media: MediaSource) -> Lesson:
    """One of the demonstrated segments; its pixels are fetched when it is drawn."""

    def lesson(rng: random.Random) -> SftExample:
        return segment_example(rng.choice(segments), encoder, media)

    return lesson


def segments_of(trajectories: Iterable[Trajectory], *, longest: int = 1024) -> list[Segment]:
    """Every segment of ``trajectories`` with a reply to imitate that is at most ``longest`` tokens."""
    every = (segment for trajectory in trajectories for segment in trajectory.segments)
    found = [segment for segment in every if not all(call.rejected for call in segment.calls)]
    return [s for s in found if len(s.calls[-1].prompt_ids) + len(s.calls[-1].token_ids) <= longest]


def mixture(lessons: Sequence[Lesson], weights: Sequence[float]) -> Lesson:
    """Draws each example from one of ``lessons`` with the given weights."""

    def lesson(rng: random.Random) -> SftExample:
        return rng.choices(lessons, weights=weights)[0](rng)

    return lesson
