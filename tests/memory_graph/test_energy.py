"""Eq. 6 and Eq. 7: the paper's example by hand, and the laws that hold on every graph."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_graph.energy import energies, intrinsic_energies, kept_items
from memory_graph.graph import ROOT, MemoryGraph, SearchNode
from tests.memory_graph.graphs import graph, graphs, node, page

# Worked example of docs/ggpo.md: A(root; p=5, p=2), B(root; p=3), C(A; p=4); creation indices A 1, B 2, C 3, so T = 3.
EXAMPLE = graph(
    node("A", items=(page("A1", 5), page("A2", 2))),
    node("B", items=(page("B1", 3),)),
    node("C", "A", items=(page("C1", 4),)),
)
A1, A2, B1, C1 = ("A", "A1"), ("A", "A2"), ("B", "B1"), ("C", "C1")


def test_intrinsic_energies_of_the_example():
    # A has one child (C), age 2: p/5 * (1+1) * exp(-0.2) with exp(-0.2) = 0.818731
    #   A1 = 1.0 * 2 * 0.818731 = 1.637462      A2 = 0.4 * 2 * 0.818731 = 0.654985
    # B has none, age 1: 0.6 * 1 * exp(-0.1) = 0.6 * 0.904837 = 0.542902
    # C is the newest, age 0: 0.8 * 1 * 1 = 0.8
    own = intrinsic_energies(EXAMPLE)
    assert {key: round(value, 4) for key, value in own.items()} == {
        A1: 1.6375,
        A2: 0.6550,
        B1: 0.5429,
        C1: 0.8000,
    }


def test_energies_of_the_example():
    # C and B have no children. The mean of C is 0.8, so A's items gain 0.3 * 0.8 = 0.24:
    #   A1 = 1.637462 + 0.24 = 1.877462         A2 = 0.654985 + 0.24 = 0.894985
    omega = energies(EXAMPLE)
    assert {key: round(value, 4) for key, value in omega.items()} == {
        A1: 1.8775,
        A2: 0.8950,
        B1: 0.5429,
        C1: 0.8000,
    }
    # The sum of the four-digit values is 4.1154; exact, 1.8774615 + 0.8949846 + 0.5429025 + 0.8 = 4.1153486
    assert sum(omega.values()) == pytest.approx(4.1153486, abs=1e-7)


def test_feedback_is_the_mean_of_each_child_summed_over_children():
    # without decay: B = 0.2 and 1.0 -> mean 0.6; C = 0.4; A = 1.0 * (1 + 2) + 0.5 * (0.6 + 0.4) = 3.5
    fork = graph(
        node("A", items=(page("a", 5),)),
        node("B", "A", items=(page("b1", 1), page("b2", 5))),
        node("C", "A", items=(page("c", 2),)),
    )
    assert energies(fork, decay=0, feedback=0.5)["A", "a"] == pytest.approx(3.5)


def test_a_node_with_two_parents_feeds_back_into_both():
    # without decay: C = 1.0; A = 1.0 * 2 + 0.3, B = 0.2 * 2 + 0.3
    joined = graph(
        node("A", items=(page("a", 5),)),
        node("B", items=(page("b", 1),)),
        node("C", "A", "B", items=(page("c", 5),)),
    )
    omega = energies(joined, decay=0)
    assert (omega["A", "a"], omega["B", "b"]) == pytest.approx((2.3, 0.7))


def test_a_text_only_bridge_hands_feedback_on_and_the_strict_reading_cuts_it():
    # A <- B (text only) <- C, no decay: C = 1, B hands on 0.3 * 1, A = 1 * 2 + 0.3 * 0.3 = 2.09; strict 2
    chain = graph(node("A", items=(page("a", 5),)), node("B", "A"), node("C", "B", items=(page("c", 5),)))
    assert energies(chain, decay=0)["A", "a"] == pytest.approx(2.09)
    assert energies(chain, decay=0, bridge=False)["A", "a"] == pytest.approx(2.0)


def test_the_answer_node_counts_for_no_outdegree():
    answered = graph(node("A", items=(page("a", 5),)), answer=("A",))
    assert energies(answered) == {("A", "a"): 1.0}


@pytest.mark.parametrize("rate", [-0.1, math.nan, math.inf])
def test_a_rate_out_of_range_is_refused(rate):
    with pytest.raises(ValueError, match="decay"):
        intrinsic_energies(EXAMPLE, decay=rate)
    with pytest.raises(ValueError, match="feedback"):
        energies(EXAMPLE, feedback=rate)


def reference(random_graph: MemoryGraph, bridge: bool) -> dict[tuple[str, str], float]:
    """Eq. 6-7 as printed: recursion over children, nothing shared."""
    newest = len(random_graph.nodes)

    def children(node_id: str) -> list[SearchNode]:
        return [child for child in random_graph.nodes if node_id in child.parents]

    def feedback(node_id: str) -> float:
        return 0.3 * sum(mean(child.id) for child in children(node_id))

    def omega(node_id: str, priority: int) -> float:
        age = newest - random_graph.ids.index(node_id)
        own = priority / 5 * (1 + len(children(node_id))) * math.exp(-0.1 * age)
        return own + feedback(node_id)

    def mean(node_id: str) -> float:
        items = next(each.items for each in random_graph.nodes if each.id == node_id)
        if not items:
            return feedback(node_id) if bridge else 0.0
        return sum(omega(node_id, item.priority) for item in items) / len(items)

    return {
        (node_id, item.item_id): omega(node_id, item.priority)
        for (node_id, _), item in kept_items(random_graph).items()
    }


@given(graphs(), st.booleans())
def test_energies_equal_the_equations_read_literally(random_graph: MemoryGraph, bridge: bool):
    assert energies(random_graph, bridge=bridge) == pytest.approx(reference(random_graph, bridge))


@given(graphs())
def test_feedback_only_adds_and_the_bridge_adds_to_the_strict_reading(random_graph: MemoryGraph):
    own, strict, bridged = (
        intrinsic_energies(random_graph),
        energies(random_graph, bridge=False),
        energies(random_graph),
    )
    assert list(own) == list(strict) == list(bridged) == list(kept_items(random_graph))
    assert all(0 < own[key] <= strict[key] <= bridged[key] for key in own)
    assert energies(random_graph, feedback=0) == own


@given(graphs())
def test_a_higher_priority_never_means_less_energy_within_a_node(random_graph: MemoryGraph):
    omega = energies(random_graph)
    for each in random_graph.nodes:
        ranked = sorted(each.items, key=lambda item: item.priority)
        values = [omega[each.id, item.item_id] for item in ranked]
        assert values == sorted(values)


@given(graphs(answered=False))
def test_energies_are_the_same_before_and_after_the_answer(random_graph: MemoryGraph):
    finished = graph(*random_graph.nodes, answer=(ROOT,))
    assert energies(finished) == energies(random_graph)


def test_energies_take_linear_time_where_paths_grow_exponentially():
    # 60 layers of two nodes, each on both of the layer above: 2^60 paths, 240 edges
    nodes = [node("a0", items=(page("i"),)), node("b0", items=(page("i"),))]
    for layer in range(1, 60):
        above = (f"a{layer - 1}", f"b{layer - 1}")
        nodes += [node(f"{side}{layer}", *above, items=(page("i"),)) for side in "ab"]
    ladder = graph(*nodes)
    assert len(energies(ladder)) == 120  # path by path it would never end


def test_a_chain_of_many_nodes_needs_no_recursion():
    chain = graph(node("n1", items=(page("i"),)), *(node(f"n{k}", f"n{k - 1}") for k in range(2, 5001)))
    assert len(energies(chain)) == 1


def test_each_term_can_be_switched_off():
    decayed = math.exp(-0.2)  # of A, two nodes old, with one child
    assert intrinsic_energies(EXAMPLE, by_priority=False)[A2] == pytest.approx(2 * decayed)
    assert intrinsic_energies(EXAMPLE, by_topology=False)[A1] == pytest.approx(decayed)
    assert intrinsic_energies(EXAMPLE, decay=0.0)[A1] == pytest.approx(2.0)
    assert energies(EXAMPLE, feedback=0.0) == intrinsic_energies(EXAMPLE)
    # feedback of C alone, whose priority no longer counts: 2 * exp(-.2) + .3 * 1
    assert energies(EXAMPLE, by_priority=False)[A1] == pytest.approx(2 * decayed + 0.3)
