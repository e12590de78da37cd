"""Reducing graded rollouts to a table: denominators, unscored ones, pairs."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace

import pytest

from memory_graph.actions import Answer, render
from memory_graph.graph import MemoryGraph, SearchNode
from model.agent.loop import Agent
from model.agent.memory.closed_book import ClosedBook
from model.agent.prompts import COMPACT
from model.config.reward import RewardWeights
from model.evaluation.evaluation import (
    compare,
    compare_seeds,
    evaluate,
    gold_recall,
    grade_all,
    summarise,
    with_metric,
)
from model.types import Counters, Outcome, Task, Trajectory
from tests.model.scripted import ScriptedPolicy, ScriptedRetriever


class ExactGrader:
    """Right is what a reference says; "hm" gets no verdict."""

    def __init__(self):
        self.asked = 0

    async def grade(self, task, answer):
        self.asked += 1
        return None if answer == "hm" else answer in task.answers


def trajectory(
    name, *, dataset="d", correct=None, outcome=Outcome.ANSWERED, answer="a", found=(), gold=(), **counters
):
    task = Task(id=name, dataset=dataset, question="q", answers=("a",), gold=frozenset(gold))
    graph = MemoryGraph(question="q").add(
        SearchNode(id="n1", parents=("root",), query="q", retrieved=tuple(found))
    )
    return Trajectory(
        task=task,
        graph=graph,
        segments=(),
        outcome=outcome,
        answer=answer,
        correct=correct,
        counters=Counters(**counters),
    )


def test_only_answers_are_graded_and_no_answer_is_wrong():
    grader = ExactGrader()
    rollouts = [
        trajectory("1"),
        trajectory("2", answer="b"),
        trajectory("3", answer="hm"),
        trajectory("4", outcome=Outcome.ABSTAINED, answer=""),
        trajectory("5", outcome=Outcome.FAILED),
    ]
    verdicts = asyncio.run(grade_all(rollouts, grader))
    assert [(t.correct, t.reward) for t in verdicts] == [
        (True, 1.0),
        (False, 0.0),
        (None, None),
        (False, 0.0),
        (None, None),
    ]
    assert grader.asked == 3


def test_an_error_of_the_grader_is_not_a_wrong_answer():
    class Broken:
        async def grade(self, task, answer):
            raise ConnectionError("judge is gone")

    with pytest.raises(ConnectionError):
        asyncio.run(grade_all([trajectory("1")], Broken()))


def test_a_dataset_is_scored_over_what_has_a_verdict():
    rollouts = [
        trajectory(
            "1",
            correct=True,
            searches=2,
            prompt_tokens=90,
            completion_tokens=10,
            found=("x", "g"),
            gold=("g", "h"),
        ),
        trajectory("2", correct=False, searches=4, prompt_tokens=200, found=("g",), gold=("g",)),
        trajectory("3", correct=None),
        trajectory("4", outcome=Outcome.FAILED, prompt_tokens=10**6),
    ]
    (score,) = summarise(rollouts).datasets
    assert (score.rollouts, score.scored, score.failed, score.correct) == (4, 2, 1, 1)
    assert score.accuracy.estimate == 0.5
    assert score.means["searches"] == 2.0  # (2 + 4 + 0) / 3: the failed one does not count
    assert score.gold_recall == 0.75  # 1/2 and 1/1
    assert score.tokens_per_correct == 300.0
    assert score.outcomes == {"answered": 3, "forced": 0, "abstained": 0, "failed": 1}


def test_overall_is_the_mean_of_the_datasets():
    rollouts = [trajectory("1", dataset="a", correct=True)]
    rollouts += [trajectory(str(n), dataset="b", correct=False) for n in range(9)]
    evaluation = summarise(rollouts)
    assert [score.dataset for score in evaluation.datasets] == ["a", "b"]
    assert evaluation.overall.estimate == 0.5


def test_without_any_verdict_the_score_is_unknown_not_zero():
    evaluation = summarise([trajectory("1", outcome=Outcome.FAILED)])
    assert math.isnan(evaluation.datasets[0].accuracy.estimate) and math.isnan(evaluation.overall.estimate)
    assert evaluation.datasets[0].tokens_per_correct == math.inf


def test_gold_recall_needs_gold():
    assert math.isnan(gold_recall(trajectory("1", found=("x",))))


def test_runs_are_compared_over_the_questions_both_have_scored():
    first = [trajectory(str(n), correct=False) for n in range(6)] + [trajectory("only", correct=True)]
    second = [trajectory(str(n), correct=n < 5) for n in range(6)] + [trajectory("other", correct=True)]
    found = compare(first, second)
    assert found.questions == 6
    assert found.difference.estimate == pytest.approx(5 / 6) and found.difference.low > 0
    assert found.p_value == pytest.approx(0.0625)  # five gains, no loss
    assert found.datasets["d"].estimate == pytest.approx(5 / 6)


def test_seeds_are_compared_in_pairs_or_with_the_one_start_of_all():
    start = [trajectory("1", correct=False), trajectory("2", correct=True)]
    better = [trajectory("1", correct=True), trajectory("2", correct=True)]
    found = compare_seeds([start], [better, start])
    assert found.by_seed == (0.5, 0.0) and found.difference.estimate == 0.25
    assert compare_seeds([better, start], [better, start]).by_seed == (0.0, 0.0)
    with pytest.raises(ValueError):
        compare_seeds([start, start], [better])


def test_rollouts_of_one_question_count_as_their_mean():
    first = [trajectory("1", correct=True), trajectory("1", correct=False)]
    assert compare(first, [trajectory("1", correct=True)]).difference.estimate == 0.5


def test_evaluation_from_questions_to_table():
    tasks = [Task(id=name, dataset="d", question=name, answers=("a",)) for name in ("1", "2")]
    policy = ScriptedPolicy({"1": [render(Answer((), "a"))], "2": [render(Answer((), "b"))]})
    agent = Agent(policy=policy, retriever=ScriptedRetriever({}), memory=ClosedBook(profile=COMPACT))
    evaluation = asyncio.run(evaluate(agent, tasks, ExactGrader()))
    (score,) = evaluation.datasets
    assert (score.dataset, score.correct, score.accuracy.estimate) == ("d", 1, 0.5)
    assert score.means["model_calls"] == 1.0
    assert [t.correct for t in evaluation.trajectories] == [True, False]


def test_grading_again_changes_only_the_verdict():
    before = trajectory("1", correct=False)
    (after,) = asyncio.run(grade_all([before], ExactGrader()))
    assert after == replace(before, correct=True, reward=1.0)


def test_the_metric_stands_beside_the_grader_and_never_replaces_it():
    class Kind:
        async def grade(self, task, answer):
            return None if answer == "hm" else True

    rollouts = [
        trajectory("1"),
        trajectory("2", answer="b"),
        trajectory("3", answer="hm"),
        trajectory("4", outcome=Outcome.ABSTAINED, answer=""),
        trajectory("5", outcome=Outcome.FAILED),
    ]
    halves = RewardWeights(judge=0.75, exact=0.25)
    found = asyncio.run(grade_all(rollouts, Kind(), metric=ExactGrader(), weights=halves))
    assert [(t.correct, t.metric, t.reward) for t in found] == [
        (True, True, 1.0),
        (True, False, 0.75),
        (None, None, None),
        (False, False, 0.0),
        (None, None, None),
    ]
    alone = asyncio.run(grade_all(rollouts, Kind()))
    assert [t.metric for t in asyncio.run(with_metric(alone, ExactGrader()))] == [t.metric for t in found]
