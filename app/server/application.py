"""The application put together: routes, error objects, and the checks around them."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp

from app.answers.events import ADAPTER as STREAM_EVENTS
from app.server import errors
from app.server.errors import Utf8Json
from app.server.protection.access_log import AccessLog
from app.server.protection.body_limit import BodyLimit
from app.server.protection.security import Guard, SecurityHeaders
from app.server.routes import ask, media, pages, search, status, uploads, upstream, viewer
from app.server.schema.responses import ErrorBody
from app.server.state import ServerState

TITLE = "VimRAG"
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
    return AccessLog(SecurityHeaders(BodyLimit(Guard(api_of(state), state.settings), state.settings)))


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
    for module in (pages, status, ask, search, upstream, media, viewer, uploads):
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
