"""What a reader of a running rollout is given: pieces of replies, and every prompt as it reads.

1. Pieces come between ``ModelCall`` and ``ModelReply`` and add up to the reply, only where they are asked for and the policy
streams. 2. Streamed or not, the trajectory is the same. 3. Every call keeps its prompt as text in which each picture is one
mark, in the order of its images.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

import pytest

from memory_graph.actions import Answer, Mark, Memorize, Search
from memory_graph.graph import Modality
from model.agent.context import render_turns
from model.agent.events import Event, ModelCall, ModelReply, RolloutEnd, TokenDelta
from model.agent.loop import Agent
from model.agent.memory.vimrag import Vimrag
from model.agent.prompts import COMPACT
from model.config.limits import MINIATURE_LIMITS
from model.types import (
    IMAGE_MARK,
    Completion,
    Hit,
    ImageRef,
    Message,
    PolicyRequest,
    Role,
    Task,
    Trajectory,
    Turn,
)
from tests.model.scripted import ScriptedPolicy, ScriptedRetriever

TASK = Task(id="t:1", dataset="t", question="Which code is on the badge?", answers=("41",))
PAGE = Hit(
    item_id="t:page:9",
    dataset="t",
    modality=Modality.IMAGE,
    title=f"Bad{IMAGE_MARK}ge",
    text="",
    width=128,
    height=128,
)
SCRIPT = (
    Search("n1", ("root",), "badge"),
    Memorize("n1", "A badge.", (Mark(1, True, 5),)),
    Answer(("n1",), "41"),
)


class Streaming(ScriptedPolicy):
    """Hands its texts out five characters at a time."""

    async def stream(self, request: PolicyRequest) -> AsyncGenerator[str | Completion]:
        whole = await self.complete(request)
        for start in range(0, len(whole.text), 5):
            yield whole.text[start : start + 5]
        yield whole


def events_of(policy: ScriptedPolicy, *, stream: bool) -> list[Event]:
    agent = Agent(
        policy=policy,
        retriever=ScriptedRetriever({"badge": [PAGE]}),
        memory=Vimrag(profile=COMPACT),
        limits=MINIATURE_LIMITS,
    )

    async def heard() -> list[Event]:
        return [event async for event in agent.events(TASK, stream=stream)]

    return asyncio.run(heard())


def trajectory_of(events: Sequence[Event]) -> Trajectory:
    assert isinstance(events[-1], RolloutEnd)
    return events[-1].trajectory


def test_pieces_come_between_question_and_reply_and_add_up_to_it():
    pieces, calls = "", 0
    for event in events_of(Streaming(SCRIPT), stream=True):
        match event:
            case ModelCall():
                pieces = ""
            case TokenDelta():
                pieces += event.text
            case ModelReply():
                assert pieces == event.completion.text
                calls += 1
    assert calls == 3


@pytest.mark.parametrize(("policy", "stream"), [(ScriptedPolicy, True), (Streaming, False)])
def test_without_wish_or_ability_nothing_is_streamed(policy: type[ScriptedPolicy], stream: bool):
    assert not any(isinstance(event, TokenDelta) for event in events_of(policy(SCRIPT), stream=stream))


def test_a_streamed_rollout_is_the_same_rollout():
    plain, streamed = (events_of(Streaming(SCRIPT), stream=stream) for stream in (False, True))
    assert trajectory_of(plain) == trajectory_of(streamed)


def test_every_call_keeps_its_prompt_with_a_mark_for_each_picture():
    calls = [
        call
        for segment in trajectory_of(events_of(Streaming(SCRIPT), stream=False)).segments
        for call in segment.calls
    ]
    assert [sum(turn.text.count(IMAGE_MARK) for turn in call.turns) for call in calls] == [0, 1, 1]
    assert all(
        len(call.images) == sum(turn.text.count(IMAGE_MARK) for turn in call.turns) for call in calls
    ), "a mark in a title is no picture"
    assert [turn.role for turn in calls[1].turns] == ["system", "user", "assistant", "tool"]


def test_a_picture_reads_as_one_mark_where_it_stands():
    picture = ImageRef(item_id="i", width=32, height=32)
    turns = render_turns([Message(role=Role.USER, parts=("a", picture, f"b{IMAGE_MARK}", picture))])
    assert turns == (Turn(role=Role.USER, text=f"a{IMAGE_MARK}b\ufffd{IMAGE_MARK}"),)


def test_whoever_stops_listening_ends_the_request_at_once():
    ended: list[bool] = []

    class Noted(Streaming):
        async def stream(self, request: PolicyRequest) -> AsyncGenerator[str | Completion]:
            try:
                yield "a"
                yield "b"
            finally:
                ended.append(True)

    async def leave() -> bool:
        agent = Agent(policy=Noted(SCRIPT), retriever=ScriptedRetriever({}), memory=Vimrag(profile=COMPACT))
        events = agent.events(TASK, stream=True)
        async for event in events:
            if isinstance(event, TokenDelta):
                break
        await events.aclose()
        return bool(ended)

    assert asyncio.run(leave()), "not when the generator happens to be collected"
