"""``vimrag mcp`` as a real process, asked by the client of the official SDK; and its refusals."""

from __future__ import annotations

import asyncio
import base64
import io
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp_types import CallToolResult, ImageContent, TextContent
from PIL import Image

from app.answers.corpus_handle import CorpusHandle
from app.answers.models import ModelChoice, open_model
from app.mcp.stdio import tool_server
from app.server.settings import ServerSettings
from app.server.state import ServerState
from infra.storage.root import Storage
from tests.app.command_line import Vimrag
from tests.app.server.reader_model import ANSWER, QUERY, QuietServer, reply
from tests.servers.openai_server import Fault, OpenAIServer

REPOSITORY = Path(__file__).resolve().parents[3]
QUESTION = "When did the crane open?"
PAGE = "documents:page:report-pdf"
STALL = Fault(text="thinking about it for a long while", then="stall")


def command(root: Path, *more: str) -> StdioServerParameters:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("VIMRAG", "OPENAI"))}
    arguments = ["-m", "app.cli", "mcp", "--root", str(root), *more]
    return StdioServerParameters(
        command=sys.executable, args=arguments, env={**clean, "PYTHONPATH": str(REPOSITORY)}, cwd=REPOSITORY
    )


def text_of(result: CallToolResult) -> str:
    return "\n".join(part.text for part in result.content if isinstance(part, TextContent))


def pictures_of(result: CallToolResult) -> list[Image.Image]:
    parts = [part for part in result.content if isinstance(part, ImageContent)]
    return [Image.open(io.BytesIO(base64.b64decode(part.data))) for part in parts]


def test_a_client_of_the_sdk_searches_opens_and_gets_a_cited_answer(root: Path):
    async def talk(endpoint: str) -> None:
        told: list[str] = []

        async def progress(done: float, total: float | None, message: str | None) -> None:
            told.append(message or "")

        async with Client(command(root, "--endpoint", endpoint)) as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            assert list(tools) == ["search", "open", "ask"]
            assert tools["ask"].input_schema["required"] == ["question"]
            assert all(tool.annotations and tool.annotations.read_only_hint for tool in tools.values())

            found = await client.call_tool("search", {"query": QUERY, "top_k": 2})
            hits = (found.structured_content or {})["hits"]
            assert len(hits) == 2 and hits[0]["id"].startswith(PAGE) and "1931" in text_of(found)

            opened = await client.call_tool("open", {"item": hits[0]["id"], "size": 300})
            [picture] = pictures_of(opened)
            assert picture.size == (300, 200) and "The crane at the northern quay" in text_of(opened)

            answer = await client.call_tool("ask", {"question": QUESTION}, progress_callback=progress)
            assert not answer.is_error
            assert text_of(answer).startswith(f"{ANSWER} [1]\n\nSources\n[1] report.pdf")
            record = answer.structured_content or {}
            [citation] = record["citations"]
            assert (citation["page"], citation["item_id"]) == (2, hits[0]["id"])
            assert record["claims"][0]["verdict"] == "supported" and record["counters"]["model_calls"] == 3
            assert told and told[0].startswith("Searched: crane opened") and "Noted" in told[-1]

    with OpenAIServer(reply) as model:
        asyncio.run(talk(model.base_url))


def with_tools(
    root: Path,
    talk: Callable[[Client, ServerState], Awaitable[None]],
    *,
    endpoint: str = "",
    settings: ServerSettings | None = None,
) -> None:
    """The same tools within this process."""

    async def run() -> None:
        model = await open_model(ModelChoice(endpoint=endpoint)) if endpoint else None
        corpus = CorpusHandle(Storage(str(root)))
        state = ServerState(corpus=corpus, model=model, settings=settings or ServerSettings())
        async with Client(tool_server(state, "0")) as client:
            await talk(client, state)
        if model is not None:
            await model.close()

    asyncio.run(run())


def test_a_second_of_a_film_is_a_picture(root: Path):
    async def talk(client: Client, state: ServerState) -> None:
        films = await client.call_tool("search", {"query": "film", "modality": "video"})
        film = (films.structured_content or {})["hits"][0]["id"]
        colours = []
        for second in (0.5, 4.5):
            [frame] = pictures_of(await client.call_tool("open", {"item": film, "second": second}))
            red, _, blue = frame.convert("RGB").resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]
            colours.append("red" if red > blue else "blue")
        assert colours == ["red", "blue"]

    with_tools(root, talk)


def test_a_passage_is_opened_as_text_alone(root: Path):
    async def talk(client: Client, state: ServerState) -> None:
        found = await client.call_tool("search", {"query": "the old mill", "modality": "text"})
        item = (found.structured_content or {})["hits"][0]["id"]
        opened = await client.call_tool("open", {"item": item})
        assert not pictures_of(opened) and "burned down in a dry summer" in text_of(opened)
        assert (opened.structured_content or {})["item"]["id"] == item

    with_tools(root, talk)


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("search", {"query": ""}, "query"),
        ("search", {"query": "x" * 8001}, "query"),
        ("search", {"query": "crane", "top_k": 101}, "top_k"),
        ("search", {"query": "crane", "datasets": ["secret"]}, "not in the index: secret"),
        ("open", {"item": "documents:page:no-such"}, "there is no item"),
        ("open", {"item": "../../etc/passwd"}, "there is no item"),
        ("open", {"item": "documents:page:no-such", "size": 100_000}, "size"),
        ("ask", {"question": "  "}, "the question is empty"),
        ("ask", {"question": QUESTION, "datasets": ["secret"]}, "not in the index"),
        ("ask", {"question": QUESTION, "memory": "elephant"}, "elephant"),
    ],
)
def test_the_limits_of_the_server_hold_for_tools(
    root: Path, tool: str, arguments: dict[str, Any], words: str
):
    async def talk(client: Client, state: ServerState) -> None:
        refused = await client.call_tool(tool, arguments)
        assert refused.is_error and words in text_of(refused)
        assert "Traceback" not in text_of(refused)

    with OpenAIServer(reply) as model:
        with_tools(root, talk, endpoint=model.base_url)
        assert not model.requests


def test_a_question_too_many_is_refused_and_one_that_is_cancelled_frees_its_place(root: Path):
    async def talk(client: Client, state: ServerState) -> None:
        first = asyncio.create_task(client.call_tool("ask", {"question": QUESTION}))
        while state.questions.free:
            await asyncio.sleep(0.01)
        busy = await client.call_tool("ask", {"question": QUESTION})
        assert busy.is_error and "busy: " in text_of(busy)
        first.cancel()
        with suppress(asyncio.CancelledError):
            await first
        async with asyncio.timeout(10):
            while not state.questions.free:
                await asyncio.sleep(0.01)

    with QuietServer(STALL) as model:
        with_tools(root, talk, endpoint=model.base_url, settings=ServerSettings(questions_at_once=1))


def test_a_silent_model_is_an_error_with_its_reason(root: Path):
    async def talk(client: Client, state: ServerState) -> None:
        late = await client.call_tool("ask", {"question": QUESTION})
        assert late.is_error and "timeout: nothing happened for 0.5 seconds" in text_of(late)

    with QuietServer(STALL) as model:
        with_tools(root, talk, endpoint=model.base_url, settings=ServerSettings(question_s=0.5))


def test_without_a_model_there_is_no_ask(root: Path):
    async def talk(client: Client, state: ServerState) -> None:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["search", "open"]

    with_tools(root, talk)


def test_a_root_without_an_index_says_what_to_do(tmp_path: Path):
    async def talk(client: Client, state: ServerState) -> None:
        empty = await client.call_tool("search", {"query": "crane"})
        assert empty.is_error and "vimrag ingest" in text_of(empty)

    with_tools(tmp_path, talk)


def test_without_the_package_the_command_names_the_extra(
    vimrag: Vimrag, root: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    said = vimrag("mcp", "--root", root)
    assert said.code == 2 and "vimrag[mcp]" in said.err
