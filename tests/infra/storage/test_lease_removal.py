"""A lease that is let go is removed: by a store that fails once, beside a renewal, and by a process that ends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest

from infra.errors import StorageError
from infra.storage import lease
from infra.storage.root import Storage

REPOSITORY = Path(__file__).resolve().parents[3]
HOLDING = """
import sys
from infra.storage.lease import Lease
from infra.storage.root import Storage

keys = {"endpoint": sys.argv[1], "key": "key", "secret": "secret"}
lease = Lease(Storage("s3://bucket/root", keys), ["v1"], "a test")
"""


class Failing(Storage):
    """Fails to remove ``failures`` times."""

    failures = 0

    def remove_file(self, path: str) -> None:
        if self.failures:
            self.failures -= 1
            raise StorageError(f"remove {path!r}: come back later")
        super().remove_file(path)


class Slow(Storage):
    """Writes a lease again only when it is ``allowed``."""

    def __init__(self, root: str | Path) -> None:
        super().__init__(root)
        self.begun, self.allowed, self._writes = Event(), Event(), 0

    def write_bytes(self, path: str, data: bytes) -> None:
        self._writes += 1
        if self._writes > 1:
            self.begun.set()
            assert self.allowed.wait(60)
        super().write_bytes(path, data)


@pytest.mark.parametrize("failures", [1, 3])
def test_a_store_that_fails_is_asked_again(
    tmp_path: Path, failures: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(lease, "PAUSES_S", (0.01, 0.01, 0.01))
    storage = Failing(tmp_path)
    with lease.Lease(storage, ["v1"], "a test"):
        storage.failures = failures
    assert storage.list(lease.FOLDER) == () and not caplog.records


def test_a_store_that_fails_for_good_is_left_the_lease_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(lease, "PAUSES_S", (0.01, 0.01, 0.01))
    storage = Failing(tmp_path)
    with lease.Lease(storage, ["v1"], "a test"):
        storage.failures = 4
    assert len(storage.list(lease.FOLDER)) == 1
    assert "was not removed, and ends by itself: remove" in caplog.text


def test_a_renewal_that_is_under_way_brings_no_lease_back(tmp_path: Path):
    storage = Slow(tmp_path)
    held = lease.Lease(storage, ["v1"], "a test", ttl_s=0.04)
    assert storage.begun.wait(60)
    ending = Thread(target=held.end)
    ending.start()
    storage.allowed.set()
    ending.join()
    assert storage.list(lease.FOLDER) == ()


def test_a_renewal_that_takes_too_long_is_told_and_its_lease_goes_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(lease, "END_S", 0.05)
    storage = Slow(tmp_path)
    held = lease.Lease(storage, ["v1"], "a test", ttl_s=0.04)
    assert storage.begun.wait(60)
    held.end()
    assert "a lease was not removed within" in caplog.text
    storage.allowed.set()
    monkeypatch.setattr(lease, "END_S", 60.0)
    held.end()
    assert storage.list(lease.FOLDER) == ()


@pytest.fixture
def requests() -> Iterator[list[tuple[str, str]]]:
    """Those of a store that takes everything and keeps no connection; the first is its port."""
    made: list[tuple[str, str]] = []

    class Taking(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # else it does not say that it goes on

        def take(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            made.append((self.command, self.path))
            self.send_response(200)
            for header in (("Content-Length", "0"), ("Connection", "close"), ("ETag", '"x"')):
                self.send_header(*header)
            self.end_headers()
            self.close_connection = True

        do_PUT = do_DELETE = do_HEAD = do_GET = take

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Taking) as server:
        made.append(("port", str(server.server_port)))
        Thread(target=server.serve_forever, daemon=True).start()
        yield made
        server.shutdown()


def test_a_process_that_ends_removes_its_lease_from_a_store_whose_name_it_must_look_up(
    requests: list[tuple[str, str]],
):
    endpoint = f"http://localhost:{requests.pop()[1]}"
    ended = subprocess.run(
        [sys.executable, "-c", HOLDING, endpoint], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    (written, there), (removed, the_same) = requests
    assert (written, removed) == ("PUT", "DELETE") and there == the_same
    assert not ended.stderr
