"""``vimrag fetch`` as a first user meets it: wrong words, terms, a kill in the middle, and then the corpus."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.command_line import Vimrag
from tests.assets.acquisition.hosts import COMMIT, as_json, put_commit, put_lvbench, put_videorag, tree
from tests.servers.file_server import FileServer, file_server

NAMES = ("squad", "huggingface", "github-raw", "github-archive", "github-api")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    with file_server() as running:
        mirrors = " ".join(f"{name}={running.url}/{name}" for name in NAMES)
        monkeypatch.setenv("VIMRAG_MIRRORS", f"{mirrors} youtube={running.url}/films/{{id}}.mp4")
        yield running


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name a dataset"),
        (("hotpot", "--root", "r"), "did you mean 'hotpotqa'?"),
        (("documents", "--root", "r"), "nothing to fetch"),
        (("squad",), "give --root ROOT"),
        (("squad", "--root", "s3://bucket/a"), "not to s3://bucket/a"),
        (("squad", "--root", "r", "--include", "v3"), "its parts are v1, v2"),
        (("squad", "--root", "r", "--videos"), "squad has no videos"),
        (("squad", "--root", "r", "--mirror", "x=http://a"), "NAME=URL"),
        (("squad", "--root", "r", "--mirror", "squad=ftp://a"), "no http or https address"),
        (("squad", "--root", "r", "--revision", "main"), "OWNER/REPO=REV"),
    ],
)
def test_wrong_usage_is_one_line(
    vimrag: Vimrag, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
):
    monkeypatch.chdir(tmp_path)
    result = vimrag("fetch", *arguments)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1) and said in result.err
    assert list(tmp_path.iterdir()) == []


def test_the_list_says_licences_and_what_has_to_be_asked_for(vimrag: Vimrag):
    said = vimrag("fetch", "--list")
    assert (
        said.code == 0
        and "CC BY-NC 4.0" in said.out
        and "--include train" in said.out
        and "[terms]" in said.out
    )
    listed = vimrag("fetch", "--list", "--json").json["datasets"]
    assert (
        len(listed) == 9
        and listed["lvbench"]["videos"]
        and not listed["hotpotqa"]["parts"]["train"]["default"]
    )


def test_terms_are_printed_and_nothing_is_fetched(vimrag: Vimrag, server: FileServer, tmp_path: Path):
    said = vimrag("fetch", "slidevqa", "--root", tmp_path)
    assert said.code == 2 and "internal evaluation only" in said.err and "--accept-terms" in said.err
    assert server.requests == [] and list(tmp_path.iterdir()) == []


def test_what_came_is_built_into_a_corpus(vimrag: Vimrag, server: FileServer, tmp_path: Path):
    put_videorag(server)
    said = vimrag("fetch", "wikihowqa", "--root", tmp_path, "--json")
    found = said.json["datasets"]["wikihowqa"]
    assert said.code == 1 and found["fetched"] == 3  # a copy of one question is not the published one
    assert found["failures"][0]["reason"] == "count" and "FAILED: wikihowqa: count" in said.err
    built = vimrag("corpus", "build", "--raw", tmp_path / "raw", "--root", tmp_path, "--json")
    assert built.json["datasets"]["wikihowqa"]["items"] == 2


def test_one_dataset_that_fails_does_not_end_the_others(vimrag: Vimrag, server: FileServer, tmp_path: Path):
    put_commit(server, "hub", "Alibaba-NLP/XVBench", "main")
    path = f"/huggingface/datasets/Alibaba-NLP/XVBench/resolve/{COMMIT}/xvbench.jsonl"
    server.put(path, as_json({"question": "q", "answer": "a", "video_name": "v", "reference": []}))
    said = vimrag("fetch", "webqa", "xvbench", "--root", tmp_path)
    assert said.code == 1 and "Google Drive" in said.err and "xvbench" in said.out
    assert (tmp_path / "raw/xvbench/xvbench.jsonl").is_file()
    alone = vimrag("fetch", "xvbench", "--root", tmp_path)
    assert alone.code == 0 and "next: vimrag corpus build --raw" in alone.err


def test_a_run_killed_midway_is_finished_by_the_same_command(
    vimrag: Vimrag, server: FileServer, tmp_path: Path
):
    path = put_lvbench(server)
    body = server.files[path].body = server.files[path].body + b"\n" + b" " * 500_000
    server.files[path].stall = [300_000]
    command = [sys.executable, "-m", "app.cli", "fetch", "lvbench", "--root", str(tmp_path / "killed")]
    process = subprocess.Popen(
        command, cwd=Path(__file__).parents[2], stderr=subprocess.DEVNULL, env=os.environ
    )
    part = tmp_path / "killed/raw/lvbench/video_info.meta.jsonl.part"
    deadline = time.monotonic() + 60
    while not (part.is_file() and part.stat().st_size > 100_000) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL and not part.with_suffix("").exists()
    vimrag("fetch", "lvbench", "--root", tmp_path / "killed")
    assert server.asked(path)[-1].headers["range"].startswith("bytes=")
    assert part.with_suffix("").read_bytes() == body
    vimrag("fetch", "lvbench", "--root", tmp_path / "whole")
    killed, whole = tree(tmp_path / "killed"), tree(tmp_path / "whole")
    assert killed == whole and len(killed) == 2
    before = len(server.requests)
    vimrag("fetch", "lvbench", "--root", tmp_path / "killed")
    assert len(server.requests) == before
