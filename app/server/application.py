"""The application put together (routes, error objects, the checks around them), and run on a socket until a signal comes.

Questions under way are told that the server stops; other requests get ``GRACE_S`` to end.
"""

import asyncio
import signal
import socket
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from app.answers.events import ADAPTER as STREAM_EVENTS
from app.server import errors
from app.server.errors import Utf8Json
from app.server.protection.access_log import AccessLog
from app.server.protection.body_limit import BodyLimit
from app.server.protection.client_limits import ClientLimits
from app.server.protection.security import Guard, SecurityHeaders
from app.server.routes import (
    ask,
    chat,
    hello,
    history,
    media,
    opening,
    pages,
    search,
    sources,
    status,
    uploads,
    upstream,
    viewer,
)
from app.server.schema.responses import ErrorBody
from app.server.state import ServerState
from app.server.warming import warm

TITLE = "VimRAG"
GRACE_S = 5
IDLE_S = 30  # of a connection that is kept open between two requests
_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorBody, "description": "Malformed."},
    401: {"model": ErrorBody, "description": "A token is needed."},
    404: {"model": ErrorBody, "description": "There is no such resource."},
    413: {"model": ErrorBody, "description": "The body is too large."},
    429: {"model": ErrorBody, "description": "Busy; Retry-After says when to come back."},
    503: {"model": ErrorBody, "description": "No index, no model, or something this server needs is down."},
}


def create_app(state: ServerState) -> ASGIApp:
    """The whole server as one ASGI application."""
    guarded = ClientLimits(Guard(api_of(state), state.settings), state.settings)
    return AccessLog(SecurityHeaders(BodyLimit(guarded, state.settings)))


def api_of(state: ServerState) -> FastAPI:
    """The routes and error objects, without the checks around them."""
    app = FastAPI(
        title=TITLE,
        summary="Questions over a multimodal corpus, answered by an agent with a memory graph",
        docs_url=None,
        redoc_url=None,
        default_response_class=Utf8Json,
        responses=_REFUSALS,
        redirect_slashes=False,
    )
    app.state.server = state
    errors.install(app)
    for module in (
        pages,
        status,
        hello,
        ask,
        chat,
        history,
        search,
        upstream,
        media,
        viewer,
        uploads,
        sources,
        opening,
    ):
        app.include_router(module.router)
    app.openapi = _published_schema(app)
    return app


def _published_schema(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """The schema with the events of ``/v1/ask``, and without status 422: what is malformed is a 400 here."""
    original = app.openapi

    def schema() -> dict[str, Any]:
        document = original()
        for operations in document["paths"].values():
            for operation in operations.values():
                operation["responses"].pop("422", None)
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        events = STREAM_EVENTS.json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
        schemas |= events.pop("$defs")
        stream = document["paths"]["/v1/ask"]["post"]["responses"]["200"]["content"]
        stream["text/event-stream"] = {"schema": events}
        return document

    return schema


def server_for(state: ServerState) -> uvicorn.Server:
    """A server that has not started yet; it logs nothing by itself but its own troubles."""
    config = uvicorn.Config(
        create_app(state),
        http="h11",  # it limits the size of headers
        h11_max_incomplete_event_size=64 * 1024,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=IDLE_S,
    )
    return uvicorn.Server(config)


async def run_until_signalled(state: ServerState, listener: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT. Call it in the main thread."""
    server, loop = server_for(state), asyncio.get_running_loop()

    def stop(sig: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(state.closing.set)
        uvicorn.Server.handle_exit(server, sig, frame)

    server.handle_exit = stop
    # when it is done the server raises the signal again for the handlers that were there before it
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGTERM, signal.SIGINT)}
    warming = asyncio.create_task(warm(state))
    try:
        await server.serve(sockets=[listener])
    finally:
        warming.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)
