"""Backup and restore as docs/operations.md walks it: stop, copy, restore elsewhere; the same answers, every byte.

A root is files: what is copied of them is the whole of it, on disk and on S3. Vectors on a Weaviate server are backed up
by the server's own module and restored into another server.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assets.index.published import roll_back
from assets.index.releases import releases, verify
from assets.index.stores import ALIAS, weaviate_client
from infra.storage.root import Storage
from tests.assets.small_corpus import item, write_corpus
from tests.faults import stages
from tests.weaviate.server import BINARY, WeaviateServer

pytestmark = pytest.mark.timeout(600)
QUERIES = [each.text for each in stages.texts(0)]


def filled(storage: Storage, store: str) -> tuple[str, str]:
    """Two releases, the second is in use."""
    versions = [stages.build(storage, store, corpus=corpus) for corpus in (1, 0)]
    return versions[0], versions[1]


def answers(storage: Storage) -> list[list[tuple[str, float]]]:
    hits = stages.opened(storage).rank_many(QUERIES, 5)
    return [[(hit.id, round(hit.score, 3)) for hit in found] for found in hits]


def assert_whole(storage: Storage, before: tuple[str, str], expected: list[Any]) -> None:
    """Both releases with every byte, the same answers, a way back, and a next build."""
    assert stages.current_version(storage) == before[1]
    assert answers(storage) == expected
    assert {each.version for each in releases(storage)} == set(before)
    assert all(verify(storage, version) == [] for version in before)
    roll_back(storage)
    assert stages.current_version(storage) == before[0]
    assert stages.wrong_answers(storage, stages.opened(storage)) == []


def test_a_root_on_disk_is_an_archive_and_back(tmp_path: Path):
    storage = Storage(tmp_path / "root")
    before = filled(storage, "lance")
    expected = answers(storage)
    archive = shutil.make_archive(str(tmp_path / "backup"), "tar", storage.root)
    shutil.rmtree(storage.root)
    shutil.unpack_archive(archive, tmp_path / "elsewhere", filter="data")
    assert_whole(Storage(tmp_path / "elsewhere"), before, expected)


def test_a_root_on_s3_is_its_objects_under_another_prefix(s3_storage: Storage, tmp_path: Path):
    options = s3_storage.__getstate__()["options"]
    storage = Storage(f"{s3_storage.root}/{tmp_path.name}", options)
    before = filled(storage, "lance")
    expected = answers(storage)
    for name in storage.sizes(""):  # what `aws s3 sync` does, out and in
        target = tmp_path / "backup" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(storage.read_bytes(name))
    for folder in storage.list():
        storage.remove_tree(folder)
    elsewhere = Storage(f"{s3_storage.root}/{tmp_path.name}-elsewhere", options)
    names = sorted(
        path.relative_to(tmp_path / "backup") for path in (tmp_path / "backup").rglob("*") if path.is_file()
    )
    for name in names:
        elsewhere.write_bytes(str(name), (tmp_path / "backup" / name).read_bytes())
    assert_whole(elsewhere, before, expected)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[WeaviateServer, WeaviateServer]]:
    """One that is lost and one elsewhere, each with a folder of backups of its own."""
    if not BINARY.is_file():
        pytest.skip("no Weaviate server: `make weaviate` builds it")
    both = [
        WeaviateServer(
            tmp_path / name,
            {
                "ENABLE_MODULES": "backup-filesystem",
                "BACKUP_FILESYSTEM_PATH": str(tmp_path / name / "backups"),
            },
        )
        for name in ("lost", "other")
    ]
    yield both[0], both[1]
    for server in both:
        server.kill()


def test_vectors_on_a_server_are_restored_into_another(
    servers: tuple[WeaviateServer, WeaviateServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    lost, other = servers
    lost.start()
    for name, value in lost.environment.items():
        monkeypatch.setenv(name, value)
    storage = Storage(tmp_path / "root")
    before = filled(storage, "weaviate")
    expected = answers(storage)
    weaviate_client().backup.create("nightly", backend="filesystem", wait_for_completion=True)
    lost.stop()
    shutil.copytree(tmp_path / "lost" / "backups", tmp_path / "other" / "backups")
    shutil.rmtree(tmp_path / "lost")
    shutil.move(storage.root, tmp_path / "elsewhere")

    other.start()
    for name, value in other.environment.items():
        monkeypatch.setenv(name, value)
    weaviate_client().backup.restore("nightly", backend="filesystem", wait_for_completion=True)
    restored = Storage(tmp_path / "elsewhere")
    roll_back(restored, before[1])  # `vimrag releases promote CURRENT` points the alias to it again
    assert weaviate_client().alias.get(alias_name=ALIAS) is not None
    assert_whole(restored, before, expected)
    write_corpus(restored, [item("new", "a new town by the sea")])
    stages.build(restored, "weaviate")  # and goes on from there
    assert stages.opened(restored).count() == 1
