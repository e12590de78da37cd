"""A directory of the root as a folder of this machine: in place on disk, copied both ways on S3."""

from pathlib import Path
from threading import Thread

import pytest

from infra.storage.lock import claimed
from infra.storage.root import Storage
from infra.storage.swap import LostRaceError
from orchestration.launch.synced_directory import SyncedDirectory


def test_on_disk_the_folder_is_the_directory_itself(tmp_path: Path):
    with SyncedDirectory(Storage(tmp_path), "checkpoints/run") as mirror:
        assert mirror.pull() == tmp_path / "checkpoints" / "run"
    assert not (tmp_path / "checkpoints").exists()  # looking does not write


def test_on_s3_what_was_written_is_there_for_the_next_machine(s3_storage: Storage):
    with SyncedDirectory(s3_storage, "checkpoints/mirrored") as first:
        assert list(first.pull().iterdir()) == []
        for name in ("000001/manifest.json", "000001/model.safetensors", "old/manifest.json"):
            (first.path / name).parent.mkdir(exist_ok=True)
            (first.path / name).write_text(name)
        first.push()
        scratch = first.path
    assert not scratch.exists()
    with SyncedDirectory(s3_storage, "checkpoints/mirrored") as second:
        assert (second.pull() / "000001" / "model.safetensors").read_text() == "000001/model.safetensors"
        (second.path / "old" / "manifest.json").unlink()
        second.push()
    assert sorted(s3_storage.sizes("checkpoints/mirrored")) == [
        "000001/manifest.json",
        "000001/model.safetensors",
    ]


def test_who_claimed_a_directory_before_another_writes_no_more(s3_storage: Storage):
    with (
        claimed(s3_storage, "checkpoints/claimed") as first,
        SyncedDirectory(s3_storage, "checkpoints/claimed", before_write=first) as earlier,
    ):
        (earlier.path / "one.txt").write_text("one")
        earlier.push()
        with (
            claimed(s3_storage, "checkpoints/claimed") as second,
            SyncedDirectory(s3_storage, "checkpoints/claimed", before_write=second) as later,
        ):
            later.pull()
            (earlier.path / "one.txt").write_text("another")
            with pytest.raises(LostRaceError, match="was replaced by another writer"):
                earlier.push()
            later.push()
    assert s3_storage.read_bytes("checkpoints/claimed/one.txt") == b"one"


def test_on_disk_a_claimed_directory_is_waited_for(tmp_path: Path):
    storage = Storage(tmp_path)
    with claimed(storage, "checkpoints/run"):
        with (
            pytest.raises(ValueError, match="another process is writing"),
            claimed(storage, "checkpoints/run"),
        ):
            pass
        other = Thread(target=lambda: _claim(storage))
        other.start()
    other.join(60)
    assert (tmp_path / "claimed").read_text() == "yes"


def _claim(storage: Storage) -> None:
    with claimed(storage, "checkpoints/run", wait_s=60):
        storage.write_bytes("claimed", b"yes")
