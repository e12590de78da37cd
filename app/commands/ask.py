"""``vimrag ask``: one question, answered over the corpus, with what the answer rests on."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from app.commands.model_options import Endpoint, MaxTokens, Model, Prices, Temperature
from app.commands.options import Json, Root
from app.commands.output import UsageError, note, results

if TYPE_CHECKING:
    from app.answers import models
    from app.answers.corpus_handle import CorpusHandle, Snapshot
    from app.answers.models import ModelChoice
    from app.answers.terminal import TerminalReader
    from model.agent.graph_state import GraphState
    from model.types import Trajectory

STOPPED = 130  # the exit code of a program that was interrupted


class AskResult(NamedTuple):
    """A rollout that is over: itself, its JSON, and where its nodes stand."""

    trajectory: Trajectory
    record: dict[str, object]
    stand: GraphState


class AskRequest(NamedTuple):
    """What is asked, and over what."""

    question: str
    memory: str
    calls: int | None
    datasets: list[str] | None


def ask(  # noqa: PLR0913 - one parameter an option
    question: Annotated[
        str, typer.Argument(help="What you want to know, in plain words.", show_default=False)
    ],
    *,
    root: Root,
    model: Model = "",
    endpoint: Endpoint = "",
    memory: Annotated[str, typer.Option("--memory", help="How the agent remembers.")] = "vimrag",
    calls: Annotated[
        int | None, typer.Option("--calls", min=1, max=1000, help="Most calls of the model; 20 by default.")
    ] = None,
    max_tokens: MaxTokens = None,
    temperature: Temperature = None,
    datasets: Annotated[
        str | None, typer.Option("--datasets", metavar="A,B", help="Search only these, by comma.")
    ] = None,
    prices: Prices = None,
    save: Annotated[
        Path | None,
        typer.Option("--save", metavar="FILE.parquet", help="Keep the whole trajectory, for the viewer."),
    ] = None,
    json: Json = False,
) -> None:
    r"""Answer a question over your corpus and show what the answer rests on.

    [bold]Examples[/bold]

      vimrag ask "When did the crane open?" --root runs/mine --endpoint http://127.0.0.1:8000/v1

      vimrag ask "Which page shows the budget?" --root runs/mine --model checkpoints/miniature --json

    The key of an endpoint comes from VIMRAG_API_KEY (or OPENAI_API_KEY). The model's reasoning is shown on standard error
    while it is generated; answer, sources and memory graph go to standard output.

    Exit code 1 when there is no answer.
    """
    from app.answers.agent import require_memory
    from app.answers.models import ModelChoice, key_of_environment, prices_of

    wish = AskRequest(question, memory, calls, _names(datasets))
    if not question.strip():
        raise UsageError("the question is empty")
    _check_target(save)
    require_memory(memory)
    choice = ModelChoice(
        model=model,
        endpoint=endpoint,
        api_key=key_of_environment(),
        max_tokens=max_tokens,
        temperature=temperature,
        prices=prices_of(prices),
    )
    choice.require()
    try:
        trajectory = _run(root, choice, wish, json=json)
    except KeyboardInterrupt:
        note("\nstopped")
        raise typer.Exit(STOPPED) from None
    if save is not None:
        _save(trajectory, save)
    if not trajectory.answer.strip():
        note(f"no answer: the model {_why_none(trajectory)}")
        raise typer.Exit(1)


def _run(root: str, choice: ModelChoice, wish: AskRequest, *, json: bool) -> Trajectory:
    from app.answers.corpus_handle import open_world
    from app.answers.terminal import TerminalReader, shown_answer
    from app.server.schema.json_text import json_bytes

    with results() as write:
        ended = asyncio.run(_answered(open_world(root), choice, wish, TerminalReader(quiet=json)))
        write(json_bytes(ended.record).decode() if json else shown_answer(ended.record, ended.stand))
    return ended.trajectory


async def _answered(
    world: CorpusHandle, choice: ModelChoice, wish: AskRequest, reader: TerminalReader
) -> AskResult:
    from app.answers.models import open_model

    snapshot = _snapshot(world, wish)
    model = await open_model(choice)
    try:
        return await _rollout(world, snapshot, model, wish, reader)
    finally:
        await model.close()


def _snapshot(world: CorpusHandle, wish: AskRequest) -> Snapshot:
    from app.answers.corpus_handle import NoIndexError

    try:
        snapshot = world.snapshot()
    except NoIndexError as error:
        raise UsageError(str(error)) from error
    if unknown := sorted(set(wish.datasets or ()) - set(snapshot.datasets)):
        raise UsageError(f"not in the index: {', '.join(unknown)}; it holds {', '.join(snapshot.datasets)}")
    return snapshot


async def _rollout(
    world: CorpusHandle,
    snapshot: Snapshot,
    model: models.AnswerModel,
    wish: AskRequest,
    reader: TerminalReader,
) -> AskResult:
    """Ask, and tell ``reader`` what happens."""
    from app.answers.agent import open_agent
    from app.answers.catalogue import Catalogue
    from app.server.schema.events import AskContext, EventSerializer
    from model.agent.events import RolloutEnd
    from model.types import Task

    agent = open_agent(snapshot, model, wish.memory, calls=wish.calls, datasets=wish.datasets)
    task = Task(id=uuid.uuid4().hex, dataset="ask", question=wish.question, answers=())
    named = {"ask_id": task.id, "question": wish.question, "memory": wish.memory}
    asking = AskContext(**named, model=model.name, index=snapshot.version)
    narrator = EventSerializer(asking, agent, Catalogue(world.storage))
    async for event in agent.events(task, stream=not reader.is_quiet):
        reader.hear(event)
        narrator.watch(event)
        if isinstance(event, RolloutEnd):
            trajectory = event.trajectory
            counters = trajectory.counters
            cost = model.cost(counters.prompt_tokens, counters.completion_tokens)
            summary = narrator.summary(trajectory, cost)
            del summary["ask_id"]
            record = {"question": wish.question, **summary, "model": model.name, "index": snapshot.version}
            return AskResult(trajectory, record, narrator.stand(trajectory.graph))
    raise AssertionError("a rollout ends with Finished")


def _names(given: str | None) -> list[str] | None:
    if given is None:
        return None
    names = [name.strip() for name in given.split(",") if name.strip()]
    if not names:
        raise UsageError("--datasets names no dataset")
    return list(dict.fromkeys(names))


def _check_target(save: Path | None) -> None:
    if save is None:
        return
    if save.suffix != ".parquet":
        raise UsageError(f"--save takes a file that ends in .parquet, got {save}")
    if save.exists():
        raise UsageError(f"{save} is there already; nothing is overwritten")


def _save(trajectory: Trajectory, path: Path) -> None:
    from model.rl import trajectory_store

    trajectory_store.write(path, [trajectory])
    note(f"trajectory in {path}")


def _why_none(trajectory: Trajectory) -> str:
    calls = trajectory.counters.model_calls
    return f"gave none that could be read, in {calls} call{'s' * (calls != 1)} ({trajectory.outcome.value})"
