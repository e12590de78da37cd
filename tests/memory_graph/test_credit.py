"""Eq. 11 on graphs made by hand, its laws on every graph, and the random baseline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_graph.credit import Credit, PruneReason, random_credits, segment_credits
from memory_graph.graph import MemoryGraph
from tests.memory_graph.graphs import GOLD_POOL, graph, graphs, node, page

GOLD = frozenset({"g1", "g2"})

# n1 -> n3 <- n2 is what the answer rests on; n4 continues n1 into a dead end, n5 extends n4; n6 is apart.
# Gold came back at n1 (g1), n3 (g2) and, out of the answer's way, at n5 (g1 again).
BRANCHING = graph(
    node("n1", retrieved=("g1", "x1")),
    node("n2", retrieved=("x2",)),
    node("n3", "n1", "n2", retrieved=("g2",)),
    node("n4", "n1", retrieved=("x3",)),
    node("n5", "n4", retrieved=("x4", "g1")),
    node("n6", retrieved=()),
    answer=("n3",),
)


def mask_of(graph: MemoryGraph, **options: Any) -> tuple[bool, ...]:
    return tuple(credit.pruned for credit in segment_credits(graph, **options))


def reasons_of(graph: MemoryGraph, **options: Any) -> list[PruneReason]:
    return [credit.reason for credit in segment_credits(graph, **options)]


def credits_of(mask: Sequence[bool]) -> tuple[Credit, ...]:
    return tuple(Credit(pruned, PruneReason.DEAD_END if pruned else PruneReason.RULE_OFF) for pruned in mask)


def random_mask(mask: Sequence[bool], *, seed: int) -> list[bool]:
    return [credit.pruned for credit in random_credits(credits_of(mask), seed=seed)]


def test_a_right_answer_prunes_every_node_outside_its_support():
    # P_ans = {n3, n1, n2}: both branches of the join are kept; n4, n5, n6 go, although n5 returned gold
    assert mask_of(BRANCHING, correct=True, gold=GOLD) == (
        False,
        False,
        False,
        True,
        True,
        True,
        False,
    )


def test_a_wrong_answer_prunes_the_steps_that_returned_gold():
    # R_val = {n1, n3, n5}, wherever they stand; the noise n2, n4, n6 is kept and takes the blame
    assert mask_of(BRANCHING, correct=False, gold=GOLD) == (
        True,
        False,
        True,
        False,
        True,
        False,
        False,
    )


def test_an_answer_from_the_root_supports_no_search():
    guess = graph(node("n1", retrieved=("g1",)), node("n2"), answer=("root",))
    assert mask_of(guess, correct=True, gold=GOLD) == (True, True, False)


def test_an_answer_with_two_parents_keeps_both_their_branches():
    # n2 and n4 carry the answer: support {n2, n1} and {n4}; n3 hangs on n2 but nothing rests on it
    both = graph(node("n1"), node("n2", "n1"), node("n3", "n2"), node("n4"), answer=("n2", "n4"))
    assert mask_of(both, correct=True, gold=GOLD) == (False, False, True, False, False)


def test_a_wrong_answer_without_gold_steps_prunes_nothing():
    assert mask_of(BRANCHING, correct=False, gold=frozenset()) == (False,) * 7
    assert mask_of(BRANCHING, correct=False, gold=frozenset({"elsewhere"})) == (False,) * 7


def test_a_kept_item_counts_as_returned():
    kept = graph(node("n1", items=(page("g1"),)), answer=("n1",))
    assert mask_of(kept, correct=False, gold=GOLD) == (True, False)


def test_a_rollout_without_searches_has_its_terminal_segment_only():
    assert mask_of(graph(answer=("root",)), correct=True, gold=GOLD) == (False,)
    assert mask_of(graph(), correct=False, gold=GOLD) == (False,)


def test_an_abstention_is_wrong_and_cannot_be_right():
    abstained = graph(node("n1", retrieved=("g1",)), node("n2", "n1"))
    assert mask_of(abstained, correct=False, gold=GOLD) == (True, False, False)
    with pytest.raises(ValueError, match="without an answer"):
        mask_of(abstained, correct=True, gold=GOLD)


def test_each_half_of_the_rule_can_be_switched_off():
    nothing = (False,) * 7
    assert mask_of(BRANCHING, correct=True, gold=GOLD, positives=False) == nothing
    assert mask_of(BRANCHING, correct=False, gold=GOLD, negatives=False) == nothing
    # the other half is untouched
    assert sum(mask_of(BRANCHING, correct=True, gold=GOLD, negatives=False)) == 3
    assert sum(mask_of(BRANCHING, correct=False, gold=GOLD, positives=False)) == 3
    off = reasons_of(BRANCHING, correct=True, gold=GOLD, positives=False)
    assert set(off) == {PruneReason.RULE_OFF, PruneReason.TERMINAL}


def test_reasons_say_why():
    right = reasons_of(BRANCHING, correct=True, gold=GOLD)
    wrong = reasons_of(BRANCHING, correct=False, gold=GOLD)
    assert (
        right[0] == "kept: the answer rests on it"
        and right[3] == "pruned: right answer, which does not rest on it"
    )
    assert wrong[0] == "pruned: wrong answer, but it returned gold evidence"
    assert wrong[1] == "kept: wrong answer, no gold evidence returned"
    assert right[-1] == wrong[-1] == "kept: the answer segment is never pruned"


@given(graphs(answered=True), st.frozensets(st.sampled_from(GOLD_POOL)), st.booleans())
def test_the_mask_is_equation_11_and_spares_the_terminal_segment(
    random_graph: MemoryGraph, gold: frozenset[str], correct
):
    assert random_graph.answer is not None
    mask = mask_of(random_graph, correct=correct, gold=gold)
    support = random_graph.ancestors(random_graph.answer.parents)
    # mu = [r = 1][v not in P_ans] + [r = 0][v in R_val]
    expected = [
        int(correct) * int(each.id not in support) + int(not correct) * int(bool(gold & set(each.retrieved)))
        for each in random_graph.nodes
    ]
    assert [int(pruned) for pruned in mask] == [*expected, 0]
    reasons = reasons_of(random_graph, correct=correct, gold=gold)
    assert [reason.split(":")[0] for reason in reasons] == ["pruned" if each else "kept" for each in mask]


@given(graphs(answered=True), st.frozensets(st.sampled_from(GOLD_POOL)), st.sampled_from(GOLD_POOL))
def test_more_gold_never_unprunes_and_does_not_touch_right_answers(random_graph: MemoryGraph, gold, extra):
    fewer = mask_of(random_graph, correct=False, gold=gold)
    more = mask_of(random_graph, correct=False, gold=gold | {extra})
    assert all(after >= before for before, after in zip(fewer, more, strict=True))
    assert mask_of(random_graph, correct=True, gold=gold) == mask_of(
        random_graph, correct=True, gold=frozenset()
    )


@given(st.lists(st.booleans(), max_size=12), st.integers(0, 2**32))
def test_a_random_mask_has_the_same_rate_and_is_repeatable(searches: list[bool], seed: int):
    mask = (*searches, False)
    drawn = random_mask(mask, seed=seed)
    assert len(drawn) == len(mask) and sum(drawn) == sum(mask) and not drawn[-1]
    assert drawn == random_mask(mask, seed=seed)


def test_a_random_mask_draws_every_search_segment_alike():
    # 2 of 4 pruned: each position is drawn with probability 1/2; 4,000 seeds, 5 standard deviations = 158
    counts = Counter(
        index
        for seed in range(4000)
        for index, hit in enumerate(random_mask((True, True, False, False, False), seed=seed))
        if hit
    )
    assert set(counts) == {0, 1, 2, 3}
    assert all(abs(count - 2000) < 158 for count in counts.values())


@pytest.mark.parametrize("mask", [(), (True,), (False, True)])
def test_a_mask_that_prunes_the_terminal_segment_is_refused(mask):
    with pytest.raises(ValueError, match="terminal"):
        random_mask(mask, seed=0)
