"""A server that answers as the oracle would: every prompt of its rollouts is known beforehand, with the reply to it."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping, Sequence
from typing import Any

from model.imitation.gold_plan import DemonstrationNoise, GoldPlan
from model.imitation.oracle import Oracle
from model.policies.chat_endpoint import chat_messages
from model.policies.chat_template import PromptEncoder
from model.types import Completion, PolicyRequest, Task
from orchestration.joins.agents import RunContext
from tests.servers.openai_server import Answer, OpenAIServer, Received


class Recorder:
    """The oracle, with what it said to which prompt."""

    def __init__(self, oracle: Oracle, said: dict[str, str]) -> None:
        self._oracle, self._said = oracle, said
        self.fingerprint = oracle.fingerprint

    async def complete(self, request: PolicyRequest) -> Completion:
        completion = await self._oracle.complete(request)
        self._said[key(chat_messages(request.messages, {}))] = completion.text
        return completion


def script(
    world: RunContext,
    encoder: PromptEncoder,
    tasks: Sequence[Task],
    plans: Mapping[str, GoldPlan],
    *,
    repair: float = 0.0,
) -> dict[str, str]:
    """Replies by prompt, of one careful rollout of each question under the memory that is trained."""
    said: dict[str, str] = {}
    memory = world.memory("vimrag", encoder, training=True)
    noise = DemonstrationNoise(dead_end=0, repeat=0, broad=0, repair=repair)

    async def play() -> None:
        for task in tasks:
            oracle = Oracle(plans[task.id], encoder, noise=noise, rng=random.Random(task.id))
            await world.agent(Recorder(oracle, said), memory, temperature=1.0).run(task)

    asyncio.run(play())
    return said


def key(messages: Any) -> str:
    return json.dumps(messages, sort_keys=True)


class ScriptedTeacher(OpenAIServer):
    """Answers by the script; what it does not know gets a wrong answer. ``before`` may answer otherwise, by request number."""

    def __init__(self, said: dict[str, str], *, before: Any = None, **settings: Any) -> None:
        super().__init__("unused", **settings)
        self._said, self._before = said, before

    def respond(self, received: Received) -> Answer:
        number = len(self.requests)
        if self._before is not None and (answer := self._before(number)) is not None:
            return answer
        wrong = '<tool_call>{"name":"answer","arguments":{"parents":["root"],"answer":"no idea"}}</tool_call>'
        return self._said.get(key(received.messages), wrong)

    def prompts(self) -> list[str]:
        """What was asked, in order."""
        return [key(each.messages) for each in self.requests]
