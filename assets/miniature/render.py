"""Images of facts: badge, dial, door, bar chart slide, table slide, clip frame.

Every function takes plain values and returns an RGB image; nothing is read from a world. Two textures
carry facts. *Coarse* ones (colour, needle, mark, bars) survive shrinking. *Fine* ones (two-digit numbers)
are a one-pixel checkerboard of ``+- AMPLITUDE`` on a panel of 2 x 2 pixel grain around ``MID``. A linear
filter tuned to the checkerboard sees the digits and none of the grain at native size; averaging neighbours
wipes the checkerboard out and leaves the grain, which hides what little the corners of the strokes leave
behind. Fine digits are 20 x 28 pixels inside one 32 x 32 cell of the image's grid, the area of one visual
token. ``glyphs.py`` draws the letters of headings.
"""

import math
from functools import cache

import numpy as np
from PIL import Image

from assets.miniature.glyphs import DIGIT_DOTS, draw_text

SIZE = 128  # pixels a side of every still image
FRAME_SIZE = 64  # pixels a side of a clip frame
CELL = 32  # pixels a side of one visual token
DOT = 4  # pixels a side of one dot of a fine digit
MID, AMPLITUDE, GRAIN = (
    128,
    76,
    48,
)  # grey levels: panel, checkerboard, largest deviation of the grain; sum < 256
PAPER = 208  # grey level of the background

RGB: dict[str, tuple[int, int, int]] = {
    "red": (215, 35, 35),
    "orange": (250, 140, 20),
    "yellow": (240, 225, 40),
    "green": (30, 150, 60),
    "blue": (40, 80, 225),
    "purple": (145, 45, 190),
    "white": (255, 255, 255),
    "black": (15, 15, 15),
}
SEASON_RGB = ((30, 150, 60), (240, 225, 40), (250, 140, 20), (40, 80, 225))  # spring, summer, autumn, winter

BADGE_DIGITS = ((32, 64), (64, 64))  # left, top of the cells of the two digits
TABLE_DIGITS = tuple(
    ((left, top), (left + CELL, top)) for top in (32, 96) for left in (0, 64)
)  # iron, wood above; glass, stone below
BAR_UNIT = 10  # pixels of height per unit of output


def badge(colour: str, code: int, seed: int) -> Image.Image:
    """A badge, 128 x 128: a coloured disc (coarse) above a two-digit code (fine)."""
    canvas = _canvas(SIZE, seed)
    canvas[8:120, 8:120] = 232
    canvas[_disc(SIZE, 64, 34, 25)] = 90
    canvas[_disc(SIZE, 64, 34, 23)] = RGB[colour]
    canvas[62:98, 28:100] = _grain(36, 72, seed)
    _fine_number(canvas, code, BADGE_DIGITS)
    return _finish(canvas, seed)


def dial(reading: int, seed: int) -> Image.Image:
    """A dial, 128 x 128, whose needle points ``36 * reading`` degrees clockwise from the top; reading 0-9."""
    canvas = _canvas(SIZE, seed)
    canvas[_disc(SIZE, 64, 64, 58)] = 60
    canvas[_disc(SIZE, 64, 64, 54)] = 245
    for tick in range(10):
        x, y = _polar(64, 64, 47, tick)
        canvas[_disc(SIZE, x, y, 4)] = (215, 35, 35) if tick == 0 else (120, 120, 120)
    canvas[_needle(reading)] = 10
    canvas[_disc(SIZE, 64, 64, 9)] = 10
    return _finish(canvas, seed)


def door(mark: str, seed: int) -> Image.Image:
    """A brown door, 128 x 128, with a mark."""
    canvas = _canvas(SIZE, seed)
    canvas[4:, 16:112] = (110, 70, 40)
    canvas[8:, 20:108] = (150, 100, 60)
    canvas[mark_mask(mark, SIZE, 64, 64, 34)] = 250
    return _finish(canvas, seed)


def bar_chart(heights: tuple[int, ...], heading: str, seed: int) -> Image.Image:
    """A slide, 128 x 128: heading and four bars (spring, summer, autumn, winter), 1-9 units of ten pixels each."""
    canvas = _canvas(SIZE, seed)
    draw_text(canvas, heading, top=2)
    canvas[124:126, 2:126] = 40
    for season, height in enumerate(heights):
        left = CELL * season + 6
        canvas[124 - BAR_UNIT * height : 124, left : left + 20] = SEASON_RGB[season]
    return _finish(canvas, seed)


def table(stock: tuple[int, ...], heading: str, seed: int) -> Image.Image:
    """A slide, 128 x 128: heading and a 2 x 2 table of two-digit numbers (iron wood / glass stone), all fine."""
    canvas = _canvas(SIZE, seed)
    draw_text(canvas, heading, top=2)
    canvas[30:SIZE] = _grain(SIZE - 30, SIZE, seed)
    for number, cells in zip(stock, TABLE_DIGITS, strict=True):
        _fine_number(canvas, number, cells)
    return _finish(canvas, seed)


def text_page(lines: tuple[str, ...], seed: int) -> Image.Image:
    """A page that is only an image, 128 x 128: lines of clear dark letters, as a scanner leaves them."""
    canvas = _canvas(SIZE, seed)
    canvas[:] = 246
    for number, line in enumerate(lines):
        draw_text(canvas, line, top=2 + 18 * number)
    return _finish(canvas, seed)


def clip_frame(colour: str, mark: str) -> Image.Image:
    """One frame, 64 x 64: a lamp of one colour above a small white mark; both coarse, to survive video coding."""
    canvas = np.full((FRAME_SIZE, FRAME_SIZE, 3), 100, np.uint8)
    canvas[_disc(FRAME_SIZE, 32, 21, 20)] = RGB[colour]
    canvas[42:] = 40
    canvas[mark_mask(mark, FRAME_SIZE, 32, 53, 9)] = 245
    return Image.fromarray(canvas)


@cache
def digit_texture(digit: int, left: int, top: int) -> np.ndarray:
    """Values that one fine digit with its corner at (left, top) adds to the grey levels of its panel, int16 [28, 20]."""
    rows, columns = np.indices((7 * DOT, 5 * DOT))
    parity = np.where((rows + top + columns + left) % 2, AMPLITUDE, -AMPLITUDE)
    ink = np.kron(DIGIT_DOTS[digit], np.ones((DOT, DOT), int))
    return (parity * ink).astype(np.int16)


def digit_corner(cell: tuple[int, int]) -> tuple[int, int]:
    """Left and top of the 20 x 28 digit centred in a 32 x 32 cell."""
    return cell[0] + (CELL - 5 * DOT) // 2, cell[1] + (CELL - 7 * DOT) // 2


def _fine_number(canvas: np.ndarray, number: int, cells: tuple[tuple[int, int], ...]) -> None:
    for digit, cell in zip(divmod(number, 10), cells, strict=True):
        left, top = digit_corner(cell)
        region = canvas[top : top + 7 * DOT, left : left + 5 * DOT]
        region[:] = (region + digit_texture(digit, left, top)[..., None]).astype(np.uint8)


def _grain(height: int, width: int, seed: int) -> np.ndarray:
    """A grey panel of even size whose 2 x 2 blocks differ at random, uint8 [height, width, 1]."""
    levels = np.random.default_rng(seed).integers(
        MID - GRAIN, MID + GRAIN + 1, (height // 2, width // 2), np.uint8
    )
    return levels.repeat(2, axis=0).repeat(2, axis=1)[..., None]


def _canvas(size: int, seed: int) -> np.ndarray:
    """Paper whose shade varies a little with the seed, as photographs do."""
    return np.full((size, size, 3), PAPER - 8 + (seed * 7) % 17, np.uint8)


def _finish(canvas: np.ndarray, seed: int) -> Image.Image:
    """Writes the seed's low 32 bits as barely different greys into the last row: no two seeds give equal bytes."""
    bits = np.array([seed >> k & 1 for k in range(32)], np.int16)
    canvas[-1] = (
        canvas[-1].astype(np.int16).clip(2, 250) + np.repeat(bits * 3, canvas.shape[1] // 32)[:, None]
    ).astype(np.uint8)
    return Image.fromarray(canvas)


def _polar(x: float, y: float, radius: float, reading: float) -> tuple[float, float]:
    angle = 2 * math.pi * reading / 10
    return x + radius * math.sin(angle), y - radius * math.cos(angle)


@cache
def _disc(size: int, x: float, y: float, radius: float) -> np.ndarray:
    rows, columns = np.indices((size, size))
    return (rows - y) ** 2 + (columns - x) ** 2 <= radius**2


@cache
def _needle(reading: int) -> np.ndarray:
    """Pixels within four of the line from the hub to the scale, bool [128, 128]."""
    rows, columns = np.indices((SIZE, SIZE))
    dx, dy = _polar(0, 0, 1, reading)
    along = (columns - 64) * dx + (rows - 64) * dy
    across = (columns - 64) * dy - (rows - 64) * dx
    return (along >= 0) & (along <= 40) & (np.abs(across) <= 4)


@cache
def mark_mask(mark: str, size: int, x: int, y: int, radius: int) -> np.ndarray:
    """Pixels of a mark centred at (x, y), bool [size, size]. Raises ``ValueError`` for an unknown mark."""
    rows, columns = np.indices((size, size))
    dx, dy = np.abs(columns - x), np.abs(rows - y)
    distance = np.hypot(dx, dy)
    shapes = {
        "circle": distance <= radius,
        "square": np.maximum(dx, dy) <= radius * 0.9,
        "triangle": (np.abs(rows - y) <= radius) & (dx <= (rows - y + radius) / 2),
        "cross": (np.minimum(dx, dy) <= radius / 4) & (np.maximum(dx, dy) <= radius),
        "ring": (distance <= radius) & (distance >= radius * 0.6),
        "bars": (np.maximum(dx, dy) <= radius) & (((columns - x + radius) // max(radius // 3, 2)) % 2 == 0),
    }
    if mark not in shapes:
        raise ValueError(f"mark must be one of {tuple(shapes)}, got {mark!r}")
    return shapes[mark]
