"""Images that several segments show at the same size pass the vision tower once.

The rollouts of a group look at the same pages, and every rebuilt context shows a kept image again: one micro-batch holds few
distinct images many times. This module copies their features to every place, the intermediate ones (deepstack) included; the
gradients of all places add up at the one pass. Which images a micro-batch shows is decided in ``batches.py``.

Shape legend: P = patches of the distinct images, U = distinct images, V = visual tokens of all images shown.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor
from transformers.utils.generic import ModelOutput

from model.policies.chat_template import MERGE, PixelBatch
from model.types import ImageRef

INDEX, GRID = "shared_index", "shared_grid_thw"  # inputs beside the model's own
FEATURES = "shared_features"  # of every visual token, [levels, V, width], if known beforehand (``vision_features.py``)
REPLACED = {INDEX, GRID, FEATURES, "pixel_values"}  # inputs that the features stand in for


def distinct_images(images: Sequence[ImageRef]) -> tuple[ImageRef, ...]:
    """The images without repetitions, in order of first appearance; another size is another image."""
    return tuple(dict.fromkeys(images))


def shared_inputs(shown: Sequence[int], pixels: PixelBatch) -> dict[str, Tensor]:
    """Distinct pixels [P, width], their grid [U, 3] and, for each visual token shown, the number of its feature, i64[V].

    Args:
        shown: for each image shown, in placeholder order, its number among the distinct ones.
        pixels: of the distinct images.
    """
    lengths = (pixels.grid_thw.prod(dim=1) // (MERGE * MERGE)).tolist()
    starts = list(accumulate(lengths, initial=0))
    index_V = token_indices([starts[number] for number in shown], [lengths[number] for number in shown])
    return {"pixel_values": pixels.pixel_values, GRID: pixels.grid_thw, INDEX: index_V}


def token_indices(starts: Sequence[int], lengths: Sequence[int]) -> Tensor:
    """The numbers ``start .. start + length - 1`` of each image, one after the other, i64[V]."""
    runs = [torch.arange(start, start + length) for start, length in zip(starts, lengths, strict=True)]
    return torch.cat(runs)


def tower_features(trunk: Any, pixel_values: Tensor, grid_thw: Tensor) -> Tensor:
    """Output of the vision tower for images, [levels, tokens, width]: its result, then each level of deepstack."""
    output = trunk.get_image_features(pixel_values, grid_thw, return_dict=True)
    levels = [output.pooler_output, *(getattr(output, "deepstack_features", None) or ())]
    return torch.stack([torch.cat(tuple(level)) for level in levels])


def scatter_features(trunk: Any, inputs: dict[str, Tensor]) -> dict[str, Any]:
    """Keyword arguments of ``trunk`` (a Qwen-VL without its head) with shared images as features.

    Inputs without shared images are returned unchanged.
    """
    if FEATURES in inputs:
        levels = inputs[FEATURES]
    elif INDEX in inputs:
        levels = tower_features(trunk, inputs["pixel_values"], inputs[GRID]).index_select(1, inputs[INDEX])
    else:
        return inputs
    plain = {name: tensor for name, tensor in inputs.items() if name not in REPLACED}
    features = ModelOutput(pooler_output=(levels[0],), deepstack_features=[(level,) for level in levels[1:]])
    return {**plain, "mm_encoder_outputs": {"image": features}}
