"""Reads pictures of the miniature back by comparing them with templates: honest eyes for oracles and tests.

Holds perception only, of pixels alone: no file name, seed or world is consulted. Pictures may have been shrunk, coded as video
or rendered from a PDF; templates are brought to the picture's size in the same way, so that what shrinking destroys is lost to
the reader as well.
"""

from __future__ import annotations

from functools import cache
from string import ascii_letters, digits
from typing import NamedTuple

import numpy as np
from PIL import Image

from assets.miniature import render
from assets.miniature.glyphs import CHAR_HEIGHT, CHAR_WIDTH, INK, LEFT_MARGIN, LINE_CHARS, letter
from assets.miniature.lexicon import COLOURS, MARKS
from assets.miniature.world import Scene

FIGURE_ON_PAGE = (1 / 8, 1 / 4, 7 / 8, 1)  # left, top, right, bottom of a figure, as shares of a report page
LETTERS = ascii_letters + digits + ".,:"
BLANK_INK = 12.0  # mean coverage (0-255) below which a cell is empty
MAX_ERROR = 0.25  # of a letter's energy; a worse match is no letter


class BadgeText(NamedTuple):
    """What a badge shows."""

    colour: str
    code: int


def read_badge(image: Image.Image) -> BadgeText:
    """Colour and two-digit code of a badge of any size."""
    pixels = _pixels(image)
    left, top, right, bottom = _box(image, (52, 22, 76, 46))
    colour = _nearest_colour(pixels[top:bottom, left:right])
    return BadgeText(colour, _read_number(image, render.BADGE_DIGITS))


def read_table(image: Image.Image) -> tuple[int, int, int, int]:
    """Numbers of iron, wood, glass and stone."""
    one, two, three, four = (_read_number(image, cells) for cells in render.TABLE_DIGITS)
    return one, two, three, four


def read_dial(image: Image.Image) -> int:
    """Where the needle points, 0-9."""
    return min(
        range(10),
        key=lambda reading: _distance(image, _dial_template(reading, image.size), (16, 16, 112, 112)),
    )


def read_door(image: Image.Image) -> str:
    """The mark on a door."""
    return min(MARKS, key=lambda mark: _distance(image, _door_template(mark, image.size), (26, 26, 102, 102)))


def read_bars(image: Image.Image) -> tuple[int, int, int, int]:
    """Heights of the bars of spring, summer, autumn and winter, 1-9."""
    pixels = _pixels(image.resize((render.SIZE, render.SIZE), Image.Resampling.BILINEAR))
    found = []
    for season, colour in enumerate(render.SEASON_RGB):
        column = pixels[34:124, render.CELL * season + 12 : render.CELL * season + 20].mean(axis=1)
        ink = np.abs(column - colour).sum(axis=1) < np.abs(column - column[0]).sum(axis=1)
        full = np.abs(column[0] - colour).sum() < 60  # the highest bar leaves no paper above it
        found.append(9 if full else max(1, round(int(ink.sum()) / render.BAR_UNIT)))
    one, two, three, four = found
    return one, two, three, four


def read_frame(image: Image.Image) -> Scene:
    """Lamp and mark of a clip's frame."""
    left, top, right, bottom = _box(image, (22, 11, 42, 31), full=render.FRAME_SIZE)
    colour = _nearest_colour(_pixels(image)[top:bottom, left:right])
    box = (20, 43, 44, 60)
    mark = min(
        MARKS,
        key=lambda mark: _distance(image, _frame_template(mark, image.size), box, full=render.FRAME_SIZE),
    )
    return Scene(colour=colour, mark=mark)


def figure_of_page(page: Image.Image) -> Image.Image:
    """The figure of a report page, cut out."""
    left, top, right, bottom = FIGURE_ON_PAGE
    box = (page.width * left, page.height * top, page.width * right, page.height * bottom)
    return page.crop(tuple(round(edge) for edge in box))  # type: ignore[arg-type]


def read_text(image: Image.Image) -> str:
    """Clear letters of a heading or a scanned page, lines joined by spaces; empty where there are none.

    Stands in for an OCR engine (``ParseContext.ocr``) on the miniature's own pictures, a thousand times faster.
    """
    pixels = _pixels(image.resize((render.SIZE, render.SIZE), Image.Resampling.BILINEAR)).mean(axis=2)
    lines = []
    for top in range(2, render.SIZE - CHAR_HEIGHT, 18):
        line = _read_line(pixels[top : top + CHAR_HEIGHT])
        if not line:
            break
        lines.append(line)
    return " ".join(lines)


def _read_line(strip: np.ndarray) -> str:
    """One line of letters; empty if any cell holds something else."""
    paper = float(np.median(strip))
    cover = np.clip((paper - strip) / max(paper - INK, 1.0), 0, 1) * 255
    found = ""
    for place in range(LINE_CHARS):
        left = LEFT_MARGIN + CHAR_WIDTH * place
        cell = cover[:, left : left + CHAR_WIDTH]
        if cell.mean() < BLANK_INK and cell.max() < 128:
            found += " "
            continue
        names, templates, energies = _letters()
        errors = ((templates - cell) ** 2).sum(axis=(1, 2)) / energies
        if errors.min() > MAX_ERROR:
            return ""
        found += names[int(errors.argmin())]
    return found.strip()


@cache
def _letters() -> tuple[str, np.ndarray, np.ndarray]:
    templates = np.stack([letter(character).astype(np.float64) for character in LETTERS])
    return LETTERS, templates, (templates**2).sum(axis=(1, 2))


def _read_number(image: Image.Image, cells: tuple[tuple[int, int], ...]) -> int:
    tens, ones = (_read_digit(image, cell) for cell in cells)
    return 10 * tens + ones


def _read_digit(image: Image.Image, cell: tuple[int, int]) -> int:
    left, top = render.digit_corner(cell)
    box = (left - 2, top - 2, left + 5 * render.DOT + 2, top + 7 * render.DOT + 2)
    return min(range(10), key=lambda digit: _distance(image, _digit_template(digit, cell, image.size), box))


def _distance(
    image: Image.Image, template: np.ndarray, box: tuple[int, int, int, int], *, full: int = render.SIZE
) -> float:
    """Squared difference of grey levels within ``box``, given in pixels of the full-size picture."""
    left, top, right, bottom = _box(image, box, full=full)
    grey = _pixels(image).mean(axis=2)
    return float(((grey[top:bottom, left:right] - template[top:bottom, left:right]) ** 2).sum())


def _box(
    image: Image.Image, box: tuple[int, int, int, int], *, full: int = render.SIZE
) -> tuple[int, int, int, int]:
    x, y = image.width / full, image.height / full
    return round(box[0] * x), round(box[1] * y), round(box[2] * x), round(box[3] * y)


def _pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB"), np.float64)


def _nearest_colour(pixels: np.ndarray) -> str:
    mean = pixels.reshape(-1, 3).mean(axis=0)
    return min(COLOURS, key=lambda name: float(((mean - render.RGB[name]) ** 2).sum()))


def _grey(image: Image.Image, size: tuple[int, int]) -> np.ndarray:
    shrunk = image if image.size == size else image.resize(size, Image.Resampling.BICUBIC)
    return _pixels(shrunk).mean(axis=2)


@cache
def _dial_template(reading: int, size: tuple[int, int]) -> np.ndarray:
    return _grey(render.dial(reading, 0), size)


@cache
def _door_template(mark: str, size: tuple[int, int]) -> np.ndarray:
    return _grey(render.door(mark, 0), size)


@cache
def _frame_template(mark: str, size: tuple[int, int]) -> np.ndarray:
    return _grey(render.clip_frame("red", mark), size)


@cache
def _digit_template(digit: int, cell: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    left, top = render.digit_corner(cell)
    canvas = np.full((render.SIZE, render.SIZE), render.MID, np.int16)
    canvas[top : top + 7 * render.DOT, left : left + 5 * render.DOT] += render.digit_texture(digit, left, top)
    return _grey(Image.fromarray(canvas.astype(np.uint8)), size)
