"""Features of the images of one optimiser step: computed once, shown by many micro-batches, differentiated once.

Micro-batches are made by length, so the pages that a group looks at appear in many of them. Their features are computed
before the first micro-batch and kept in host memory; where the vision tower is trained, the gradients that the micro-batches
leave on them go through the tower in one more pass at the end. The sums are the same as without, by the chain rule. Not
under ZeRO-3, which learns the order of modules from whole forward passes: there, images are shared within a micro-batch
(``vision_dedup.py``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

from model.policies.chat_template import PixelBatch, visual_tokens
from model.training.batches import InputBuilder, MicroBatch, RankBatches
from model.training.engine import DeepSpeedEngine
from model.training.vision_dedup import FEATURES, distinct_images, token_indices
from model.types import ImageRef

Chunk = tuple[ImageRef, ...]  # images that pass the tower together; empty where a rank has none left


@dataclass(frozen=True, slots=True, kw_only=True)
class VisionFeatureTable:
    """Images of one rank with their features, f32[levels, tokens, width] in host memory: final level, then deepstack."""

    chunks: tuple[Chunk, ...]
    starts: Mapping[ImageRef, int]
    features: Tensor

    @property
    def is_trained(self) -> bool:
        """Whether micro-batches leave gradients here, to be passed on to the tower."""
        return self.features.requires_grad

    def inputs(self, images: Sequence[ImageRef]) -> dict[str, Tensor]:
        """Inputs that replace the pixels of ``images``, in placeholder order; empty without images."""
        if not images:
            return {}
        index_V = token_indices(
            [self.starts[image] for image in images], [visual_tokens(image) for image in images]
        )
        return {FEATURES: self.features.index_select(1, index_V)}

    def backward(self, engine: DeepSpeedEngine, inputs: InputBuilder) -> None:
        """The tower's part of the gradient, as the step's last micro-batches on every rank alike."""
        start = 0
        for number, chunk in enumerate(self.chunks):
            features = _features(chunk, engine, inputs)
            tokens = sum(map(visual_tokens, chunk))
            gradient = torch.zeros_like(features)
            if tokens and self.features.grad is not None:
                gradient = self.features.grad[:, start : start + tokens].to(features)
            start += tokens
            # the engine multiplies by the number of ranks, which these gradients already contain
            value = (features * gradient).sum() / engine.world_size
            engine.backward(value, last=number == len(self.chunks) - 1)


def build_vision_features(
    rounds: Sequence[RankBatches], *, engine: DeepSpeedEngine, inputs: InputBuilder
) -> VisionFeatureTable | None:
    """This rank's features for the micro-batches of ``rounds``; None, on all ranks, where they would save nothing.

    A trained tower then runs forward twice: 4 units of work an image, against 3 each time that a micro-batch shows it.
    """
    is_trained = any(parameter.requires_grad for parameter in engine.model.model.visual.parameters())
    needed = [
        _shown(batches) for batches in zip(*(rank_batches.batches for rank_batches in rounds), strict=True)
    ]
    kept = [sum(map(visual_tokens, images)) for images in needed]
    batches = [batch for rank_batches in rounds for batch in rank_batches.batches]
    direct = sum(visual_tokens(image) for batch in batches for image in _shown([batch]))
    saves_work = 4 * sum(kept) < 3 * direct if is_trained else sum(kept) < direct
    is_possible = inputs.share_images and engine.config.zero_stage < 3
    if not (is_possible and saves_work and max(kept) <= engine.schedule.kept_visual_tokens):
        return None
    chunked = [_chunks(images, engine.schedule.token_budget) for images in needed]
    own = chunked[engine.rank]
    padded = (*own, *[()] * (max(map(len, chunked)) - len(own)))  # all ranks call the tower equally often
    return _table(padded, engine, inputs, is_trained=is_trained)


def _shown(batches: Iterable[MicroBatch]) -> tuple[ImageRef, ...]:
    return distinct_images([image for batch in batches for sample in batch for image in sample.images])


def _chunks(images: Sequence[ImageRef], token_budget: int) -> list[Chunk]:
    """The images in order, at most ``token_budget`` visual tokens at a time (or a single larger one)."""
    chunks: list[list[ImageRef]] = []
    room = 0
    for image in images:
        room -= visual_tokens(image)
        if room < 0:
            chunks.append([])
            room = token_budget - visual_tokens(image)
        chunks[-1].append(image)
    return [tuple(chunk) for chunk in chunks]


def _table(
    chunks: tuple[Chunk, ...], engine: DeepSpeedEngine, inputs: InputBuilder, *, is_trained: bool
) -> VisionFeatureTable:
    images = [image for chunk in chunks for image in chunk]
    ends = accumulate((visual_tokens(image) for image in images), initial=0)
    with torch.no_grad():
        # a rank without images keeps the features of an empty chunk, to which no index points
        parts = [_features(chunk, engine, inputs) for chunk in chunks if chunk or not images]
        features = torch.cat([part.float().cpu() for part in parts], dim=1)
    starts = dict(zip(images, ends, strict=False))
    return VisionFeatureTable(chunks=chunks, starts=starts, features=features.requires_grad_(is_trained))


def _features(chunk: Chunk, engine: DeepSpeedEngine, inputs: InputBuilder) -> Tensor:
    pixels: PixelBatch = inputs.encoder.pixels(chunk, inputs.media) if chunk else inputs.black_image()
    return engine.features(pixels.pixel_values.to(engine.device), pixels.grid_thw.to(engine.device))
