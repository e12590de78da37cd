"""Many rollouts at once: order, bounds, seeds, and failures that stay where they happen."""

from __future__ import annotations

import asyncio

import pytest

from memory_graph.actions import Answer, render
from model.agent.loop import Agent, derived_seed
from model.agent.memory.closed_book import ClosedBook
from model.agent.prompts import COMPACT
from model.rl.rollouts import RolloutPlan, ordered_by_group, run_rollouts
from model.types import Completion, Outcome, Task
from tests.model.scripted import ScriptedRetriever


class Slow:
    """Answers with its seed after a wait that depends on the question, and watches how many wait at once."""

    fingerprint = "slow"

    def __init__(self, waits=None, broken=()):
        self.waits, self.broken = waits or {}, broken
        self.at_once = self.most_at_once = 0

    async def complete(self, request):
        name, seed = request.task.id, request.sampling.seed
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(self.waits.get(name, 0))
        self.at_once -= 1
        if name in self.broken:
            raise ConnectionError("endpoint is gone")
        return Completion(text=render(Answer((), f"{name}:{seed}")))


def tasks(*names):
    return [Task(id=name, dataset="d", question=f"q {name}", answers=("a",)) for name in names]


def run(policy, questions, plan=None, **options):
    agent = Agent(policy=policy, retriever=ScriptedRetriever({}), memory=ClosedBook(profile=COMPACT))
    return asyncio.run(run_rollouts(agent, questions, plan, **options))


def test_results_stand_in_the_order_of_the_questions_whoever_ends_first():
    groups = run(Slow({"a": 0.03, "b": 0.0}), tasks("a", "b"), RolloutPlan(group_size=2))
    assert [[t.task.id for t in group] for group in groups] == [["a", "a"], ["b", "b"]]


def test_every_rollout_has_its_own_reproducible_stream():
    first = run(Slow(), tasks("a", "b"), RolloutPlan(group_size=3, seed=1))
    answers = [t.answer for t in ordered_by_group(first)]
    assert len(set(answers)) == 6
    again = run(Slow({"a": 0.01}), tasks("b", "a"), RolloutPlan(group_size=3, seed=1, concurrency=1))
    assert sorted(answers) == sorted(t.answer for t in ordered_by_group(again))
    other = run(Slow(), tasks("a", "b"), RolloutPlan(group_size=3, seed=2))
    assert not set(answers) & {t.answer for t in ordered_by_group(other)}


def test_seeds_do_not_depend_on_the_process():
    assert derived_seed(1, "a", 0) == derived_seed(1, "a", 0) < 2**63
    assert derived_seed(1, "a", 0) != derived_seed(11, "a", 0)


def test_no_more_rollouts_run_at_once_than_allowed():
    policy = Slow(dict.fromkeys("abcdef", 0.01))
    run(policy, tasks(*"abcdef"), RolloutPlan(concurrency=2))
    assert policy.most_at_once == 2


def test_a_failed_rollout_is_data_and_the_others_go_on():
    groups = run(Slow(broken=("b",)), tasks("a", "b", "c"))
    outcomes = [group[0].outcome for group in groups]
    assert outcomes == [Outcome.FORCED, Outcome.FAILED, Outcome.FORCED]
    assert groups[1][0].error == "ConnectionError: endpoint is gone"
    assert (groups[1][0].reward, groups[1][0].segments) == (None, ())


def test_a_rollout_that_hangs_fails_in_time():
    groups = run(Slow({"a": 60}), tasks("a", "b"), RolloutPlan(timeout_s=0.05))
    assert [group[0].outcome for group in groups] == [Outcome.FAILED, Outcome.FORCED]
    assert groups[0][0].error == "TimeoutError: no result within 0.05 s"


def test_progress_counts_up_to_the_total():
    seen = []
    run(Slow(broken=("a",)), tasks("a", "b"), RolloutPlan(group_size=2), on_progress=seen.append)
    assert [progress.done for progress in seen] == [1, 2, 3, 4]
    assert (seen[-1].failed, seen[-1].total) == (2, 4)


def test_two_questions_with_one_id_are_refused():
    with pytest.raises(ValueError, match="unique"):
        run(Slow(), tasks("a", "a"))


def test_nothing_to_do_is_done():
    assert run(Slow(), []) == ()


@pytest.mark.parametrize("wrong", [{"group_size": 0}, {"concurrency": 0}, {"timeout_s": 0.0}])
def test_plans_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError):
        RolloutPlan(**wrong)
