"""A search that is made for a model that asked for none: for readers only, once, and never in training or evaluation."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from memory_graph.actions import Action, Search
from memory_graph.graph import Modality
from model.agent.events import Event, Notice, ObservationAdded, ReplyRejected, RolloutEnd
from model.agent.loop import Agent, displayed_after
from model.agent.memory.registry import memory_policy
from model.agent.prompts import FULL
from model.config.limits import Limits
from model.types import Hit, Outcome, Task, Trajectory
from tests.model.scripted import ScriptedPolicy, ScriptedRetriever

TASK = Task(id="t:1", dataset="t", question="Which code is on the badge?", answers=("41",))
HIT = Hit(item_id="t:text:1", dataset="t", modality=Modality.TEXT, title="Badge", text="The code is 41.")
PLAIN = "The code is 41."


def events_of(
    script: Sequence[str | Action], *, memory: str = "vimrag", for_reader: bool = True
) -> list[Event]:
    agent = Agent(
        policy=ScriptedPolicy(script),
        retriever=ScriptedRetriever({TASK.question: [HIT], "badge": [HIT]}),
        memory=memory_policy(memory, profile=FULL),
        limits=Limits(re_asks=2),
        for_reader=for_reader,
    )

    async def heard() -> list[Event]:
        return [event async for event in agent.events(TASK)]

    return asyncio.run(heard())


def end_of(events: Sequence[Event]) -> Trajectory:
    assert isinstance(events[-1], RolloutEnd)
    return events[-1].trajectory


def notices(events: Sequence[Event]) -> list[str]:
    return [event.code for event in events if isinstance(event, Notice)]


@pytest.mark.parametrize("memory", ["vimrag", "react", "mem1", "memagent"])
def test_before_an_answer_without_any_search_the_question_is_looked_up(memory: str):
    events = events_of([PLAIN] * 4, memory=memory)
    end = end_of(events)
    assert notices(events) == ["looked_up"]
    assert (end.answer, end.counters.searches, end.counters.model_calls) == (PLAIN, 1, 4)
    [node] = end.graph.nodes
    assert (node.query, node.retrieved) == (TASK.question, (HIT.item_id,))
    assert end.graph.answer is not None and end.graph.answer.parents == (node.id,)


@pytest.mark.parametrize("memory", ["vimrag", "react"])
def test_training_and_evaluation_take_the_replies_as_they_come(memory: str):
    events = events_of([PLAIN] * 4, memory=memory, for_reader=False)
    end = end_of(events)
    assert (end.counters.searches, end.answer, end.outcome) == (0, "", Outcome.ABSTAINED)
    assert not notices(events) and not end.graph.nodes


@pytest.mark.parametrize("memory", ["closed_book", "universalrag"])
def test_a_policy_that_decides_itself_what_is_searched_is_left_alone(memory: str):
    events = events_of([PLAIN] * 4, memory=memory)
    assert end_of(events).counters.searches == 0 and not notices(events)


def test_a_model_that_searched_once_is_not_helped():
    events = events_of([Search("n1", ("root",), "badge"), *[PLAIN] * 4])
    assert end_of(events).counters.searches == 1 and not notices(events)


def test_a_last_reply_that_is_no_answer_ends_the_rollout():
    end = end_of(events_of([*[PLAIN] * 3, '{"name": "search"']))
    assert (end.outcome, end.counters.model_calls, end.counters.searches) == (Outcome.ABSTAINED, 4, 1)


def test_what_was_looked_up_is_what_the_next_call_acts_on():
    found = ObservationAdded(
        node_id="n1", parents=("root",), query="q", retrieved=(), shown=(), repeated=False
    )
    refused = ReplyRejected(call=3, reason="no call")
    assert displayed_after((refused, Notice(call=3, code="looked_up", text=""), found), None) == ()
    assert displayed_after((refused,), ()) == () and displayed_after((refused,), None) is None
