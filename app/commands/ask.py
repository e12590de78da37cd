"""``vimrag ask``: one question, answered over the corpus, with what the answer rests on."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from app.commands.options import (
    Endpoint,
    JsonFlag,
    MaxTokens,
    Model,
    PriceOption,
    Root,
    Temperature,
    Timeout,
    comma_separated,
    refuse_typo,
)
from app.commands.output import note, results
from app.errors import UsageError, usage_errors
from infra.errors import ExternalError

if TYPE_CHECKING:
    from app.answers.corpus_handle import CorpusHandle, Snapshot
    from app.answers.events import AskRequest, EventSerializer
    from app.answers.models import ModelChoice
    from app.answers.records import AnswerRecord, CommandAnswer
    from app.answers.terminal import TerminalReader
    from model.agent.graph_state import GraphState
    from model.types import Trajectory


class AskResult(NamedTuple):
    """A rollout that is over: itself, what is printed of it, and its graph with energies and grants."""

    trajectory: Trajectory
    answer: CommandAnswer
    state: GraphState


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
    files: Annotated[
        list[str] | None,
        typer.Option(
            "--in",
            metavar="FILE",
            help="Ask only this file or folder, by name, path or key (vimrag sources list); may be repeated.",
        ),
    ] = None,
    timeout: Timeout = 300,
    prices: PriceOption = None,
    save: Annotated[
        Path | None,
        typer.Option("--save", metavar="FILE.parquet", help="Keep the whole trajectory, for the viewer."),
    ] = None,
    json: JsonFlag = False,
) -> None:
    r"""Answer a question over your corpus and show what the answer rests on.

    [bold]Examples[/bold]

      vimrag ask "When did the crane open?" --root runs/mine --endpoint http://127.0.0.1:8080/v1

      vimrag ask "Which page shows the budget?" --root runs/mine --model checkpoints/miniature --json

      vimrag ask "What does it cost?" --in report.pdf --in letters/ --root runs/mine --endpoint URL

    The key of an endpoint comes from VIMRAG_API_KEY (or OPENAI_API_KEY). The model's reasoning is shown on standard error
    while it is generated; answer, sources and memory graph go to standard output.

    Ctrl-\ cuts the reply off and asks for an answer from what was found until then; Ctrl-C stops.

    Exit code 1 when there is no answer.
    """
    if not question.strip():
        raise UsageError("the question is empty")
    names = comma_separated(datasets)
    _check_target(save)
    from app.answers.agent import require_memory
    from app.answers.events import AskRequest
    from app.answers.models import ModelChoice, key_of_environment, prices_of

    require_memory(memory)
    request = AskRequest(question, memory, calls, names)
    choice = ModelChoice(
        model=model,
        endpoint=endpoint,
        api_key=key_of_environment(),
        max_tokens=max_tokens,
        temperature=temperature,
        prices=prices_of(prices),
        timeout_s=timeout,
    )
    if not choice.is_given and save is None and not files and _ask_running(root, request, timeout, json=json):
        return
    choice.require()
    refuse_typo(root)
    if files:
        request = request._replace(files=_scope(root, files))
    trajectory, answer, _ = _run(root, choice, request, json=json)
    if save is not None:
        from model.rl import trajectory_store

        trajectory_store.write(save, [trajectory])
        note(f"trajectory in {save}")
    for notice in answer.notices if json else ():
        note(f"note: {notice}")
    if not trajectory.answer.strip():
        calls = trajectory.counters.model_calls
        reason = (
            f"gave none that could be read, in {calls} call{'s' * (calls != 1)} ({trajectory.outcome.value})"
        )
        note(f"no answer: the model {reason}")
        raise typer.Exit(1)


def _ask_running(root: str, request: AskRequest, timeout: float, *, json: bool) -> bool:
    """Print the answer of a ``vimrag serve`` that runs over this root; False where there is none."""
    from app.answers.running.client import running_server

    server = running_server(root)
    if server is None:
        return False
    from app.answers.terminal import plain_answer
    from app.commands.served_answer import served_answer

    asked = {"question": request.question, "memory": request.memory}
    asked |= {"calls": request.calls} if request.calls else {}
    asked |= {"datasets": request.datasets} if request.datasets else {}
    with results() as write:
        answer = served_answer(server, asked, timeout, quiet=json)
        write(answer.model_dump() if json else plain_answer(answer))
    if not answer.answer.strip():
        note(f"no answer: the model gave none that could be read ({answer.outcome})")
        raise typer.Exit(1)
    return True


def _run(root: str, choice: ModelChoice, request: AskRequest, *, json: bool) -> AskResult:
    from app.answers.corpus_handle import CorpusHandle
    from app.answers.terminal import TerminalReader, answer_text
    from app.commands.interruption import run_coroutine
    from infra.storage.root import Storage

    with results() as write:

        def keep(answer: CommandAnswer, state: GraphState) -> None:
            write(answer.model_dump() if json else answer_text(answer, state))

        reader = TerminalReader(quiet=json)
        try:
            result = run_coroutine(_answer(CorpusHandle(Storage(root)), choice, request, reader, keep))
        except KeyboardInterrupt:
            reader.break_off()
            raise
        write(result.answer.model_dump() if json else answer_text(result.answer, result.state))
    return result


async def _answer(
    corpus: CorpusHandle,
    choice: ModelChoice,
    request: AskRequest,
    reader: TerminalReader,
    keep: Callable[[CommandAnswer, GraphState], None],
) -> AskResult:
    """Answer the question, and show ``reader`` what happens; what was found before a failure is given to ``keep``."""
    import asyncio

    from app.answers.catalogue import Catalogue
    from app.answers.events import EventSerializer
    from app.answers.models import open_model
    from app.answers.records import CommandAnswer
    from model.agent.events import RolloutEnd

    opening = asyncio.create_task(
        asyncio.to_thread(_snapshot, corpus, request)
    )  # while the model is asked for
    try:
        model = await open_model(choice)
    except Exception:
        await opening  # what is wrong with the root is said first
        raise
    loading: asyncio.Task[None] | None = None
    try:
        snapshot = await opening
        loading = asyncio.create_task(
            asyncio.to_thread(_load, snapshot)
        )  # while the model writes its first reply
        serializer = EventSerializer(request, snapshot, model, Catalogue(corpus.storage))

        def told(answer: AnswerRecord) -> CommandAnswer:
            asked = request.question
            return CommandAnswer(**dict(answer), question=asked, model=model.name, index=snapshot.version)

        with contextlib.suppress(
            NotImplementedError, ValueError, RuntimeError
        ):  # not in every thread and system
            asyncio.get_running_loop().add_signal_handler(signal.SIGQUIT, _answer_now, serializer)
        try:
            async for event in serializer.events(stream=True):
                reader.on_event(event)
                serializer.on_event(event)
                if isinstance(event, RolloutEnd):
                    answer = told(serializer.answer(event.trajectory))
                    return AskResult(event.trajectory, answer, serializer.state(event.trajectory.graph))
        except ExternalError as error:
            if serializer.graph is not None:
                found = serializer.unfinished(" ".join(str(error).split()))
                keep(told(found), serializer.state(serializer.graph))
            raise
    finally:
        await model.close()
        if loading is not None:
            loading.cancel()
    raise AssertionError("a rollout ends with RolloutEnd")


def _scope(root: str, files: list[str]) -> tuple[str, ...]:
    from app.answers.library.changing import scope_of
    from infra.storage.root import Storage

    with usage_errors():
        return scope_of(Storage(root), files)


def _answer_now(serializer: EventSerializer) -> None:
    serializer.control.answer_now = True


def _snapshot(corpus: CorpusHandle, request: AskRequest) -> Snapshot:
    with usage_errors():
        snapshot = corpus.snapshot()
    if unknown := sorted(set(request.datasets or ()) - set(snapshot.datasets)):
        raise UsageError(f"not in the index: {', '.join(unknown)}; it holds {', '.join(snapshot.datasets)}")
    return snapshot


def _load(snapshot: Snapshot) -> None:
    """Have index and embedder in memory by the time of the first search; what goes wrong is told by that."""
    with contextlib.suppress(Exception):
        snapshot.index.search("what is here", 1)


def _check_target(save: Path | None) -> None:
    if save is None:
        return
    if save.suffix != ".parquet":
        raise UsageError(f"--save takes a file that ends in .parquet, got {save}")
    if save.exists():
        raise UsageError(f"{save} is there already; nothing is overwritten")
