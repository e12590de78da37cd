"""The first step of a layered drawing: which row each node stands in, and the points that long edges pass.

A point is a node or a place where an edge crosses a row. Points are numbered: the root 0, search nodes from 1 in creation
order, the answer after them, then the crossing places. Orders within rows are in ``crossings.py``, coordinates in
``alignment.py``.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from memory_graph.graph import MemoryGraph

ANSWER = "@answer"  # names the answer beside node ids, none of which may hold an @

# Crossing places beyond this are not made; the edges left over run beside the drawing. Keeps the cost linear in nodes: a
# chain of n nodes that all rest on the root as well would need n * n / 2.
_PASSES_PER_NODE, _SPARE_PASSES = 3, 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Layering:
    """Points in rows. Between neighbours in ``above`` and ``below`` lies exactly one gap between rows."""

    ids: tuple[str, ...]  # of the first points, the nodes
    rows: tuple[tuple[int, ...], ...]  # points of each row, top to bottom
    row_of: tuple[int, ...]  # [points]
    above: tuple[tuple[int, ...], ...]  # [points] neighbours one row up
    below: tuple[tuple[int, ...], ...]  # [points] neighbours one row down
    chains: dict[tuple[int, int], tuple[int, ...]]  # (source, target) -> crossing places between them
    detours: tuple[tuple[int, int], ...]  # edges that run beside the drawing


def node_ids(graph: MemoryGraph) -> tuple[str, ...]:
    """What a drawing shows: the root, the search nodes in creation order, and the answer if there is one."""
    return (*graph.ids, *(() if graph.answer is None else (ANSWER,)))


def edges(graph: MemoryGraph) -> list[tuple[str, str]]:
    """Every (parent, child) in the creation order of the children, the answer last."""
    pairs = [(parent, node.id) for node in graph.nodes for parent in node.parents]
    if graph.answer is not None:
        pairs += [(parent, ANSWER) for parent in graph.answer.parents]
    return pairs


def layering(graph: MemoryGraph, *, row_limit: int | None = None) -> Layering:
    """Rows by the longest path from the root; the answer alone in the last one.

    ``row_limit`` is the most nodes a row takes: one more goes to the next row with room. None is no limit.
    """
    ids = node_ids(graph)
    number = {node_id: place for place, node_id in enumerate(ids)}
    pairs = [(number[source], number[target]) for source, target in edges(graph)]
    row_of = _rows(ids, pairs, row_limit)
    chains, detours = _chains(pairs, row_of)
    above: list[list[int]] = [[] for _ in row_of]
    below: list[list[int]] = [[] for _ in row_of]
    for (source, target), passes in chains.items():
        path = (source, *passes, target)
        for upper, lower in pairwise(path):
            below[upper].append(lower)
            above[lower].append(upper)
    rows: list[list[int]] = [[] for _ in range(max(row_of) + 1)]
    for point in _depth_first(below, len(ids)):
        rows[row_of[point]].append(point)
    return Layering(
        ids=ids,
        rows=tuple(map(tuple, rows)),
        row_of=tuple(row_of),
        above=tuple(map(tuple, above)),
        below=tuple(map(tuple, below)),
        chains=chains,
        detours=tuple(detours),
    )


def _rows(ids: Sequence[str], pairs: Sequence[tuple[int, int]], row_limit: int | None) -> list[int]:
    row_of = [0] * len(ids)
    parents: list[list[int]] = [[] for _ in ids]
    for source, target in pairs:
        parents[target].append(source)
    taken: Counter[int] = Counter()
    for point, older in enumerate(parents):  # parents come first
        row = 1 + max((row_of[parent] for parent in older), default=-1)
        while row_limit is not None and taken[row] >= row_limit:
            row += 1
        row_of[point] = row
        taken[row] += 1
    if ids[-1] == ANSWER:
        row_of[-1] = 1 + max(row_of[:-1])
    return row_of


def _chains(
    pairs: Sequence[tuple[int, int]], row_of: list[int]
) -> tuple[dict[tuple[int, int], tuple[int, ...]], list[tuple[int, int]]]:
    """The crossing places of each edge, shortest edges first until the allowance is spent; extends ``row_of``."""
    left = _SPARE_PASSES + _PASSES_PER_NODE * len(row_of)
    affordable = set()
    for pair in sorted(pairs, key=lambda each: row_of[each[1]] - row_of[each[0]]):
        left -= row_of[pair[1]] - row_of[pair[0]] - 1
        if left >= 0:
            affordable.add(pair)
    chains: dict[tuple[int, int], tuple[int, ...]] = {}
    for source, target in pairs:
        if (source, target) in affordable:
            crossed = range(row_of[source] + 1, row_of[target])
            chains[source, target] = tuple(range(len(row_of), len(row_of) + len(crossed)))
            row_of.extend(crossed)
    return chains, [pair for pair in pairs if pair not in affordable]


def _depth_first(below: Sequence[Sequence[int]], num_nodes: int) -> list[int]:
    """Points as a walk from the root meets them, so that a tree starts without crossings."""
    seen: dict[int, None] = {}
    for start in range(num_nodes):  # one walk reaches all but what hangs on detours
        waiting = [start]
        while waiting:
            point = waiting.pop()
            if point not in seen:
                seen[point] = None
                waiting += reversed(below[point])
    return list(seen)
