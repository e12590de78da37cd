"""Nothing that a prompt says can come back as an answer: a parrot is asked, over a corpus that holds nothing."""

from __future__ import annotations

import asyncio
import re
from dataclasses import fields

import pytest

from infra.llm.client import ChatClient
from infra.llm.types import ChatSettings
from memory_graph.actions import render
from memory_graph.parsing import parse
from model.agent.loop import Agent
from model.agent.memory.registry import MEMORIES, memory_policy
from model.agent.prompts import FULL, PLACEHOLDERS, Profile, is_placeholder
from model.policies.endpoint_policy import EndpointPolicy
from model.types import Hit, Task, Trajectory
from tests.servers.openai_server import Messages, OpenAIServer, text_of

CALL = re.compile(r"<tool_call>\{.*?\}</tool_call>")
WORDS = " ".join(str(getattr(FULL, each.name)) for each in fields(Profile))
NAMES_IN_PROSE = re.compile(r"(?<=[a-z,;] )[A-Z][a-zA-Z]+")


class Nothing:
    fingerprint, sees = "nothing", False

    async def search(self, query: str, *, top_k: int, **_: object) -> list[Hit]:
        return []


class NoMedia:
    def image(self, item_id: str) -> object:
        raise KeyError(item_id)

    def frame(self, item_id: str, timestamp_s: float) -> object:
        raise KeyError(item_id)


def parrot(messages: Messages) -> str:
    """The examples of the instruction in turn, beginning anew; when an answer is asked for, whatever else it says."""
    system = text_of(messages[0])
    examples = CALL.findall(system)
    if "Answer now" in text_of(messages[-1]):
        return examples[-1]
    return examples[len(messages) // 2 % len(examples)]


async def asked(name: str, server: OpenAIServer) -> Trajectory:
    client = ChatClient(ChatSettings(base_url=server.base_url))
    try:
        agent = Agent(
            policy=EndpointPolicy(client, NoMedia(), model="parrot"),  # type: ignore[arg-type]
            retriever=Nothing(),  # type: ignore[arg-type]
            memory=memory_policy(name, profile=FULL),
            for_reader=True,
        )
        return await agent.run(Task(id="t", dataset="d", question="when was it founded?", answers=()))
    finally:
        await client.close()


@pytest.mark.parametrize("name", MEMORIES)
def test_a_parrot_finds_no_answer_in_its_prompt(name: str):
    with OpenAIServer(parrot, models=("parrot",)) as server:
        trajectory = asyncio.run(asked(name, server))
    assert trajectory.answer == ""
    told = [node.query + node.summary for node in trajectory.graph.nodes]
    assert not any(sign in text for sign in PLACEHOLDERS for text in told)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<the answer>", True),
        ("<percentage of the shares held by foreign companies as of March 31, 2017>", True),  # a real model's
        ("<div>", False),
        ("<img src='a.png' alt='the crane'>", False),
        ("</td> </tr>", False),
        ("the <b> element of a page", False),
        ("< 5 and > 3", False),
    ],
)
def test_signs_that_a_model_makes_like_the_examples_stand_for_no_text(text: str, expected: bool):
    assert is_placeholder(text) is expected


def test_the_prompts_hold_no_name_of_anything():
    assert set(NAMES_IN_PROSE.findall(WORDS)) <= {"JSON", "You"}
    assert re.findall(r"\b(1[0-9]|20)\d\d\b", WORDS) == []  # nor a year


@pytest.mark.parametrize("name", [each.name for each in fields(Profile) if each.name.startswith("system")])
def test_every_text_of_an_example_is_a_placeholder(name: str):
    for call in CALL.findall(getattr(FULL, name)):
        wire = render(parse(call).action)
        texts = re.findall(r'"(?:query|summary|answer)":"(.*?)"', wire)
        assert texts and all(text in PLACEHOLDERS or text == "clip" for text in texts)  # "clip" is a route
