"""Features of images, computed once for all prompts of a running batch that show the same image at the same size.

``VisionFeatureCache`` belongs to one batch and dies with it, so the weights of the vision tower cannot change under it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from cachetools import LRUCache
from torch import Tensor
from transformers.utils.generic import ModelOutput

from model.policies.chat_template import PixelBatch
from model.policies.families import VisionLanguageModel
from model.types import ImageRef


class ImageFeatures(NamedTuple):
    """Inputs of the language model for one image: [tokens, width], and as much for each deepstack layer."""

    pooled: Tensor
    deepstack: tuple[Tensor, ...]  # Qwen3-VL only (DeepStack, arXiv 2406.04334)


@dataclass
class TowerOutput(ModelOutput):
    """Features that the model class takes instead of running its vision tower; from transformers 5.24 on a ``ModelOutput``."""

    pooler_output: tuple[Tensor, ...] | None = None
    deepstack_features: list[tuple[Tensor, ...]] | None = None


class VisionFeatureCache:
    """The features of at most ``max_tokens`` visual tokens, those used least recently forgotten first."""

    def __init__(self, model: VisionLanguageModel, *, max_tokens: int) -> None:
        self._model = model
        self._known: LRUCache[ImageRef, ImageFeatures] = LRUCache(max_tokens, _num_tokens)

    def features(
        self, images: Sequence[Sequence[ImageRef]], pixels: Sequence[PixelBatch]
    ) -> TowerOutput | None:
        """Output of the vision tower for all images of several prompts, in order; None without images.

        ``images`` and ``pixels`` come prompt by prompt.
        """
        inputs = {
            image: patches_and_grid
            for prompt_images, batch in zip(images, pixels, strict=True)
            for image, patches_and_grid in zip(prompt_images, _split(batch), strict=True)
        }
        new = {image: inputs[image] for image in inputs if image not in self._known}
        features = {image: self._known[image] for image in inputs if image in self._known}
        features |= self._compute(new) if new else {}
        self._known.update(
            (image, computed)
            for image, computed in features.items()
            if _num_tokens(computed) <= self._known.maxsize
        )
        ordered = [features[image] for prompt_images in images for image in prompt_images]
        return _joined(ordered) if ordered else None

    def _compute(self, new: Mapping[ImageRef, tuple[Tensor, Tensor]]) -> dict[ImageRef, ImageFeatures]:
        device = self._model.device
        patches = torch.cat([patches for patches, _ in new.values()]).to(device)
        grids = torch.stack([grid for _, grid in new.values()]).to(device)
        vision: Any = self._model.model  # its annotations want a LongTensor, which no function returns
        output = vision.get_image_features(patches, grids)
        deepstack = getattr(output, "deepstack_features", None) or []
        return {
            image: ImageFeatures(pooled, tuple(layer[place] for layer in deepstack))
            for place, (image, pooled) in enumerate(zip(new, output.pooler_output, strict=True))
        }


def _num_tokens(features: ImageFeatures) -> int:
    return len(features.pooled)


def _split(pixels: PixelBatch) -> list[tuple[Tensor, Tensor]]:
    """Patches and grid of each image."""
    sizes = pixels.grid_thw.prod(dim=1).tolist()
    return list(zip(pixels.pixel_values.split(sizes), pixels.grid_thw, strict=True))


def _joined(features: Sequence[ImageFeatures]) -> TowerOutput:
    """In the shape in which transformers takes the output of a vision tower."""
    layers = zip(*(image.deepstack for image in features), strict=True)
    return TowerOutput(
        pooler_output=tuple(image.pooled for image in features),
        deepstack_features=[tuple(layer) for layer in layers],
    )
