"""Roots, file names and terminals of every kind: names are literal everywhere, and no output ends a run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.app.command_line import Vimrag

ROOTS = ("r[/x]", "[bold]", "100%25 #1", "données—été", "中文 目录", "-dash", ":smile:")
NAMES = (
    "tide [red]#2 50%.txt",
    "-rf.txt",
    "été.txt",
    "e\u0301te\u0301.txt",
    "a\nb.txt",
    ":smile: 🙂.md",
    " lead.txt",
)
WORDS = "The buoy is called 维修合同"
ROOT_FOLDER = Path(__file__).parents[2]


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    for number, name in enumerate(NAMES):
        (folder / name).write_text(f"{WORDS} {number} 🙂.\n")
    with open(os.fsencode(folder) + b"/caf\xe9 men\xfc.txt", "w") as file:
        file.write("The ferry Halcyon serves coffee.\n")
    return folder


@pytest.mark.parametrize("root", ROOTS)
def test_a_root_of_any_name_is_literal(vimrag: Vimrag, tmp_path: Path, root: str):
    (tmp_path / "a.txt").write_text(WORDS)
    said = vimrag("ingest", tmp_path / "a.txt", "--root", tmp_path / root)
    assert (said.code, f"1 items searchable in {tmp_path / root}" in said.out) == (0, True)
    assert vimrag("search", "--root", tmp_path / root, "buoy", "--json").json["hits"][0]["title"] == "a.txt"


def test_a_file_of_any_name_is_found_by_it_and_listed_as_it_is(vimrag: Vimrag, docs: Path, tmp_path: Path):
    root = tmp_path / "root"
    listed = vimrag("ingest", docs, "--root", root).out
    for name in (*NAMES, "caf\\xe9 men\\xfc.txt"):
        assert name.replace("\n", " ") in listed
    hits = vimrag("search", "--root", root, "Halcyon", "--top-k", 1).out
    assert "caf\\xe9 men\\xfc.txt" in hits
    found = vimrag("search", "--root", root, "buoy", "--top-k", 9, "--json").json["hits"]
    assert {hit["title"] for hit in found} >= {"tide [red]#2 50%.txt", "été.txt", "a b.txt"}


def run(
    *arguments: object, encoding: str, stdout: int = subprocess.PIPE
) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONPATH": str(ROOT_FOLDER)}
    command = [sys.executable, "-m", "app.cli", *map(str, arguments)]
    return subprocess.run(command, env=environment, stdout=stdout, stderr=subprocess.PIPE, check=False)


def test_a_terminal_that_cannot_show_a_character_gets_it_spelled_out(docs: Path, tmp_path: Path):
    root = tmp_path / "root"
    said = run("ingest", docs, "--root", root, encoding="ascii")
    assert (said.returncode, said.stdout.isascii()) == (0, True)
    found = run("search", "--root", root, "buoy", "--json", encoding="cp1252")
    hits = json.loads(found.stdout.decode("cp1252"))["hits"]
    assert (found.returncode, WORDS in hits[0]["text"]) == (0, True)


def test_a_reader_who_leaves_ends_no_run(docs: Path, tmp_path: Path):
    root = tmp_path / "root"
    read, write = os.pipe()
    os.close(read)
    said = run("ingest", docs, "--root", root, "--json", encoding="utf-8", stdout=write)
    os.close(write)
    assert said.returncode == 0
    assert list(root.glob("index/*"))
