"""Micro-batches: which samples go together, on which rank, and as what tensors.

The arrangement is a pure function of the samples, so every rank computes all of it and takes its own column; pixels are read
for that column only. All ranks get equally many micro-batches, and every micro-batch passes through the vision tower, because a
rank that skips either leaves the others waiting in a collective for ever.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from model.config.schedule import Schedule
from model.policies.chat_template import MERGE, PixelBatch, PromptEncoder, collate
from model.protocols import MediaSource
from model.rl.loss import LossInputs
from model.rl.segments import SampleKey, TrainingSample
from model.training.logprobs import Targets
from model.training.vision_dedup import distinct_images, shared_inputs
from model.types import ImageRef

MicroBatch = tuple[TrainingSample, ...]  # empty where a rank has no work left


class RankBatches(NamedTuple):
    """One micro-batch for each rank, and the number of parts the output head's work is cut into on all of them."""

    batches: tuple[MicroBatch, ...]
    num_chunks: int


class TensorBatch(NamedTuple):
    """A micro-batch of S samples with T loss tokens, ready for the forward pass and the loss."""

    inputs: dict[str, Tensor]
    targets: Targets
    loss_inputs: LossInputs  # old log-probabilities are zeros for supervised samples


def padded_tokens(batch: MicroBatch) -> int:
    """Tokens of the batch once padded to its longest sample."""
    return max((len(sample.token_ids) for sample in batch), default=0) * len(batch)


def pack(samples: Sequence[TrainingSample], *, token_budget: int) -> list[MicroBatch]:
    """Batches of similar length, longest first, each within ``token_budget`` padded tokens (or a single longer sample)."""
    batches: list[list[TrainingSample]] = []
    for sample in sorted(samples, key=lambda sample: (-len(sample.token_ids), sample.key)):
        longest = len(batches[-1][0].token_ids) if batches else 0
        if batches and longest * (len(batches[-1]) + 1) <= token_budget:
            batches[-1].append(sample)
        else:
            batches.append([sample])
    return [tuple(batch) for batch in batches]


def batch_rounds(
    samples: Sequence[TrainingSample], *, world_size: int, schedule: Schedule
) -> tuple[RankBatches, ...]:
    """Micro-batches of every rank; the result does not depend on the order of the samples.

    Neighbouring batches of similar size run side by side. Where the number of batches is no multiple of ``world_size``, the
    largest are halved and the rest of the ranks get empty ones.

    Raises:
        ValueError: for a pruned sample, which is never forwarded.
    """
    if pruned := [sample.key for sample in samples if sample.pruned]:
        raise ValueError(f"pruned segments are not to be forwarded: {pruned[:3]}")
    batches = _even(pack(samples, token_budget=schedule.token_budget), world_size)
    batches += [()] * (-len(batches) % world_size)
    rounds = [tuple(batches[start : start + world_size]) for start in range(0, len(batches), world_size)]
    return tuple(RankBatches(row, _num_chunks(row, schedule.logit_tokens)) for row in rounds)


def _even(batches: list[MicroBatch], world_size: int) -> list[MicroBatch]:
    batches = list(batches)
    while len(batches) % world_size:
        largest = max(
            range(len(batches)), key=lambda index: (len(batches[index]) > 1, padded_tokens(batches[index]))
        )
        batch = batches[largest]
        if len(batch) < 2:
            break
        half = len(batch) // 2
        batches[largest : largest + 1] = [batch[:half], batch[half:]]
    return sorted(batches, key=padded_tokens, reverse=True)


def _num_chunks(batches: Sequence[MicroBatch], logit_tokens: int) -> int:
    most = max(sum(len(sample.loss_positions) for sample in batch) for batch in batches)
    return max(1, -(-most // logit_tokens))


class VisionFeatures(Protocol):
    """Images whose features are known already."""

    def inputs(self, images: Sequence[ImageRef]) -> dict[str, Tensor]:
        """Inputs that replace the pixels of ``images``, in placeholder order."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class InputBuilder:
    """Builds tensors of micro-batches with the same encoder that served the rollouts."""

    encoder: PromptEncoder
    media: MediaSource
    share_images: bool = True
    """Pass an image that several samples of a micro-batch show at one size through the vision tower once."""
    always_vision: bool = True
    """Append one black 32x32 image to a batch that has none. It stands behind the last token of its row, where causal
    attention keeps it out of every loss token: the vision tower runs, and its gradient is exactly zero."""

    def build(
        self,
        batch: MicroBatch,
        loss_weights: Mapping[SampleKey, float],
        features: VisionFeatures | None = None,
    ) -> TensorBatch:
        """Tensors of ``batch``; an empty one has S = T = 0 and a row of padding to run the model on.

        With ``features`` images come as these instead of pixels, and a batch without images needs no black one.

        Raises:
            KeyError: for an image the media source does not know.
            ValueError: where placeholders and pixels of a sample disagree.
        """
        sequences = [sample.token_ids for sample in batch] or [(self.encoder.pad_id,)]
        pixels = [self._pixels(sample.images) for sample in batch] or [self._pixels(())]
        images = [image for sample in batch for image in sample.images]
        if self.always_vision and features is None and not images:
            sequences[0] = (*sequences[0], self.encoder.image_id)
            pixels[0] = self.black_image()
        inputs = collate(sequences, pixels, pad_id=self.encoder.pad_id, image_id=self.encoder.image_id)
        if features is not None:
            inputs |= features.inputs(images)
            inputs.pop("pixel_values", None)  # placeholders were counted above
        elif self.share_images and images:
            inputs |= self._shared(images)
        elif self.share_images and self.always_vision:
            # in the form of shared images too: under ZeRO-3 all ranks have to call the same modules in the same order
            inputs |= shared_inputs([0], pixels[0])
        return TensorBatch(inputs, _targets(batch), _loss_inputs(batch, loss_weights))

    def black_image(self) -> PixelBatch:
        """One black image of a single visual token."""
        return PixelBatch(
            torch.zeros(MERGE * MERGE, self.encoder.patching.width), torch.tensor([[1, MERGE, MERGE]])
        )

    def _pixels(self, images: Sequence[ImageRef]) -> PixelBatch:
        """Pixels of one row; only their grid where images are shared."""
        if self.share_images:
            return PixelBatch(torch.zeros(0, self.encoder.patching.width), self.encoder.grid(images))
        return self.encoder.pixels(images, self.media)

    def _shared(self, images: Sequence[ImageRef]) -> dict[str, Tensor]:
        distinct = distinct_images(images)
        index = {image: number for number, image in enumerate(distinct)}
        return shared_inputs([index[image] for image in images], self.encoder.pixels(distinct, self.media))


def _loss_inputs(batch: MicroBatch, loss_weights: Mapping[SampleKey, float]) -> LossInputs:
    rows = [row for row, sample in enumerate(batch) for _ in sample.loss_positions]
    return LossInputs(
        old_logprobs_T=torch.tensor(
            [v for sample in batch for v in _old_logprobs(sample)], dtype=torch.float32
        ),
        segment_T=torch.tensor(rows, dtype=torch.long),
        advantages_S=torch.tensor([sample.advantage for sample in batch], dtype=torch.float32),
        weights_S=torch.tensor([loss_weights[sample.key] for sample in batch], dtype=torch.float32),
    )


def _old_logprobs(sample: TrainingSample) -> Sequence[float]:
    return sample.old_logprobs or [0.0] * len(sample.loss_positions)


def _targets(batch: MicroBatch) -> Targets:
    positions = [
        (row, at, sample.token_ids[at]) for row, sample in enumerate(batch) for at in sample.loss_positions
    ]
    table = torch.tensor(positions, dtype=torch.long).reshape(-1, 3)
    return Targets(table[:, 0], table[:, 1], table[:, 2])


def to_device(batch: TensorBatch, device: torch.device) -> TensorBatch:
    """The batch with every tensor on ``device``."""
    old_T, segment_T, advantages_S, weights_S, _ = batch.loss_inputs
    return TensorBatch(
        {name: tensor.to(device) for name, tensor in batch.inputs.items()},
        Targets(*(tensor.to(device) for tensor in batch.targets)),
        LossInputs(old_T.to(device), segment_T.to(device), advantages_S.to(device), weights_S.to(device)),
    )
