"""A corpus and an index written by version 0.1.0, before the layout changed, are read, searched and counted as current."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tests.app.command_line import Vimrag

STORED = Path(__file__).parent / "written_by_0_1_0" / "root.zip"


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """``raw`` and ``root`` as 0.1.0 left them: SQuAD with two paragraphs and three questions."""
    with zipfile.ZipFile(STORED) as archive:
        archive.extractall(tmp_path)
    return tmp_path


def test_the_index_answers_as_it_did(vimrag: Vimrag, stored: Path):
    hits = vimrag("search", "--root", str(stored / "root"), "who built the lighthouse", "--json").json["hits"]
    assert [(hit["id"], hit["score"]) for hit in hits] == [
        ("squad:para:a48b8ecb824e9085", 1.0),
        ("squad:para:8536f70813880f70", 0.0),
    ]


def test_gold_evidence_is_found_in_it(vimrag: Vimrag, stored: Path):
    squad = vimrag("retrieval", "--root", str(stored / "root"), "--json").json["datasets"]["squad"]
    assert squad["questions"] == 2 and squad["recall"]["1"] == 1.0


def test_a_second_build_takes_every_vector_over(vimrag: Vimrag, stored: Path):
    root = str(stored / "root")
    assert vimrag("corpus", "build", "--raw", str(stored / "raw"), "--root", root).code == 0
    report = vimrag("index", "build", "--root", root, "--json").json
    assert (report["embedded"], report["reused"]) == (0, 2)
