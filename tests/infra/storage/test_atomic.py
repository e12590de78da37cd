from pathlib import Path

import pytest

from infra.storage import atomic


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(tmp_path: Path):
    target = tmp_path / "deep" / "file.txt"
    with atomic.replacing(target, durable=True) as partial:
        partial.write_text("old")
        assert not target.exists()
    with atomic.replacing(target) as partial:
        partial.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert names(target.parent) == ["file.txt"]


def test_a_folder_replaces_a_folder_as_a_whole(tmp_path: Path):
    target = tmp_path / "model"
    for content in ("old", "new"):
        with atomic.replacing(target) as partial:
            partial.mkdir()
            (partial / content).write_text(content)
    assert names(target) == ["new"]
    assert names(tmp_path) == ["model"]


def test_a_block_that_fails_leaves_what_was_there_and_nothing_else(tmp_path: Path):
    target = tmp_path / "file.txt"
    target.write_text("old")
    with pytest.raises(ValueError, match="midway"), atomic.replacing(target) as partial:
        partial.write_text("half")
        raise ValueError("midway")
    assert target.read_text() == "old"
    assert names(tmp_path) == ["file.txt"]


@pytest.mark.parametrize("folder", [False, True])
def test_what_a_killed_process_left_is_replaced(tmp_path: Path, folder: bool):
    target = tmp_path / "thing"
    leftover = atomic.partial_path(target)
    if folder:
        leftover.mkdir()
        (leftover / "half").write_text("half")
    else:
        leftover.write_text("half")
    with atomic.replacing(target) as partial:
        partial.write_text("whole")
    assert target.read_text() == "whole"
    assert names(tmp_path) == ["thing"]


def test_a_folder_is_replaced_in_one_act_so_that_no_kill_falls_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name, text in (("new.partial", "new"), ("target", "old")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(text)

    def killed(*_: object) -> None:
        raise AssertionError("there is a moment at which neither is there")

    monkeypatch.setattr(Path, "rename", killed)
    atomic.replace(tmp_path / "new.partial", tmp_path / "target")
    assert (tmp_path / "target" / "file").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["target"]
