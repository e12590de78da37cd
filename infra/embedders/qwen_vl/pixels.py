"""Images and frames to the patches that the vision tower of a Qwen-VL is fed. NumPy and Pillow only.

Equal to ``Qwen2VLImageProcessorPil`` of transformers for images (a test holds it). For frames there is no processor
without torchvision, so the cutting is done here for both: an image is a clip of two equal frames.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from infra.embedders.images import check_proportions, rgb

MERGE = 2  # patches a side that become one visual token
TEMPORAL_PATCH = 2  # frames that become one patch


class PixelNorm(NamedTuple):
    """How pixels are cut and scaled: side of a patch, then mean and deviation of each channel in [0, 1]."""

    patch_px: int
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]


class Patches(NamedTuple):
    """One image or clip: ``values`` f32[t * h * w, 3 * 2 * P * P] in the towers' order, ``grid`` its (t, h, w) patches."""

    values: NDArray[np.float32]
    grid: tuple[int, int, int]

    @property
    def num_tokens(self) -> int:
        """Visual tokens of all time steps together."""
        return math.prod(self.grid) // MERGE**2


def fitted_size(width: int, height: int, *, factor: int, min_pixels: int, max_pixels: int) -> tuple[int, int]:
    """Width and height as multiples of ``factor``, area within the limits, proportions kept as well as that allows.

    Raises:
        ValueError: as ``check_proportions``.
    """
    check_proportions(width, height)
    sides = [max(factor, round(side / factor) * factor) for side in (width, height)]
    if math.prod(sides) > max_pixels:
        scale = math.sqrt(max_pixels / (width * height))
        sides = [max(factor, math.floor(side * scale / factor) * factor) for side in (width, height)]
    elif math.prod(sides) < min_pixels:
        scale = math.sqrt(min_pixels / (width * height))
        sides = [math.ceil(side * scale / factor) * factor for side in (width, height)]
    return sides[0], sides[1]


def patches_of(frames: Sequence[Image.Image], size: tuple[int, int], norm: PixelNorm) -> Patches:
    """Patches of ``frames`` at ``size`` (width, height, multiples of two patches); an odd last frame stands twice.

    A patch lists its values by channel, frame, row and column; 2 x 2 neighbours follow each other.
    """
    images = [_resized(rgb(frame), size) for frame in frames]
    if len(images) % TEMPORAL_PATCH:
        images.append(images[-1])
    mean, deviation = (np.array(values, dtype=np.float32) for values in (norm.mean, norm.deviation))
    scaled_THWC = (np.stack([np.asarray(image) for image in images]) / np.float32(255) - mean) / deviation
    side, times = norm.patch_px, len(images) // TEMPORAL_PATCH
    rows, columns = size[1] // side, size[0] // side
    grid = scaled_THWC.reshape(
        times, TEMPORAL_PATCH, rows // MERGE, MERGE, side, columns // MERGE, MERGE, side, 3
    )
    ordered = grid.transpose(0, 2, 5, 3, 6, 8, 1, 4, 7)
    values = ordered.reshape(times * rows * columns, 3 * TEMPORAL_PATCH * side * side)
    return Patches(np.ascontiguousarray(values, dtype=np.float32), (times, rows, columns))


def _resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image if image.size == size else image.resize(size, Image.Resampling.BICUBIC)
