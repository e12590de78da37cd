"""Fingerprints of code: sources alone, a commit, a changed file, and a repository that is somebody else's."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from infra.code_version import code_inputs, sources_sha256


def package(folder: Path) -> Path:
    (folder / "ours").mkdir(parents=True)
    (folder / "ours" / "one.py").write_text("ONE = 1\n")
    return folder


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


def test_sources_alone_have_a_hash_that_follows_names_and_bytes(tmp_path: Path):
    folder = package(tmp_path)
    before = sources_sha256(folder, ["ours"])
    assert code_inputs(folder, ["ours"]) == {"code": f"sha256:{before}"}
    (folder / "ours" / "notes.txt").write_text("no code")
    assert sources_sha256(folder, ["ours"]) == before
    (folder / "ours" / "one.py").rename(folder / "ours" / "two.py")
    assert sources_sha256(folder, ["ours"]) != before


@pytest.mark.skipif(shutil.which("git") is None, reason="no git")
def test_a_commit_says_whether_the_packages_differ_from_it(tmp_path: Path):
    folder = package(tmp_path)
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "one")
    clean = code_inputs(folder, ["ours"])["commit"]
    assert len(clean) == 40
    (folder / "beside.py").write_text("")
    assert code_inputs(folder, ["ours"])["commit"] == clean
    (folder / "ours" / "one.py").write_text("ONE = 2\n")
    assert code_inputs(folder, ["ours"])["commit"] == f"{clean}-dirty"
    assert "commit" not in code_inputs(package(tmp_path / "installed"), ["ours"])
