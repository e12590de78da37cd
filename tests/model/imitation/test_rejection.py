"""What is kept of many rollouts: counted by hand, and what holds for any rollouts in any order."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_graph.graph import AnswerNode, MemoryGraph, SearchNode
from model.imitation.rejection import (
    Selection,
    action_sequence,
    ended_unforced,
    is_imitable,
    select,
    selection_counts,
    without_pruned_segments,
)
from model.types import Call, Counters, Outcome, Segment, Task, Trajectory


def rollout(
    question: str = "q1",
    *queries: str,
    dataset: str = "d",
    correct: bool | None = True,
    outcome: Outcome = Outcome.ANSWERED,
    slips: int = 0,
    memory: str = "vimrag",
    support: tuple[str, ...] | None = None,
) -> Trajectory:
    """A chain of searches and an answer that rests on the last one, or on ``support``."""
    graph, parents = MemoryGraph(question=question), ("root",)
    for number, query in enumerate(queries, start=1):
        graph = graph.add(SearchNode(id=f"n{number}", parents=parents, query=query))
        parents = (f"n{number}",)
    if outcome in (Outcome.ANSWERED, Outcome.FORCED):
        graph = graph.finish(AnswerNode(parents=support or parents, text="Fumiga"))
    call = Call(prompt_ids=(1,), token_ids=(2,), logprobs=(0.0,), images=(), text="t")
    names = [*(node.id for node in graph.nodes), None]
    return Trajectory(
        task=Task(id=question, dataset=dataset, question=question, answers=("Fumiga",)),
        graph=graph,
        segments=tuple(Segment(node_id=name, calls=(call,)) for name in names),
        outcome=outcome,
        correct=correct,
        memory=memory,
        counters=Counters(rejected_actions=slips),
    )


def kept_queries(found: tuple[Trajectory, ...]) -> list[tuple[str, ...]]:
    return [tuple(node.query for node in each.graph.nodes) for each in found]


@pytest.mark.parametrize(
    ("given_one", "right"),
    [
        (rollout(), True),
        (rollout(correct=False), False),
        (rollout(correct=None), False),  # no verdict is not a right answer
        (rollout(outcome=Outcome.FORCED), False),
        (rollout(outcome=Outcome.FORCED, memory="vanilla"), True),  # is always told to answer
        (rollout(outcome=Outcome.ABSTAINED, correct=True), False),
        (rollout(outcome=Outcome.FAILED, correct=True), False),
    ],
)
def test_only_right_answers_that_came_by_themselves_are_kept(given_one: Trajectory, right: bool):
    assert is_imitable(given_one) is right
    assert bool(select([given_one], Selection())) is right


def test_equal_actions_count_once_and_the_tidier_rollout_stands_for_them():
    twice = [rollout("q1", "Leader of  Belodu", slips=2), rollout("q1", "leader of belodu?", slips=1)]
    assert action_sequence(twice[0]) == action_sequence(twice[1])
    (found,) = select(twice, Selection(per_question=5))
    assert found.counters.rejected_actions == 1


def test_other_searches_other_parents_and_other_memories_are_other_ways():
    one = rollout("q1", "a", "b")
    others = [
        rollout("q1", "b", "a"),
        rollout("q1", "a"),
        rollout("q1", "a", "b", support=("n1",)),
        rollout("q1", "a", "b", memory="react"),
    ]
    assert len(select([one, *others], Selection(per_question=9))) == 5


def test_a_question_keeps_as_many_as_it_may():
    many = [rollout("q1", f"query {number}") for number in range(9)]
    assert len(select(many, Selection(per_question=3))) == 3


def test_a_large_dataset_is_cut_to_two_medians_and_every_question_keeps_its_first():
    # kept of a question: at most 2. easy: 6 questions x 2 = 12; middle: 2 x 2 = 4; rare: 1. The median of 12, 4 and 1 is 4,
    # so easy keeps 2 x 4 = 8: the first ones of all six questions and two second ones
    easy = [rollout(f"e{q}", f"query {n}", dataset="easy") for q in range(6) for n in range(4)]
    middle = [rollout(f"m{q}", f"query {n}", dataset="middle") for q in range(2) for n in range(2)]
    rare = [rollout("r", "query", dataset="rare")]
    found = select([*easy, *middle, *rare], Selection(per_question=2, balance=2.0))
    assert Counter(each.task.dataset for each in found) == {"easy": 8, "middle": 4, "rare": 1}
    assert sorted(Counter(each.task.id for each in found if each.task.dataset == "easy").values()) == [
        1,
        1,
        1,
        1,
        2,
        2,
    ]
    everything = select([*easy, *middle, *rare], Selection(per_question=2, balance=None))
    assert len(everything) == 12 + 4 + 1


def test_a_dataset_without_a_right_rollout_sets_no_limit():
    right = [rollout(f"q{n}", "a", dataset="one") for n in range(5)]
    wrong = [rollout("w", "a", dataset="two", correct=False)]
    assert len(select([*right, *wrong], Selection(balance=1.0))) == 5


def test_another_seed_draws_other_ways():
    many = [rollout("q1", f"query {number}") for number in range(20)]
    drawn = {kept_queries(select(many, Selection(per_question=1, seed=seed)))[0] for seed in range(20)}
    assert len(drawn) > 5


def test_what_the_answer_does_not_rest_on_is_left_out_where_asked_for():
    # n2 hangs on n1, the answer rests on n1 alone: n2 is a dead end; the answer's segment always stays
    found = without_pruned_segments(rollout("q1", "a", "b", support=("n1",)))
    assert [part.node_id for part in found.segments] == ["n1", None]
    assert [part.node_id for part in without_pruned_segments(rollout("q1", "a", "b")).segments] == [
        "n1",
        "n2",
        None,
    ]


def test_the_counts_of_a_round():
    rollouts = [
        rollout("q1", "a"),
        rollout("q1", "b"),
        rollout("q2", "a", correct=False),
        rollout("q3", correct=None),
        rollout("q4", outcome=Outcome.FAILED, correct=None),
        rollout("q5", "a", dataset="e"),
    ]
    kept = select(rollouts, Selection(per_question=1))
    assert selection_counts(rollouts, kept) == {
        "rollouts": 6,
        "failed": 1,
        "unscored": 1,
        "right": 3,
        "questions": 5,
        "questions_right": 2,
        "kept": 2,
        "kept_by_dataset": {"d": 1, "e": 1},
    }


@pytest.mark.parametrize("nonsense", [{"per_question": 0}, {"balance": 0.5}, {"balance": float("inf")}])
def test_a_selection_that_keeps_nothing_is_refused(nonsense: dict[str, float]):
    with pytest.raises(ValueError, match="at least one rollout"):
        Selection(**nonsense)  # type: ignore[arg-type]


rollouts = st.builds(
    lambda question, queries, dataset, correct, outcome, slips: rollout(
        question, *queries, dataset=dataset, correct=correct, outcome=outcome, slips=slips
    ),
    st.sampled_from(["q1", "q2", "q3"]),
    st.lists(st.sampled_from(["a", "b"]), max_size=2),
    st.sampled_from(["d", "e", "f"]),
    st.sampled_from([True, True, False, None]),
    st.sampled_from(Outcome),
    st.integers(0, 2),
)
selections = st.builds(
    Selection,
    per_question=st.integers(1, 3),
    balance=st.none() | st.floats(1, 3),
    seed=st.integers(0, 9),
)


@given(st.lists(rollouts, max_size=25), selections, st.integers(0, 999))
def test_for_any_rollouts(given_ones: list[Trajectory], selection: Selection, seed: int):
    found = select(given_ones, selection)
    assert all(is_imitable(each) and ended_unforced(each) for each in found)
    assert all(each in given_ones for each in found)
    questions = Counter((each.task.dataset, each.task.id) for each in found)
    assert max(questions.values(), default=0) <= selection.per_question
    assert len({(each.task.dataset, each.task.id, action_sequence(each)) for each in found}) == len(found)
    # a question that was answered rightly stays unless its dataset is cut
    if selection.balance is None:
        assert set(questions) == {(e.task.dataset, e.task.id) for e in given_ones if is_imitable(e)}
    shuffled = random.Random(seed).sample(given_ones, len(given_ones))
    assert select(shuffled, selection) == found
    assert select([*given_ones, *given_ones], selection) == found
    assert select(found, replace(selection, balance=None)) == found
