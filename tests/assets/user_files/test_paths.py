"""Which files are found: named or below a folder, in order, without what is hidden or leads away."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from assets.user_files.paths import file_key, find, location_of
from tests.assets.user_files.material import write_text


def names(folder: Path, *others: Path, **options: Path) -> list[str]:
    found = find([folder, *others], **options)
    return [str(place.path.relative_to(folder)) for place in found.places]


def reasons(folder: Path) -> dict[str, str]:
    return {skip.where.rsplit("/", 1)[-1]: skip.reason for skip in find([folder]).skipped}


def test_files_are_found_in_name_order_and_hidden_ones_are_not(tmp_path: Path):
    for name in ("b.txt", "a/z.txt", "a/b/c.txt", "A.txt", ".hidden.txt", ".git/config.txt", "a/.x/y.txt"):
        write_text(tmp_path / name, "x")
    assert names(tmp_path) == ["A.txt", "b.txt", "a/z.txt", "a/b/c.txt"]


def test_a_hidden_file_that_is_named_is_taken(tmp_path: Path):
    hidden = write_text(tmp_path / ".notes.txt", "x")
    assert [place.path for place in find([hidden]).places] == [hidden]


def test_a_file_is_taken_once_however_often_it_is_named(tmp_path: Path):
    file = write_text(tmp_path / "a/b.txt", "x")
    found = find([tmp_path, tmp_path / "a", tmp_path / "a" / ".." / "a" / "b.txt", file])
    assert [(place.location, place.named) for place in found.places] == [(str(file), True)]


def test_links_are_followed_within_the_folder_only(tmp_path: Path):
    outside = write_text(tmp_path / "secret.txt", "x")
    folder = tmp_path / "given"
    write_text(folder / "real/a.txt", "x")
    (folder / "inside.txt").symlink_to(folder / "real/a.txt")
    (folder / "outside.txt").symlink_to(outside)
    (folder / "broken.txt").symlink_to(folder / "none")
    (folder / "itself.txt").symlink_to(folder / "itself.txt")
    (folder / "up").symlink_to(tmp_path)
    (folder / "loop").symlink_to(folder)
    assert names(folder) == ["inside.txt", "real/a.txt"]
    assert reasons(folder) == {
        "outside.txt": "link_outside",
        "broken.txt": "link_broken",
        "itself.txt": "link_broken",
        "up": "link_to_folder",
        "loop": "link_to_folder",
    }


def test_a_link_that_is_named_is_followed(tmp_path: Path):
    write_text(tmp_path / "real/a.txt", "x")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert [place.path for place in find([tmp_path / "link"]).places] == [tmp_path / "link/a.txt"]


@pytest.mark.timeout(20)
def test_a_pipe_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.txt")
    assert names(tmp_path) == []
    assert reasons(tmp_path) == {"pipe.txt": "not_a_file"}


def test_bytes_of_a_name_that_are_no_text_are_spelled_out(tmp_path: Path):
    (tmp_path / os.fsdecode(b"caf\xe9.txt")).write_text("x")
    [place] = find([tmp_path]).places
    assert place.path.read_text() == "x"
    assert place.location == f"{tmp_path}/caf\\xe9.txt"


def test_the_root_inside_a_folder_is_not_read_as_documents(tmp_path: Path):
    write_text(tmp_path / "runs/mine/notes.txt", "x")
    write_text(tmp_path / "runs/b.txt", "x")
    assert names(tmp_path, leave_out=tmp_path / "runs/mine") == ["runs/b.txt"]
    assert [p.path.name for p in find([tmp_path / "runs/mine"], leave_out=tmp_path / "runs/mine").places] == [
        "notes.txt"
    ]


def test_there_must_be_something_at_a_path(tmp_path: Path):
    with pytest.raises(ValueError, match="no such file or folder"):
        find([tmp_path / "none"])


def test_a_file_has_one_location_however_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    ways = [Path("docs/a.pdf"), Path("./docs/../docs/a.pdf"), tmp_path / "docs/a.pdf"]
    assert {location_of(path) for path in ways} == {str(tmp_path / "docs/a.pdf")}


def test_a_key_is_readable_and_differs_by_folder():
    keys = [file_key("/docs/Annual Report (final).PDF"), file_key("/old/Annual Report (final).PDF")]
    assert all(key.startswith("annual-report-final-pdf-") and len(key) == 24 + 10 for key in keys)
    assert keys[0] != keys[1]
    assert file_key("/docs/\u5831\u544a").startswith("file-")
    assert file_key("/docs/Müller.txt").startswith("muller-txt-")
    assert len(file_key("/docs/" + "x" * 200)) == 40 + 1 + 10
