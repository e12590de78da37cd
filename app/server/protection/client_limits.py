"""How much one client may ask: a budget of requests a minute, and questions at once, so that one cannot take all there is.

A client is an address; behind a proxy that is named as trusted, the address that the proxy saw. Requests that search, ask or
write cost more than pages and pictures. A wrong token costs as much as any request, so guessing is slow. Reads no body.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from cachetools import LRUCache
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.server.errors import ApiError, error_response
from app.server.settings import ServerSettings

CLIENTS = 4096  # that are remembered, those seen least recently forgotten
DEAR = 4  # what a request costs that is more than reading
READING = ("GET", "HEAD", "OPTIONS")
LONG = ("/v1/ask", "/v1/chat/completions")
"""Requests that last as long as a question."""


@dataclass(slots=True)
class _Client:
    left: float
    seen_s: float
    running: int = 0


class ClientLimits:
    """Lets a request through to ``app`` or refuses it with 429 and when to come back."""

    def __init__(
        self, app: ASGIApp, settings: ServerSettings, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._app, self._settings, self._clock = app, settings, clock
        self._clients: LRUCache[str, _Client] = LRUCache(CLIENTS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or not self._settings.client_requests_per_minute:
            return await self._app(scope, receive, send)
        client = self._client(client_of(scope, self._settings))
        is_long = scope["method"] == "POST" and scope["path"] in LONG
        try:
            self._spend(client, 1 if scope["method"] in READING else DEAR)
            if is_long and client.running >= self._settings.client_questions:
                raise _busy(f"this client asks {client.running} questions already", 5)
        except ApiError as error:
            return await error_response(error)(scope, receive, send)
        client.running += is_long
        try:
            await self._app(scope, receive, send)
        finally:
            client.running -= is_long

    def _client(self, name: str) -> _Client:
        known = self._clients.get(name)
        if known is None:
            known = _Client(float(self._settings.client_requests_per_minute), self._clock())
        self._clients[name] = known
        return known

    def _spend(self, client: _Client, cost: int) -> None:
        most = float(self._settings.client_requests_per_minute)
        now_s = self._clock()
        client.left = min(most, client.left + (now_s - client.seen_s) * most / 60)
        client.seen_s = now_s
        if client.left < cost:
            wait_s = max(1, round((cost - client.left) * 60 / most + 0.5))
            raise _busy(f"more than {most:.0f} requests a minute", wait_s)
        client.left -= cost


def client_of(scope: Scope, settings: ServerSettings) -> str:
    """The address of whoever asks; what a header says of it counts only where the peer is a trusted proxy."""
    peer = (scope.get("client") or ("", 0))[0]
    if peer not in settings.trusted_proxies:
        return peer
    forwarded = [each.strip() for each in Headers(scope=scope).get("x-forwarded-for", "").split(",")]
    return forwarded[-1][:64] or peer


def _busy(what: str, wait_s: int) -> ApiError:
    return ApiError(429, "busy", f"{what}; come back in {wait_s} s", headers={"Retry-After": str(wait_s)})
