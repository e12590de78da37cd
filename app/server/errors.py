"""Every refusal and failure as one object: ``{"error": {"code", "message"}}``.

What is unexpected is logged with its traceback and answered without details.
"""

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from app.answers.corpus_handle import NoIndexError
from app.answers.json_line import json_bytes
from infra.errors import EndpointError, ExternalError

LOG = logging.getLogger("vimrag.serve")
MESSAGE_CHARS = 500
INTERNAL = "something unexpected went wrong; the log of the server says more"

_CODES = {
    400: "malformed",
    401: "token",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
}

OPENAI_PATHS = ("/v1/chat/", "/v1/models")
_OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


class Utf8Json(JSONResponse):
    """A response as ``json_bytes`` writes it."""

    def render(self, content: Any) -> bytes:
        """The body."""
        return json_bytes(content)


class ApiError(Exception):
    """A request that is refused, with the words for the caller."""

    def __init__(
        self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.headers = dict(headers or {})


def error_response(error: ApiError) -> Response:
    """The error object, in OpenAI's form where OpenAI's clients ask."""
    return _ErrorResponse(error)


class _ErrorResponse(Utf8Json):
    """Takes its form from the address that was asked."""

    def __init__(self, error: ApiError) -> None:
        super().__init__(error_body(error), status_code=error.status, headers=error.headers)
        self._error = error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One response."""
        if scope["path"].startswith(OPENAI_PATHS):
            self.body = self.render(openai_error(self._error))
            self.headers["content-length"] = str(len(self.body))
        await super().__call__(scope, receive, send)


def error_body(error: ApiError) -> dict[str, Any]:
    """``{"error": {"code", "message"}}``."""
    return {"error": {"code": error.code, "message": error.message[:MESSAGE_CHARS]}}


def openai_error(error: ApiError) -> dict[str, Any]:
    """The same with ``type`` and ``param``, as OpenAI's clients know it."""
    kind = _OPENAI_TYPES.get(error.status, "invalid_request_error" if error.status < 500 else "server_error")
    return {"error": {**error_body(error)["error"], "type": kind, "param": None}}


def explain(error: Exception) -> ApiError:
    """The refusal for anything that was raised."""
    match error:
        case ApiError():
            return error
        case RequestValidationError():
            return ApiError(400, "malformed", _message(error.errors()))
        case HTTPException(status_code=status):
            return ApiError(status, _CODES.get(status, "refused"), str(error.detail), headers=error.headers)
        case NoIndexError():
            return ApiError(503, "no_index", str(error))
        case EndpointError():
            return ApiError(503, "endpoint", str(error))
        case ExternalError():
            return ApiError(503, "unavailable", str(error))
    LOG.error("unexpected %s", type(error).__name__, exc_info=error)
    return ApiError(500, "internal", INTERNAL)


def install(app: FastAPI) -> None:
    """Make every error of ``app`` an error object."""

    async def refuse(_: Request, error: Exception) -> Response:
        return error_response(explain(error))

    for kind in (ApiError, NoIndexError, ExternalError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, refuse)


def _message(problems: Any) -> str:
    """``question: String should have at least 1 character``; what was sent is not repeated."""
    lines = []
    for problem in list(problems)[:3]:
        if problem["type"] == "json_invalid":
            lines.append("the body is no JSON")
            continue
        if problem["type"] == "model_attributes_type" and tuple(problem["loc"]) == ("body",):
            lines.append("the body must be a JSON object, sent with Content-Type: application/json")
            continue
        place = ".".join(str(part)[:40] for part in problem["loc"] if part not in ("body", "query", "path"))
        words = "is not a known field" if problem["type"] == "extra_forbidden" else problem["msg"]
        lines.append(f"{place}: {words}" if place else words)
    return "; ".join(lines)
