"""One file over HTTP: resumed, bounded, checked, and under its name only when it is whole.

What a download is for is known by ``assets/acquisition``. Reasons of ``DownloadError``: ``gone`` (404, 410),
``forbidden`` (401, 403), ``geo`` (451), ``rate_limited`` (429), ``server`` (5xx and other answers), ``unreachable``,
``truncated``, ``too_large``, ``too_slow``, ``changed`` (not the bytes that were promised), ``refused`` (a redirect
or a form that is not followed), ``disk_full``, ``read_only``, ``disk``.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import NamedTuple
from urllib.request import getproxies

import httpx

from infra.downloads.partial_file import PartialFile
from infra.downloads.redirects import MAX_REDIRECTS, checked_address, next_address, peer_is_near, plain
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


def client(schedule: RetrySchedule) -> httpx.Client:
    """A client for ``download``: no cookies kept between runs, redirects followed by our own rule."""
    timeout = httpx.Timeout(schedule.stall_s, connect=min(30.0, schedule.stall_s))
    return httpx.Client(timeout=timeout, follow_redirects=False, headers={"User-Agent": AGENT})


def download(
    http: httpx.Client,
    request: DownloadRequest,
    schedule: RetrySchedule,
    *,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> DownloadedFile:
    """Fetch ``request.target``; ``progress`` gets bytes done and in all.

    What an earlier try left is continued if the server vouches that it is still the same file (``If-Range``);
    else it begins anew.

    Raises:
        DownloadError: with one of the reasons of the module.
        ValueError: if the address is none.
    """
    transfer = _Transfer(http, request, schedule, progress)
    part = transfer.part
    continued = part.size > 0
    transfer.run()
    if continued and transfer.difference():
        part.restart("")  # what lay on the disk was damaged: the whole file once more
        transfer.run()
    if difference := transfer.difference():
        part.restart("")
        raise DownloadError("changed", f"{request.target.name} from {transfer.address}: {difference}")
    part.finish()
    return DownloadedFile(part.size, part.sha256)


def read_text(
    http: httpx.Client, url: str, schedule: RetrySchedule, *, headers: Mapping[str, str] | None = None
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

    return with_retries(attempt, schedule, lambda: 0)


def matches(sha256: str, known: str) -> bool:
    """Whether a hash is the known one, of which only the beginning and the end around "..." may be given."""
    head, cut, tail = known.lower().partition("...")
    if not cut:
        return sha256 == head
    return sha256.startswith(head) and sha256.endswith(tail)


class _Transfer:
    """Requests for one file, until its part holds all of it."""

    def __init__(
        self,
        http: httpx.Client,
        request: DownloadRequest,
        schedule: RetrySchedule,
        progress: Callable[[int, int | None], None],
    ) -> None:
        self._url = checked_address(request.url)
        self._http, self._request, self._schedule, self._progress = http, request, schedule, progress
        self._deadline_s = 0.0
        self.address = plain(self._url)
        self.part = PartialFile(request.target)
        self.part.load()

    def run(self) -> None:
        self._deadline_s = self._schedule.clock() + self._schedule.total_s
        with_retries(self._attempt, self._schedule, lambda: self.part.size)

    def difference(self) -> str:
        """What is not as promised; "" if all is."""
        size, sha256 = self._request.size, self._request.sha256
        if size is not None and self.part.size != size:
            return f"{self.part.size:,} bytes came where {size:,} are published"
        if sha256 and not matches(self.part.sha256, sha256):
            return f"its sha256 is {self.part.sha256}, not {sha256} as pinned or first recorded"
        return ""

    def _attempt(self) -> None:
        """One request; afterwards the part holds the whole file."""
        part = self.part
        headers = {**self._request.headers, "Accept-Encoding": "identity"}
        if part.size and not part.validator:
            part.restart("")
        if part.size:
            headers |= {"Range": f"bytes={part.size}-", "If-Range": part.validator}
        with _answer(self._http, self._url, headers) as response:
            if response.status_code == 416 and _is_all_there(response, part):
                return
            self._accept(response)
            total = self._announced(response)
            with part.appending() as file:
                for chunk in response.iter_raw():
                    part.append(file, chunk)
                    self._check_limits()
                    self._progress(part.size, total)
        if total is not None and part.size != total:
            raise RetryableError("truncated", f"{self.address} ended after {part.size:,} of {total:,} bytes")

    def _accept(self, response: httpx.Response) -> None:
        """Make the part ready for the body of this answer, or refuse it."""
        part = self.part
        if response.status_code == 416 and part.size:
            part.restart("")
            raise RetryableError("truncated", f"{self.address} has become shorter")
        _require_success(response)
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise DownloadError("refused", f"{self.address} is sent compressed though that was not asked for")
        if response.status_code != 206:
            part.restart(_validator(response))
        elif not _continues(response, part):
            part.restart("")
            raise RetryableError("changed", f"{self.address} sent another part than was asked for")

    def _announced(self, response: httpx.Response) -> int | None:
        """The size of the whole file, as the server says it; refused if it is not the known one, or too much."""
        length = response.headers.get("Content-Length", "")
        if not length.isdigit():
            return None
        total, request = self.part.size + int(length), self._request
        if request.size is not None and total != request.size:
            self.part.restart("")
            detail = f"has {total:,} bytes where {request.size:,} are published"
            raise DownloadError("changed", f"{request.target.name} from {self.address} {detail}")
        if total > request.max_bytes:
            self.part.restart("")
            detail = f"has {total:,} bytes, limit {request.max_bytes:,}"
            raise DownloadError("too_large", f"{self.address} {detail}")
        self.part.require_room(total)
        return total

    def _check_limits(self) -> None:
        request = self._request
        limit = request.max_bytes if request.size is None else min(request.size, request.max_bytes)
        if self.part.size > limit:
            self.part.restart("")
            raise DownloadError("too_large", f"{self.address} sends more than the {limit:,} bytes allowed")
        if self._schedule.clock() > self._deadline_s:
            raise DownloadError(
                "too_slow", f"{self.address} took longer than {self._schedule.total_s:,.0f} s"
            )


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
    began_near: bool | None = None
    try:
        for hop in range(MAX_REDIRECTS):
            sent = headers if (url.scheme, url.host, url.port) == origin else _without_secrets(headers)
            with http.stream("GET", url, headers=sent) as response:
                near = peer_is_near(response)
                began_near = near if hop == 0 else began_near
                if not getproxies() and near is not None and near != began_near:
                    raise DownloadError(
                        "refused", f"{plain(url)} is answered from across the border of this network"
                    )
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
    value = response.headers.get("Retry-After", "").strip()
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return 0.0
