"""The third step of a layered drawing: how far right each point stands.

Points want to stand near their neighbours; long edges want to be straight. A row is placed at the least sum of weighted squared
distances from where its points want to be that keeps their order and their distance (isotonic regression by pooling), so no
two points of a row ever come too close, however the wishes conflict.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

from memory_graph.drawing.layering import Layering

CORNER = 20.0  # of a node's side, kept free of the ends of edges

_MOST_SWEEPS, _LEAST_SWEEPS, _EFFORT = 12, 4, 4000  # effort: sweeps times points
_STRAIGHT = 6.0  # how much more a stretch of a long edge resists bending than an edge between two nodes
_AT_END = 0.5  # the same for the first and the last stretch of a long edge, which may as well bend


def aligned(
    layers: Layering, rows: Sequence[Sequence[int]], widths: Sequence[float], gap: float
) -> list[float]:
    """The middle of every point, ``[points]``; the leftmost edge is at 0."""
    x = [0.0] * len(widths)
    for row in rows:
        offsets = _offsets(row, widths, gap)
        for point, offset in zip(row, offsets, strict=True):
            x[point] = offset - offsets[-1] / 2
    pulls = _pulls(layers)
    for sweep in range(min(max(_EFFORT // len(widths), _LEAST_SWEEPS), _MOST_SWEEPS)):
        _settle(rows if sweep % 2 else rows[::-1], pulls, x, (widths, gap))
    for _ in range(2):
        _straighten(layers, rows, x, (widths, gap))
        _drop(layers, rows, x, (widths, gap))
    left = min(x[point] - widths[point] / 2 for point in range(len(x)))
    return [middle - left for middle in x]


def _offsets(row: Sequence[int], widths: Sequence[float], gap: float) -> list[float]:
    """How far right of the first point each point of a row stands when they are packed."""
    offsets = [0.0]
    for left, right in pairwise(row):
        offsets.append(offsets[-1] + (widths[left] + widths[right]) / 2 + gap)
    return offsets[: len(row)]


def _pulls(layers: Layering) -> list[list[tuple[int, float]]]:
    """The neighbours of each point, and how strongly they draw it."""
    num_nodes = len(layers.ids)
    return [
        [(neighbour, _weight(point < num_nodes, neighbour < num_nodes)) for neighbour in (*above, *below)]
        for point, (above, below) in enumerate(zip(layers.above, layers.below, strict=True))
    ]


def _weight(one_is_node: bool, other_is_node: bool) -> float:
    if one_is_node and other_is_node:
        return 1.0
    return _AT_END if one_is_node or other_is_node else _STRAIGHT


def _settle(
    rows: Iterable[Sequence[int]],
    pulls: Sequence[Sequence[tuple[int, float]]],
    x: list[float],
    spacing: tuple[Sequence[float], float],
) -> None:
    """One pass over the rows: each moves towards its neighbours, in place."""
    for row in rows:
        wishes, weights = [], []
        for point in row:
            weight = sum(pull for _, pull in pulls[point])
            wish = sum(x[neighbour] * pull for neighbour, pull in pulls[point])
            wishes.append(wish / weight if weight else x[point])
            weights.append(weight or 1.0)
        _place(row, wishes, weights, x, spacing)


def _straighten(
    layers: Layering, rows: Sequence[Sequence[int]], x: list[float], spacing: tuple[Sequence[float], float]
) -> None:
    """Every long edge to its mean; nodes make room. In place."""
    wish = list(x)
    for passes in layers.chains.values():
        if passes:
            mean = sum(x[point] for point in passes) / len(passes)
            for point in passes:
                wish[point] = mean
    num_nodes = len(layers.ids)
    for row in rows:
        weights = [1.0 if point < num_nodes else 100.0 for point in row]
        _place(row, [wish[point] for point in row], weights, x, spacing)


def _drop(
    layers: Layering, rows: Sequence[Sequence[int]], x: list[float], spacing: tuple[Sequence[float], float]
) -> None:
    """Lets every long edge fall straight from its source, or onto its target, where nothing is in the way. In place."""
    widths, gap = spacing
    neighbours = {
        point: (left, right)
        for row in rows
        for left, point, right in zip((None, *row), row, (*row[1:], None), strict=False)
    }
    for (source, target), passes in layers.chains.items():
        if not passes:
            continue
        low, high = -math.inf, math.inf
        for point in passes:
            left, right = neighbours[point]
            if left is not None:
                low = max(low, x[left] + (widths[left] + widths[point]) / 2 + gap)
            if right is not None:
                high = min(high, x[right] - (widths[right] + widths[point]) / 2 - gap)
        now = x[passes[0]]
        wishes = (x[source], _within(now, source, x, widths), x[target], _within(now, target, x, widths))
        free = [wish for wish in (*wishes, min(max(now, low), high)) if low <= wish <= high]
        for point in passes if free else ():
            x[point] = free[0]


def _within(at: float, node: int, x: Sequence[float], widths: Sequence[float]) -> float:
    """The place nearest to ``at`` where an edge may meet the upper or lower side of ``node``."""
    reach = max(0.0, widths[node] / 2 - CORNER)
    return min(max(at, x[node] - reach), x[node] + reach)


def _place(
    row: Sequence[int],
    wishes: Sequence[float],
    weights: Sequence[float],
    x: list[float],
    spacing: tuple[Sequence[float], float],
) -> None:
    """The row as near to its wishes as its order and distances allow, in place."""
    offsets = _offsets(row, *spacing)
    for point, at in zip(row, spaced(wishes, weights, offsets), strict=True):
        x[point] = at


def spaced(wishes: Sequence[float], weights: Sequence[float], offsets: Sequence[float]) -> list[float]:
    """Places nearest to ``wishes`` in weighted squares, in this order and as far apart as ``offsets`` are."""
    fitted = _isotonic([wish - offset for wish, offset in zip(wishes, offsets, strict=True)], weights)
    return [at + offset for at, offset in zip(fitted, offsets, strict=True)]


def _isotonic(values: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The non-decreasing sequence nearest to ``values`` in weighted squares (pool adjacent violators)."""
    pools: list[tuple[float, float, int]] = []  # mean, weight, length
    for value, weight in zip(values, weights, strict=True):
        pool = (value, weight, 1)
        while pools and pools[-1][0] > pool[0]:
            mean, heavy, length = pools.pop()
            whole = heavy + pool[1]
            pool = ((mean * heavy + pool[0] * pool[1]) / whole, whole, length + pool[2])
        pools.append(pool)
    return [mean for mean, _, length in pools for _ in range(length)]
