"""A request that was answered once is never sent again, by whatever process; captions come from the same file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from PIL import Image

from infra.errors import EndpointError
from infra.llm.cached_client import CachedChatClient, metered
from infra.llm.captioner import Captioner, CaptionResult, read_caption
from infra.llm.client import ChatClient
from infra.llm.errors import RequestBudgetError
from infra.llm.image_parts import image_part, text_part
from infra.llm.types import ChatReply, ChatSettings, Decoding
from infra.storage.key_value import KeyValueFile
from tests.servers.openai_server import Fault, OpenAIServer, Spoken

Result = TypeVar("Result")
DRAW = Decoding(temperature=0.0, top_p=1.0, max_tokens=8)


def asked(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


def with_chat(
    server: OpenAIServer,
    path: Path,
    use: Callable[[CachedChatClient], Coroutine[Any, Any, Result]],
    **settings: Any,
) -> Result:
    """What ``use`` gives in one run of a program that keeps its replies at ``path``."""

    async def run() -> Result:
        given = {"backoff_s": 0.001, "retries": 1, "model": "test-model", **settings}
        client = ChatClient(ChatSettings(base_url=server.base_url, **given))
        replies = KeyValueFile(path)
        try:
            return await use(CachedChatClient(client, replies))
        finally:
            replies.close()
            await client.close()

    return asyncio.run(run())


def test_a_second_run_reads_what_the_first_was_told(tmp_path: Path):
    async def use(chat: CachedChatClient) -> tuple[list[ChatReply], int]:
        replies = [await chat.complete(asked(text), DRAW) for text in ("a", "b", "a")]
        return replies, chat.found

    with OpenAIServer(["one", "two"]) as server:
        first, found = with_chat(server, tmp_path / "r.sqlite", use)
        again, found_again = with_chat(server, tmp_path / "r.sqlite", use)
    assert [reply.text for reply in first] == ["one", "two", "one"]
    assert (again, found, found_again, len(server.requests)) == (first, 1, 3, 2)


@pytest.mark.parametrize(
    "other",
    [
        {"messages": asked("b")},
        {"request": Decoding(temperature=0.5, top_p=1.0, max_tokens=8)},
        {"request": Decoding(temperature=0.0, top_p=1.0, max_tokens=8, seed=1)},
    ],
)
def test_another_request_is_asked(tmp_path: Path, other: dict[str, Any]):
    async def use(chat: CachedChatClient) -> list[str]:
        requests = [
            {"messages": asked("a"), "request": DRAW},
            {"messages": asked("a"), "request": DRAW, **other},
        ]
        return [(await chat.complete(**request)).text for request in requests]

    with OpenAIServer(["one", "two"]) as server:
        assert with_chat(server, tmp_path / "r.sqlite", use) == ["one", "two"]


def test_equal_requests_at_once_are_one(tmp_path: Path):
    async def use(chat: CachedChatClient) -> list[str]:
        replies = await asyncio.gather(*(chat.complete(asked("a"), DRAW) for _ in range(5)))
        return [reply.text for reply in replies]

    with OpenAIServer(["one"]) as server:
        assert with_chat(server, tmp_path / "r.sqlite", use) == ["one"] * 5


def test_failures_are_not_kept(tmp_path: Path):
    async def use(chat: CachedChatClient) -> str:
        with pytest.raises(EndpointError):
            await chat.complete(asked("a"), DRAW)
        return (await chat.complete(asked("a"), DRAW)).text

    with OpenAIServer([Fault(status=400, body={"error": {"message": "no"}}), "one"]) as server:
        assert with_chat(server, tmp_path / "r.sqlite", use) == "one"


def test_what_is_used_is_counted_by_task_and_what_is_kept_over_all_runs(tmp_path: Path):
    said = [Spoken(text="x", tokens=(10, 2)), Spoken(text="y", tokens=(100, 3))]

    async def use(chat: CachedChatClient) -> list[tuple[int, int, int]]:
        async def work(*texts: str) -> tuple[int, int, int]:
            with metered() as usage:
                for text in texts:
                    await chat.complete(asked(text), DRAW)
            return usage.replies, usage.prompt_tokens, usage.completion_tokens

        first = await work("a")
        return [first, *await asyncio.gather(work("a", "b"), work("a", "a"))]

    async def total(chat: CachedChatClient) -> int:
        return chat.total().prompt_tokens

    with OpenAIServer(said) as server:
        assert with_chat(server, tmp_path / "r.sqlite", use) == [(1, 10, 2), (2, 110, 5), (2, 20, 4)]
        assert with_chat(server, tmp_path / "r.sqlite", total) == 110


def test_no_request_is_sent_beyond_the_budget_retries_included(tmp_path: Path):
    async def use(chat: CachedChatClient) -> list[str]:
        said = [(await chat.complete(asked("a"), DRAW)).text]
        with pytest.raises(RequestBudgetError, match="all 3 requests"):
            await chat.complete(asked("b"), DRAW)
        return [*said, (await chat.complete(asked("a"), DRAW)).text]  # what is kept costs nothing

    with OpenAIServer(["one", Fault(status=503), Fault(status=503), "never"]) as server:
        assert with_chat(server, tmp_path / "r.sqlite", use, max_requests=3, retries=5) == ["one", "one"]
        assert len(server.requests) == 3


def test_captions_are_asked_with_the_images_and_kept(tmp_path: Path):
    pictures = [text_part("0 s"), image_part(Image.new("RGB", (800, 400), "red"), side=200)]

    async def use(chat: CachedChatClient) -> CaptionResult:
        return await Captioner(chat).caption(pictures)

    with OpenAIServer(['{"caption": "A red\\nwall."}']) as server:
        assert [with_chat(server, tmp_path / "r.sqlite", use) for _ in range(2)] == [("A red wall.", "")] * 2
        [request] = server.requests
    assert [image.size for image in request.images] == [(200, 100)]


@pytest.mark.parametrize(
    ("text", "finish", "problem"),
    [
        ("I cannot help with that.", "stop", "unparseable"),
        ('{"caption": "a b', "length", "truncated"),
        ('{"caption": null}', "stop", "declined"),
        ('{"caption": 3}', "stop", "unparseable"),
        ('{"text": "a"}', "stop", "unparseable"),
        ("", "stop", "unparseable"),
    ],
)
def test_replies_without_a_caption_say_why(text: str, finish: str, problem: str):
    reply = ChatReply(text=text, finish_reason=finish, prompt_tokens=1, completion_tokens=1, model="m")
    assert read_caption(reply) == ("", problem)
