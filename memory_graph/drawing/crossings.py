"""The second step of a layered drawing: the order of points within their rows, with few crossings.

Sweeps of barycentres (Sugiyama, Tagawa and Toda 1981) down and up, then exchanges of neighbours; the best order met is
kept. Deterministic: ties stay as they were.
"""

from bisect import bisect_right, insort
from collections.abc import Sequence

from memory_graph.drawing.layering import Layering

NodeRows = list[list[int]]

_MOST_SWEEPS, _LEAST_SWEEPS, _EFFORT = 12, 4, 6000  # effort: sweeps times points
_PATIENCE = 3  # sweeps without a gain before giving up
_MOST_EXCHANGED = 500  # points; in a larger drawing neighbours are not exchanged, which is quadratic in edges


def ordered_rows(layers: Layering) -> NodeRows:
    """The points of each row from left to right."""
    rows = [list(row) for row in layers.rows]
    num_points = len(layers.row_of)
    best, fewest, idle = rows, crossings(layers, rows), 0
    for sweep in range(min(max(_EFFORT // num_points, _LEAST_SWEEPS), _MOST_SWEEPS)):
        if fewest == 0 or idle >= _PATIENCE:
            break
        rows = _swept(layers, rows, downward=sweep % 2 == 0)
        if num_points <= _MOST_EXCHANGED:
            _exchange(layers, rows)
        count = crossings(layers, rows)
        idle = 0 if count < fewest else idle + 1
        if count < fewest:
            best, fewest = rows, count
    return best


def crossings(layers: Layering, rows: Sequence[Sequence[int]]) -> int:
    """How many pairs of edges cross between neighbouring rows."""
    place = _places(layers, rows)
    total = 0
    for row in rows[:-1]:
        ends: list[int] = []  # lower ends of the edges seen so far, sorted
        for point in row:
            lower = sorted(place[neighbour] for neighbour in layers.below[point])
            total += sum(len(ends) - bisect_right(ends, end) for end in lower)
            for end in lower:
                insort(ends, end)
    return total


def _places(layers: Layering, rows: Sequence[Sequence[int]]) -> list[int]:
    place = [0] * len(layers.row_of)
    for row in rows:
        for index, point in enumerate(row):
            place[point] = index
    return place


def _swept(layers: Layering, rows: NodeRows, *, downward: bool) -> NodeRows:
    """Every row by the mean place of its neighbours on the side already ordered."""
    neighbours = layers.above if downward else layers.below
    swept = [list(row) for row in rows]
    place = _places(layers, rows)
    for index in range(len(rows)) if downward else reversed(range(len(rows))):
        swept[index] = _by_barycentre(swept[index], neighbours, place)
        for new_place, point in enumerate(swept[index]):
            place[point] = new_place
    return swept


def _by_barycentre(row: list[int], neighbours: Sequence[Sequence[int]], place: Sequence[int]) -> list[int]:
    """Points without neighbours keep their places; the others share out the rest."""
    means = {
        point: sum(place[neighbour] for neighbour in neighbours[point]) / len(neighbours[point])
        for point in row
        if neighbours[point]
    }
    moving = iter(sorted(means, key=means.__getitem__))
    return [next(moving) if point in means else point for point in row]


def _exchange(layers: Layering, rows: NodeRows) -> None:
    """Swaps neighbours within rows, in place, while that takes crossings away."""
    place = _places(layers, rows)
    for row in rows:
        gained = True
        while gained:
            gained = False
            for index in range(len(row) - 1):
                left, right = row[index], row[index + 1]
                if _pair(layers, place, left, right) > _pair(layers, place, right, left):
                    row[index], row[index + 1] = right, left
                    place[left], place[right] = index + 1, index
                    gained = True


def _pair(layers: Layering, place: Sequence[int], left: int, right: int) -> int:
    """Crossings between the edges of two points when ``left`` stands left of ``right``."""
    return sum(
        place[left_end] > place[right_end]
        for side in (layers.above, layers.below)
        for left_end in side[left]
        for right_end in side[right]
    )
