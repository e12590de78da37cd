"""One file over HTTP: resumed, bounded, checked, and under its name only when it is whole.

What a download is for is known by ``assets/acquisition``. Reasons of ``DownloadError``: ``gone`` (404, 410),
``forbidden`` (401, 403), ``geo`` (451), ``rate_limited`` (429), ``server`` (5xx and other answers), ``unreachable``,
``truncated``, ``too_large``, ``too_slow``, ``changed`` (not the bytes that were promised), ``refused`` (a redirect
or a form that is not followed), ``disk_full``, ``read_only``, ``disk``.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import NamedTuple

import httpx

from infra.downloads.partial_file import PartialFile
from infra.downloads.redirects import MAX_REDIRECTS, checked_address, next_address, plain
from infra.downloads.retry import RetryableError, RetrySchedule, with_retries
from infra.errors import DownloadError

MAX_TEXT_BYTES = 16 << 20  # of an answer that is read into memory
AGENT = "vimrag-fetch"
BY_STATUS = {401: "forbidden", 403: "forbidden", 404: "gone", 410: "gone", 429: "rate_limited", 451: "geo"}
PASSING = (408, 425, 429, 500, 502, 503, 504)  # answers that another try may change
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
_UNSATISFIED = re.compile(r"bytes \*/(\d+)")


class DownloadedFile(NamedTuple):
    """A file that is there, whole."""

    size: int  # bytes
    sha256: str  # hex


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadRequest:
    """What is to be fetched, and what is known of it before."""

    url: str
    target: Path
    max_bytes: int
    size: int | None = None
    sha256: str | None = None
    """Hex; or its beginning and end around "..." where no more is known."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent to the host of ``url`` only, never on to where it redirects."""


def client(patience: RetrySchedule) -> httpx.Client:
    """A client for ``download``: no cookies kept between runs, redirects followed by our own rule."""
    timeout = httpx.Timeout(patience.stall_s, connect=min(30.0, patience.stall_s))
    return httpx.Client(timeout=timeout, follow_redirects=False, headers={"User-Agent": AGENT})


def download(
    http: httpx.Client,
    wanted: DownloadRequest,
    patience: RetrySchedule,
    *,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> DownloadedFile:
    """Fetch ``wanted.target``; ``progress`` gets bytes done and in all.

    What an earlier try left is continued if the server vouches that it is still the same file (``If-Range``);
    else it begins anew.

    Raises:
        DownloadError: with one of the reasons of the module.
        ValueError: if the address is none.
    """
    checked_address(wanted.url)
    part = PartialFile(wanted.target)
    part.load()
    continued = part.size > 0
    _transfer(http, wanted, patience, part, progress)
    if continued and _difference(wanted, part):
        part.restart("")  # what lay on the disk was damaged: the whole file once more
        _transfer(http, wanted, patience, part, progress)
    if difference := _difference(wanted, part):
        part.restart("")
        raise DownloadError("changed", f"{wanted.target.name} from {_named(wanted)}: {difference}")
    part.finish()
    return DownloadedFile(part.size, part.sha256)


def read_text(
    http: httpx.Client, url: str, patience: RetrySchedule, *, headers: Mapping[str, str] | None = None
) -> str:
    """A short answer as text; raises as ``download`` does."""

    def attempt() -> str:
        body = bytearray()
        with _answer(http, checked_address(url), headers or {}) as response:
            _require_success(response)
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > MAX_TEXT_BYTES:
                    raise DownloadError(
                        "too_large", f"{plain(response.url)} answers more than {MAX_TEXT_BYTES:,} bytes"
                    )
        return body.decode("utf-8", "replace")

    return with_retries(attempt, patience, lambda: 0)


def matches(sha256: str, known: str) -> bool:
    """Whether a hash is the known one, of which only the beginning and the end around "..." may be given."""
    head, cut, tail = known.lower().partition("...")
    if not cut:
        return sha256 == head
    return sha256.startswith(head) and sha256.endswith(tail)


def _transfer(
    http: httpx.Client,
    wanted: DownloadRequest,
    patience: RetrySchedule,
    part: PartialFile,
    progress: Callable[[int, int | None], None],
) -> None:
    deadline_s = patience.clock() + patience.total_s

    def attempt() -> None:
        _attempt(http, wanted, part, lambda total: _tick(wanted, part, patience, deadline_s, progress, total))

    with_retries(attempt, patience, lambda: part.size)


def _tick(
    wanted: DownloadRequest,
    part: PartialFile,
    patience: RetrySchedule,
    deadline_s: float,
    progress: Callable[[int, int | None], None],
    total: int | None,
) -> None:
    """After each chunk: limits, then progress."""
    limit = wanted.max_bytes if wanted.size is None else min(wanted.size, wanted.max_bytes)
    if part.size > limit:
        part.restart("")
        raise DownloadError("too_large", f"{_named(wanted)} sends more than the {limit:,} bytes allowed")
    if patience.clock() > deadline_s:
        raise DownloadError("too_slow", f"{_named(wanted)} took longer than {patience.total_s:,.0f} s")
    progress(part.size, total)


def _attempt(
    http: httpx.Client, wanted: DownloadRequest, part: PartialFile, tick: Callable[[int | None], None]
) -> None:
    """One request; afterwards the part holds the whole file."""
    headers = {**wanted.headers, "Accept-Encoding": "identity"}
    if part.size and not part.validator:
        part.restart("")
    if part.size:
        headers |= {"Range": f"bytes={part.size}-", "If-Range": part.validator}
    with _answer(http, checked_address(wanted.url), headers) as response:
        if response.status_code == 416 and _is_all_there(response, part):
            return
        _accept(response, wanted, part)
        total = _announced(response, part, wanted)
        _receive(response, part, tick, total)
    if total is not None and part.size != total:
        raise RetryableError("truncated", f"{_named(wanted)} ended after {part.size:,} of {total:,} bytes")


def _accept(response: httpx.Response, wanted: DownloadRequest, part: PartialFile) -> None:
    """Make the part ready for the body of this answer, or refuse it."""
    if response.status_code == 416 and part.size:
        part.restart("")
        raise RetryableError("truncated", f"{_named(wanted)} has become shorter")
    _require_success(response)
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise DownloadError("refused", f"{_named(wanted)} is sent compressed though that was not asked for")
    if response.status_code != 206:
        part.restart(_validator(response))
    elif not _continues(response, part):
        part.restart("")
        raise RetryableError("changed", f"{_named(wanted)} sent another part than was asked for")


def _receive(
    response: httpx.Response, part: PartialFile, tick: Callable[[int | None], None], total: int | None
) -> None:
    with part.appending() as file:
        for chunk in response.iter_raw():
            part.append(file, chunk)
            tick(total)


def _announced(response: httpx.Response, part: PartialFile, wanted: DownloadRequest) -> int | None:
    """The size of the whole file, as the server says it; refused if it is not the known one, or too much."""
    length = response.headers.get("Content-Length", "")
    total = part.size + int(length) if length.isdigit() else None
    if total is None:
        return None
    if wanted.size is not None and total != wanted.size:
        part.restart("")
        raise DownloadError(
            "changed",
            f"{wanted.target.name} from {_named(wanted)} has {total:,} bytes where {wanted.size:,} are published",
        )
    if total > wanted.max_bytes:
        part.restart("")
        raise DownloadError("too_large", f"{_named(wanted)} has {total:,} bytes, limit {wanted.max_bytes:,}")
    part.require_room(total)
    return total


def _validator(response: httpx.Response) -> str:
    """What tells this content from a later one; a weak ETag does not."""
    etag = response.headers.get("ETag", "")
    if etag:
        return "" if etag.startswith("W/") else etag
    return response.headers.get("Last-Modified", "")


def _continues(response: httpx.Response, part: PartialFile) -> bool:
    match = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
    begins_there = match is not None and int(match.group(1)) == part.size
    return begins_there and _validator(response) in ("", part.validator)


def _is_all_there(response: httpx.Response, part: PartialFile) -> bool:
    match = _UNSATISFIED.fullmatch(response.headers.get("Content-Range", ""))
    return (
        match is not None
        and int(match.group(1)) == part.size
        and _validator(response) in ("", part.validator)
    )


@contextmanager
def _answer(http: httpx.Client, url: httpx.URL, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
    """The answer at the end of the redirects, its body not read yet."""
    origin = (url.scheme, url.host, url.port)
    try:
        for _ in range(MAX_REDIRECTS):
            sent = headers if (url.scheme, url.host, url.port) == origin else _without_secrets(headers)
            with http.stream("GET", url, headers=sent) as response:
                if not response.has_redirect_location:
                    yield response
                    return
                url = next_address(url, response.headers["Location"])
    except (httpx.TimeoutException, httpx.NetworkError, httpx.ProxyError) as error:
        raise RetryableError("unreachable", f"{plain(url)}: {str(error) or type(error).__name__}") from error
    except httpx.RemoteProtocolError as error:
        raise RetryableError("truncated", f"{plain(url)}: {error}") from error
    except httpx.HTTPError as error:
        raise DownloadError("server", f"{plain(url)}: {error}") from error
    raise DownloadError("refused", f"{plain(url)}: more than {MAX_REDIRECTS} redirects")


def _without_secrets(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() != "authorization"}


def _require_success(response: httpx.Response) -> None:
    status = response.status_code
    if status in (200, 206):
        return
    reason = BY_STATUS.get(status, "server")
    detail = f"{plain(response.url)} answers {status} {response.reason_phrase}".rstrip()
    if status in PASSING:
        raise RetryableError(reason, detail, _retry_after_s(response))
    raise DownloadError(reason, detail)


def _retry_after_s(response: httpx.Response) -> float:
    given = response.headers.get("Retry-After", "").strip()
    if given.isdigit():
        return float(given)
    try:
        return max(0.0, parsedate_to_datetime(given).timestamp() - time.time())
    except ValueError:
        return 0.0


def _difference(wanted: DownloadRequest, part: PartialFile) -> str:
    """What is not as promised; "" if all is."""
    if wanted.size is not None and part.size != wanted.size:
        return f"{part.size:,} bytes came where {wanted.size:,} are published"
    if wanted.sha256 and not matches(part.sha256, wanted.sha256):
        return f"its sha256 is {part.sha256}, not {wanted.sha256} as pinned or first recorded"
    return ""


def _named(wanted: DownloadRequest) -> str:
    return plain(checked_address(wanted.url))
