"""``vimrag mcp``: search, open and ask as tools for programs that speak the Model Context Protocol."""

from __future__ import annotations

import importlib.util
from importlib import metadata
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.options import Endpoint, MaxTokens, Model, PriceOption, Root, Temperature, refuse_typo
from app.commands.output import note
from app.errors import UsageError, usage_errors

if TYPE_CHECKING:
    from app.answers.models import ModelChoice
    from app.server.settings import ServerSettings


def mcp(  # noqa: PLR0913 - one parameter an option
    *,
    root: Root,
    model: Model = "",
    endpoint: Endpoint = "",
    questions: Annotated[
        int, typer.Option("--questions", min=1, max=256, help="Questions answered at once.")
    ] = 4,
    timeout: Annotated[
        float,
        typer.Option("--timeout", min=1, max=86400, help="Longest silence of the model, in seconds."),
    ] = 600,
    max_tokens: MaxTokens = None,
    temperature: Temperature = None,
    prices: PriceOption = None,
) -> None:
    r"""Give a program that speaks the Model Context Protocol three tools: search, open (a page or a second), ask.

    The program starts this command and talks to it on standard input and output. What it has to be told:

      command: vimrag
      args: mcp --root runs/mine --endpoint http://127.0.0.1:8080/v1 --model NAME

    Without a model there are search and open only.
    """
    import asyncio

    from app.answers.models import ModelChoice, key_of_environment, prices_of
    from app.server.settings import ServerSettings

    if importlib.util.find_spec("mcp") is None:
        raise UsageError("the package mcp is missing; install it with: pip install 'vimrag[mcp]'")
    refuse_typo(root)
    with usage_errors():
        settings = ServerSettings(questions_at_once=questions, question_s=timeout, upload=False)
    choice = ModelChoice(
        model=model,
        endpoint=endpoint,
        api_key=key_of_environment(),
        max_tokens=max_tokens,
        temperature=temperature,
        prices=prices_of(prices),
        concurrency=questions,
        asks_sight=True,
        timeout_s=timeout,
    )
    asyncio.run(_serve(root, choice, settings))


async def _serve(root: str, choice: ModelChoice, settings: ServerSettings) -> None:
    from app.answers.corpus_handle import CorpusHandle
    from app.answers.models import open_model
    from app.mcp.stdio import tool_server
    from app.server.state import ServerState
    from infra.storage.root import Storage

    # a named model is not asked for now: its server may start later
    model = await open_model(choice, probe=not choice.model) if choice.is_given else None
    try:
        state = ServerState(corpus=CorpusHandle(Storage(root)), model=model, settings=settings)
        note(f"vimrag mcp on standard input and output, root {root}")
        await tool_server(state, _version()).run_stdio_async()
    finally:
        if model is not None:
            await model.close()


def _version() -> str:
    try:
        return metadata.version("vimrag")
    except metadata.PackageNotFoundError:
        return "unknown"
