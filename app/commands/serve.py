"""``vimrag serve``: questions, search and the trajectory viewer in a browser, and for programs over HTTP."""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.options import (
    Dpi,
    Endpoint,
    MaxTokens,
    Model,
    NoOcr,
    NoSlides,
    OcrModel,
    PriceOption,
    Root,
    SpeechFolder,
    Temperature,
    reading_of,
    refuse_typo,
)
from app.commands.output import note
from app.errors import UsageError, usage_errors
from infra.limits import PAGE_DPI

if TYPE_CHECKING:
    from app.answers import models
    from app.answers.models import ModelChoice
    from app.server.settings import ServerSettings
    from assets.user_files.ingest import IngestSettings

TOKEN_VARIABLE = "VIMRAG_TOKEN"
NEXT_PORTS = 20  # tried after one that is taken

CLIENT_RATE = 1200  # requests a minute of one client, where other machines may ask


def serve(  # noqa: PLR0913 - one parameter an option
    *,
    root: Root,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes any free one.")] = 8000,
    model: Model = "",
    endpoint: Endpoint = "",
    token: Annotated[
        str | None,
        typer.Option(
            "--token",
            envvar=TOKEN_VARIABLE,
            help="What callers have to know.",
            show_default=False,
            show_envvar=True,
        ),
    ] = None,
    upload: Annotated[
        bool | None,
        typer.Option(
            "--allow-upload/--no-upload", help="Take files from the page; by default on this machine only."
        ),
    ] = None,
    max_upload_mb: Annotated[
        int, typer.Option("--max-upload-mb", min=1, max=16384, help="Largest file.")
    ] = 256,
    questions: Annotated[
        int, typer.Option("--questions", min=1, max=256, help="Questions answered at once.")
    ] = 4,
    question_seconds: Annotated[
        float,
        typer.Option(
            "--timeout",
            "--question-seconds",
            min=1,
            max=86400,
            help="Longest silence of the model, in seconds.",
        ),
    ] = 600,
    allow_host: Annotated[
        list[str] | None,
        typer.Option("--allow-host", help="A name this server is reached under; may be repeated."),
    ] = None,
    client_rate: Annotated[
        int | None,
        typer.Option(
            "--client-rate",
            min=0,
            help="Requests a minute of one client, 0 for any number; by default 1200 where other machines may ask.",
            show_default=False,
        ),
    ] = None,
    trusted_proxy: Annotated[
        list[str] | None,
        typer.Option(
            "--trusted-proxy",
            help="Address of a proxy whose X-Forwarded-For names the client; may be repeated.",
        ),
    ] = None,
    max_tokens: MaxTokens = None,
    temperature: Temperature = None,
    prices: PriceOption = None,
    dpi: Dpi = PAGE_DPI,
    no_ocr: NoOcr = False,
    ocr_model: OcrModel = None,
    no_slides: NoSlides = False,
    speech: SpeechFolder = None,
) -> None:
    r"""Open the page for questions and for looking at trajectories, and the HTTP interface beside it.

    [bold]Examples[/bold]

      vimrag serve --root runs/mine --endpoint http://127.0.0.1:8080/v1

      VIMRAG_TOKEN=... vimrag serve --root runs/mine --host 0.0.0.0

    Without a model it serves search and the viewer. On any address but this machine's own a token is needed.
    Files that come by the page are read as vimrag ingest reads them, by --dpi, --no-ocr, --ocr-model, --no-slides, --speech.
    """
    import asyncio

    from app.answers.models import ModelChoice, key_of_environment, prices_of
    from app.server.protection.security import is_loopback
    from app.server.settings import MIB, ServerSettings

    refuse_typo(root)
    reading = reading_of(dpi=dpi, no_ocr=no_ocr, ocr_model=ocr_model, no_slides=no_slides, speech=speech)
    local = is_loopback(host)
    if not local and not token:
        raise UsageError(
            f"{host} can be reached from other machines, so a token is needed: set {TOKEN_VARIABLE}, or leave out --host"
        )
    with usage_errors():
        settings = ServerSettings(
            token=token or None,
            allowed_hosts=frozenset(name.lower() for name in (*(allow_host or ()), host)),
            questions_at_once=questions,
            client_requests_per_minute=(0 if local else CLIENT_RATE) if client_rate is None else client_rate,
            client_questions=max(1, questions // 2),
            trusted_proxies=frozenset(trusted_proxy or ()),
            question_s=question_seconds,
            upload=local if upload is None else upload,
            upload_bytes=max_upload_mb * MIB,
        )
    choice = ModelChoice(
        model=model,
        endpoint=endpoint,
        api_key=key_of_environment(),
        max_tokens=max_tokens,
        temperature=temperature,
        prices=prices_of(prices),
        concurrency=questions,
        asks_sight=True,
        timeout_s=question_seconds,
    )
    listener = _listener(host, port)
    with listener:
        asyncio.run(_serve(root, choice, settings, reading, listener))


def _listener(host: str, port: int) -> socket.socket:
    """Bound before anything is loaded; where the port is taken, at the next one that is free, and that is said.

    Raises:
        OSError: if none of ``NEXT_PORTS`` can be had.
    """
    ports = [port, *range(port + 1, min(port + NEXT_PORTS, 65535) + 1)] if port else [0]
    for number in ports:
        try:
            listener = _bound(host, number)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or number == ports[-1]:
                raise OSError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
            continue
        if number != port:
            note(f"port {port} is taken; serving on {number}")
        return listener
    raise AssertionError("there is at least one port")


def _bound(host: str, port: int) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


async def _serve(
    root: str,
    choice: ModelChoice,
    settings: ServerSettings,
    reading: IngestSettings,
    listener: socket.socket,
) -> None:
    from app.answers.corpus_handle import CorpusHandle
    from app.answers.models import open_model
    from app.answers.running.announcement import new_key
    from app.server.application import run_until_signalled
    from app.server.state import ServerState
    from infra.storage.root import Storage

    # a named model is not asked for now: its server may start later
    model = await open_model(choice, probe=not choice.model) if choice.is_given else None
    try:
        storage, key = Storage(root), new_key()
        with _log_on_standard_error(), _announced(storage.local_path(), listener, key):
            note(_greeting(listener, settings, model))
            corpus = CorpusHandle(storage)
            state = ServerState(corpus=corpus, model=model, settings=settings, reading=reading, key=key)
            await run_until_signalled(state, listener)
        note("stopped")
    finally:
        if model is not None:
            await model.close()


def _announced(
    root: Path | None, listener: socket.socket, key: str
) -> contextlib.AbstractContextManager[None]:
    """The file by which other commands find this server, where they can reach it: a local root that is there, this machine."""
    from app.answers.running.announcement import announced
    from app.server.protection.security import is_loopback

    host, port = listener.getsockname()[:2]
    if root is None or not root.is_dir() or not is_loopback(host):
        return contextlib.nullcontext()
    return announced(root, f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}", key)


def _greeting(listener: socket.socket, settings: ServerSettings, model: models.AnswerModel | None) -> str:
    host, port = listener.getsockname()[:2]
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    where = f"{address}/?token=YOUR-TOKEN" if settings.token else address
    asked = f"model {model.name}" if model else "no model: search and viewer only"
    return f"vimrag serves on {where}  ({asked}); stop with Ctrl-C"


@contextlib.contextmanager
def _log_on_standard_error() -> Iterator[None]:
    """One line a request, and troubles."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    levels = {"vimrag": logging.INFO, "uvicorn.error": logging.WARNING}
    for name, level in levels.items():
        logging.getLogger(name).addHandler(handler)
        logging.getLogger(name).setLevel(level)
    try:
        yield
    finally:
        for name in levels:
            logging.getLogger(name).removeHandler(handler)
