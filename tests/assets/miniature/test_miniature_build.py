"""Writing the raw folders: the same bytes for the same arguments, in good time."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import pytest

from assets.corpus.dataset import DATASETS
from assets.miniature.build import write_miniature


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(tmp_path: Path) -> None:
    worlds = {"train": 1, "test": 1}
    first, again, other = (
        write_miniature(tmp_path / name, seed=seed, worlds_by_split=worlds, questions_per_dataset=4)
        for name, seed in (("first", 3), ("again", 3), ("other", 4))
    )
    assert first == again
    assert digests(tmp_path / "first") == digests(tmp_path / "again")
    assert digests(tmp_path / "first") != digests(tmp_path / "other")
    assert first.items.keys() == first.questions.keys() == DATASETS.keys()
    assert other.worlds == {"train": 1, "val": 0, "test": 1}


def test_a_world_is_the_same_however_many_follow_it(tmp_path: Path) -> None:
    for name, count in (("one", 1), ("two", 2)):
        write_miniature(tmp_path / name, seed=3, worlds_by_split={"train": count}, questions_per_dataset=1)
    one, two = digests(tmp_path / "one"), digests(tmp_path / "two")
    media = [name for name in one if name.endswith((".mp4", ".pdf", ".jpg"))]
    assert media and all(one[name] == two[name] for name in media)


def test_a_world_is_written_in_moments(tmp_path: Path) -> None:
    write_miniature(tmp_path / "warm", seed=0, worlds_by_split={"train": 1})
    start = time.process_time()
    write_miniature(tmp_path / "timed", seed=1, worlds_by_split={"train": 4})
    assert (time.process_time() - start) / 4 < 3.0


@pytest.mark.parametrize("worlds", [{}, {"train": 0}, {"dev": 1}])
def test_senseless_sizes_are_refused(worlds: dict[str, int], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"world|split"):
        write_miniature(tmp_path, seed=0, worlds_by_split=worlds)


def test_an_existing_folder_is_never_mixed_with_new_worlds(tmp_path: Path) -> None:
    write_miniature(tmp_path, seed=0, worlds_by_split={"train": 1}, questions_per_dataset=1)
    with pytest.raises(FileExistsError):
        write_miniature(tmp_path, seed=1, worlds_by_split={"train": 1}, questions_per_dataset=1)
