"""Every kind of mistake is refused by the environment as it is, in every state it is drawn for, and then put right."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_graph.actions import Action, ActionError, Answer, Mark, Memorize, Search, render
from memory_graph.graph import MemoryGraph
from memory_graph.parsing import PendingObservation, legalise, parse
from model.agent.loop import Agent
from model.agent.memory.registry import MEMORIES, SINGLE_ANSWER, memory_policy
from model.agent.prompts import COMPACT
from model.config.limits import MINIATURE_LIMITS
from model.imitation.gold_plan import DemonstrationNoise
from model.imitation.mistakes import Mistake, corrupted, mistakes
from model.imitation.oracle import Oracle
from model.imitation.stages import imitable_segments, segment_example
from model.imitation.tiny.tokenizer import build_tokenizer
from model.policies.chat_template import PromptEncoder
from model.rl.segments import supervised_samples
from model.types import Trajectory
from tests.model.imitation.test_oracle import FOUND, PLAN, TASK
from tests.model.scripted import ScriptedRetriever

EMPTY = MemoryGraph(question="q")
SEARCHED = Search("n1", ("root",), "leader of Belodu")
PENDING = PendingObservation(search=SEARCHED, modalities=("text", "text"))
MEANT: dict[str, tuple[Action, PendingObservation | None]] = {
    "search": (SEARCHED, None),
    "memorize": (Memorize("n1", "Rakimo leads.", (Mark(2, True, 5),)), PENDING),
    "answer": (Answer(("root",), "Fumiga"), None),
}
SAID = {
    ("search", Mistake.WORDS): "leader of Belodu",
    ("search", Mistake.COLON): '<tool_call>{"name":"search","arguments":'
    '{"id":"n1","parents":["root"],"query" "leader of Belodu"}}</tool_call>',
    ("search", Mistake.CUT): '<tool_call>{"name":"search","arguments":'
    '{"id":"n1","parents":["root"],"query":"leader o',
    ("search", Mistake.NAME): '<tool_call>{"name":"inspect","arguments":'
    '{"id":"n1","parents":["root"],"query":"leader of Belodu"}}</tool_call>',
    ("memorize", Mistake.MISSING): '<tool_call>{"name":"memorize","arguments":'
    '{"id":"n1","items":[{"item":2,"useful":1,"priority":5}]}}</tool_call>',
    (
        "answer",
        Mistake.EMPTY,
    ): '<tool_call>{"name":"answer","arguments":{"parents":["root"],"answer":""}}</tool_call>',
    ("answer", Mistake.TURN): '<tool_call>{"name":"memorize","arguments":'
    '{"id":"n1","summary":"Fumiga","items":[]}}</tool_call>',
}
REASONS = {
    ("search", Mistake.WORDS): "no call was found",
    ("search", Mistake.COLON): "the JSON is broken, a colon is missing",
    ("search", Mistake.CUT): "the JSON is broken",
    ("search", Mistake.NAME): "the action is none of search, memorize, answer",
    ("search", Mistake.EMPTY): "The query is empty",
    ("search", Mistake.MISSING): 'search needs "query" as a text',
    ("search", Mistake.TURN): "nothing to memorize",
    ("memorize", Mistake.EMPTY): "The summary is empty",
    ("memorize", Mistake.MISSING): 'memorize needs "summary" as a text',
    ("memorize", Mistake.TURN): "Memorize the results of n1 before the next search",
    ("answer", Mistake.EMPTY): "The answer is empty",
    ("answer", Mistake.MISSING): 'answer needs "answer" as a text',
    ("answer", Mistake.TURN): "nothing to memorize",
}


def refusal(text: str, pending: PendingObservation | None) -> str:
    with pytest.raises(ActionError) as caught:
        legalise(parse(text).action, EMPTY, pending=pending)
    return str(caught.value)


@pytest.mark.parametrize(("meant", "kind"), list(SAID))
def test_a_mistake_is_said_as_a_weak_model_would(meant: str, kind: Mistake):
    assert corrupted(MEANT[meant][0], kind) == SAID[meant, kind]


@pytest.mark.parametrize("kind", mistakes(routing=False))
@pytest.mark.parametrize("meant", MEANT)
def test_every_kind_is_refused_with_a_reason_where_the_action_meant_is_legal(meant: str, kind: Mistake):
    action, pending = MEANT[meant]
    assert legalise(parse(render(action)).action, EMPTY, pending=pending) == (action, ())
    assert REASONS.get((meant, kind), "Not a legal action") in refusal(corrupted(action, kind), pending)


texts = st.text(min_size=1, max_size=40).filter(str.strip)


@given(texts, st.sampled_from(mistakes(routing=False)), st.sampled_from(list(MEANT)))
def test_no_content_makes_a_mistake_legal(text: str, kind: Mistake, meant: str):
    action, pending = MEANT[meant]
    field = "query" if meant == "search" else "summary" if meant == "memorize" else "text"
    said = corrupted(replace(action, **{field: text}), kind)
    if kind is Mistake.WORDS and "{" in text:
        return  # words can spell a call
    refusal(said, pending)


def test_only_a_router_can_name_a_place_that_does_not_exist():
    assert Mistake.PLACE in mistakes(routing=True) and Mistake.PLACE not in mistakes(routing=False)
    with pytest.raises(ValueError, match="only a search"):
        corrupted(Answer(("root",), "a"), Mistake.PLACE)


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_a_share_out_of_range_is_refused(share: float):
    with pytest.raises(ValueError, match="repaired"):
        DemonstrationNoise(repair=share)


def played(
    memory: str,
    seed: int,
    *,
    repair: float = 0.5,
    encoder: PromptEncoder | None = None,
    dead_end: float = 0.0,
) -> Trajectory:
    noise = DemonstrationNoise(dead_end=dead_end, repeat=0, broad=0, repair=repair, distractions=("news",))
    retriever = ScriptedRetriever(FOUND | {TASK.question: FOUND["leader of Belodu"]})
    oracle = Oracle(PLAN, encoder, noise=noise, rng=random.Random(seed), memory=memory)
    limits = replace(MINIATURE_LIMITS, calls=40)
    chosen = memory_policy(memory, profile=COMPACT)
    agent = Agent(policy=oracle, retriever=retriever, memory=chosen, limits=limits)
    return asyncio.run(agent.run(TASK))


ITERATIVE = [name for name in MEMORIES if name not in SINGLE_ANSWER]


@pytest.mark.parametrize("memory", ITERATIVE)
def test_each_mistake_is_put_right_by_the_next_reply_and_changes_nothing_else(memory: str):
    careful = played(memory, 0, repair=0.0)
    for seed in range(12):
        trajectory = played(memory, seed)
        assert trajectory.graph == careful.graph
        rejected = [call.rejected for part in trajectory.segments for call in part.calls]
        assert sum(rejected) == trajectory.counters.rejected_actions
        assert not any(one and other for one, other in pairwise(rejected))
        accepted = [call.text for part in trajectory.segments for call in part.calls if not call.rejected]
        assert accepted == [call.text for part in careful.segments for call in part.calls]


def test_every_kind_is_drawn_and_refused_in_real_rollouts():
    reasons: Counter[str] = Counter()
    for seed in range(100):
        for part in played("vimrag", seed, repair=0.9).segments:
            for earlier, later in pairwise(part.calls):
                if earlier.rejected:
                    reasons[later.turns[-1].text] += 1
    told = " ".join(reasons)
    for reason in REASONS.values():
        assert reason in told


def test_a_router_that_names_no_place_is_asked_again():
    every = [played("universalrag", seed, repair=0.9) for seed in range(40)]
    told = {call.turns[-1].text for each in every for part in each.segments for call in part.calls}
    assert any("Not a place to look" in text for text in told)
    assert {each.counters.searches for each in every} == {1}


@pytest.mark.parametrize("memory", ["closed_book", "vanilla"])
def test_a_policy_that_is_asked_once_never_errs(memory: str):
    assert {played(memory, seed, repair=0.9).counters.rejected_actions for seed in range(10)} == {0}


def test_a_mistake_never_takes_the_last_reply():
    noise = DemonstrationNoise(dead_end=0, repeat=0, broad=0, repair=0.9)
    for seed in range(20):
        oracle = Oracle(PLAN, noise=noise, rng=random.Random(seed))
        chosen = memory_policy("vimrag", profile=COMPACT)
        limits = replace(MINIATURE_LIMITS, calls=5)
        agent = Agent(policy=oracle, retriever=ScriptedRetriever(FOUND), memory=chosen, limits=limits)
        trajectory = asyncio.run(agent.run(TASK))
        assert trajectory.graph.answer is not None
        assert trajectory.counters.model_calls <= 5


@pytest.mark.parametrize("memory", ["vimrag", "react", "memagent", "universalrag"])
def test_the_mistake_is_read_and_the_repair_is_learnt(memory: str):
    encoder = PromptEncoder(build_tokenizer(["Belodu", "Rakimo"]))
    trajectory = next(
        each
        for seed in range(20)
        if (each := played(memory, seed, encoder=encoder)).counters.rejected_actions
    )
    for part in imitable_segments([trajectory]):
        example = segment_example(part, encoder, None)  # type: ignore[arg-type]
        learnt = [token for token, flag in zip(example.ids, example.loss_mask, strict=True) if flag]
        right = [token for call in part.calls if not call.rejected for token in call.token_ids]
        assert learnt == right
        wrong = [token for call in part.calls if call.rejected for token in call.token_ids]
        assert len(example.ids) - len(learnt) >= len(part.calls[0].prompt_ids) + len(wrong)
    samples = supervised_samples([trajectory])
    found = [sample.token_ids[at] for sample in samples for at in sample.loss_positions]
    assert found == [
        t for part in trajectory.segments for c in part.calls if not c.rejected for t in c.token_ids
    ]


def test_the_same_seed_gives_the_same_demonstration():
    assert played("vimrag", 3, dead_end=0.4) == played("vimrag", 3, dead_end=0.4)
    assert len({played("vimrag", seed).segments for seed in range(5)}) == 5
