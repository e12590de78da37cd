"""Pictures that several segments show at the same size pass the vision tower once.

The rollouts of a group look at the same pages, and every rebuilt context shows a kept picture again: one micro-batch holds few
distinct pictures many times. Here is how their features reach every place, the intermediate ones (deepstack) included; the
gradients of all places add up at the one pass. Which pictures a micro-batch shows is ``batches.py``.

Shape legend: P = patches of the distinct pictures, N = pictures shown, U = distinct ones, V = visual tokens shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor
from transformers.utils.generic import ModelOutput

from model.policies.chat_template import MERGE, PixelBatch
from model.types import ImageRef

INDEX, GRID = "shared_index", "shared_grid_thw"  # inputs beside the model's own
# of every visual token, [levels, V, width], where they are known beforehand (``vision_features.py``)
FEATURES = "shared_features"
OURS = {INDEX, GRID, FEATURES, "pixel_values"}  # what features replace


def distinct(images: Sequence[ImageRef]) -> tuple[ImageRef, ...]:
    """The pictures without repetitions, in order of first appearance; another size is another picture."""
    return tuple(dict.fromkeys(images))


def shared_inputs(shown: Sequence[int], pixels: PixelBatch) -> dict[str, Tensor]:
    """Distinct pixels [P, width], their grid [U, 3] and, for each visual token shown, the number of its feature, i64[V].

    Args:
        shown: for each picture shown, in placeholder order, its number among the distinct ones.
        pixels: of the distinct pictures.
    """
    lengths = (pixels.grid_thw.prod(dim=1) // (MERGE * MERGE)).tolist()
    starts = list(accumulate(lengths, initial=0))
    index_V = places([starts[number] for number in shown], [lengths[number] for number in shown])
    return {"pixel_values": pixels.pixel_values, GRID: pixels.grid_thw, INDEX: index_V}


def places(starts: Sequence[int], lengths: Sequence[int]) -> Tensor:
    """The numbers ``start .. start + length - 1`` of each picture, one after the other, i64[V]."""
    runs = [torch.arange(start, start + length) for start, length in zip(starts, lengths, strict=True)]
    return torch.cat(runs)


def tower_features(trunk: Any, pixel_values: Tensor, grid_thw: Tensor) -> Tensor:
    """What the vision tower makes of pictures, [levels, tokens, width]: its result, then each level of deepstack."""
    found = trunk.get_image_features(pixel_values, grid_thw, return_dict=True)
    levels = [found.pooler_output, *(getattr(found, "deepstack_features", None) or ())]
    return torch.stack([torch.cat(tuple(level)) for level in levels])


def scatter_features(trunk: Any, inputs: dict[str, Tensor]) -> dict[str, Any]:
    """Keyword arguments of ``trunk`` (a Qwen-VL without its head) in which shared pictures have become features.

    Inputs that share nothing are returned as they are.
    """
    if FEATURES in inputs:
        levels = inputs[FEATURES]
    elif INDEX in inputs:
        levels = tower_features(trunk, inputs["pixel_values"], inputs[GRID]).index_select(1, inputs[INDEX])
    else:
        return inputs
    plain = {name: tensor for name, tensor in inputs.items() if name not in OURS}
    features = ModelOutput(pooler_output=(levels[0],), deepstack_features=[(level,) for level in levels[1:]])
    return {**plain, "mm_encoder_outputs": {"image": features}}
