"""Energies decide sizes where the budget is tight and several items are kept, and nowhere else."""

from __future__ import annotations

import pytest

from memory_graph.budget import TOKEN_PIXELS, Allocation
from model.config.limits import Limits
from orchestration.study.binding import decided_by_energy, shown
from tests.memory_graph.graphs import graph, node, page


def limits(tokens: int, kept: int = 5) -> Limits:
    return Limits(total_pixels=tokens * TOKEN_PIXELS, kept_items=kept, min_pixels=TOKEN_PIXELS)


# 128 x 128 is 16 tokens; energies: A's 1.0 * exp(-.1), B's 0.2
TWO = graph(
    node("A", items=(page("a", 5, width=128, height=128),)),
    node("B", items=(page("b", 1, width=128, height=128),)),
)
ONE = graph(node("A", items=(page("a", 5, width=128, height=128),)))


def test_a_budget_for_all_leaves_nothing_to_decide():
    whole = shown(TWO, limits(32), Allocation.ENERGY)
    assert (
        whole == shown(TWO, limits(32), Allocation.EQUAL) == {("A", "a"): (128, 128), ("B", "b"): (128, 128)}
    )


def test_a_tight_one_goes_where_energy_is():
    # 10 tokens: .905 to .2 is 8.2 to 1.8; 64 x 64 is 4 tokens, 96 x 64 would not be square: a 2 x 2, b 1 x 1
    assert shown(TWO, limits(10), Allocation.ENERGY) == {("A", "a"): (64, 64), ("B", "b"): (32, 32)}
    assert shown(TWO, limits(10), Allocation.EQUAL) == {("A", "a"): (64, 64), ("B", "b"): (64, 64)}


def test_the_share_counts_graphs():
    assert decided_by_energy([TWO, ONE], limits(10)) == pytest.approx(1 / 2)
    assert decided_by_energy([TWO, ONE], limits(32)) == 0.0
    assert decided_by_energy([TWO], limits(32, kept=1)) == 1.0  # equal shares show both
    assert decided_by_energy([], limits(32)) == 0.0
