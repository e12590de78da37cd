"""The registry: nine datasets, one way to read them, clear errors where there is nothing to read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assets.corpus.dataset import DATASETS, dataset
from assets.corpus.item import Modality
from assets.corpus.question import EvidenceStatus, Question
from assets.grading import grade
from assets.parsers.types import ParseContext, ParsedItem

NAMES = [
    "hotpotqa",
    "squad",
    "webqa",
    "slidevqa",
    "mmlongbench_doc",
    "lvbench",
    "wikihowqa",
    "syntheticqa",
    "xvbench",
]


def test_the_nine_datasets_are_registered_under_their_names():
    assert list(DATASETS) == NAMES
    assert all(entry.name == name for name, entry in DATASETS.items())


def test_an_unknown_dataset_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown dataset 'hotpot'.*hotpotqa"):
        dataset("hotpot")


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_or_empty_folder_is_a_clear_error(name: str, tmp_path: Path):
    with pytest.raises(ValueError, match="no raw folder"):
        next(DATASETS[name].records(tmp_path / "none", ParseContext()))
    with pytest.raises(ValueError, match="nothing to read"):
        next(DATASETS[name].records(tmp_path, ParseContext()))


def test_strict_turns_the_first_skip_into_an_error(tmp_path: Path):
    broken = {"question": "?", "context": None}
    (tmp_path / "dev.json").write_text(json.dumps([broken]), encoding="utf-8")
    with pytest.raises(ValueError, match=r"hotpotqa: record_malformed at dev.json\[0\]"):
        list(DATASETS["hotpotqa"].records(tmp_path, ParseContext(strict=True)))


@pytest.mark.parametrize(
    "bad", [{"dpi": 0}, {"fps": -1.0}, {"max_frames": 0}, {"max_pages": 0}, {"clip_s": 0.0}]
)
def test_settings_that_mean_nothing_are_refused(bad: dict[str, int]):
    with pytest.raises(ValueError):
        ParseContext(**bad)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name", ["hotpotqa", "squad", "webqa", "mmlongbench_doc", "lvbench", "wikihowqa", "syntheticqa"]
)
def test_real_records_keep_what_the_corpus_relies_on(name: str, shared_data: Path):
    records = list(DATASETS[name].records(shared_data / name, ParseContext(dpi=18)))
    parsed = [record for record in records if isinstance(record, ParsedItem)]
    questions = [record for record in records if isinstance(record, Question)]
    ids = {record.item.id for record in parsed}
    assert len(ids) == len(parsed)
    assert len({question.id for question in questions}) == len(questions)
    for record in parsed:
        item = record.item
        assert item.id.startswith(f"{name}:") and item.dataset == name
        assert (record.media is not None) == (item.modality != Modality.TEXT) == (item.media_key is not None)
        assert len(item.content_hash) == 64 and item.title and item.licence
    for question in questions:
        assert set(question.gold) <= ids
        assert bool(question.gold) == (question.evidence == EvidenceStatus.PRESENT)
        assert list(question.gold) == sorted(set(question.gold))


@pytest.mark.parametrize(
    "name", ["hotpotqa", "squad", "webqa", "mmlongbench_doc", "lvbench", "wikihowqa", "syntheticqa"]
)
def test_every_reference_answer_of_the_real_records_is_graded_right(name: str, shared_data: Path):
    for record in DATASETS[name].records(shared_data / name, ParseContext(dpi=18)):
        if isinstance(record, Question):
            for answer in record.answers:
                score = grade(record, answer)
                assert (score.value, score.correct) == (1.0, True), (record.id, answer, score)
