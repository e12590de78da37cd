"""The oracle plays its plan through the real loop: dead ends and repeats are in the trajectory, gold decides the answer."""

import asyncio
import random

import pytest

from model.agent import Agent
from model.environment import MINIATURE_LIMITS
from model.memory.vimrag import Vimrag
from model.oracle import NOT_ANSWERABLE, Hop, Noise, Oracle, Plan
from model.prompts import COMPACT
from model.records import Hit, Outcome, Task
from model.scripted import ScriptedRetriever

QUIET = Noise(dead_end=0, repeat=0, broad=0)
TASK = Task(id="q", dataset="d", question="Where does the leader of Belodu work?", answers=("Fumiga",))
TEAM = Hit(
    item_id="d:para:team",
    dataset="d",
    modality="text",
    title="Belodu",
    text="The leader of Belodu is Rakimo.",
)
PERSON = Hit(
    item_id="d:para:person", dataset="d", modality="text", title="Rakimo", text="Rakimo works at Fumiga."
)
OTHER = Hit(item_id="d:para:other", dataset="d", modality="text", title="Zopufe", text="Zopufe is a team.")
PLAN = Plan(
    hops=(
        Hop(
            queries=("head of Belodu", "leader of Belodu"),
            gold=frozenset({TEAM.item_id}),
            summary="Rakimo leads.",
        ),
        Hop(
            queries=("Rakimo works at",), gold=frozenset({PERSON.item_id}), summary="At Fumiga.", depends=(0,)
        ),
    ),
    answer="Fumiga",
)
FOUND = {
    "head of Belodu": [OTHER],
    "leader of Belodu": [OTHER, TEAM],
    "Rakimo works at": [PERSON],
    "news": [OTHER],
}


def play(noise: Noise = QUIET, *, found: dict[str, list[Hit]] | None = None, seed: int = 0):
    oracle = Oracle(
        PLAN, ScriptedRetriever(FOUND if found is None else found), noise=noise, rng=random.Random(seed)
    )
    agent = Agent(policy=oracle, retriever=oracle, memory=Vimrag(profile=COMPACT), limits=MINIATURE_LIMITS)
    return asyncio.run(agent.run(TASK))


def test_a_first_wording_that_misses_becomes_a_dead_end_and_the_second_is_tried():
    trajectory = play()
    assert [node.query for node in trajectory.graph.nodes] == [
        "head of Belodu",
        "leader of Belodu",
        "Rakimo works at",
    ]
    assert [node.summary for node in trajectory.graph.nodes] == [
        "Nothing found.",
        "Rakimo leads.",
        "At Fumiga.",
    ]
    assert (trajectory.answer, trajectory.outcome) == ("Fumiga", Outcome.ANSWERED)


def test_the_answer_rests_on_the_found_steps_only():
    trajectory = play()
    assert trajectory.graph.answer is not None
    assert trajectory.graph.ancestors(trajectory.graph.answer.parents) == {"n2", "n3"}


def test_without_its_gold_the_oracle_abstains_in_words():
    assert play(found={**FOUND, "Rakimo works at": [OTHER]}).answer == NOT_ANSWERABLE


def test_noise_adds_useless_steps_and_no_wrong_ones():
    noise = Noise(dead_end=0.5, repeat=0.2, broad=0, distractions=("news",))
    trajectories = [play(noise, seed=seed) for seed in range(20)]
    extra = [len(each.graph.nodes) - 3 for each in trajectories]
    assert sum(extra) > 0
    finished = [each for each in trajectories if each.outcome is Outcome.ANSWERED]
    assert finished and all(each.answer in ("Fumiga", NOT_ANSWERABLE) for each in finished)


def test_noise_that_leaves_no_room_for_the_plan_is_refused():
    with pytest.raises(ValueError, match="sum below 1"):
        Noise(dead_end=0.6, repeat=0.4, broad=0)
