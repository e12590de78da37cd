"""Raw folders as clones, downloaders and archives leave them: all is found, or said to be missing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from assets.parsers.files.raw_folder import RawFile, RawFolder


def write(folder: Path, *names: str, content: str = "x") -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")


def names(raw: Path) -> list[str]:
    return [file.name for file in RawFolder(raw).files]


def faults(raw: Path) -> dict[str, str]:
    return {skip.where: skip.reason for skip in RawFolder(raw).faults}


def test_files_of_any_depth_come_in_order_and_what_tools_leave_is_passed_over(tmp_path: Path):
    write(tmp_path, "b.json", "a/b/c.json", "a-b.json")
    write(
        tmp_path, ".git/config.json", ".cache/huggingface/download/b.json", "__MACOSX/._b.json", "a/._c.json"
    )
    assert names(tmp_path) == ["a/b/c.json", "a-b.json", "b.json"]
    assert faults(tmp_path) == {}


def test_links_are_followed_once_and_never_in_circles(tmp_path: Path):
    raw, elsewhere = tmp_path / "raw", tmp_path / "elsewhere"
    write(elsewhere, "deep/x.json", "blob")
    raw.mkdir()
    (raw / "data").symlink_to(elsewhere / "deep")
    (raw / "again").symlink_to(elsewhere / "deep")
    (raw / "y.json").symlink_to(elsewhere / "blob")  # as a hub's cache links its snapshots
    (elsewhere / "deep/up").symlink_to(raw)
    assert names(raw) == ["again/x.json", "y.json"]


def test_what_cannot_be_a_source_is_a_fault_with_its_reason(tmp_path: Path):
    write(tmp_path, "film.mp4.part", "good.json")
    write(
        tmp_path, "pointer.pdf", content="version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 9\n"
    )
    (tmp_path / "gone.json").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.json")
    assert faults(tmp_path) == {
        "film.mp4.part": "download_unfinished",
        "gone.json": "link_broken",
        "pipe.json": "not_a_file",
        "pointer.pdf": "git_lfs_pointer",
    }
    assert names(tmp_path) == ["good.json"]


def test_a_name_that_is_no_text_is_a_fault_and_written_out(tmp_path: Path):
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.json"))).write_text("{}")
    assert faults(tmp_path) == {"caf\\xe9.json": "file_name_undecodable"}


def test_what_nobody_takes_is_told_if_it_may_be_data(tmp_path: Path):
    write(
        tmp_path,
        "a.json",
        "b.csv",
        "c.zip",
        "imgs.7z.001",
        "d.json.gz",
        "e.tar.gz",
        "README.md",
        "f.JPG",
        "g.py",
    )
    folder = RawFolder(tmp_path)
    assert [file.name for file in folder.take((".json",), lambda file: file.name == "a.json")] == ["a.json"]
    assert {skip.where: skip.reason for skip in folder.untaken((".jpg",))} == {
        "b.csv": "file_not_read",
        "c.zip": "archive_not_unpacked",
        "d.json.gz": "file_not_read",
        "e.tar.gz": "archive_not_unpacked",
        "f.JPG": "file_not_read",
        "imgs.7z.001": "archive_not_unpacked",
    }


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("hotpot_train_v1.1.json", "train"),
        ("hotpot_dev_distractor_v1.json", "dev"),
        ("distractor/validation-00000-of-00001.parquet", "dev"),
        ("training_data/dev-v1.1.json", "dev"),
        ("train/part-3.jsonl", "train"),
        ("latest/questions.json", None),
        ("test/latest/all.json", "test"),
        ("TestSet.json", "test"),
        ("contest.json", None),
    ],
)
def test_the_nearest_word_of_a_path_names_the_split(name: str, split: str | None):
    assert RawFile(Path(name), name).split == split
