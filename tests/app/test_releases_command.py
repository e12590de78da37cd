"""``vimrag releases`` of somebody who has none yet, or wrote the root wrongly. With releases: ``test_index_command.py``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.app.command_line import Vimrag

ACTS = [["show"], ["verify"], ["rollback"], ["promote", "0123456789abcdef"], ["gc"], ["gc", "--dry-run"]]


@pytest.mark.parametrize("act", ACTS, ids=" ".join)
def test_a_root_without_releases_is_told_how_it_gets_its_first(
    vimrag: Vimrag, tmp_path: Path, act: list[str]
):
    said = vimrag("releases", *act, "--root", tmp_path, "--json")
    assert said.code == 1 and not said.out
    assert said.err == (
        f"error: nothing was published at {tmp_path}; `vimrag index build --root {tmp_path}` makes a first release\n"
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("act", [["list"], *ACTS], ids=" ".join)
def test_a_root_that_is_almost_one_is_asked_about(vimrag: Vimrag, tmp_path: Path, act: list[str]):
    (tmp_path / "papers").mkdir()
    said = vimrag("releases", *act, "--root", tmp_path / "paper")
    assert said.code == 2 and f"did you mean '{tmp_path / 'papers'}'?" in said.err
    assert not (tmp_path / "paper").exists()


def test_the_help_says_which_release_each_takes_by_default(vimrag: Vimrag, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert "by default the current one." in vimrag("releases", "verify", "--help").out
    assert (
        "by default the newest that is not the current one." in vimrag("releases", "rollback", "--help").out
    )
