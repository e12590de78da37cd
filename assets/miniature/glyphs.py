"""Letter and digit shapes: dot digits of the fine texture, and clear letters for headings and scanned pages.

Holds shapes and their placement in fixed cells only; where they go on an image is decided in ``render.py``.
"""

from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

CHAR_WIDTH, CHAR_HEIGHT = 9, 16  # pixels of one letter cell
LINE_CHARS = 14  # letters that fit on one line of a 128-pixel image
LEFT_MARGIN = 1
FONT_SIZE = 15
INK = 20  # grey level of letters

_DIGIT_ROWS = (
    "01110 10001 10011 10101 11001 10001 01110",
    "00100 01100 00100 00100 00100 00100 01110",
    "01110 10001 00001 00110 01000 10000 11111",
    "11110 00001 00001 01110 00001 00001 11110",
    "10010 10010 10010 11111 00010 00010 00010",
    "11111 10000 11110 00001 00001 10001 01110",
    "01110 10000 10000 11110 10001 10001 01110",
    "11111 00001 00010 00100 00100 01000 01000",
    "01110 10001 10001 01110 10001 10001 01110",
    "01110 10001 10001 01111 00001 00001 01110",
)
DIGIT_DOTS: tuple[np.ndarray, ...] = tuple(
    np.array([[int(dot) for dot in row] for row in rows.split()], int) for rows in _DIGIT_ROWS
)  # ten arrays [7, 5] of 0 and 1


@cache
def letter(character: str) -> np.ndarray:
    """Coverage of one character centred in its cell, uint8 [16, 9], 255 = full ink."""
    cell = Image.new("L", (CHAR_WIDTH, CHAR_HEIGHT))
    font = ImageFont.load_default(FONT_SIZE)
    draw = ImageDraw.Draw(cell)
    left = (CHAR_WIDTH - draw.textlength(character, font=font)) / 2
    draw.text((left, CHAR_HEIGHT - 4), character, fill=255, font=font, anchor="ls")
    return np.asarray(cell)


def draw_text(canvas: np.ndarray, text: str, *, top: int) -> None:
    """Writes one line of letters into ``canvas`` [H, W, 3] in place.

    Raises:
        ValueError: when the text has more than ``LINE_CHARS`` letters.
    """
    if len(text) > LINE_CHARS:
        raise ValueError(f"a line holds at most {LINE_CHARS} letters, got {text!r}")
    for place, character in enumerate(text):
        left = LEFT_MARGIN + CHAR_WIDTH * place
        region = canvas[top : top + CHAR_HEIGHT, left : left + CHAR_WIDTH]
        cover = letter(character)[..., None].astype(np.int16)
        region[:] = (region + (INK - region.astype(np.int16)) * cover // 255).astype(np.uint8)
