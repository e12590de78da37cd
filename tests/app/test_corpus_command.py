"""``vimrag corpus build`` and what follows it, as a first user meets them: odd folders, odd names, odd copies."""

from __future__ import annotations

import importlib.util
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from assets.corpus.dataset import DATASETS
from assets.corpus.read import read_items
from infra.storage.root import Storage
from tests.app.command_line import Vimrag


def squad_rows(folder: Path, number: int) -> None:
    """A file of flat rows, one paragraph each."""
    row = {"title": "T", "answers": {"text": ["Ann"], "answer_start": [0]}}
    rows = [
        {**row, "id": str(n), "context": f"Ann came {n}.", "question": f"Who {n}?"} for n in range(number)
    ]
    (folder / "squad").mkdir(parents=True, exist_ok=True)
    (folder / "squad/dev.json").write_text(json.dumps(rows))


def test_a_copy_that_is_neither_whole_nor_a_part_is_warned_of(
    vimrag: Vimrag, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    known = DATASETS["squad"]
    monkeypatch.setitem(DATASETS, "squad", replace(known, expected_counts={"dev": 10}))
    squad_rows(tmp_path / "raw", 9)
    build = ("corpus", "build", "--raw", tmp_path / "raw", "--root", tmp_path / "root")
    said = vimrag(*build, "--json")
    assert (said.code, said.json["datasets"]["squad"]["copies"]["dev"]["extent"]) == (0, "different")
    assert "WARNING: squad dev: 9 questions where 10 are published" in said.err
    assert "dev 9 of 10" in vimrag(*build).out
    strict = vimrag(*build, "--strict")
    assert strict.code == 1 and "9 questions where 10 are published" in strict.err
    squad_rows(tmp_path / "raw", 10)
    whole = vimrag(*build)
    assert "dev all 10" in whole.out and "WARNING" not in whole.err


def test_folders_of_no_dataset_and_halves_without_the_other_are_warned_of(vimrag: Vimrag, tmp_path: Path):
    squad_rows(tmp_path / "raw", 2)
    (tmp_path / "raw/MMLongBench-Doc").mkdir()
    (tmp_path / "raw/holidays").mkdir()
    (tmp_path / "raw/lvbench").mkdir()
    question = {"uid": "1", "question": "What?", "answer": "A", "time_reference": None}
    (tmp_path / "raw/lvbench/video_info.meta.jsonl").write_text(json.dumps({"key": "k", "qa": [question]}))
    said = vimrag("corpus", "build", "--raw", tmp_path / "raw", "--root", tmp_path / "root", "--json")
    assert said.json["ignored"] == ["MMLongBench-Doc", "holidays"]
    assert "'MMLongBench-Doc': ignored; is it mmlongbench_doc?" in said.err
    assert "'holidays': ignored\n" in said.err
    assert "WARNING: lvbench: 1 questions and nothing to find answers in" in said.err


def test_pages_are_rendered_as_asked_for(vimrag: Vimrag, tmp_path: Path):
    (tmp_path / "raw/mmlongbench_doc").mkdir(parents=True)
    pages = [Image.new("RGB", (72, 144), "white") for _ in range(3)]  # 72 pixels an inch: one by two inches
    pages[0].save(
        tmp_path / "raw/mmlongbench_doc/a.pdf", save_all=True, append_images=pages[1:], resolution=72
    )
    build = ("corpus", "build", "--raw", tmp_path / "raw", "--root", tmp_path / "root", "--no-ocr", "--json")
    said = vimrag(*build, "--dpi", 36, "--max-pages", 2)
    assert said.json["datasets"]["mmlongbench_doc"]["items"] == 2
    items = list(read_items(Storage(tmp_path / "root"), "mmlongbench_doc"))
    assert [(item.width, item.height) for item in items] == [(36, 72)] * 2


def test_a_question_of_another_encoding_is_searched_all_the_same(vimrag: Vimrag, tmp_path: Path):
    squad_rows(tmp_path / "raw", 3)
    assert vimrag("corpus", "build", "--raw", tmp_path / "raw", "--root", tmp_path / "root").code == 0
    assert vimrag("index", "build", "--root", tmp_path / "root").code == 0
    said = vimrag(
        "search", "--root", tmp_path / "root", os.fsdecode(b"caf\xe9 came 2"), "--top-k", 1, "--json"
    )
    assert said.code == 0 and said.json["hits"][0]["text"] == "Ann came 2."


def test_a_root_with_blanks_and_signs_in_its_name_works_throughout(vimrag: Vimrag, tmp_path: Path):
    squad_rows(tmp_path / "raw \u00e9", 3)
    odd = tmp_path / "Wurzel \u00e9 \u4e2d #1%20?"
    assert vimrag("corpus", "build", "--raw", tmp_path / "raw \u00e9", "--root", odd, "--json").code == 0
    assert vimrag("index", "build", "--root", odd, "--json").code == 0
    assert vimrag("search", "--root", odd, "Who came?", "--json").json["hits"]
    assert vimrag("retrieval", "--root", odd, "--json").json["datasets"]["squad"]["questions"] == 3
    assert {path.name for path in tmp_path.iterdir()} == {odd.name, "raw \u00e9"}


@pytest.mark.parametrize("content", ["{", "[]", '{"title": "t"}'])
def test_a_damaged_report_is_one_line_that_says_what_to_do(vimrag: Vimrag, tmp_path: Path, content: str):
    (tmp_path / "reports/quickstart").mkdir(parents=True)
    (tmp_path / "reports/quickstart/report.json").write_text(content)
    said = vimrag("report", "--root", tmp_path)
    assert (said.code, said.err.count("\n")) == (1, 1)
    assert "damaged report" in said.err and "make it again" in said.err


def test_retrieval_warns_of_a_corpus_that_was_built_again(vimrag: Vimrag, tmp_path: Path):
    build = ("corpus", "build", "--raw", tmp_path / "raw", "--root", tmp_path / "root")
    squad_rows(tmp_path / "raw", 2)
    vimrag(*build)
    vimrag("index", "build", "--root", tmp_path / "root")
    squad_rows(tmp_path / "raw", 3)
    vimrag(*build)
    said = vimrag("retrieval", "--root", tmp_path / "root", "--json")
    assert said.json["stale"] == ["squad"] and "WARNING" in said.err


def test_an_engine_that_is_not_there_is_one_line(
    vimrag: Vimrag, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    real = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "ray" else real(name))
    squad_rows(tmp_path / "raw", 1)
    for command in (("corpus", "build", "--raw", tmp_path / "raw"), ("index", "build")):
        for engine, said in (("ray", 'pip install "vimrag[ray]"'), ("spark", "known are local, ray")):
            refused = vimrag(*command, "--root", tmp_path / "root", "--engine", engine)
            assert (refused.code, refused.out) == (2, "")
            assert said in refused.err and refused.err.count("\n") == 1
    assert not (tmp_path / "root").exists()
