"""The oracle plays its plan through the real loop: dead ends and repeats are in the trajectory, gold decides the answer."""

import asyncio
import random
from dataclasses import replace

import pytest

from memory_graph.graph import Modality
from model.agent.loop import Agent
from model.agent.memory.registry import MEMORIES, SINGLE_ANSWER, memory_policy
from model.agent.prompts import COMPACT
from model.config.limits import MINIATURE_LIMITS
from model.imitation.gold_plan import DemonstrationNoise, GoldHop, GoldPlan, route_of
from model.imitation.oracle import NOT_ANSWERABLE, Oracle, shares
from model.imitation.tiny.tokenizer import build_tokenizer
from model.policies.chat_template import PromptEncoder
from model.rl.segments import supervised_samples
from model.types import Hit, Outcome, Task
from tests.model.scripted import ScriptedRetriever

QUIET = DemonstrationNoise(dead_end=0, repeat=0, broad=0)
TASK = Task(id="q", dataset="d", question="Where does the leader of Belodu work?", answers=("Fumiga",))
TEAM = Hit(
    item_id="d:para:team",
    dataset="d",
    modality=Modality.TEXT,
    title="Belodu",
    text="The leader of Belodu is Rakimo.",
)
PERSON = Hit(
    item_id="d:para:person",
    dataset="d",
    modality=Modality.TEXT,
    title="Rakimo",
    text="Rakimo works at Fumiga.",
)
OTHER = Hit(
    item_id="d:para:other", dataset="d", modality=Modality.TEXT, title="Zopufe", text="Zopufe is a team."
)
PLAN = GoldPlan(
    hops=(
        GoldHop(
            queries=("head of Belodu", "leader of Belodu"),
            gold=frozenset({TEAM.item_id}),
            summary="Rakimo leads.",
        ),
        GoldHop(
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


def play(
    noise: DemonstrationNoise = QUIET,
    *,
    found: dict[str, list[Hit]] | None = None,
    seed: int = 0,
    memory: str = "vimrag",
    plan: GoldPlan = PLAN,
    encoder: PromptEncoder | None = None,
):
    retriever = ScriptedRetriever(FOUND if found is None else found)
    oracle = Oracle(plan, encoder, noise=noise, rng=random.Random(seed), memory=memory)
    chosen = memory_policy(memory, profile=COMPACT)
    agent = Agent(policy=oracle, retriever=retriever, memory=chosen, limits=MINIATURE_LIMITS)
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
    noise = DemonstrationNoise(dead_end=0.5, repeat=0.2, broad=0, distractions=("news",))
    trajectories = [play(noise, seed=seed) for seed in range(20)]
    extra = [len(each.graph.nodes) - 3 for each in trajectories]
    assert sum(extra) > 0
    finished = [each for each in trajectories if each.outcome is Outcome.ANSWERED]
    assert finished and all(each.answer in ("Fumiga", NOT_ANSWERABLE) for each in finished)


def test_noise_that_leaves_no_room_for_the_plan_is_refused():
    with pytest.raises(ValueError, match="sum below 1"):
        DemonstrationNoise(dead_end=0.6, repeat=0.4, broad=0)


ITERATIVE = [name for name in MEMORIES if name not in SINGLE_ANSWER]
STATES = ["mem1", "memagent"]


@pytest.mark.parametrize("memory", ITERATIVE)
def test_it_reaches_the_right_answer_under_every_policy_that_searches(memory):
    trajectory = play(memory=memory)
    assert [node.query for node in trajectory.graph.nodes] == [
        "head of Belodu",
        "leader of Belodu",
        "Rakimo works at",
    ]
    assert (trajectory.answer, trajectory.outcome) == ("Fumiga", Outcome.ANSWERED)
    counters = trajectory.counters
    assert (counters.rejected_actions, counters.repairs) == (0, 0)


@pytest.mark.parametrize("memory", ITERATIVE)
def test_without_its_gold_it_abstains_in_words_under_every_policy(memory):
    assert play(found={**FOUND, "Rakimo works at": [OTHER]}, memory=memory).answer == NOT_ANSWERABLE


@pytest.mark.parametrize("memory", STATES)
def test_a_state_holds_the_facts_found_so_far_and_rests_on_the_last_node(memory):
    graph = play(memory=memory).graph
    assert [(node.parents, node.summary) for node in graph.nodes] == [
        (("root",), "Nothing found."),
        (("n1",), "Rakimo leads."),
        (("n2",), "Rakimo leads. At Fumiga."),
    ]
    assert graph.answer is not None and graph.answer.parents == ("n3",)


def test_react_never_memorizes_and_rests_its_answer_on_the_found_steps():
    trajectory = play(memory="react")
    assert trajectory.counters.model_calls == 4  # three searches and the answer
    assert trajectory.graph.answer is not None
    assert trajectory.graph.ancestors(trajectory.graph.answer.parents) == {"n2", "n3"}


@pytest.mark.parametrize("memory", ["react", "raw_visual", "precaption", "mem1"])
def test_gold_that_is_still_in_view_from_an_earlier_search_counts_as_found(memory):
    # the dead end already shows the second wording's gold, so that the search which is meant to find it shows nothing new
    together = {**FOUND, "head of Belodu": [OTHER, PERSON], "leader of Belodu": [TEAM, PERSON]}
    assert play(found={**together, "Rakimo works at": [PERSON]}, memory=memory).answer == "Fumiga"


@pytest.mark.parametrize("memory", list(MEMORIES))
def test_every_demonstration_can_be_imitated_token_by_token(memory):
    encoder = PromptEncoder(build_tokenizer(["Belodu", "Rakimo"]))
    page = Hit(
        item_id=TEAM.item_id,
        dataset="d",
        modality=Modality.IMAGE,
        title="Belodu",
        text="",
        width=128,
        height=96,
    )
    noise = DemonstrationNoise(dead_end=0.4, repeat=0.2, broad=0.1, distractions=("news",))
    found = {**FOUND, "leader of Belodu": [page, OTHER], TASK.question: [page, PERSON]}
    for seed in range(5):
        trajectory = play(noise, found=found, seed=seed, memory=memory, encoder=encoder)
        samples = supervised_samples([trajectory])
        calls = sum(len(segment.calls) for segment in trajectory.segments)
        assert calls == trajectory.counters.model_calls
        assert len(samples) == sum(bool(segment.calls) for segment in trajectory.segments)


@pytest.mark.parametrize("memory", ["vanilla", "videorag", "universalrag"])
def test_a_single_answer_is_right_if_the_results_hold_all_gold(memory):
    assert play(found={TASK.question: [OTHER, TEAM, PERSON]}, memory=memory).answer == "Fumiga"
    assert play(found={TASK.question: [OTHER, TEAM]}, memory=memory).answer == NOT_ANSWERABLE
    trajectory = play(found={TASK.question: [TEAM, PERSON]}, memory=memory)
    assert trajectory.graph.answer is not None and trajectory.graph.answer.parents == ("n1",)


def test_closed_book_answers_only_what_needs_no_evidence():
    assert play(memory="closed_book").answer == NOT_ANSWERABLE
    assert play(memory="closed_book", plan=GoldPlan(hops=(), answer="not given")).answer == "not given"


def hop(*gold: str) -> GoldHop:
    return GoldHop(queries=("q",), gold=frozenset(gold), summary="s")


@pytest.mark.parametrize(
    ("gold", "place"),
    [
        ([], "none"),
        ([hop("d:para:1")], "paragraph"),
        ([hop("d:page:a#1"), hop("d:slide:b#2"), hop("d:para:1")], "document"),
        ([hop("d:image:1")], "image"),
        ([hop("d:clip:film#0")], "clip"),
        ([hop("d:clip:film#0"), hop("d:clip:other#0")], "clip"),
        ([hop("d:clip:film#0", "d:clip:film#60")], "video"),
    ],
)
def test_the_router_looks_where_most_of_the_gold_is(gold, place):
    assert route_of(GoldPlan(hops=tuple(gold), answer="a")) == place


def test_the_routed_oracle_searches_there_alone():
    page = replace(OTHER, item_id="d:page:a#1", modality=Modality.IMAGE, width=64, height=64)
    plan = GoldPlan(hops=(hop("d:page:a#1"),), answer="41")
    trajectory = play(found={TASK.question: [TEAM, PERSON, OTHER, page]}, memory="universalrag", plan=plan)
    assert (trajectory.answer, trajectory.graph.nodes[0].retrieved) == ("41", ("d:page:a#1",))


def test_results_that_read_alike_are_told_apart_by_their_place():
    twin = replace(TEAM, item_id="d:para:twin")
    assert (
        play(found={**FOUND, "head of Belodu": [twin], "leader of Belodu": [twin, TEAM]}).answer == "Fumiga"
    )


def test_an_unknown_policy_is_refused():
    with pytest.raises(ValueError, match="vimrag_text"):
        play(memory="hearsay")


def test_the_learner_gets_half_of_the_examples_and_every_other_script_as_much_as_the_next():
    names = ("vimrag_fixed", "react", "mem1", "memagent", "universalrag", "vimrag_text")
    found = dict(zip(names, shares(names, learner="vimrag_fixed"), strict=True))
    assert found == {
        "vimrag_fixed": 0.5,
        "react": 0.125,  # history
        "mem1": 0.0625,  # state, with the next
        "memagent": 0.0625,
        "universalrag": 0.125,
        "vimrag_text": 0.125,  # graph
    }
    assert shares(("vimrag_fixed",), learner="vimrag_fixed") == (1.0,)
    assert shares(("vanilla", "react"), learner="vimrag_fixed") == (0.5, 0.5)
