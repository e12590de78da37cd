"""An artifact is complete or it is not there, however its writer ended."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from infra.storage import manifest
from infra.storage.manifest import FileEntry
from infra.storage.publication import publish
from infra.storage.root import Storage
from tests.artifacts import verify

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(params=["disk", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "disk":
        return Storage(str(tmp_path / "root"))
    served: Storage = request.getfixturevalue("s3_storage")
    return Storage(f"{served.root}/{tmp_path.name}", served.__getstate__()["options"])


def build(
    storage: Storage, text: bytes = b"hello", *, extra: dict[str, bytes] | None = None
) -> manifest.Manifest:
    with publish(storage, "art/x", producer="test", params={"k": 1}, inputs={"raw": "ab"}) as publication:
        publication.write_bytes("data/a.txt", text)
        for name, data in (extra or {}).items():
            publication.write_bytes(name, data)
        publication.counts["rows"] = 1
    assert publication.manifest is not None
    return publication.manifest


def test_the_manifest_names_every_file_with_its_size_and_hash(storage: Storage):
    built = build(storage)
    assert built.files == (FileEntry(name="data/a.txt", size=5, sha256=hashlib.sha256(b"hello").hexdigest()),)
    assert manifest.read(storage, "art/x") == built == verify(storage, "art/x")
    assert built.counts == {"rows": 1}


def test_files_that_a_library_wrote_into_the_directory_are_vouched_for_too(storage: Storage):
    with publish(storage, "art/y", producer="test", params={}, inputs={}) as publication:
        (publication.directory / "sub").mkdir()
        (publication.directory / "sub" / "by_hand.bin").write_bytes(b"abc")
    assert verify(storage, "art/y").entry("sub/by_hand.bin").size == 3


def test_a_block_that_fails_publishes_nothing_and_keeps_what_was_there(storage: Storage):
    before = build(storage)
    with (
        pytest.raises(RuntimeError, match="in the middle"),
        publish(storage, "art/x", producer="test", params={}, inputs={}) as publication,
    ):
        publication.write_bytes("data/a.txt", b"half")
        raise RuntimeError("in the middle")
    assert verify(storage, "art/x") == before
    assert storage.list("art") == ("x",)


def test_an_abandoned_publication_leaves_nothing(storage: Storage):
    with publish(storage, "art/none", producer="test", params={}, inputs={}) as publication:
        publication.write_bytes("a", b"1")
        publication.abandon()
    assert not storage.exists("art/none")


def test_a_new_version_takes_the_place_of_the_old_one_with_no_file_left_over(storage: Storage):
    build(storage, extra={"old.txt": b"old"})
    build(storage, b"new")
    assert sorted(storage.sizes("art/x")) == ["data/a.txt", "manifest.json"]
    assert storage.read_bytes("art/x/data/a.txt") == b"new"


def test_equal_inputs_give_equal_digests_and_equal_bytes(storage: Storage):
    first, first_bytes = build(storage), storage.read_bytes("art/x/manifest.json")
    second, second_bytes = build(storage), storage.read_bytes("art/x/manifest.json")
    assert (manifest.digest(first), first_bytes) == (manifest.digest(second), second_bytes)
    assert manifest.digest(build(storage, b"other")) != manifest.digest(first)


def test_a_re_run_can_see_that_there_is_nothing_to_do(storage: Storage):
    def current(k: int = 1, raw: str = "ab") -> bool:
        return manifest.is_current(storage, "art/x", producer="test", params={"k": k}, inputs={"raw": raw})

    assert not current()
    build(storage)
    assert current()
    assert not current(k=2)
    assert not current(raw="cd")


def test_a_missing_manifest_is_a_clear_error(storage: Storage):
    storage.write_bytes("art/bare/data.txt", b"1")
    with pytest.raises(ValueError, match=r"nothing finished at .*art/bare.*build it first"):
        manifest.read(storage, "art/bare")


def test_a_file_cut_short_or_gone_is_named(storage: Storage):
    build(storage, extra={"b.txt": b"four"})
    storage.write_bytes("art/x/b.txt", b"fou")
    with pytest.raises(ValueError, match=r"b\.txt"):
        manifest.read(storage, "art/x")


def test_a_file_of_the_same_size_with_other_bytes_is_found_by_its_hash(storage: Storage):
    build(storage)
    storage.write_bytes("art/x/data/a.txt", b"jello")
    manifest.read(storage, "art/x")
    with pytest.raises(ValueError, match="sha256"):
        verify(storage, "art/x")


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"{}", b'{"files": [{"name": "a"}]}', b"\xff"])
def test_a_damaged_manifest_is_a_value_error(tmp_path: Path, damage: bytes):
    storage = Storage(str(tmp_path))
    storage.write_bytes("art/x/manifest.json", damage)
    with pytest.raises(ValueError, match="damaged"):
        manifest.read(storage, "art/x")


@pytest.mark.parametrize(
    "name", ["../up.tar", "/etc/passwd", "pipe:rm -rf x", "file:///x", "a/../b", "", ".hidden", "a//b"]
)
def test_names_that_lead_elsewhere_are_refused_in_writing_and_in_reading(tmp_path: Path, name: str):
    storage = Storage(str(tmp_path))
    with (
        pytest.raises(ValueError, match="plain relative"),
        publish(storage, "art/x", producer="t", params={}, inputs={}) as publication,
    ):
        publication.write_bytes(name, b"1")
    build(storage)
    raw = json.loads(storage.read_bytes("art/x/manifest.json"))
    raw["files"][0]["name"] = name
    storage.write_bytes("art/x/manifest.json", json.dumps(raw).encode())
    with pytest.raises(ValueError, match="plain relative"):
        manifest.read(storage, "art/x")


def test_a_newer_schema_is_refused(tmp_path: Path):
    storage = Storage(str(tmp_path))
    build(storage)
    raw = json.loads(storage.read_bytes("art/x/manifest.json")) | {"schema_version": 99}
    storage.write_bytes("art/x/manifest.json", json.dumps(raw).encode())
    with pytest.raises(ValueError, match="schema 99"):
        manifest.read(storage, "art/x")


KILLED = """
import sys, time
from infra.storage.publication import publish
from infra.storage.root import Storage
with publish(Storage(sys.argv[1]), "art/x", producer="test", params={}, inputs={}) as publication:
    publication.write_bytes("data/a.txt", b"half a build")
    print("writing", flush=True)
    time.sleep(60)
"""


def test_a_killed_writer_leaves_the_old_artifact_and_its_rubbish_is_swept_by_the_next(tmp_path: Path):
    storage = Storage(str(tmp_path))
    before = build(storage)
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    writer = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=REPOSITORY)
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"writing\n"
    build(storage)  # a second writer leaves the staging directory of a living one alone
    assert len(list((tmp_path / "art").glob(".x.*.partial"))) == 1
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    time.sleep(0.05)
    assert verify(storage, "art/x") == before
    build(storage)
    assert list((tmp_path / "art").glob(".x.*")) == []
