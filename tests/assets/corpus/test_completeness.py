"""A copy is whole, a part, or something else; something else is said aloud."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.corpus import dataset
from assets.corpus.build import build_corpus
from assets.corpus.completeness import CopyExtent, compare
from assets.corpus.dataset import DATASETS, Dataset
from assets.parsers.types import EditionCounts, ParseContext
from infra.storage.root import Storage

# datasets.md, section 10, rule 10, and the sizes in the sections of the datasets
PUBLISHED = {
    "hotpotqa": {"train": 90_447, "dev": 7_405, "test fullwiki": 7_405},
    "squad": {"train": 87_599, "dev": 10_570, "train 2.0": 130_319, "dev 2.0": 11_873},
    "webqa": {"train": 36_766, "val": 4_966, "test": 7_540},
    "slidevqa": {"train": 10_617, "dev": 1_652, "test": 2_215},
    "mmlongbench_doc": {"test": 1_082},
    "lvbench": {"test": 1_549},
    "wikihowqa": {"test": 534},
    "syntheticqa": {"test": 534},
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_counts_are_pinned(name: str):
    assert PUBLISHED[name].items() <= DATASETS[name].expected_counts.items()


@pytest.mark.parametrize(
    ("found", "extent"),
    [
        (40, CopyExtent.PARTIAL),  # the sample
        (973, CopyExtent.PARTIAL),  # 0.9 x 1,082 = 973.8
        (974, CopyExtent.DIFFERENT),
        (1_062, CopyExtent.DIFFERENT),  # of July 2024
        (1_082, CopyExtent.COMPLETE),
        (1_091, CopyExtent.DIFFERENT),  # before September 2025
        (2_164, CopyExtent.DIFFERENT),  # both
    ],
)
def test_another_version_of_mmlongbench_is_no_part_of_it(found: int, extent: CopyExtent):
    [copy] = compare({"test": found}, DATASETS["mmlongbench_doc"].expected_counts)
    assert copy.extent is extent
    assert bool(copy.warning) == (extent is CopyExtent.DIFFERENT)


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_only_the_published_number_is_complete_and_only_less_is_a_part(found: int, expected: int):
    [copy] = compare({"dev": found}, {"dev": expected})
    assert (copy.extent is CopyExtent.COMPLETE) == (found == expected)
    assert copy.extent is not CopyExtent.PARTIAL or found < expected


def test_an_edition_without_a_published_count_is_unknown():
    [copy] = compare({"test": 7}, {})
    assert (copy.extent, copy.expected, copy.warning) == (CopyExtent.UNKNOWN, None, "")


def questions(folder: Path, number: int) -> None:
    rows = [
        {"id": str(index), "title": "T", "context": "Ann came.", "question": f"{index}?"}
        for index in range(number)
    ]
    answers = {"answers": {"text": ["Ann"], "answer_start": [0]}}
    (folder / "squad").mkdir(parents=True, exist_ok=True)
    (folder / "squad/dev.json").write_text(json.dumps([row | answers for row in rows]), encoding="utf-8")


@pytest.fixture
def squad_of_ten(monkeypatch: pytest.MonkeyPatch) -> Dataset:
    known = DATASETS["squad"]
    entry = Dataset(
        name="squad",
        parse=known.parse,
        expected_counts={"dev": 10, "dev 2.0": 20},
    )
    monkeypatch.setitem(dataset.DATASETS, "squad", entry)
    return entry


def test_the_report_of_a_build_says_which_copy_it_was_of(squad_of_ten: Dataset, tmp_path: Path):
    shown = {}
    for number in (3, 9, 10, 11):
        questions(tmp_path / "raw", number)
        report = build_corpus(tmp_path / "raw", Storage(tmp_path / "root"), settings=ParseContext())
        shown[number] = report.to_json()["datasets"]["squad"]["copies"]["dev"]
    assert {number: copy["extent"] for number, copy in shown.items()} == {
        3: "partial",
        9: "different",
        10: "complete",
        11: "different",
    }
    assert shown[3] == {"found": 3, "published": 10, "extent": "partial"}


def test_records_that_cannot_be_used_do_not_make_a_whole_copy_a_part(squad_of_ten: Dataset, tmp_path: Path):
    questions(tmp_path, 10)
    rows = json.loads((tmp_path / "squad/dev.json").read_text())
    for row in rows[:5]:
        row["question"] = ""
    (tmp_path / "squad/dev.json").write_text(json.dumps(rows))
    records = list(squad_of_ten.records(tmp_path / "squad", ParseContext()))
    assert [record for record in records if isinstance(record, EditionCounts)] == [
        EditionCounts(edition="dev", questions=10)
    ]


def test_strict_refuses_a_copy_that_is_neither_whole_nor_a_part(squad_of_ten: Dataset, tmp_path: Path):
    questions(tmp_path, 9)
    with pytest.raises(ValueError, match="squad: dev: 9 questions where 10 are published"):
        list(squad_of_ten.records(tmp_path / "squad", ParseContext(strict=True)))
    questions(tmp_path, 3)
    assert list(squad_of_ten.records(tmp_path / "squad", ParseContext(strict=True)))
