"""How large the body of a request may be, checked before anything reads it."""

import asyncio

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.server.errors import ApiError, error_response
from app.server.settings import ServerSettings

FILES = "/v1/files/"
PICTURE = "/v1/search/image"
CHAT = "/v1/chat/completions"
SMALL_BODY_BYTES, REST_S = 65_536, 0.2


class BodyLimit:
    """Refuses with 413 what announces too much or turns out to be too much.

    A connection on which a body was left unread is closed after the response: nobody can go on sending for ever. A small
    body is taken first, for a connection that is closed over bytes nobody read is reset, and the answer may be lost with it.
    """

    def __init__(self, app: ASGIApp, settings: ServerSettings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        limit = _limit(scope, self._settings)
        body = _Body(scope, receive, send, limit)
        try:
            if body.announced() > limit:
                raise too_large(limit)
            await self._app(scope, body.receive, body.send)
        except Exception as error:
            if body.is_answered or not (body.is_too_large or isinstance(error, ApiError)):
                raise
            refusal = error if isinstance(error, ApiError) else too_large(limit)
            return await error_response(refusal)(scope, receive, body.send_last)
        if body.is_too_large and not body.is_answered:
            await error_response(too_large(limit))(scope, receive, body.send_last)


def _limit(scope: Scope, settings: ServerSettings) -> int:
    """Bytes that the body of a request may have."""
    if scope["method"] == "PUT" and scope["path"].startswith(FILES):
        return settings.upload_bytes
    if scope["method"] == "POST" and scope["path"] == PICTURE:
        return settings.picture_bytes
    if scope["method"] == "POST" and scope["path"] == CHAT:
        return settings.chat_bytes
    return settings.json_bytes


class _Body:
    """The body of one request on its way in, and what is answered meanwhile."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        self._headers = Headers(scope=scope)
        self._receive, self._send, self._limit = receive, send, limit
        self._taken = 0
        is_empty = self._headers.get("content-length", "0") == "0"
        self._is_whole = is_empty and "transfer-encoding" not in self._headers
        self.is_too_large = self.is_answered = False

    def announced(self) -> int:
        """Bytes that the headers speak of. Raises ``ApiError`` for nonsense."""
        text = self._headers.get("content-length", "0")
        if not (text.isascii() and text.isdigit() and len(text) < 20):
            raise ApiError(400, "malformed", "the Content-Length header is no number")
        return int(text)

    async def receive(self) -> Message:
        """For the application."""
        message = await self._receive()
        if message["type"] == "http.request":
            self._taken += len(message.get("body", b""))
            self._is_whole |= not message.get("more_body", False)
        if self._taken > self._limit:
            self.is_too_large = True
            raise too_large(self._limit)
        return message

    async def send(self, message: Message) -> None:
        """For the application; what it makes of a body that was too large is not sent."""
        if self.is_answered or not self.is_too_large:
            await self.send_last(message)

    async def send_last(self, message: Message) -> None:
        """Send, and say that the connection ends if there is a rest of a body."""
        if message["type"] == "http.response.start":
            self.is_answered = True
            await self._take_small_rest()
            if not self._is_whole:
                MutableHeaders(scope=message)["Connection"] = "close"
        await self._send(message)

    async def _take_small_rest(self) -> None:
        """Read what is still on its way of a body announced as small, for at most ``REST_S`` seconds."""
        try:
            if not 0 < self.announced() <= SMALL_BODY_BYTES:
                return
            async with asyncio.timeout(REST_S):
                while not self._is_whole:
                    message = await self._receive()
                    if message["type"] != "http.request":
                        return
                    self._is_whole = not message.get("more_body", False)
        except (ApiError, TimeoutError):
            return


def too_large(limit: int) -> ApiError:
    """The refusal."""
    return ApiError(413, "too_large", f"the body is larger than {limit:,} bytes")
