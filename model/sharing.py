"""Pictures that several segments show at the same size pass the vision tower once.

The rollouts of a group look at the same pages, and every rebuilt context shows a kept picture again: one micro-batch holds few
distinct pictures many times. Here is how their features reach every place, the intermediate ones (deepstack) included; the
gradients of all places add up at the one pass. Which pictures a micro-batch shows is ``batches.py``.

Shape legend: P = patches of the distinct pictures, N = pictures shown, U = distinct ones, V = visual tokens shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from model.encoding import MERGE, PixelBatch
from model.records import ImageRef

INDEX, GRID = "shared_index", "shared_grid_thw"  # inputs beside the model's own


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
    starts = [sum(lengths[:number]) for number in range(len(lengths))]
    places = [torch.arange(starts[number], starts[number] + lengths[number]) for number in shown]
    return {"pixel_values": pixels.pixel_values, GRID: pixels.grid_thw, INDEX: torch.cat(places)}


def spread_features(trunk: Any, inputs: dict[str, Tensor]) -> dict[str, Any]:
    """Keyword arguments of ``trunk`` (a Qwen-VL without its head) in which shared pictures have become features.

    Inputs that share nothing are returned as they are.
    """
    if INDEX not in inputs:
        return inputs
    plain = {name: tensor for name, tensor in inputs.items() if name not in (INDEX, GRID, "pixel_values")}
    features = trunk.get_image_features(inputs["pixel_values"], inputs[GRID], return_dict=True)
    features.pooler_output = (_spread(features.pooler_output, inputs[INDEX]),)
    levels = getattr(features, "deepstack_features", None)
    if levels is not None:
        features.deepstack_features = [(_spread(level, inputs[INDEX]),) for level in levels]
    return {**plain, "mm_encoder_outputs": {"image": features}}


def _spread(features: Sequence[Tensor], index_V: Tensor) -> Tensor:
    return torch.cat(tuple(features)).index_select(0, index_V)
