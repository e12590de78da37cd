"""Where the nodes and edges of a graph are drawn: rows from the question down to the answer.

A layered drawing after Sugiyama, Tagawa and Toda (1981) in three steps: rows (``layering.py``), orders within rows
(``crossings.py``), distances (``alignment.py``); this file adds heights and routes. Pure and deterministic. What a node looks
like, and so how large it is, is the caller's.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from memory_graph.drawing.alignment import CORNER, aligned, spaced
from memory_graph.drawing.crossings import ordered_rows
from memory_graph.drawing.layering import Layering, edges, layering, node_ids
from memory_graph.graph import MemoryGraph

_LANES, _LANE_WIDTH = 8, 6.0  # beside the drawing, for the edges that found no room within
_STRAIGHT = 100.0  # how much more an edge that can be straight insists on its place than one that cannot


class BoxSize(NamedTuple):
    """Width and height, in drawing units (CSS pixels in an SVG)."""

    width: float
    height: float


class Point(NamedTuple):
    """x grows to the right, y downwards."""

    x: float
    y: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spacing:
    """Distances in drawing units."""

    column: float = 28.0
    """Least distance between neighbours of a row."""

    row: float = 56.0
    """Between the tallest node of a row and the next row."""

    margin: float = 20.0
    """Between the outermost nodes and the canvas."""

    passing: float = 12.0
    """Width kept free for an edge that passes a row."""

    port: float = 20.0
    """Between the ends of edges at one side of a node, as far as the node is wide enough."""

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for a distance that is not positive and finite."""
        for name in ("column", "row", "margin", "passing", "port"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be positive and finite, got {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class Box:
    """Where one node stands. ``id`` is ``root``, a search node's or ``ANSWER``; ``x``, ``y`` its upper left corner."""

    id: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Route:
    """One edge, from the lower side of ``source`` to the upper side of ``target``.

    Consecutive points either stand above each other or lie across a gap between rows, where nothing else but edges is.
    """

    source: str
    target: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class GraphLayout:
    """Boxes in creation order (root first, answer last), one route an edge, all within 0..width and 0..height."""

    boxes: tuple[Box, ...]
    routes: tuple[Route, ...]
    width: float
    height: float


class _Band(NamedTuple):
    """What one row takes of the height."""

    top: float
    bottom: float


def layout(
    graph: MemoryGraph,
    sizes: Mapping[str, BoxSize],
    *,
    row_limit: int | None = None,
    spacing: Spacing | None = None,
) -> GraphLayout:
    """The drawing of ``graph`` whose nodes have these ``sizes`` (by id; the answer's is ``ANSWER``).

    Parents stand above their children, the answer below everything. ``row_limit`` is the most nodes a row takes (the rest
    moves down); None leaves every node right below its lowest parent.

    Raises:
        ValueError: a node without a size, a size that is not positive and finite, or a row limit below 1.
    """
    spacing = spacing or Spacing()
    _require(graph, sizes, row_limit)
    layers = layering(graph, row_limit=row_limit)
    rows = ordered_rows(layers)
    num_passes = len(layers.row_of) - len(layers.ids)
    widths = [sizes[node_id].width for node_id in layers.ids] + [spacing.passing] * num_passes
    x = [spacing.margin + middle for middle in aligned(layers, rows, widths, spacing.column)]
    bands = _bands(layers, sizes, spacing)
    boxes = tuple(
        Box(node_id, x[point] - widths[point] / 2, bands[layers.row_of[point]].top, *sizes[node_id])
        for point, node_id in enumerate(layers.ids)
    )
    right = max(x[point] + widths[point] / 2 for point in range(len(x)))
    paths = _paths(graph, layers, x, right + spacing.column)
    if layers.detours:
        right += spacing.column + _LANES * _LANE_WIDTH
    routes = _routes(layers, boxes, bands, paths, spacing)
    return GraphLayout(boxes, routes, right + spacing.margin, bands[-1].bottom + spacing.margin)


def _require(graph: MemoryGraph, sizes: Mapping[str, BoxSize], row_limit: int | None) -> None:
    if row_limit is not None and row_limit < 1:
        raise ValueError(f"row_limit must be at least 1, got {row_limit}")
    for node_id in node_ids(graph):
        if node_id not in sizes:
            raise ValueError(f"node {node_id!r} has no size")
        if not all(0 < side < math.inf for side in sizes[node_id]):
            raise ValueError(
                f"the size of {node_id!r} must be positive and finite, got {tuple(sizes[node_id])}"
            )


def _bands(layers: Layering, sizes: Mapping[str, BoxSize], spacing: Spacing) -> list[_Band]:
    heights = [0.0] * len(layers.rows)
    for point, node_id in enumerate(layers.ids):
        heights[layers.row_of[point]] = max(heights[layers.row_of[point]], sizes[node_id].height)
    bands, top = [], spacing.margin
    for height in heights:
        bands.append(_Band(top, top + height))
        top += height + spacing.row
    return bands


class _Stretch(NamedTuple):
    """Where an edge passes rows, ``first`` to ``last``, straight down."""

    x: float
    first: int
    last: int


class _Path(NamedTuple):
    """One edge by how it passes the rows between its ends."""

    source: int
    target: int
    stretches: tuple[_Stretch, ...]


def _paths(graph: MemoryGraph, layers: Layering, x: Sequence[float], lane: float) -> list[_Path]:
    number = {node_id: place for place, node_id in enumerate(layers.ids)}
    lanes = {pair: lane + index % _LANES * _LANE_WIDTH for index, pair in enumerate(layers.detours)}
    paths = []
    for source, target in edges(graph):
        pair = number[source], number[target]
        first, last = layers.row_of[pair[0]] + 1, layers.row_of[pair[1]] - 1
        if pair in lanes:
            paths.append(_Path(*pair, (_Stretch(lanes[pair], first, last),)))
        else:
            paths.append(_Path(*pair, _stretches([x[point] for point in layers.chains[pair]], first)))
    return paths


def _stretches(crossed: Sequence[float], first: int) -> tuple[_Stretch, ...]:
    stretches: list[_Stretch] = []
    for row, x in enumerate(crossed, start=first):
        if stretches and stretches[-1].x == x:
            stretches[-1] = stretches[-1]._replace(last=row)
        else:
            stretches.append(_Stretch(x, row, row))
    return tuple(stretches)


def _routes(
    layers: Layering,
    boxes: Sequence[Box],
    bands: Sequence[_Band],
    paths: Sequence[_Path],
    spacing: Spacing,
) -> tuple[Route, ...]:
    """Targets take edges where they come down, then sources let them go where they are taken."""
    middles = [box.x + box.width / 2 for box in boxes]
    arriving: list[list[tuple[float, int]]] = [[] for _ in boxes]  # (where from, place in paths)
    for index, path in enumerate(paths):
        arriving[path.target].append(
            (path.stretches[-1].x if path.stretches else middles[path.source], index)
        )
    ends = _ports(boxes, arriving, spacing.port)
    leaving: list[list[tuple[float, int]]] = [[] for _ in boxes]  # (where to, place in paths)
    for index, path in enumerate(paths):
        leaving[path.source].append((path.stretches[0].x if path.stretches else ends[index], index))
    starts = _ports(boxes, leaving, spacing.port)
    routes = []
    for index, path in enumerate(paths):
        source, target = boxes[path.source], boxes[path.target]
        row = layers.row_of[path.source]
        points = [Point(starts[index], source.y + source.height), Point(starts[index], bands[row].bottom)]
        for x, first, last in path.stretches:
            points += [Point(x, bands[first].top), Point(x, bands[last].bottom)]
        points.append(Point(ends[index], target.y))
        routes.append(Route(source.id, target.id, tuple(dict.fromkeys(points))))
    return tuple(routes)


def _ports(
    boxes: Sequence[Box], edges_of: Sequence[Sequence[tuple[float, int]]], port: float
) -> dict[int, float]:
    """Where along a side of its box each edge ends: straight if that is within the side, else near the middle."""
    ends: dict[int, float] = {}
    for box, wanted in zip(boxes, edges_of, strict=True):
        step = min(port, box.width / (len(wanted) + 1))
        ordered = sorted(wanted)
        middle, reach = box.x + box.width / 2, max(0.0, box.width / 2 - CORNER)
        straight = [abs(at - middle) <= reach for at, _ in ordered]
        wishes = [
            at if is_straight else middle for (at, _), is_straight in zip(ordered, straight, strict=True)
        ]
        offsets = [place * step for place in range(len(ordered))]
        fitted = spaced(wishes, [_STRAIGHT if is_straight else 1.0 for is_straight in straight], offsets)
        reach = max(reach, step * (len(ordered) - 1) / 2)
        for (_, index), at, offset in zip(ordered, fitted, offsets, strict=True):
            lowest = middle - reach + offset
            highest = middle + reach - (offsets[-1] - offset)
            ends[index] = min(max(at, lowest), highest)
    return ends
