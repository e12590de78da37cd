"""One line a request: what was asked for, how it ended, how long it took. No queries, no names, no tokens.

Parts of the page itself that were sent as they should are left out: a page has forty of them.
"""

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOG = logging.getLogger("vimrag.access")
PARTS = "/static/"
FIRST_FAULT = 400  # status from which on a part is told of too
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT")


class AccessLog:
    """Writes the line when the response is complete or given up."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        began_s = time.perf_counter()
        status, size = 0, 0

        async def counted(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
            size += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, counted)
        finally:
            route = _route(scope)
            if not (route.startswith(PARTS) and 0 < status < FIRST_FAULT):
                method = scope["method"] if scope["method"] in METHODS else "OTHER"
                spent_ms = 1000 * (time.perf_counter() - began_s)
                LOG.info("%s %s %s %d bytes %.0f ms", method, route, status or "gave up", size, spent_ms)


def _route(scope: Scope) -> str:
    """The pattern of the route, for paths hold names of files and items."""
    return getattr(scope.get("route"), "path", "(no route)")
