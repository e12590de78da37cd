"""The edges of a listing: one lane a branch, as version histories are drawn.

Nodes stand in creation order, each under the newest of its parents. The last child of a node goes on in its lane, every other
child opens one to the right. Knows characters only by their meaning; see ``terminal.py``.
"""

from enum import Enum
from typing import NamedTuple

from memory_graph.drawing.layering import edges, node_ids
from memory_graph.graph import MemoryGraph


class Cell(Enum):
    """What one character of the lanes shows."""

    EMPTY = " "
    NODE = "o"
    LANE = "│"
    FORK = "├"
    ACROSS = "─"
    CROSSING = "┼"


class Rows(NamedTuple):
    """The cells before one node: of its first line, and of those below it."""

    first: tuple[Cell, ...]
    below: tuple[Cell, ...]


def lanes(graph: MemoryGraph) -> dict[str, Rows]:
    """The lanes of every node by id, in creation order; all rows are equally long, two cells a lane."""
    ids = node_ids(graph)
    place = {node_id: index for index, node_id in enumerate(ids)}
    parent: dict[str, str] = {}
    for source, target in edges(graph):
        if target not in parent or place[source] > place[parent[target]]:
            parent[target] = source
    last_child = {
        source: target for target, source in sorted(parent.items(), key=lambda pair: place[pair[0]])
    }
    lane_of: dict[str, int] = {}
    open_lanes: set[int] = set()
    spans: dict[str, tuple[int, int, frozenset[int], frozenset[int]]] = {}
    for node_id in ids:
        above = parent.get(node_id)
        origin = lane_of[above] if above is not None else 0
        if above is None or last_child[above] == node_id:
            lane = origin
            open_lanes.discard(lane)
        else:
            lane = next(free for free in range(origin + 1, len(ids) + 1) if free not in open_lanes)
        before = frozenset(open_lanes)
        lane_of[node_id] = lane
        if node_id in last_child:
            open_lanes.add(lane)
        spans[node_id] = (origin, lane, before, frozenset(open_lanes))
    num_cells = 2 * (1 + max(lane_of.values()))
    return {
        node_id: Rows(_first(origin, lane, before, num_cells), _straight(after, num_cells))
        for node_id, (origin, lane, before, after) in spans.items()
    }


def _straight(open_lanes: frozenset[int], num_cells: int) -> tuple[Cell, ...]:
    return tuple(
        Cell.LANE if place % 2 == 0 and place // 2 in open_lanes else Cell.EMPTY for place in range(num_cells)
    )


def _first(origin: int, lane: int, open_lanes: frozenset[int], num_cells: int) -> tuple[Cell, ...]:
    cells = list(_straight(open_lanes, num_cells))
    if lane != origin:
        cells[2 * origin] = Cell.FORK
        for place in range(2 * origin + 1, 2 * lane):
            cells[place] = Cell.CROSSING if cells[place] is Cell.LANE else Cell.ACROSS
    cells[2 * lane] = Cell.NODE
    return tuple(cells)
