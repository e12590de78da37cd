"""The kept items of a node as tiles: a thumbnail or a mark, a title, the energy as a bar, what was granted."""

from collections.abc import Sequence
from typing import NamedTuple

from memory_graph.drawing.layout import Point
from memory_graph.drawing.notes import ItemNote, clock, describe, grant
from memory_graph.drawing.svg_markup import allowed_href, element, text_lines, title
from memory_graph.drawing.svg_style import SMALL
from memory_graph.drawing.wrapping import clean, cut, wrap

TILE_WIDTH, IMAGE_HEIGHT, GAP = 106.0, 66.0, 8.0
MAX_TILES = 12  # of one node; the rest is counted
_BAR_HEIGHT, _BAR_ROOM = 3.0, 6.0
_RADIUS = 5.0

# 24 x 24, drawn in strokes; "solid" parts are filled.
_MARKS = {
    "page": '<path d="M6 3h8l4 4v14H6zM14 3v4h4M9 11h6M9 14h6M9 17h4"/>',
    "image": '<path d="M3 5h18v14H3zM3 16l5-5 4 4 3-3 6 6"/><circle class="solid" cx="16" cy="9" r="1.4"/>',
    "video": '<path d="M3 5h18v14H3z"/><path class="solid" d="M10 9l5 3-5 3z"/>',
    "text": '<path d="M5 6h14M5 10h14M5 14h14M5 18h8"/>',
}
_OTHER_MARK = '<path d="M12 3l9 9-9 9-9-9z"/>'


class Tiles(NamedTuple):
    """Markup with its upper left corner at the given place, and how high it is; 0 for no items."""

    markup: str
    height: float


class _Tile(NamedTuple):
    """The texts of one item as lines, and how full its bar is (a share of 1; None for no bar)."""

    item: ItemNote
    name: tuple[str, ...]
    energy: float | None
    grant: str


def grid_width(num_items: int, columns: int) -> float:
    """How wide the tiles of this many items are."""
    used = min(num_items, columns)
    return used * TILE_WIDTH + max(used - 1, 0) * GAP


def tiles(
    items: Sequence[ItemNote], node_id: str, corner: Point, *, width: float, most_energy: float
) -> Tiles:
    """The items of one node in rows; a single item has its texts beside its image.

    ``most_energy`` is that of the fullest bar of the drawing.
    """
    alone = len(items) == 1
    room = width - TILE_WIDTH - GAP if alone else TILE_WIDTH
    ready = [_tile(item, room, most_energy, alone) for item in items[:MAX_TILES]]
    if not ready:
        return Tiles("", 0.0)
    if alone:
        beside = Point(corner.x + TILE_WIDTH + GAP, corner.y)
        return Tiles(_drawn(ready[0], node_id, corner, beside, room), IMAGE_HEIGHT)
    columns = max(1, int((width + GAP) // (TILE_WIDTH + GAP)))
    parts, y = [], corner.y
    for first in range(0, len(ready), columns):
        row = ready[first : first + columns]
        for place, tile in enumerate(row):
            x = corner.x + place * (TILE_WIDTH + GAP)
            below = Point(x, y + IMAGE_HEIGHT + 3)
            parts.append(_drawn(tile, node_id, Point(x, y), below, room))
        y += IMAGE_HEIGHT + 3 + max(map(_text_height, row)) + GAP
    height = y - GAP - corner.y
    if more := len(items) - len(ready):
        parts.append(text_lines([f"and {more} more"], SMALL, corner.x, corner.y + height, class_="grant"))
        height += SMALL.line
    return Tiles("".join(parts), height)


def _tile(item: ItemNote, room: float, most_energy: float, alone: bool) -> _Tile:
    name = clean(item.title) or clean(item.item_id.rsplit(":", 1)[-1]) or clean(item.item_id)
    share = None if item.energy is None else min(item.energy / most_energy, 1.0) if most_energy else 0.0
    return _Tile(
        item,
        wrap(name, room, SMALL.measure, max_lines=3 if alone else 2),
        share,
        cut(_grant_line(item), room, SMALL.measure),
    )


def _text_height(tile: _Tile) -> float:
    bar = 0.0 if tile.energy is None else _BAR_ROOM
    return len(tile.name) * SMALL.line + bar + (SMALL.line if tile.grant else 0.0)


def _drawn(tile: _Tile, node_id: str, image: Point, texts: Point, room: float) -> str:
    """The tile with its image and its texts at these places."""
    x, y = texts
    parts = [title(describe(tile.item)), _image(tile.item, *image)]
    parts.append(text_lines(tile.name, SMALL, x, y))
    y += len(tile.name) * SMALL.line
    if tile.energy is not None:
        bar = {"x": x, "y": y + 2, "height": _BAR_HEIGHT, "rx": _BAR_HEIGHT / 2}
        parts.append(element("rect", class_="track", width=room, **bar))
        parts.append(element("rect", class_="energy", width=tile.energy * room, **bar))
        y += _BAR_ROOM
    if tile.grant:
        parts.append(text_lines([tile.grant], SMALL, x, y, class_="grant"))
    unseen = tile.item.energy is not None and not tile.item.pixels
    return element(
        "g",
        *parts,
        class_="item unseen" if unseen else "item",
        data_item_id=tile.item.item_id,
        data_node_id=node_id,
    )


def _grant_line(item: ItemNote) -> str:
    """Energies without a grant mean that the item is remembered and not shown any more."""
    return grant(item) or ("not shown" if item.energy is not None else "")


def _image(item: ItemNote, x: float, y: float) -> str:
    href = allowed_href(item.thumbnail_href)
    place = {"x": x, "y": y, "width": TILE_WIDTH, "height": IMAGE_HEIGHT}
    parts = [element("rect", class_="plate", rx=_RADIUS, **place)]
    if href is None:
        above_times = 8 if item.timestamps else 0
        middle = Point(x + TILE_WIDTH / 2, y + IMAGE_HEIGHT / 2 - above_times)
        parts.append(_mark(item.modality, middle.x - 15, middle.y - 15, 30))
    else:
        # a page is known by its head, another image by its middle
        cut = "xMidYMin slice" if item.modality == "page" else "xMidYMid slice"
        parts.append(element("image", class_="thumbnail", href=href, preserveAspectRatio=cut, **place))
        parts.append(element("rect", class_="chip", x=x + 4, y=y + 4, width=18, height=18, rx=4))
        parts.append(_mark(item.modality, x + 6, y + 6, 14))
    parts.append(element("rect", class_="frame", rx=_RADIUS, **place))
    if item.timestamps:
        parts.append(_times(item.timestamps, x, y))
    return "".join(parts)


def _times(timestamps: Sequence[float], x: float, y: float) -> str:
    """The times of key frames on a chip in the lower right corner, as many as fit."""
    room = TILE_WIDTH - 16
    shown = [clock(time_s) for time_s in timestamps]
    text = " · ".join(shown)
    while SMALL.measure(text) > room and len(shown) > 1:
        shown.pop()
        text = " · ".join(shown) + f" +{len(timestamps) - len(shown)}"
    text = cut(text, room, SMALL.measure)
    width = SMALL.measure(text) + 8
    right, bottom = x + TILE_WIDTH - 4, y + IMAGE_HEIGHT - 4
    chip = element("rect", class_="chip", x=right - width, y=bottom - 15, width=width, height=15, rx=4)
    return chip + text_lines([text], SMALL, right - 4, bottom - 14.5, anchor="end")


def _mark(modality: str, x: float, y: float, size: float) -> str:
    scale = f"translate({x:.1f} {y:.1f}) scale({size / 24:.3f})"
    return element("g", _MARKS.get(modality, _OTHER_MARK), class_="mark", transform=scale)
