"""What the recipe says a rollout is worth reaches training: a scripted agent, the real phase, a loopback judge."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from memory_graph.actions import Answer, Mark, Memorize, Search
from memory_graph.graph import Modality
from model.agent.loop import Agent
from model.agent.memory.registry import memory_policy
from model.agent.prompts import COMPACT
from model.config.algorithm import Algorithm
from model.config.limits import MINIATURE_LIMITS
from model.config.reward import RewardWeights
from model.types import Hit, Task, Trajectory
from orchestration.joins import grading
from orchestration.recipes.miniature import paper_like
from orchestration.rollouts.rollout_phase import RankGroup, RolloutPhase, rewards_differ
from tests.model.scripted import ScriptedPolicy, ScriptedRetriever
from tests.orchestration.run_scene import Heard
from tests.servers.openai_server import OpenAIServer

TASK = Task(
    id="squad:q:1", dataset="squad", question="Which code is it?", answers=("41",), gold=frozenset({"g"})
)
GOLD, OTHER = (
    Hit(item_id=name, dataset="squad", modality=Modality.TEXT, title=name, text="t") for name in "gx"
)
FOUND = {"well put": [OTHER, GOLD], "badly put": [OTHER]}


def said(query: str, answer: str) -> list[Any]:
    note = Memorize("n1", "Nothing.", (Mark(1, False, 1),))
    return [Search("n1", ("root",), query), note, Answer(("n1",), answer)]


class Scripted:
    """A source of rollouts without weights."""

    version = 0

    def __init__(self, policy: ScriptedPolicy) -> None:
        self.policy = policy

    async def close(self) -> None:
        """Nothing to let go of."""

    def refresh(self, version: int) -> None:
        """No weights to take."""

    def check(self, trainer: Any, trajectories: Any) -> None:
        """No weights to compare."""

    def tally(self) -> dict[str, int]:
        """Nothing to count."""
        return {}


def rolled(folder: Path, terms: RewardWeights | None, script: list[Any]) -> tuple[list[Trajectory], Any]:
    base = paper_like()
    chosen = {} if terms is None else {"reward": terms}
    recipe = replace(
        base,
        ggpo=replace(base.ggpo, algorithm=Algorithm(group_size=2), questions=1, **chosen),
        evaluation=replace(base.evaluation, concurrency=1),  # so that the script is said in order
    )
    policy = ScriptedPolicy(script)
    memory = memory_policy("vimrag", profile=COMPACT)
    agent = Agent(policy=policy, retriever=ScriptedRetriever(FOUND), memory=memory, limits=MINIATURE_LIMITS)
    phase = RolloutPhase(recipe, [TASK], RankGroup(0, 1), Heard(), verdicts=folder)
    return phase.gather(agent, Scripted(policy), 0).trajectories, phase.curriculum


@pytest.fixture(autouse=True)
def no_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(grading.ENDPOINT, raising=False)


def test_a_retrieval_weight_pays_for_what_the_searches_returned(tmp_path: Path):
    terms = RewardWeights(judge=0.8, retrieval=0.2)
    group, curriculum = rolled(tmp_path, terms, [*said("well put", "42"), *said("badly put", "42")])
    # both wrong; gold at the second place of the first rollout: 0.2 / log2(3)
    assert [each.reward for each in group] == pytest.approx([0.2 * 0.63093, 0.0], abs=1e-5)
    assert [each.correct for each in group] == [False, False]
    assert rewards_differ(group), "rewards differ, though both are wrong"
    assert curriculum.state()["counts"] == {TASK.id: [0, 2]}, "success is the verdict, not the reward"


def test_by_default_the_same_rollouts_are_worth_their_verdict_and_teach_nothing(tmp_path: Path):
    group, _ = rolled(tmp_path, None, [*said("well put", "42"), *said("badly put", "42")])
    assert [each.reward for each in group] == [0.0, 0.0]
    assert not rewards_differ(group)


def test_the_judge_and_the_metric_are_two_terms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    replies = ["The same number.\nGRADE: C", "Another one.\nGRADE: I"]
    with OpenAIServer(replies=replies) as server:
        monkeypatch.setenv(grading.ENDPOINT, server.base_url)
        script = [*said("well put", "it is forty-one"), *said("well put", "42")]
        group, curriculum = rolled(tmp_path, RewardWeights(judge=0.75, exact=0.25), script)
        assert [(each.correct, each.metric, each.reward) for each in group] == [
            (True, False, 0.75),
            (False, False, 0.0),
        ]
        assert curriculum.state()["counts"] == {TASK.id: [1, 2]}
        assert (tmp_path / grading.VERDICTS).exists()


def test_without_a_weight_the_judge_is_never_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(grading.ENDPOINT, "http://127.0.0.1:9/v1")  # nothing listens there
    script = [*said("well put", "41"), *said("well put", "42")]
    group, _ = rolled(tmp_path, RewardWeights(judge=0.0, exact=0.9, format=0.1), script)
    assert [(each.correct, each.metric) for each in group] == [(True, True), (False, False)]
    assert [each.reward for each in group] == pytest.approx([1.0, 0.1])


def test_a_judge_without_a_grade_leaves_the_rollout_unscored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with OpenAIServer(replies=["Hard to say."] * 4) as server:
        monkeypatch.setenv(grading.ENDPOINT, server.base_url)
        script = [*said("well put", "41"), *said("well put", "42")]
        group, curriculum = rolled(tmp_path, RewardWeights(judge=0.5, exact=0.5), script)
        assert [each.reward for each in group] == [None, None]
        assert curriculum.state()["counts"] == {TASK.id: [0, 0]}
