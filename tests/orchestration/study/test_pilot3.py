"""Which rollouts are answered again, and what is made of the answers."""

import math
from dataclasses import replace

from memory_graph.graph import ROOT, AnswerNode, MemoryGraph, SearchNode
from model.types import Outcome, Task, Trajectory
from orchestration.study.pilot3 import CUTS, compared, cuttable


def rollout(name: str, *, correct: bool, found: str = "g") -> Trajectory:
    """One node that returned ``found`` and one of noise."""
    graph = MemoryGraph(
        question="q?",
        nodes=(
            SearchNode(id="n1", parents=(ROOT,), query="a", retrieved=(found,)),
            SearchNode(id="n2", parents=("n1",), query="b", retrieved=("x",)),
        ),
        answer=AnswerNode(parents=("n2",), text="a"),
    )
    task = Task(id=name, dataset="squad", question="q?", answers=("a",), gold=frozenset({"g"}))
    return Trajectory(task=task, graph=graph, segments=(), outcome=Outcome.ANSWERED, correct=correct)


def test_only_wrong_rollouts_that_found_gold_are_answered_again():
    wrong = rollout("1", correct=False)
    blind, right = rollout("2", correct=False, found="y"), rollout("3", correct=True)
    assert cuttable([wrong, blind, right, replace(wrong, correct=None)]) == [wrong]


def test_every_cut_opens_the_graph_again_and_two_leave_as_many_nodes():
    sizes = {name: len(cut(rollout("1", correct=False)).nodes) for name, cut in CUTS.items()}
    assert sizes == {"full": 2, "evidence": 1, "random": 1}


def test_the_share_that_is_right_now_is_paired_with_both_controls():
    wrong = [rollout(str(number), correct=False) for number in range(4)]
    made = {
        "full": wrong,
        "evidence": [replace(each, correct=True) for each in wrong],
        "random": [*(replace(each, correct=True) for each in wrong[:2]), *wrong[2:]],
    }
    found = compared(made, wrong)
    assert (found.wrong_rollouts_with_evidence, found.noise_nodes) == (4, 4)
    assert {name: share.estimate for name, share in found.right.items()} == {
        "full": 0.0,
        "evidence": 1.0,
        "random": 0.5,
    }
    assert found.evidence_against["full"].estimate == 1.0
    assert found.evidence_against["full"].p_value == 0.125  # four gains: 2 / 2^4
    assert found.evidence_against["random"].estimate == 0.5
    assert math.isnan(compared({name: [] for name in made}, []).right["full"].estimate)
