"""The real server on a loopback port, in a thread of the test process, and its stream of events taken apart."""

from __future__ import annotations

import asyncio
import json
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from app.answers.corpus_handle import CorpusHandle
from app.answers.models import ModelChoice, open_model
from app.server.application import server_for
from app.server.settings import ServerSettings
from app.server.state import ServerState
from assets.user_files.reading import IngestSettings
from infra.storage.root import Storage

OPEN = ServerSettings()
WAIT_S = 30.0


class Served(NamedTuple):
    url: str
    state: ServerState
    http: httpx.Client


class Event(NamedTuple):
    id: int
    name: str
    data: dict[str, Any]


@contextmanager
def serving(
    root: Path,
    *,
    endpoint: str = "",
    settings: ServerSettings = OPEN,
    reading: IngestSettings | None = None,
) -> Iterator[Served]:
    """A server as long as the block lasts."""
    ready: queue.Queue[Served | BaseException] = queue.Queue()
    stop = threading.Event()

    async def run() -> None:
        model = await open_model(ModelChoice(endpoint=endpoint)) if endpoint else None
        corpus = CorpusHandle(Storage(str(root)))
        state = ServerState(corpus=corpus, model=model, settings=settings, reading=reading)
        listener = socket.create_server(("127.0.0.1", 0))
        server = server_for(state)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        ready.put(Served(url, state, httpx.Client(base_url=url, timeout=WAIT_S, trust_env=False)))
        while not stop.is_set():
            await asyncio.sleep(0.01)
        state.closing.set()
        server.should_exit = True
        await task
        if model is not None:
            await model.close()

    def body() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:
            ready.put(error)

    thread = threading.Thread(target=body)
    thread.start()
    served = ready.get(timeout=WAIT_S)
    if isinstance(served, BaseException):
        raise served
    try:
        with served.http:
            yield served
    finally:
        stop.set()
        thread.join(timeout=WAIT_S)
        assert not thread.is_alive(), "the server did not stop"


def ask(http: httpx.Client, question: str = "When did the crane open?", **settings: Any) -> list[Event]:
    """All events of one question."""
    with http.stream("POST", "/v1/ask", json={"question": question, **settings}) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        return list(events(response.iter_lines()))


def events(lines: Iterable[str]) -> Iterator[Event]:
    """Server-sent events; comments are left out."""
    fields: dict[str, str] = {}
    for line in lines:
        if not line and fields:
            data = json.loads(fields["data"])
            assert data.pop("event") == fields["event"]  # programs that parse the data alone know it by this
            yield Event(int(fields["id"]), fields["event"], data)
            fields = {}
        elif line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            assert name in ("id", "event", "data") and name not in fields, line
            fields[name] = value


def until(claim: Callable[[], bool]) -> None:
    """Wait for something that happens in another thread; fail if it does not."""
    deadline = time.monotonic() + WAIT_S
    while not claim():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
