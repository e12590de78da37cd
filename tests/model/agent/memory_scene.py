"""One question, three items and scripted rollouts under any memory policy, for the tests that lock what a context holds."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from memory_graph.actions import Action, Answer, Mark, Memorize, Search, render
from memory_graph.graph import Modality
from model.agent.context import TokenCounter, estimate_tokens
from model.agent.events import Event, ModelCall, ReplyRejected, RolloutEnd
from model.agent.loop import Agent
from model.agent.memory.registry import memory_policy
from model.agent.prompts import COMPACT, Profile
from model.config.limits import MINIATURE_LIMITS, Limits
from model.types import Hit, ImageRef, Message, Role, Task, Trajectory
from tests.model.scripted import ScriptedPolicy, ScriptedRetriever

TASK = Task(id="t:1", dataset="t", question="Which code is on Rakimo's badge?", answers=("41",))
TEXT = Hit(
    item_id="t:text:1", dataset="t", modality=Modality.TEXT, title="Belodu", text="Belodu is led by Rakimo."
)
PAGE = Hit(
    item_id="t:page:9",
    dataset="t",
    modality=Modality.IMAGE,
    title="Badges",
    text="scan",
    width=128,
    height=128,
)
CLIP = Hit(
    item_id="t:clip:3",
    dataset="t",
    modality=Modality.VIDEO,
    title="Tour",
    text="a walk",
    width=64,
    height=64,
    duration_s=8.0,
)
RESULTS = {
    "who leads Belodu": [TEXT, PAGE],
    "badge of Rakimo": [CLIP, PAGE],
    "page again": [PAGE],
    "text again": [TEXT],
    TASK.question: [PAGE, TEXT, CLIP],
}


def instructed(words: str) -> Message:
    """The turn that says which policy's it is."""
    return Message(role=Role.SYSTEM, parts=(words,))


SYSTEM = instructed("Answer from the corpus.")
QUESTION = "Question: Which code is on Rakimo's badge?"
ASKED = Message(role=Role.USER, parts=(QUESTION,))
NOW = "\nAnswer now."

SEARCH_1 = Search("n1", ("root",), "who leads Belodu")
NOTE_1 = Memorize("n1", "Rakimo leads it.", (Mark(1, True, 4), Mark(2, False, 1)))
SEARCH_2 = Search("n2", ("n1",), "badge of Rakimo")
NOTE_2 = Memorize("n2", "Rakimo leads it. The badge says 41.", (Mark(1, True, 2, timestamps=(2.9,)),))
ANSWER = Answer(("n2",), "41")

PAGE_SHOWN = ImageRef(item_id="t:page:9", width=128, height=128)


def frame(time_s: float, side: int = 64) -> ImageRef:
    """A frame of the clip."""
    return ImageRef(item_id="t:clip:3", width=side, height=side, timestamp_s=time_s)


# four frames of 8 s stand at the centres 1, 3, 5 and 7
FRAMES = (
    "<1.0 seconds>", frame(1.0), "<3.0 seconds>", frame(3.0), "<5.0 seconds>", frame(5.0), "<7.0 seconds>", frame(7.0),
)  # fmt: skip
FIRST_RESULTS = ("Found:\n[1] Belodu: Belodu is led by Rakimo.\n[2] Badges: scan", PAGE_SHOWN)


def clip_line(opening: str) -> tuple[str | ImageRef, ...]:
    """The clip with all its frames behind ``opening``."""
    return (opening + "<1.0 seconds>", *FRAMES[1:])


def said(action: Action | str) -> Message:
    """What the model replied."""
    return Message(role=Role.ASSISTANT, parts=(action if isinstance(action, str) else render(action),))


def told(*parts: str | ImageRef) -> Message:
    """A turn of the environment."""
    return Message(role=Role.TOOL, parts=parts)


def user(*parts: str | ImageRef) -> Message:
    """A rebuilt context, the first part being what follows the question."""
    return Message(role=Role.USER, parts=(QUESTION + str(parts[0]), *parts[1:]))


class Played(NamedTuple):
    """A finished rollout and all that was seen of it."""

    prompts: list[tuple[Message, ...]]
    queries: list[str]
    events: list[Event]

    @property
    def trajectory(self) -> Trajectory:
        """What is stored."""
        assert isinstance(self.events[-1], RolloutEnd)
        return self.events[-1].trajectory

    @property
    def forced(self) -> list[bool]:
        """Of each call, whether only an answer was accepted."""
        return [event.request.forced for event in self.events if isinstance(event, ModelCall)]

    @property
    def reasons(self) -> list[str]:
        """Of each rejection."""
        return [event.reason for event in self.events if isinstance(event, ReplyRejected)]

    @property
    def segments(self) -> list[tuple[str | None, int]]:
        """Node and number of calls of each segment."""
        return [(each.node_id, len(each.calls)) for each in self.trajectory.segments]


def play(
    memory: str,
    script: Sequence[str | Action],
    *,
    limits: Limits = MINIATURE_LIMITS,
    found: Mapping[str, Sequence[Hit]] = RESULTS,
    count: TokenCounter = estimate_tokens,
    profile: Profile = COMPACT,
) -> Played:
    """One rollout of ``TASK`` under the policy of that name."""
    policy, retriever = ScriptedPolicy(script), ScriptedRetriever(found)
    chosen = memory_policy(memory, profile=profile, count_tokens=count)
    agent = Agent(policy=policy, retriever=retriever, memory=chosen, limits=limits)

    async def run() -> list[Event]:
        return [event async for event in agent.events(TASK)]

    events = asyncio.run(run())
    return Played(policy.prompts, retriever.queries, events)


def room(context_tokens: int, observation_tokens: int = 100_000) -> Limits:
    """The miniature's limits with other lengths, in the units of ``words``."""
    return replace(MINIATURE_LIMITS, context_tokens=context_tokens, observation_tokens=observation_tokens)


def words(messages: Sequence[Message]) -> int:
    """A count that is easy to do by hand: one for each character of the turns after the instruction, 1,000 for each picture."""
    parts = [part for message in messages if message.role != Role.SYSTEM for part in message.parts]
    return sum(len(part) if isinstance(part, str) else 1000 for part in parts)


def pictures(messages: Sequence[Message]) -> list[ImageRef]:
    """Every picture of a prompt, in order."""
    return [part for message in messages for part in message.parts if isinstance(part, ImageRef)]
