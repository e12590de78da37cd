"""Log-probabilities of the rollouts as the trainer computes them, once an update, before a weight has moved.

In bfloat16 the sampler's values differ from the trainer's by some hundredths of a nat: enough to clip a third of all segments at
unchanged weights. Ratios are therefore taken from the trainer's own values, in the very micro-batches of the step that follows,
and what the sampler drew from differently is left to a truncated importance weight of each segment.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch

from model.rl.segments import SampleKey, TrainingSample
from model.training.batches import InputBuilder, batch_rounds, to_device
from model.training.engine import DeepSpeedEngine
from model.training.vision_features import build_vision_features


class SamplerRatios(NamedTuple):
    """Distribution of the segments' weights, trainer over sampler, length-normalised; NaN where nothing was recomputed."""

    mean: float
    largest: float
    truncated: float
    """Share that the cap holds."""


NOT_COMPARED = SamplerRatios(math.nan, math.nan, math.nan)


class Recomputed(NamedTuple):
    """Samples with the trainer's log-probabilities (those of this rank; the others as they were), and their weights."""

    samples: tuple[TrainingSample, ...]
    weights: Mapping[SampleKey, float]


def recomputed(
    samples: Sequence[TrainingSample],
    *,
    engine: DeepSpeedEngine,
    inputs: InputBuilder,
    shares_features: bool,
    cap: float,
) -> Recomputed:
    """Forward all of ``samples`` without gradient, arranged as the optimiser step on them will be; a collective."""
    rounds = batch_rounds(samples, world_size=engine.world_size, schedule=engine.schedule)
    engine.train()
    values: dict[SampleKey, tuple[float, ...]] = {}
    with torch.no_grad():
        features = build_vision_features(rounds, engine=engine, inputs=inputs) if shares_features else None
        for batches, num_chunks in rounds:
            batch = batches[engine.rank]
            built = inputs.build(batch, {sample.key: 1.0 for sample in batch}, features)
            tensors = to_device(built, engine.device)
            logprobs_T, _ = engine.logprobs(tensors.inputs, tensors.targets, num_chunks)
            parts = logprobs_T.cpu().split([len(each.loss_positions) for each in batch]) if batch else ()
            values |= {sample.key: tuple(part.tolist()) for sample, part in zip(batch, parts, strict=True)}
    return Recomputed(
        tuple(replace(s, old_logprobs=values[s.key]) if s.key in values else s for s in samples),
        {s.key: min(cap, _ratio(values[s.key], s.old_logprobs)) for s in samples if s.key in values},
    )


def _ratio(trainer: Sequence[float], sampler: Sequence[float]) -> float:
    differences = [a - b for a, b in zip(trainer, sampler, strict=True)]
    return math.exp(math.fsum(differences) / len(differences))


def sampler_ratios(
    weights: Mapping[SampleKey, float], *, engine: DeepSpeedEngine, cap: float
) -> SamplerRatios:
    """Their distribution over all ranks; a collective."""
    values = list(weights.values())
    sums = engine.total(
        torch.tensor([math.fsum(values), len(values), sum(v >= cap for v in values)], dtype=torch.float64)
    ).tolist()
    largest = float(engine.total(torch.tensor([max(values, default=0.0)], dtype=torch.float64), largest=True))
    if not sums[1]:
        return NOT_COMPARED
    return SamplerRatios(sums[0] / sums[1], largest, sums[2] / sums[1])
