"""Versions of an artifact: nothing is taken from a reader, one of two writers wins, and a killed one leaves what was there."""

from __future__ import annotations

import concurrent.futures.thread
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Thread

import pytest

from infra.errors import StorageError
from infra.storage import lease, manifest, swap
from infra.storage.publication import publish
from infra.storage.root import Storage
from infra.storage.swap import LostRaceError, look
from tests.artifacts import verify

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(params=["disk", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "disk":
        return Storage(str(tmp_path / "root"))
    served: Storage = request.getfixturevalue("s3_storage")
    return Storage(f"{served.root}/{tmp_path.name}", served.__getstate__()["options"])


def build(storage: Storage, text: bytes, barrier: Barrier | None = None) -> manifest.Manifest:
    with publish(storage, "art", producer="t", params={}, inputs={}, versioned=True) as publication:
        publication.write_bytes("a.txt", text)
        if barrier:
            barrier.wait()
    assert publication.manifest is not None
    return publication.manifest


def test_the_version_before_stays_readable_by_its_digest(storage: Storage):
    first, second = build(storage, b"one"), build(storage, b"two")
    with manifest.open_file(storage, "art", "a.txt") as file:
        assert file.read() == b"two"
    for number, version in ((b"one", first), (b"two", second)):
        with manifest.open_file(storage, "art", "a.txt", manifest.digest(version)) as file:
            assert file.read() == number
    assert verify(storage, "art") == second
    with pytest.raises(ValueError, match=r"version 0123 of .* is gone"):
        manifest.read(storage, "art", "0123")


def test_equal_content_is_the_same_version(storage: Storage):
    first, _, again = build(storage, b"one"), build(storage, b"two"), build(storage, b"one")
    assert first == again == manifest.read(storage, "art")
    assert len(storage.list("art")) == 3  # the manifest and two versions


def test_an_artifact_without_versions_can_get_them(storage: Storage):
    with publish(storage, "art", producer="t", params={}, inputs={}) as publication:
        publication.write_bytes("a.txt", b"as it was once")
    before = manifest.read(storage, "art")
    assert manifest.read(storage, "art", manifest.digest(before)) == before
    build(storage, b"one")
    assert verify(storage, "art").folder
    with pytest.raises(ValueError, match="is gone"):
        manifest.read(storage, "art", manifest.digest(before))


def test_of_writers_at_the_same_time_one_wins_and_the_others_say_so(storage: Storage):
    build(storage, b"before")

    def write(text: bytes, barrier: Barrier) -> bool:
        try:
            build(Storage(storage.root, storage.__getstate__()["options"]), text, barrier)
        except LostRaceError as error:
            assert "replaced by another writer" in str(error)
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        for pair in range(25):
            barrier = Barrier(2)
            texts = [f"{pair} {writer}".encode() for writer in range(2)]
            won = list(pool.map(write, texts, [barrier, barrier]))
            assert won.count(True) == 1
            verify(storage, "art")
            with manifest.open_file(storage, "art", "a.txt") as file:
                assert file.read() == texts[won.index(True)]


@pytest.mark.parametrize("moment", ["put_file", "pipe_file", "call_s3"])
def test_a_writer_killed_on_s3_leaves_the_version_before(s3_storage: Storage, tmp_path: Path, moment: str):
    storage = Storage(f"{s3_storage.root}/{tmp_path.name}", s3_storage.__getstate__()["options"])
    before = build(storage, b"before")
    program = """
import os, signal, sys
from infra.storage.publication import publish
from infra.storage.root import Storage
storage = Storage(sys.argv[1], {"endpoint": sys.argv[2], "key": "any", "secret": "any"})
def strike(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)
with publish(storage, "art", producer="t", params={}, inputs={}, versioned=True) as made:
    made.write_bytes("a.txt", b"new")
    setattr(storage.fs, sys.argv[3], strike)
"""
    arguments = [storage.root, storage.object_store_options()["aws_endpoint"], moment]
    killed = subprocess.run(
        [sys.executable, "-c", program, *arguments], env={**os.environ, "PYTHONPATH": str(REPOSITORY)}
    )
    assert killed.returncode == -signal.SIGKILL
    assert verify(storage, "art") == before
    assert build(storage, b"new").folder != before.folder


def test_a_file_is_swapped_only_if_it_is_what_was_seen(storage: Storage):
    nothing = look(storage, "a/b.json")
    swap.swap(storage, "a/b.json", nothing, b"1")
    with pytest.raises(LostRaceError):
        swap.swap(storage, "a/b.json", nothing, b"2")
    seen = look(storage, "a/b.json")
    swap.swap(storage, "a/b.json", seen, b"3")
    with pytest.raises(LostRaceError):
        swap.swap(storage, "a/b.json", seen, b"4")
    assert storage.read_bytes("a/b.json") == b"3"


def test_what_a_killed_writer_of_a_swap_left_goes_with_the_next(tmp_path: Path):
    storage = Storage(tmp_path)
    swap.swap(storage, "a/b.json", look(storage, "a/b.json"), b"1")
    (tmp_path / "a/.b.json.4711.partial").write_bytes(b"half")
    swap.swap(storage, "a/b.json", look(storage, "a/b.json"), b"2")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.json"]


def test_a_store_that_ignores_conditions_is_refused_unless_told(
    s3_storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    storage = Storage(f"{s3_storage.root}/{tmp_path.name}", s3_storage.__getstate__()["options"])
    plain = storage.fs.call_s3

    def ignoring(method: str, **arguments: object) -> object:
        return plain(method, **{n: v for n, v in arguments.items() if n not in ("IfMatch", "IfNoneMatch")})

    monkeypatch.setattr(storage.fs, "call_s3", ignoring)
    with pytest.raises(StorageError, match=r"ignores conditions.*VIMRAG_SINGLE_WRITER=1"):
        build(storage, b"one")
    monkeypatch.setenv("VIMRAG_SINGLE_WRITER", "1")
    assert build(storage, b"one") == verify(storage, "art")


def test_a_lease_ends_with_its_block_and_with_what_it_is_bound_to(storage: Storage):
    class Reader:
        pass

    reader = Reader()
    with lease.Lease(storage, ["v1"], "a test"):
        lease.Lease(storage, ["v2", "v3"], "another").bind(reader)
        assert {held.versions for held in lease.held(storage)} == {("v1",), ("v2", "v3")}
    assert [held.versions for held in lease.held(storage)] == [("v2", "v3")]
    del reader
    deadline = time.monotonic() + 10
    while lease.held(storage):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_lease_is_renewed_and_that_of_a_killed_reader_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lease, "SKEW_S", 0.0)
    storage = Storage(tmp_path)
    killed = {"holder": "killed", "versions": ["v0"], "ttl_s": 0.5}
    storage.write_bytes("leases/of-a-killed-reader.json", json.dumps(killed).encode())
    storage.write_bytes("leases/damaged.json", b"{")
    with lease.Lease(storage, ["v1"], "a test", ttl_s=0.5):
        time.sleep(1.2)
        assert [held.versions for held in lease.held(storage)] == [("v1",)]
    assert storage.list("leases") == ("damaged.json",)


@pytest.mark.parametrize("ahead_s", [7200.0, -7200.0])
def test_a_process_whose_clock_is_wrong_ends_no_lease_of_others(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, ahead_s: float
):
    right = time.time
    with lease.Lease(storage, ["v1"], "a test"):
        monkeypatch.setattr(time, "time", lambda: right() + ahead_s)
        assert [held.versions for held in lease.held(storage)] == [("v1",)]
        storage.write_bytes("young", b"")
        assert abs(storage.now() - storage.modified("young")) < 60


def test_a_lease_that_is_let_go_anywhere_waits_for_no_lock(s3_storage: Storage, tmp_path: Path):
    """The garbage collector ends one in the middle of anything: here of a pool that starts a thread, whose lock is held."""
    storage = Storage(f"{s3_storage.root}/{tmp_path.name}", s3_storage.__getstate__()["options"])

    class Reader:
        pass

    readers = [Reader()]
    lease.Lease(storage, ["v1"], "a test").bind(readers[0])

    def let_go() -> None:
        with concurrent.futures.thread._global_shutdown_lock:
            readers.clear()

    thread = Thread(target=let_go, daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
    deadline = time.monotonic() + 10
    while lease.held(storage):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_two_remove_at_once_is_gone_and_neither_fails(tmp_path: Path):
    storage = Storage(tmp_path)
    for number in range(300):
        storage.write_bytes(f"old/{number}/file", b"x")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(storage.remove_tree, ["old"] * 4))
    assert storage.list() == ()
