"""Downloads from a real server that does everything servers do wrong."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from infra.downloads import partial_file
from infra.downloads.http import DownloadedFile, DownloadRequest, client, download, matches, read_text
from infra.downloads.retry import RetrySchedule
from infra.errors import DownloadError
from tests.servers.file_server import FileServer, file_server

BODY = bytes(range(256)) * 4000  # 1,024,000 bytes: four chunks
SHA256 = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def server() -> Iterator[FileServer]:
    with file_server() as running:
        yield running


class Fetch:
    """Downloads into a folder and keeps the pauses it would have made."""

    def __init__(self, server: FileServer, folder: Path) -> None:
        self.server, self.target, self.pauses = server, folder / "raw" / "file.bin", list[float]()

    def __call__(
        self, path: str = "/file.bin", *, schedule: dict[str, Any] | None = None, **known: Any
    ) -> DownloadedFile:
        settings = RetrySchedule(
            **{"stall_s": 5.0, "first_wait_s": 1.0, "sleep": self.pauses.append, **(schedule or {})}
        )
        wanted = DownloadRequest(
            **{"url": self.server.url + path, "target": self.target, "max_bytes": 2_000_000, **known}
        )
        with client(settings) as http:
            return download(http, wanted, settings)

    def fails(self, *arguments: Any, **known: Any) -> DownloadError:
        with pytest.raises(DownloadError) as caught:
            self(*arguments, **known)
        assert not self.target.exists()
        return caught.value

    def leave_part(self, size: int, etag: str = '"v1"', body: bytes = BODY) -> None:
        """What a killed process leaves."""
        part = partial_file.PartialFile(self.target)
        part.load()
        part.restart(etag)
        with part.appending() as file:
            part.append(file, body[:size])


@pytest.fixture
def fetch(server: FileServer, tmp_path: Path) -> Fetch:
    return Fetch(server, tmp_path)


def test_a_file_comes_whole_and_nothing_else_is_left(fetch: Fetch):
    fetch.server.put("/file.bin", BODY)
    assert fetch(size=len(BODY), sha256=SHA256) == (len(BODY), SHA256)
    assert fetch.target.read_bytes() == BODY
    assert [path.name for path in fetch.target.parent.iterdir()] == ["file.bin"]


def test_a_hash_known_in_part_is_held_to_what_is_known(fetch: Fetch):
    fetch.server.put("/file.bin", BODY)
    assert fetch(sha256=f"{SHA256[:8]}...{SHA256[-4:]}").sha256 == SHA256
    assert matches("ab12cd", "ab...cd") and not matches("ab12ce", "ab...cd") and not matches("ab12cd", "ab12")


@pytest.mark.parametrize(
    ("status", "reason"),
    [(403, "forbidden"), (401, "forbidden"), (404, "gone"), (410, "gone"), (451, "geo"), (418, "server")],
)
def test_an_answer_that_will_not_change_is_not_asked_for_twice(fetch: Fetch, status: int, reason: str):
    fetch.server.put("/file.bin", BODY, statuses=[status])
    error = fetch.fails()
    assert error.reason == reason and str(status) in error.detail
    assert (len(fetch.server.requests), fetch.pauses) == (1, [])


def test_429_waits_as_long_as_the_server_asks_in_seconds_or_as_a_date(fetch: Fetch):
    fetch.server.put("/file.bin", BODY, statuses=[429], headers={"Retry-After": "7"})
    assert fetch().sha256 == SHA256
    assert fetch.pauses == [7.0]
    fetch.target.unlink()
    fetch.server.put(
        "/file.bin", BODY, statuses=[503], headers={"Retry-After": formatdate(4_000_000_000, usegmt=True)}
    )
    assert (
        fetch.fails(schedule={"longest_wait_s": 60.0}).reason == "server"
    )  # it asks for decades: not waited
    assert len(fetch.pauses) == 1


def test_429_for_ever_is_given_up(fetch: Fetch):
    fetch.server.put("/file.bin", statuses=[429], forever=True)
    assert fetch.fails(schedule={"attempts": 3}).reason == "rate_limited"
    assert len(fetch.server.requests) == 3


def test_500_and_then_fine(fetch: Fetch):
    fetch.server.put("/file.bin", BODY, statuses=[500, 502])
    assert fetch().sha256 == SHA256
    assert len(fetch.pauses) == 2 and all(0 <= pause <= 120 for pause in fetch.pauses)


def test_a_body_cut_short_is_continued_where_it_ended(fetch: Fetch):
    fetch.server.put("/file.bin", BODY, cut_after=[400_000, 1])
    assert fetch(sha256=SHA256).size == len(BODY)
    ranges = [request.headers.get("range") for request in fetch.server.requests]
    assert ranges == [None, "bytes=400000-", "bytes=400001-"]
    assert fetch.server.requests[1].headers["if-range"] == '"v1"'


def test_every_try_that_brings_bytes_gives_all_tries_back(fetch: Fetch):
    fetch.server.put("/file.bin", BODY, cut_after=[1_000] * 12)
    assert fetch(schedule={"attempts": 2}).sha256 == SHA256


def test_a_body_that_stays_short_is_truncated(fetch: Fetch):
    fetch.server.put("/file.bin", BODY, headers={"Content-Length": str(len(BODY) + 1)}, etag="")
    assert fetch.fails(schedule={"attempts": 2}).reason == "truncated"


def test_a_stall_ends_by_the_timeout_and_the_rest_is_fetched(fetch: Fetch):
    fetch.server.put("/file.bin", BODY, stall=[300_000])
    assert fetch(schedule={"stall_s": 0.2}).sha256 == SHA256
    assert fetch.server.requests[1].headers["range"] == "bytes=300000-"


def test_a_server_that_ignores_ranges_sends_all_of_it_again(fetch: Fetch):
    fetch.server.put("/file.bin", BODY, cut_after=[400_000], ignores_range=True)
    assert fetch(sha256=SHA256).size == len(BODY)


@pytest.mark.parametrize("honours_if_range", [True, False])
def test_another_content_midway_is_never_mixed_with_the_old_one(fetch: Fetch, honours_if_range: bool):
    new = BODY[::-1]
    fetch.leave_part(500_000)
    fetch.server.put("/file.bin", new, etag='"v2"', ignores_if_range=not honours_if_range)
    assert fetch().sha256 == hashlib.sha256(new).hexdigest()


@pytest.mark.parametrize("etag", ["", 'W/"v1"'])
def test_bytes_that_no_validator_vouches_for_are_fetched_anew(fetch: Fetch, etag: str):
    fetch.server.put("/file.bin", BODY, cut_after=[400_000], etag=etag)
    assert fetch().sha256 == SHA256
    assert "range" not in fetch.server.requests[1].headers


def test_a_part_that_was_already_whole_needs_no_more_bytes(fetch: Fetch):
    fetch.leave_part(len(BODY))
    fetch.server.put("/file.bin", BODY)
    assert fetch().sha256 == SHA256
    assert [request.headers["range"] for request in fetch.server.requests] == [f"bytes={len(BODY)}-"]


def test_a_part_longer_than_the_file_begins_anew(fetch: Fetch):
    fetch.leave_part(len(BODY))
    fetch.server.put("/file.bin", BODY[:1000])
    assert fetch().size == 1000


def test_a_part_damaged_on_the_disk_is_fetched_once_more(fetch: Fetch):
    fetch.leave_part(500_000, body=b"\0" * 500_000)
    fetch.server.put("/file.bin", BODY)
    assert fetch(sha256=SHA256).sha256 == SHA256
    assert len(fetch.server.requests) == 2


def test_another_hash_is_a_loud_failure_that_names_the_file(fetch: Fetch):
    fetch.server.put("/file.bin", BODY)
    error = fetch.fails(sha256="0" * 64)
    assert error.reason == "changed"
    assert "file.bin" in error.detail and SHA256 in error.detail and "0" * 64 in error.detail
    assert list(fetch.target.parent.iterdir()) == []


def test_another_length_than_published_is_refused_before_a_byte_is_kept(fetch: Fetch):
    fetch.server.put("/file.bin", BODY)
    error = fetch.fails(size=len(BODY) + 1)
    assert error.reason == "changed" and "1,024,001 are published" in error.detail


@pytest.mark.parametrize("says_length", [True, False])
def test_a_body_over_the_limit_is_refused_told_or_not(fetch: Fetch, says_length: bool):
    fetch.server.put("/file.bin", BODY, says_length=says_length)
    assert fetch.fails(max_bytes=600_000).reason == "too_large"
    assert [path for path in fetch.target.parent.iterdir() if path.stat().st_size] == []


def test_a_body_without_a_length_is_taken_as_it_ends(fetch: Fetch):
    fetch.server.put("/file.bin", BODY, says_length=False)
    assert fetch(sha256=SHA256).size == len(BODY)


def test_a_download_that_takes_too_long_ends(fetch: Fetch):
    ticks = iter(range(0, 10_000, 100))
    fetch.server.put("/file.bin", BODY)
    assert fetch.fails(schedule={"total_s": 150.0, "clock": lambda: next(ticks)}).reason == "too_slow"


def test_a_compressed_answer_that_nobody_asked_for_is_refused(fetch: Fetch):
    fetch.server.put("/file.bin", BODY, headers={"Content-Encoding": "gzip"})
    assert fetch.fails().reason == "refused"


def test_redirects_are_followed_and_secrets_stay_with_their_host(fetch: Fetch):
    with file_server() as other:
        other.put("/store", BODY)
        fetch.server.put("/file.bin", location="/moved")
        fetch.server.put("/moved", location=f"{other.url}/store")
        fetch(headers={"Authorization": "Bearer secret"})
        assert "authorization" not in other.requests[0].headers
    assert [request.headers.get("authorization") for request in fetch.server.requests] == [
        "Bearer secret"
    ] * 2
    assert fetch.target.read_bytes() == BODY


@pytest.mark.parametrize(
    "location",
    [
        "http://93.184.216.34/x",
        "https://example.org/x",
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "http://[bad",
    ],
)
def test_a_redirect_to_elsewhere_is_refused(fetch: Fetch, location: str):
    fetch.server.put("/file.bin", location=location)
    assert fetch.fails().reason == "refused"


def test_a_circle_of_redirects_ends(fetch: Fetch):
    fetch.server.put("/file.bin", location="/file.bin")
    assert fetch.fails().reason == "refused"


def test_nobody_there(fetch: Fetch):
    error = fetch.fails(url="http://127.0.0.1:9/file.bin?token=hush", schedule={"attempts": 2})
    assert error.reason == "unreachable" and "hush" not in str(error)


@pytest.mark.parametrize("address", ["file:///etc/passwd", "nonsense", "http://", "ftp://127.0.0.1/a"])
def test_only_http_is_an_address(fetch: Fetch, address: str):
    with pytest.raises(ValueError, match="address"):
        fetch(url=address)


def test_a_folder_that_may_not_be_written_and_a_full_disk_are_said_plainly(
    fetch: Fetch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    fetch.server.put("/file.bin", BODY)
    (tmp_path / "taken").write_text("a file")
    assert "cannot write" in fetch.fails(target=tmp_path / "taken" / "file.bin").detail
    with pytest.raises(DownloadError, match="not allowed to write"):
        fetch(target=Path("/sys/nowhere/file.bin"))
    room = os.statvfs(tmp_path)
    huge = room.f_frsize * room.f_blocks * 2
    fetch.server.put("/file.bin", BODY, headers={"Content-Length": str(huge)})
    assert fetch.fails(max_bytes=huge).reason == "disk_full"

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    fetch.server.put("/file.bin", BODY)
    monkeypatch.setattr(partial_file.PartialFile, "append", full)
    assert "the disk is full" in fetch.fails().detail


def test_a_short_text_is_read_and_a_long_one_refused(fetch: Fetch, monkeypatch: pytest.MonkeyPatch):
    schedule = RetrySchedule(sleep=fetch.pauses.append)
    fetch.server.put("/a", "caf\u00e9".encode())
    with client(schedule) as http:
        assert read_text(http, f"{fetch.server.url}/a", schedule) == "caf\u00e9"
        monkeypatch.setattr("infra.downloads.http.MAX_TEXT_BYTES", 2)
        with pytest.raises(DownloadError, match="more than 2 bytes"):
            read_text(http, f"{fetch.server.url}/a", schedule)


KILLED = """
import sys
from pathlib import Path
from infra.downloads.http import DownloadRequest, client, download
from infra.downloads.retry import RetrySchedule
with client(RetrySchedule()) as http:
    download(http, DownloadRequest(url=sys.argv[1], target=Path(sys.argv[2]), max_bytes=10**9), RetrySchedule(),
             progress=lambda done, total: print(done, flush=True))
"""


def test_a_process_killed_midway_loses_nothing(fetch: Fetch):
    fetch.server.put("/file.bin", BODY, stall=[600_000])
    command = [sys.executable, "-c", KILLED, f"{fetch.server.url}/file.bin", str(fetch.target)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3])
    assert process.stdout is not None and process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL and not fetch.target.exists()
    assert fetch().sha256 == SHA256
    assert fetch.server.requests[-1].headers["range"].startswith("bytes=")
    assert [path.name for path in fetch.target.parent.iterdir()] == ["file.bin"]
