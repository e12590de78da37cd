"""The application put together: routes, error objects, and the checks around them."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp

from app.answers.corpus_handle import CorpusHandle
from app.answers.models import AnswerModel
from app.server import errors
from app.server.protection.access_log import AccessLog
from app.server.protection.body_limit import BodyLimit
from app.server.protection.security import Guard, SecurityHeaders
from app.server.routes import ask, media, pages, search, status, uploads, upstream, viewer
from app.server.schema.json_text import Utf8Json
from app.server.schema.responses import ErrorBody
from app.server.settings import ServerSettings
from app.server.state import ServerState

TITLE = "VimRAG"
_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorBody, "description": "Malformed."},
    401: {"model": ErrorBody, "description": "A token is needed."},
    404: {"model": ErrorBody, "description": "There is no such thing."},
    413: {"model": ErrorBody, "description": "The body is too large."},
    429: {"model": ErrorBody, "description": "Busy; Retry-After says when to come back."},
    503: {"model": ErrorBody, "description": "No index, no model, or something this server needs is down."},
}


def create_app(state: ServerState) -> ASGIApp:
    """The whole server as one ASGI application."""
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
    for each in (pages, status, ask, search, upstream, media, viewer, uploads):
        app.include_router(each.router)
    app.openapi = _without_default_refusal(app)
    return AccessLog(SecurityHeaders(BodyLimit(Guard(app, state.settings), state.settings)))


def server_state(world: CorpusHandle, model: AnswerModel | None, settings: ServerSettings) -> ServerState:
    """What the endpoints share."""
    return ServerState(world=world, model=model, settings=settings)


def _without_default_refusal(app: FastAPI) -> Any:
    """The schema without status 422, which this server never gives: what is malformed is a 400."""
    original = app.openapi

    def schema() -> dict[str, Any]:
        made = original()
        for operations in made["paths"].values():
            for operation in operations.values():
                operation["responses"].pop("422", None)
        for name in ("HTTPValidationError", "ValidationError"):
            made.get("components", {}).get("schemas", {}).pop(name, None)
        return made

    return schema
