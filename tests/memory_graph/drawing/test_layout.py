"""Where nodes and edges are drawn: nothing overlaps, everything flows downwards, and long edges are straight."""

from __future__ import annotations

import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_graph.drawing.alignment import spaced
from memory_graph.drawing.crossings import crossings, ordered_rows
from memory_graph.drawing.layering import ANSWER, edges, layering, node_ids
from memory_graph.drawing.layout import Box, BoxSize, GraphLayout, Point, Spacing, layout
from memory_graph.graph import ROOT, MemoryGraph
from tests.memory_graph.graphs import graph, graphs, node


def square(of: MemoryGraph, side: float = 100.0) -> dict[str, BoxSize]:
    return {each: BoxSize(side, side) for each in node_ids(of)}


@st.composite
def drawings(draw: st.DrawFn) -> tuple[MemoryGraph, dict[str, BoxSize], int | None]:
    any_graph = draw(graphs(max_nodes=9))
    side = st.floats(1.0, 400.0)
    sizes = {each: BoxSize(draw(side), draw(side)) for each in node_ids(any_graph)}
    return any_graph, sizes, draw(st.none() | st.integers(1, 4))


def boxes_by_id(placed: GraphLayout) -> dict[str, Box]:
    return {box.id: box for box in placed.boxes}


def large_graph(num_nodes: int, seed: int, *, newest: int) -> MemoryGraph:
    """Nodes with one to three parents among the ``newest`` before them."""
    draw = random.Random(seed)
    ids = [ROOT]
    nodes = []
    for number in range(1, num_nodes + 1):
        near = ids[-newest:]
        nodes.append(node(f"n{number}", *draw.sample(near, min(len(near), draw.randint(1, 3)))))
        ids.append(f"n{number}")
    return graph(*nodes, answer=(ids[-1], ids[1]))


def test_a_diamond_is_drawn_where_the_arithmetic_says():
    # Sides of 100, margin 20, columns 28 and rows 56 apart. The middle row fills 20..248, so the root and the answer stand at
    # its middle, 134 - 50 = 84. Rows begin at 20, 20 + 156 = 176, 332.
    diamond = graph(node("n1"), node("n2"), answer=("n1", "n2"))
    placed = layout(diamond, square(diamond))
    assert placed.boxes == (
        Box(ROOT, 84, 20, 100, 100),
        Box("n1", 20, 176, 100, 100),
        Box("n2", 148, 176, 100, 100),
        Box(ANSWER, 84, 332, 100, 100),
    )
    assert (placed.width, placed.height) == (268, 452)
    # The root's sides leave 20 free at the corners: 104..164. The middles of n1 and n2 (70 and 198) lie outside, so their
    # edges leave around the root's middle, 20 apart, and arrive the same way: root's middle lies outside 40..100 and 168..228.
    assert placed.routes[0].points == (Point(124, 120), Point(70, 176))
    assert placed.routes[1].points == (Point(144, 120), Point(198, 176))
    assert placed.routes[2].points == (Point(70, 276), Point(124, 332))
    assert placed.routes[3].points == (Point(198, 276), Point(144, 332))


def test_an_edge_past_a_row_falls_straight_and_makes_its_room():
    # root - n1 - answer and root - answer: the edge needs 12 beside n1, 28 apart
    skip = graph(node("n1"), answer=("n1", ROOT))
    placed = layout(skip, square(skip))
    box = boxes_by_id(placed)["n1"]
    passing = next(route for route in placed.routes if (route.source, route.target) == (ROOT, ANSWER))
    (x,) = {x for x, y in passing.points if box.y <= y <= box.y + box.height}
    assert min(abs(x - side) for side in (box.x, box.x + box.width)) >= 28


@given(drawings())
def test_no_two_nodes_come_closer_than_the_columns(
    drawing: tuple[MemoryGraph, dict[str, BoxSize], int | None],
):
    any_graph, sizes, row_limit = drawing
    for one, other in itertools.combinations(layout(any_graph, sizes, row_limit=row_limit).boxes, 2):
        beside = max(one.x, other.x) - min(one.x + one.width, other.x + other.width)
        above = max(one.y, other.y) - min(one.y + one.height, other.y + other.height)
        assert max(beside, above) >= 28 - 1e-6


@given(drawings())
def test_parents_stand_above_their_children_and_the_answer_below_all(
    drawing: tuple[MemoryGraph, dict[str, BoxSize], int | None],
):
    any_graph, sizes, row_limit = drawing
    boxes = boxes_by_id(layout(any_graph, sizes, row_limit=row_limit))
    for source, target in edges(any_graph):
        assert boxes[source].y + boxes[source].height < boxes[target].y
    if any_graph.answer is not None:
        assert all(box.y + box.height < boxes[ANSWER].y for box in boxes.values() if box.id != ANSWER)


@given(drawings())
def test_every_edge_runs_down_from_its_source_to_its_target(
    drawing: tuple[MemoryGraph, dict[str, BoxSize], int | None],
):
    any_graph, sizes, row_limit = drawing
    placed = layout(any_graph, sizes, row_limit=row_limit)
    boxes = boxes_by_id(placed)
    assert [(route.source, route.target) for route in placed.routes] == edges(any_graph)
    for route in placed.routes:
        source, target = boxes[route.source], boxes[route.target]
        assert route.points[0].y == source.y + source.height
        assert source.x < route.points[0].x < source.x + source.width
        assert route.points[-1].y == target.y
        assert target.x < route.points[-1].x < target.x + target.width
        assert [y for _, y in route.points] == sorted(y for _, y in route.points)


@given(drawings())
def test_no_edge_touches_a_node_that_it_does_not_join(
    drawing: tuple[MemoryGraph, dict[str, BoxSize], int | None],
):
    any_graph, sizes, row_limit = drawing
    placed = layout(any_graph, sizes, row_limit=row_limit)
    for route in placed.routes:
        for (x, upper), (next_x, lower) in itertools.pairwise(route.points):
            for box in placed.boxes:
                overlap = min(lower, box.y + box.height) - max(upper, box.y)
                if box.id in (route.source, route.target) or overlap <= 1e-6:
                    continue
                assert x == next_x  # upright beside a node
                assert not box.x <= x <= box.x + box.width


@given(drawings())
def test_everything_lies_within_the_canvas(drawing: tuple[MemoryGraph, dict[str, BoxSize], int | None]):
    any_graph, sizes, row_limit = drawing
    placed = layout(any_graph, sizes, row_limit=row_limit)
    for box in placed.boxes:
        assert box.x >= 20 - 1e-6
        assert box.y >= 20 - 1e-6
        assert box.x + box.width <= placed.width - 20 + 1e-6
        assert box.y + box.height <= placed.height - 20 + 1e-6
    for x, y in (point for route in placed.routes for point in route.points):
        assert 0 < x < placed.width
        assert 0 < y < placed.height


@given(drawings())
def test_the_same_graph_is_drawn_the_same(drawing: tuple[MemoryGraph, dict[str, BoxSize], int | None]):
    any_graph, sizes, row_limit = drawing
    shuffled = dict(sorted(sizes.items(), reverse=True))
    assert layout(any_graph, sizes, row_limit=row_limit) == layout(any_graph, shuffled, row_limit=row_limit)


@given(graphs(max_nodes=9), st.integers(1, 4))
def test_a_row_takes_no_more_than_its_limit(any_graph: MemoryGraph, limit: int):
    placed = layout(any_graph, square(any_graph), row_limit=limit)
    tops = [box.y for box in placed.boxes]
    assert max(tops.count(top) for top in tops) <= limit


def test_rows_follow_the_longest_path():
    # n3 has the parents root and n2, which is two steps down; n4 hangs on the root alone
    rows = layering(graph(node("n1"), node("n2", "n1"), node("n3", ROOT, "n2"), node("n4"), answer=("n4",)))
    assert rows.row_of[: len(rows.ids)] == (0, 1, 2, 3, 1, 4)


def test_crossings_that_need_not_be_are_gone():
    # n1..n3 under the root; n4 rests on n3, n5 on n2, n6 on n1: in creation order every pair of edges crosses
    tangled = layering(
        graph(node("n1"), node("n2"), node("n3"), node("n4", "n3"), node("n5", "n2"), node("n6", "n1"))
    )
    created = [[0], [1, 2, 3], [4, 5, 6]]
    assert crossings(tangled, created) == 3
    assert crossings(tangled, ordered_rows(tangled)) == 0


def test_orders_are_never_worse_than_the_first_and_crossings_that_must_be_are_one():
    # two nodes that both lead to two others: K(2,2) has one crossing however it is drawn
    both = layering(graph(node("n1"), node("n2"), node("n3", "n1", "n2"), node("n4", "n1", "n2")))
    assert crossings(both, ordered_rows(both)) == 1


@given(graphs(max_nodes=8))
def test_an_order_holds_every_point_once_and_never_adds_crossings(any_graph: MemoryGraph):
    rows = layering(any_graph)
    ordered = ordered_rows(rows)
    assert [sorted(row) for row in ordered] == [sorted(row) for row in rows.rows]
    assert crossings(rows, ordered) <= crossings(rows, rows.rows)


def test_places_that_are_too_close_share_the_way():
    # wishes 0 and 0, 10 apart: each moves 5; with weights 3 and 1 the heavy one moves 2.5
    assert spaced([0.0, 0.0], [1.0, 1.0], [0.0, 10.0]) == [-5.0, 5.0]
    assert spaced([0.0, 0.0], [3.0, 1.0], [0.0, 10.0]) == [-2.5, 7.5]
    assert spaced([0.0, 30.0], [1.0, 1.0], [0.0, 10.0]) == [0.0, 30.0]


@pytest.mark.parametrize("newest", [4, 1000])
def test_a_thousand_nodes_keep_every_promise_that_twenty_do(newest: int):
    large = large_graph(1000, 1, newest=newest)
    placed = layout(large, square(large), row_limit=4)
    assert len(placed.boxes) == 1002
    assert [(route.source, route.target) for route in placed.routes] == edges(large)
    rows: dict[float, list[Box]] = {}
    for box in placed.boxes:
        rows.setdefault(box.y, []).append(box)
    for row in rows.values():
        row.sort(key=lambda box: box.x)
        assert all(right.x - left.x >= 128 - 1e-6 for left, right in itertools.pairwise(row))
    assert all(0 < x < placed.width for route in placed.routes for x, _ in route.points)


def test_edges_that_find_no_room_run_beside_the_drawing():
    # every node rests on the root and on the node before it: 1 + 2 + ... + 999 crossing places would be needed
    nodes = [node("n1")] + [node(f"n{k}", f"n{k - 1}", ROOT) for k in range(2, 1001)]
    long = graph(*nodes)
    rows = layering(long)
    assert len(rows.row_of) <= 1001 + 1000 + 3 * 1001
    assert len(rows.detours) + len(rows.chains) == len(edges(long))
    placed = layout(long, square(long))
    right = max(box.x + box.width for box in placed.boxes)
    last = next(route for route in placed.routes if (route.source, route.target) == (ROOT, "n1000"))
    assert right < max(x for x, _ in last.points) < placed.width


def test_what_cannot_be_drawn_is_refused():
    one = graph(node("n1"))
    with pytest.raises(ValueError, match="'n1' has no size"):
        layout(one, {ROOT: BoxSize(1, 1)})
    for side in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="must be positive and finite"):
            layout(one, {ROOT: BoxSize(1, 1), "n1": BoxSize(1, side)})
        with pytest.raises(ValueError, match="row must be positive"):
            Spacing(row=side)
    with pytest.raises(ValueError, match="row_limit"):
        layout(one, square(one), row_limit=0)
