"""Who may ask: the token, the name under which the server is addressed, and where a browser's request comes from.

The name is checked because a web page can have its own name resolve to this machine (DNS rebinding); the origin, because
any page can make a browser send requests (CSRF). Headers that keep a browser from doing harm are on every response.
"""

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.answers.running.client import HELLO
from app.server.errors import ApiError, error_response
from app.server.settings import ServerSettings

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data: blob:; style-src 'self'; script-src 'self'; connect-src 'self'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
COOKIE = "vimrag_session"
PAGES = ("/", "/viewer")
READING = ("GET", "HEAD", "OPTIONS")
_SESSION_LABEL = b"vimrag browser session"
_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::[0-9]{1,5})?", re.ASCII)


class SecurityHeaders:
    """Adds ``HEADERS`` to every response of ``app``, errors included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, send_with_headers)


class Guard:
    """Lets a request through to ``app`` or refuses it."""

    def __init__(self, app: ASGIApp, settings: ServerSettings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": 1008})
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        try:
            answer = self._entry(scope)
        except ApiError as error:
            answer = error_response(error)
        await (answer or self._app)(scope, receive, send)

    def _entry(self, scope: Scope) -> Response | None:
        """A response in place of the app's, if there is one. Raises ``ApiError`` for a request that is refused."""
        headers = Headers(scope=scope)
        _check_host(headers, self._settings)
        if scope["method"] not in READING:
            _check_origin(headers)
        if self._settings.token is None:
            return None
        path = scope["path"]
        if path in PAGES and scope["method"] == "GET" and (token := _token_of_query(scope)):
            return _welcome(path, token, self._settings.token)
        if path not in (*PAGES, HELLO) and not path.startswith("/static/"):
            _check_token(headers, self._settings.token)
        return None


def host_of(headers: Headers) -> str:
    """The name of the one host that a request names. Raises ``ApiError`` if it names none, several or nonsense."""
    hosts = headers.getlist("host")
    host = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    if host is None:
        raise ApiError(400, "malformed", "the Host header is missing or is none")
    return host["name"].lower()


def is_loopback(host: str) -> bool:
    """Whether an address or ``localhost`` is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _check_host(headers: Headers, settings: ServerSettings) -> None:
    """Plain addresses pass, for no other site can have one as its name; names have to be known."""
    name = host_of(headers)
    if name == "localhost" or name in settings.allowed_hosts:
        return
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        raise ApiError(403, "host", "this server is not known under the name of the Host header") from None


def _check_origin(headers: Headers) -> None:
    """What changes or costs something is taken from the server's own page and from programs, not from other sites."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise ApiError(403, "origin", "requests of other sites are refused")
    for origin in headers.getlist("origin"):
        try:
            parts = urlsplit(origin)
            same = (parts.scheme in ("http", "https")) and parts.netloc.lower() == headers.get(
                "host", ""
            ).lower()
        except ValueError:
            same = False
        if not same:
            raise ApiError(403, "origin", "requests of other sites are refused")


def _check_token(headers: Headers, token: str) -> None:
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    by_header = scheme.lower() == "bearer" and _same(bearer.strip(), token)
    if not by_header and not _same(_cookie(headers), session_of(token)):
        raise ApiError(
            401,
            "token",
            "a token is needed: Authorization: Bearer TOKEN, or open /?token=TOKEN in a browser",
            headers={"WWW-Authenticate": 'Bearer realm="vimrag"'},
        )


def session_of(token: str) -> str:
    """What the cookie holds: made from the token, which cannot be had back from it."""
    return hmac.new(token.encode(), _SESSION_LABEL, hashlib.sha256).hexdigest()


def _welcome(path: str, sent: str, token: str) -> Response:
    """To the page without the token in its address, the cookie set."""
    if not _same(sent, token):
        raise ApiError(401, "token", "this is not the token")
    response = RedirectResponse(path, status_code=303, headers={"Cache-Control": "no-store"})
    response.set_cookie(COOKIE, session_of(token), httponly=True, samesite="strict", path="/")
    return response


def _token_of_query(scope: Scope) -> str:
    query = scope["query_string"][:4096].decode("latin-1")
    try:
        return parse_qs(query, max_num_fields=20).get("token", [""])[0]
    except ValueError:
        return ""


def _cookie(headers: Headers) -> str:
    try:
        cookie = SimpleCookie(headers.get("cookie", "")[:8192]).get(COOKIE)
    except CookieError:
        return ""
    return cookie.value if cookie else ""


def _same(sent: str, expected: str) -> bool:
    """Compared in constant time."""
    return hmac.compare_digest(sent.encode(errors="replace"), expected.encode())
