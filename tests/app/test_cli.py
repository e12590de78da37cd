"""The command line on real files: results, exact JSON, exit codes, and errors in one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.cli import main
from tests.app.command_line import Vimrag

ROOT = Path(__file__).resolve().parents[2]
WORLD = {
    f"{kind}": f"The {kind} of the harbour opened in {1900 + number}."
    for number, kind in enumerate(("pier", "crane", "mill"))
}


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQuAD file of three paragraphs, one question each, and one malformed paragraph."""
    folder = tmp_path_factory.mktemp("raw")
    paragraphs: list[dict[str, Any]] = [
        {
            "context": text,
            "qas": [
                {
                    "id": kind,
                    "question": f"When did the {kind} open?",
                    "answers": [{"text": text[-5:-1], "answer_start": len(text) - 5}],
                }
            ],
        }
        for kind, text in WORLD.items()
    ]
    (folder / "squad").mkdir()
    data = {"version": "1.1", "data": [{"title": "Harbour", "paragraphs": [*paragraphs, {"qas": []}]}]}
    (folder / "squad" / "dev-v1.1.json").write_text(json.dumps(data))
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, raw: Path) -> Path:
    """A root with corpus and index."""
    folder = tmp_path_factory.mktemp("root")
    assert main(["corpus", "build", "--raw", str(raw), "--root", str(folder), "--json"]) == 0
    assert main(["index", "build", "--root", str(folder), "--json"]) == 0
    return folder


def test_building_a_corpus_counts_what_it_took_and_what_it_skipped(vimrag: Vimrag, raw: Path, tmp_path: Path):
    said = vimrag("corpus", "build", "--raw", raw, "--root", tmp_path, "--datasets", "squad", "--json")
    assert said.code == 0
    squad = said.json["datasets"]["squad"]
    assert (squad["items"], squad["questions"]) == (3, 3)
    assert sum(squad["skipped"].values()) >= 1
    assert said.json["root"] == str(tmp_path)


def test_building_an_index_says_how_many_items_it_holds(vimrag: Vimrag, root: Path):
    again = vimrag("index", "build", "--root", root, "--json")
    assert again.code == 0
    assert again.json["items"] == 3
    assert (again.json["embedded"], again.json["reused"]) == (0, 3)  # nothing changed since the fixture


def test_searching_finds_the_paragraph_and_says_all_that_the_issue_names(vimrag: Vimrag, root: Path):
    said = vimrag("search", "--root", root, "When did the crane open?", "--top-k", 2, "--json")
    assert said.code == 0
    hits = said.json["hits"]
    assert len(hits) == 2
    assert set(hits[0]) == {"id", "score", "dataset", "modality", "title", "text", "media"}
    assert "crane" in hits[0]["text"] and hits[0]["score"] >= hits[1]["score"]


def test_the_same_search_for_people_shows_titles_and_text(vimrag: Vimrag, root: Path):
    said = vimrag("search", "--root", root, "When did the crane open?", "--top-k", 1)
    assert said.code == 0
    assert "Harbour" in said.out and "1901" in said.out


def test_retrieval_is_measured_over_questions_with_gold(vimrag: Vimrag, root: Path):
    said = vimrag("retrieval", "--root", root, "--json")
    assert said.code == 0
    squad = said.json["datasets"]["squad"]
    assert (squad["items"], squad["questions"]) == (3, 3)
    assert set(squad["recall"]) == {"1", "3", "5", "10"}
    assert squad["recall"]["3"] == 1.0  # three items in all
    assert vimrag("retrieval", "--root", root, "--scope", "all").code == 0


def test_datasets_that_are_not_indexed_find_nothing(vimrag: Vimrag, root: Path):
    said = vimrag("search", "--root", root, "crane", "--datasets", "hotpotqa", "--json")
    assert (said.code, said.json) == (1, {"hits": []})
    assert "nothing found" in vimrag("search", "--root", root, "crane", "--datasets", "hotpotqa").err


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["search", "--root", "{tmp}", "crane"], 1, "no index at"),
        (["index", "build", "--root", "{tmp}"], 1, "no finished corpus"),
        (["retrieval", "--root", "{tmp}"], 1, "no index at"),
        (["report", "--root", "{tmp}"], 1, "no report of run 'quickstart'"),
        (["corpus", "build", "--raw", "{tmp}/none", "--root", "{tmp}"], 1, "no raw folder at"),
        (["corpus", "build", "--raw", "{tmp}", "--root", "{tmp}"], 1, "no folder of a known dataset"),
        (
            ["corpus", "build", "--raw", "{tmp}", "--root", "{tmp}", "--datasets", "sqad"],
            2,
            "did you mean 'squad'?",
        ),
        (["corpus", "build", "--raw", "{tmp}", "--root", "{tmp}", "--datasets", ","], 2, "names no dataset"),
        (["index", "build", "--root", "{tmp}", "--store", "faiss"], 2, "known: lance, weaviate"),
        (["search", "--root", "{tmp}", "  "], 2, "the question is empty"),
    ],
)
def test_an_error_is_one_line_that_says_what_to_do(
    vimrag: Vimrag, tmp_path: Path, arguments: list[str], code: int, text: str
):
    said = vimrag(*(argument.format(tmp=tmp_path) for argument in arguments))
    assert said.code == code
    assert said.err.startswith("error: ") and said.err.count("\n") == 1
    assert text in said.err
    assert said.out == ""


@pytest.mark.parametrize(
    "arguments",
    [["search"], ["search", "--top-k", "0", "--root", "r", "q"], ["nothing"], ["corpus", "build"]],
)
def test_a_wrong_command_line_is_code_two(vimrag: Vimrag, arguments: list[str]):
    said = vimrag(*arguments)
    assert said.code == 2
    assert said.out == ""
    assert "Traceback" not in said.err


def test_a_traceback_is_shown_only_when_asked_for(vimrag: Vimrag, tmp_path: Path):
    assert "Traceback" not in vimrag("search", "--root", tmp_path, "crane").err
    assert "Traceback" in vimrag("--debug", "search", "--root", tmp_path, "crane").err


def test_the_root_may_come_from_the_environment(vimrag: Vimrag, root: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VIMRAG_ROOT", str(root))
    assert vimrag("search", "crane", "--json").json["hits"]


@pytest.mark.parametrize(
    "command",
    [["corpus", "build"], ["index", "build"], ["search"], ["retrieval"], ["miniature", "write"], ["report"]],
)
def test_help_teaches_with_an_example(vimrag: Vimrag, command: list[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "200")
    said = vimrag(*command, "--help")
    assert said.code == 0
    assert f"vimrag {' '.join(command)} " in said.out.split("Example", 1)[1]


def test_the_miniature_is_written_in_nine_folders_and_never_over_others(vimrag: Vimrag, tmp_path: Path):
    written = vimrag(
        "miniature", "write", "--out", tmp_path / "raw", "--train", 0, "--val", 0, "--test", 1, "--json"
    )
    assert written.code == 0
    assert len(written.json["questions"]) == 9
    assert written.json["worlds"] == {"train": 0, "val": 0, "test": 1}
    again = vimrag("miniature", "write", "--out", tmp_path / "raw", "--test", 1)
    assert again.code == 1
    assert "already holds" in again.err


def test_the_report_of_a_run_is_a_table_with_intervals(vimrag: Vimrag, tmp_path: Path):
    estimate = {"value": 0.5, "low": 0.25, "high": 0.75, "count": 12}
    difference = {"value": 0.25, "low": -0.01, "high": 0.5, "count": 12}
    data = {
        "title": "VimRAG: quickstart",
        "summary": "12 unseen questions",
        "benchmarks": ["squad"],
        "methods": [{"name": "GGPO", "cells": {"squad": estimate}, "overall": estimate, "note": ""}],
        "comparisons": [{"before": "cold start", "after": "GGPO", "difference": difference, "p_value": 0.5}],
        "facts": [["what was trained", "the tiny model"], ["index", "a hash"]],
    }
    folder = tmp_path / "reports" / "quickstart"
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(json.dumps(data))
    said = vimrag("report", "--root", tmp_path)
    assert said.code == 0
    for text in (
        "GGPO",
        "50.0",
        "25–75",
        "+25.0 points (-1.0 to +50.0)",
        "no difference shown",
        "what was trained: the tiny model",
        "index.html",
    ):
        assert text in said.out
    assert "try next" in said.err
    assert vimrag("report", "--root", tmp_path, "--json").json["page"] == str(folder / "index.html")


def test_versions_name_what_matters(vimrag: Vimrag):
    assert vimrag("version", "--json").json["dagster"].startswith("1.")


def test_help_comes_without_loading_anything_heavy():
    heavy = "{'torch', 'lancedb', 'polars', 'dagster'}"
    program = f"import sys; from app.cli import main; main(['--help']); print({heavy} & set(sys.modules), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stderr.splitlines()[-1] == "set()"


def test_as_a_program_standard_output_is_the_object_alone(root: Path):
    command = [sys.executable, "-m", "app.cli", "search", "--root", str(root), "crane", "--json"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=100, env=dict(os.environ)
    )
    assert done.returncode == 0
    assert done.stdout.count("\n") == 1
    assert "crane" in json.loads(done.stdout)["hits"][0]["text"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_told_how_a_command_goes_on(shell: str):
    asked = {"COMP_WORDS": "vimrag se", "COMP_CWORD": "1", "_TYPER_COMPLETE_ARGS": "vimrag se"}
    asked |= {"_VIMRAG_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    told = subprocess.run(
        [sys.executable, "-m", "app.cli"],
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "search" in told and "serve" in told and "ingest" not in told
