"""One policy for all questions: each is played by the oracle that knows its plan, with useless searches on the way."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from memory_graph.actions import Answer, Memorize, Search
from memory_graph.graph import Modality
from memory_graph.parsing import parse
from model.agent.display import display
from model.config.limits import MINIATURE_LIMITS
from model.imitation.gold_plan import GoldHop, GoldPlan
from model.types import Hit, PolicyRequest, Sampling, Task
from orchestration.study.oracles import USELESS, PlannedOracles


def plan(number: int) -> GoldPlan:
    hop = GoldHop(
        queries=(f"badge of {number}",), gold=frozenset({f"g{number}"}), summary=f"Badge {number} is kept."
    )
    return GoldPlan(hops=(hop,), answer=str(number))


PLANS = {f"t{number}": plan(number) for number in range(200)}


def request(number: int, *, found: str = "") -> PolicyRequest:
    task = Task(id=f"t{number}", dataset="d", question="q?", answers=(), kind="text")
    hit = Hit(item_id=found, dataset="d", modality=Modality.TEXT, title="", text="", score=1.0)
    shown = (display(hit, MINIATURE_LIMITS),) if found else None
    return PolicyRequest(messages=(), task=task, sampling=Sampling(), displayed=shown)


def said(oracles: PlannedOracles, asked: PolicyRequest):
    return parse(asyncio.run(oracles.complete(asked)).text).action


def test_four_of_five_first_searches_are_useless():
    oracles = PlannedOracles(PLANS)
    first = [said(oracles, request(number)) for number in range(len(PLANS))]
    assert all(isinstance(each, Search) for each in first)
    useful = Counter(
        each.query == f"badge of {number}" for number, each in enumerate(first) if isinstance(each, Search)
    )
    share = USELESS.dead_end + USELESS.broad  # there is nothing to repeat yet
    # of 200 draws at .36 useful: a standard deviation is 7
    assert useful[True] == pytest.approx(200 * (1 - share), abs=30)


def test_each_question_has_an_oracle_of_its_own_that_ends_with_its_answer():
    oracles = PlannedOracles(PLANS)
    for number in (3, 4):
        action: object = None
        for _ in range(100):
            action = said(oracles, request(number))
            if isinstance(action, Answer):
                break
            assert isinstance(action, Search)
            found = f"g{number}" if action.query == f"badge of {number}" else "x"
            assert isinstance(said(oracles, request(number, found=found)), Memorize)
        assert isinstance(action, Answer) and action.text == str(number)
    with pytest.raises(KeyError):
        said(
            oracles,
            PolicyRequest(
                messages=(),
                task=Task(id="?", dataset="d", question="", answers=(), kind="text"),
                sampling=Sampling(),
            ),
        )
