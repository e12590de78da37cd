"""A directory of the root as a folder of this machine: in place on disk, copied both ways on S3."""

from pathlib import Path

from infra.storage.root import Storage
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
