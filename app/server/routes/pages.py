"""What a browser loads: the page, its files, and a plain list of the interface. Nothing here is a secret."""

import hashlib
import html
import re
from typing import Any

from anyio import to_thread
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from app.server.errors import ApiError
from app.web import STATIC

_NAME = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+", re.ASCII)
MEDIA_TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
    "json": "application/json",
    "png": "image/png",
    "ico": "image/x-icon",
    "woff2": "font/woff2",
    "webmanifest": "application/manifest+json",
}

router = APIRouter(include_in_schema=False)


@router.api_route("/", methods=["GET", "HEAD"])
@router.api_route("/viewer", methods=["GET", "HEAD"])
async def page(request: Request) -> Response:
    """The page; which of its views is shown it decides by the address."""
    return await _file(request, "index.html")


@router.api_route("/static/{name}", methods=["GET", "HEAD"])
async def static(request: Request, name: str) -> Response:
    """A file of the page."""
    return await _file(request, name)


@router.get("/docs")
async def docs(request: Request) -> Response:
    """The interface as plain HTML, made from ``/openapi.json``."""
    return HTMLResponse(described(request.app.openapi()))


async def _file(request: Request, name: str) -> Response:
    suffix = name.rpartition(".")[2]
    if not _NAME.fullmatch(name) or suffix not in MEDIA_TYPES or not (STATIC / name).is_file():
        raise ApiError(404, "not_found", "there is no such file")
    data = await to_thread.run_sync((STATIC / name).read_bytes)
    etag = f'"{hashlib.blake2b(data, digest_size=16).hexdigest()}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=MEDIA_TYPES[suffix], headers=headers)


def described(schema: dict[str, Any]) -> str:
    """A page without scripts and without anything from elsewhere."""
    sections = [
        _operation(method, path, operation)
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
    ]
    heading = html.escape(schema["info"]["title"])
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{heading}</title></head><body>'
        f'<h1>{heading}</h1><p>The whole of it, with all fields and their bounds: <a href="/openapi.json">'
        f"/openapi.json</a></p>{''.join(sections)}</body></html>"
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    rows = "".join(
        f"<li><code>{html.escape(parameter['name'])}</code> ({html.escape(parameter['in'])})"
        f"{' required' if parameter.get('required') else ''}: {html.escape(parameter.get('description', ''))}</li>"
        for parameter in operation.get("parameters", ())
    )
    bodies = [
        content.get("schema", {}).get("$ref", "").rpartition("/")[2]
        for content in operation.get("requestBody", {}).get("content", {}).values()
    ]
    body = f"<li>body: <code>{html.escape(bodies[0] or 'the file')}</code></li>" if bodies else ""
    return (
        f"<h2><code>{method.upper()} {html.escape(path)}</code></h2>"
        f"<p>{html.escape(operation.get('description', ''))}</p><ul>{rows}{body}</ul>"
    )
