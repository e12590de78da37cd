"""What went wrong at an endpoint, in one line that says what to do.

Holds the reading of refusals and their wording. A server's own words are quoted only in part and without the key: some
echo the whole request.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import httpx

from infra.errors import EndpointError
from infra.llm import refusals
from infra.llm.refusals import PromptLength

RETRIED = frozenset({408, 409, 429, 500, 502, 503, 504})  # asking again later may help
QUOTED_CHARS = 200  # of the server's own words
MAX_NAMED = 12  # models listed in an error


class RequestRefusedError(EndpointError):
    """The endpoint will not answer this, however often it is asked. ``status`` is that of its answer, if there was one."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class PromptTooLongError(RequestRefusedError):
    """The prompt is longer than the server takes; a shorter one may be answered. ``length`` is what it said of it."""

    def __init__(self, message: str, status: int | None = None, length: PromptLength | None = None) -> None:
        super().__init__(message, status)
        self.length = length or PromptLength()


class NoPicturesError(RequestRefusedError):
    """The model behind the endpoint reads no pictures; the same without them may be answered."""


class EndpointUnavailableError(EndpointError):
    """The endpoint did not answer; later it may. ``retry_after_s`` is what it asked to wait, if it did."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ServerSilentError(EndpointUnavailableError):
    """The endpoint said nothing for as long as it may."""


class RequestBudgetError(EndpointError):
    """As many requests were sent as this client may send."""


class KeySource(NamedTuple):
    """The environment variable a key comes from, and whether there was one."""

    variable: str
    is_set: bool


class ServerError(NamedTuple):
    """An error as the server words it; empty where it says nothing."""

    message: str = ""
    code: str = ""
    param: str = ""  # the parameter it is about


def stated(body: object) -> ServerError:
    """Read an error of any of the forms in use: OpenAI's object, a text, FastAPI's ``detail``."""
    if isinstance(body, bytes):
        try:
            body = json.loads(body)
        except (ValueError, RecursionError):
            return ServerError()
    error = body
    if isinstance(body, dict):
        error = body.get("error", body.get("detail", body.get("message", body)))
    if isinstance(error, list):  # one entry a field
        entry = next((entry for entry in error if isinstance(entry, dict)), {})
        place = entry.get("loc")
        param = str(place[-1])[:40] if isinstance(place, list) and place else ""
        return ServerError(_line(entry.get("msg")), "", param)
    if isinstance(error, dict):
        code = error.get("code") or error.get("type")
        return ServerError(_line(error.get("message")), str(code or "")[:60], _line(error.get("param"))[:40])
    return ServerError(_line(error))


def retry_after_s(header: str | None, now: datetime | None = None) -> float | None:
    """Seconds a ``Retry-After`` asks for, as a number or a date; None without one or for nonsense."""
    if not header:
        return None
    try:
        wait_s = float(header)
    except ValueError:
        try:
            until = parsedate_to_datetime(header)
        except ValueError:
            return None
        until = until if until.tzinfo else until.replace(tzinfo=UTC)
        wait_s = (until - (now or datetime.now(UTC))).total_seconds()
    return max(0.0, wait_s) if wait_s < float("inf") else None  # nan too is nonsense


def refusal(
    where: str,
    status: int,
    words: ServerError,
    key: KeySource,
    *,
    retry_after: str | None = None,
    sent_pictures: bool = False,
) -> EndpointError:
    """The error for a status that is no success; ``words`` hold no secret any more, ``retry_after`` is that header.

    A prompt that is too long and pictures that are not read are told from the words, whatever the status: some servers answer
    them with 500, where asking again is of no use.
    """
    if lasting := _lasting(where, status, words, sent_pictures=sent_pictures):
        return lasting
    words = shortened(words)
    quoted = f"; it says: {words.message}" if words.message else ""
    if "insufficient_quota" in words.code:
        return RequestRefusedError(f"{where}: the account has no credit left{quoted}", status)
    if status in RETRIED:
        wait_s = retry_after_s(retry_after)
        return EndpointUnavailableError(f"{where}: {_busy(status)} ({status}){quoted}", wait_s)
    return RequestRefusedError(f"{where}: {_advice(status, key)} ({status}){quoted}", status)


def _lasting(
    where: str, status: int, words: ServerError, *, sent_pictures: bool
) -> RequestRefusedError | None:
    """The refusal of a prompt for its length or its pictures, if it is one."""
    message = words.message
    quoted = f" ({status}); it says: {shortened(words).message}" if message else f" ({status})"
    if refusals.is_about_pictures(message, words.param if sent_pictures else None):
        return NoPicturesError(
            f"{where}: the model takes no images: serve a vision-language model"
            f" (llama.cpp: start it with --mmproj FILE){quoted}",
            status,
        )
    too_long = refusals.is_too_long(message, words.code) or refusals.is_too_many_pictures(message)
    if status == 413 or (too_long and status not in (401, 403)):
        return PromptTooLongError(
            f"{where}: the prompt is too long for it: lower the context and pixel limits, or serve a longer context{quoted}",
            status,
            refusals.stated_length(message),
        )
    return None


def _busy(status: int) -> str:
    return "too many requests" if status == 429 else "the server failed"


def _advice(status: int, key: KeySource) -> str:
    if status in (401, 403):
        return (
            f"the key was refused, check {key.variable}"
            if key.is_set
            else f"it wants a key, set {key.variable}"
        )
    if 300 <= status < 400:
        return "it redirects, which is not followed: give the final address"
    if status == 404:
        return "nothing is served under this address, which usually ends in /v1"
    return "the request was refused"


def is_too_long(words: ServerError) -> bool:
    """Whether the refusal is about length, whatever else it names."""
    return refusals.is_too_long(words.message, words.code)


def is_about_model(words: ServerError) -> bool:
    """Whether the refusal may mean that there is no such model."""
    message = words.message
    other = (
        is_too_long(words) or refusals.is_about_pictures(message) or refusals.is_too_many_pictures(message)
    )
    return "model" in message.lower() and not other


def unknown_model(where: str, model: str, names: Sequence[str]) -> RequestRefusedError:
    """The error for a model the server does not list."""
    more = ", ..." if len(names) > MAX_NAMED else ""
    there = ", ".join(_line(name)[:80] for name in names[:MAX_NAMED]) or "none"
    return RequestRefusedError(f"{where}: there is no model {model!r}; there are: {there}{more}")


@contextmanager
def transport(where: str) -> Iterator[None]:
    """Errors of the connection become ``EndpointUnavailableError``, those of an address ``RequestRefusedError``.

    The causes are left out of the chain: they hold the request and with it the key.
    """
    try:
        yield
    except (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL) as error:
        raise RequestRefusedError(f"{where}: {type(error).__name__}") from None
    except httpx.ConnectTimeout:
        raise EndpointUnavailableError(f"{where}: no connection in time; is the server running?") from None
    except httpx.ConnectError as error:
        raise EndpointUnavailableError(
            f"{where}: no connection ({_line(str(error))}); is the server running?"
        ) from None
    except httpx.ReadTimeout:
        raise ServerSilentError(f"{where}: the server fell silent; --timeout waits longer") from None
    except httpx.HTTPError as error:
        raise EndpointUnavailableError(f"{where}: the connection broke ({type(error).__name__})") from None


def without(secret: str | None, words: ServerError) -> ServerError:
    """The words of a server that may have echoed the secret."""
    return ServerError(*(text.replace(secret, "***") for text in words)) if secret else words


def shortened(words: ServerError) -> ServerError:
    """The words as they may be quoted."""
    return words._replace(message=words.message[:QUOTED_CHARS] + "..." * (len(words.message) > QUOTED_CHARS))


def _line(text: Any) -> str:
    return " ".join(text.split()) if isinstance(text, str) else ""
