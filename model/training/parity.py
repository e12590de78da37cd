"""The gate before the first update: does the trainer see exactly what the policy saw?

Pixels lost, swapped or resized between rollout and trainer, placeholders expanded twice, and weights that are not the
sampling policy's all train silently on garbage. This module refuses instead, naming the segment, before a weight has moved.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from model.policies.chat_template import MERGE, PATCH_PX, PixelBatch, visual_tokens
from model.rl.segments import SampleKey, TrainingSample
from model.training.batches import InputBuilder, MicroBatch, batch_rounds, to_device
from model.training.engine import DeepSpeedEngine


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityConfig:
    """Allowed difference between sampled and recomputed log-probabilities (nats).

    The defaults suit fp32 on one machine, where different padding moves a value by about 1e-5. Sampling in bf16, or in
    another engine, needs more: see ``bf16_parity``.
    """

    mean_difference: float = 1e-3
    """Mean absolute difference over the tokens of a segment."""
    max_difference: float = 1e-2
    """Absolute difference of any token."""

    def __post_init__(self) -> None:
        if not 0 < self.mean_difference <= self.max_difference:
            raise ValueError(f"need 0 < mean_difference <= max_difference, got {self}")


def bf16_parity() -> ParityConfig:
    """Tolerances for policies sampled in bfloat16, whose 8 bits of precision leave a few hundredths of a nat a token."""
    return ParityConfig(mean_difference=0.05, max_difference=1.0)


class ParityError(ValueError):
    """The trainer's view of a segment differs from the rollout's; ``key`` says which, ``reason`` how."""

    def __init__(self, key: SampleKey, reason: str) -> None:
        super().__init__(
            f"question {key.question_id!r}, rollout {key.rollout}, segment {key.segment}: {reason}; refusing to train"
        )
        self.key = key
        self.reason = reason


def placeholder_spans(token_ids: Sequence[int], *, image_id: int) -> tuple[int, ...]:
    """Length of each unbroken run of image placeholders, in order."""
    spans: list[int] = []
    previous = False
    for token in token_ids:
        is_image = token == image_id
        if is_image and previous:
            spans[-1] += 1
        elif is_image:
            spans.append(1)
        previous = is_image
    return tuple(spans)


def check_images(sample: TrainingSample, pixels: PixelBatch, *, image_id: int) -> None:
    """Compares what the prompt reserves, what the rollout recorded and what the media source delivered.

    Raises:
        ParityError: if the number of images, a size in pixels, or the length of a placeholder span differs.
    """
    spans = placeholder_spans(sample.token_ids, image_id=image_id)
    if len(spans) != len(sample.images):
        raise ParityError(
            sample.key, f"the prompt has {len(spans)} image spans, the rollout recorded {len(sample.images)}"
        )
    if len(pixels.grid_thw) != len(sample.images):
        raise ParityError(
            sample.key, f"{len(pixels.grid_thw)} images were loaded, the rollout saw {len(sample.images)}"
        )
    for number, (span, image, grid) in enumerate(
        zip(spans, sample.images, pixels.grid_thw.tolist(), strict=True)
    ):
        if span != visual_tokens(image):
            raise ParityError(
                sample.key,
                f"image {number} ({image.item_id}) is {image.width}x{image.height} px, {visual_tokens(image)} tokens; "
                f"the prompt holds {span}",
            )
        if grid != [1, image.height // PATCH_PX, image.width // PATCH_PX]:
            size = f"{grid[2] * PATCH_PX}x{grid[1] * PATCH_PX}"
            raise ParityError(
                sample.key, f"image {number} ({image.item_id}) was loaded at {size} px, not at its grant"
            )
    patches, expected = len(pixels.pixel_values), sum(spans) * MERGE * MERGE
    if patches != expected:
        raise ParityError(sample.key, f"{patches} patches were loaded for {expected} places")


def check_logprobs(sample: TrainingSample, recomputed: Sequence[float], *, config: ParityConfig) -> float:
    """Largest absolute difference (nats) between sampled and recomputed log-probabilities of a segment.

    Raises:
        ParityError: if it, or the mean difference, exceeds what ``config`` allows, or a value is not finite.
    """
    pairs = zip(sample.old_logprobs, recomputed, strict=True)
    differences = [abs(old - new) for old, new in pairs]
    worst = max(range(len(differences)), key=differences.__getitem__)
    mean = sum(differences) / len(differences)
    # Written so that a NaN fails too.
    if not (differences[worst] <= config.max_difference and mean <= config.mean_difference):
        raise ParityError(
            sample.key,
            f"recomputed log-probabilities differ by {mean:.2g} nats on average, at most {differences[worst]:.2g} "
            f"(loss token {worst}: sampled {sample.old_logprobs[worst]:.4g}, recomputed {recomputed[worst]:.4g})",
        )
    return differences[worst]


def check_rollouts(
    samples: Sequence[TrainingSample], *, engine: DeepSpeedEngine, inputs: InputBuilder, config: ParityConfig
) -> float:
    """Rebuilds the inputs of the rollouts, images first, and compares; a collective, so all ranks refuse together.

    Returns:
        The largest difference of a log-probability (nats).

    Raises:
        ParityError: naming the first offending segment.
    """
    rounds = batch_rounds(samples, world_size=engine.world_size, schedule=engine.schedule)
    keys = sorted(sample.key for sample in samples)
    own = [sample for batches, _ in rounds for sample in batches[engine.rank]]
    _agree(keys, [error for sample in own if (error := _image_error(sample, inputs)) is not None], engine)
    errors: list[ParityError] = []
    worst = 0.0
    engine.train(False)
    for batches, num_chunks in rounds:
        for sample, recomputed in _recomputed(batches[engine.rank], num_chunks, engine, inputs):
            try:
                worst = max(worst, check_logprobs(sample, recomputed, config=config))
            except ParityError as error:
                errors.append(
                    error
                )  # raised below: the other ranks wait for this one in the next forward pass
    _agree(keys, errors, engine)
    return float(engine.total(torch.tensor([worst], dtype=torch.float64), largest=True))


def _image_error(sample: TrainingSample, inputs: InputBuilder) -> ParityError | None:
    try:
        check_images(sample, _pixels(sample, inputs), image_id=inputs.encoder.image_id)
    except ParityError as error:
        return error
    return None


def _pixels(sample: TrainingSample, inputs: InputBuilder) -> PixelBatch:
    try:
        return inputs.encoder.pixels(sample.images, inputs.media)
    except (KeyError, ValueError) as cause:
        raise ParityError(sample.key, f"an image cannot be loaded: {cause}") from cause


def _recomputed(
    batch: MicroBatch, num_chunks: int, engine: DeepSpeedEngine, inputs: InputBuilder
) -> list[tuple[TrainingSample, list[float]]]:
    tensors = to_device(inputs.build(batch, {sample.key: 1.0 for sample in batch}), engine.device)
    with torch.no_grad():
        logprobs_T, _ = engine.logprobs(tensors.inputs, tensors.targets, num_chunks)
    parts = logprobs_T.cpu().split([len(sample.loss_positions) for sample in batch]) if batch else ()
    return [(sample, part.tolist()) for sample, part in zip(batch, parts, strict=True)]


def _agree(keys: Sequence[SampleKey], errors: Sequence[ParityError], engine: DeepSpeedEngine) -> None:
    """Raises on every rank if any rank has an error: the first in the order of ``keys``."""
    first = min(errors, key=lambda error: error.key, default=None)
    number = len(keys) if first is None else keys.index(first.key)
    agreed = -int(engine.total(torch.tensor([-number]), largest=True))
    if first is not None and agreed == number:
        raise first
    if agreed < len(keys):
        raise ParityError(keys[agreed], "another rank found it to differ")
