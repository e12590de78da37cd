"""Where an image is cut that would be illegible, or illegal for a model's image processor, as a whole. Pure arithmetic.

A strip (a panorama, a roll, a long screenshot) is cut along its longer side, a poster into a grid. Neighbours overlap, so that
a line that is cut in one piece is whole in the other.
"""

import math
from typing import NamedTuple

from PIL import Image, ImageOps

STRIP_RATIO = 6.0  # of the sides; longer images are cut
MIN_PIECE = 1_600  # pixels along a strip: shorter pieces hold too little to be found by
PIECE_RATIO = 2.0  # of a piece of a strip, if that is longer
OVERLAP = 96  # pixels, at most half of a piece: two lines of text at 144 dpi
MAX_PIECES = 64  # of one image; of a longer one the pieces are larger
MAX_LEGAL_RATIO = 100.0  # half of what the image processors of Qwen-VL accept


class Box(NamedTuple):
    """Pixels ``left`` to ``right`` (excluded), ``top`` to ``bottom`` (excluded)."""

    left: int
    top: int
    right: int
    bottom: int


def is_strip(width: int, height: int) -> bool:
    """Whether an image is so long that it is shown in pieces only."""
    return max(width, height) > max(STRIP_RATIO * min(width, height), 2 * MIN_PIECE)


def strip_boxes(width: int, height: int) -> tuple[Box, ...]:
    """The pieces of a strip, in order; all of the image if it is none."""
    if not is_strip(width, height):
        return (Box(0, 0, width, height),)
    long, short = max(width, height), min(width, height)
    spans = _spans(long, max(MIN_PIECE, math.ceil(PIECE_RATIO * short)))
    if width > height:
        return tuple(Box(start, 0, end, height) for start, end in spans)
    return tuple(Box(0, start, width, end) for start, end in spans)


def grid_boxes(width: int, height: int, max_pixels: int) -> tuple[Box, ...]:
    """Pieces of at most ``max_pixels``, about square, row by row; all of the image if it is small enough."""
    if width * height <= max_pixels:
        return (Box(0, 0, width, height),)
    side = math.isqrt(max_pixels)
    columns = _spans(width, max_pixels // min(height, side) if height < side else side)
    rows = _spans(height, max_pixels // min(width, side) if width < side else side)
    return tuple(Box(left, top, right, bottom) for top, bottom in rows for left, right in columns)


def widened(image: Image.Image) -> Image.Image:
    """The image with margins beside it if it is thinner than any model's processor accepts."""
    width, height = image.size
    least = math.ceil(max(width, height) / MAX_LEGAL_RATIO)
    if min(width, height) >= least:
        return image
    missing_x, missing_y = max(0, least - width), max(0, least - height)
    margins = (missing_x // 2, missing_y // 2, missing_x - missing_x // 2, missing_y - missing_y // 2)
    return ImageOps.expand(image, border=margins, fill="white")


def _spans(length: int, piece: int) -> list[tuple[int, int]]:
    """Overlapping intervals of equal length, ``piece`` at most, that cover [0, length)."""
    if length <= piece:
        return [(0, length)]
    overlap = min(OVERLAP, piece // 2)
    count = min(MAX_PIECES, math.ceil((length - overlap) / (piece - overlap)))
    step = (length - overlap) / count
    starts = [round(index * step) for index in range(count)]
    return [(start, min(length, math.ceil(start + step + overlap))) for start in starts]
