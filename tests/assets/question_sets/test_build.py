"""The record of a question set: published, read back, and refused when the corpora are others."""

from __future__ import annotations

from pathlib import Path

import pytest

from assets.corpus.question import EvidenceStatus, Question
from assets.question_sets.build import build_question_set, question_set, roles
from assets.question_sets.settings import QuestionSetSettings
from infra.storage.root import Storage
from orchestration.joins.adapters import tasks_of_split
from tests.assets.small_corpus import item, write_corpus


def question(
    native: str, gold: str, *, dataset: str = "squad", split: str = "train", **fields: object
) -> Question:
    values: dict[str, object] = {
        "id": f"{dataset}:{split}:{native}",
        "dataset": dataset,
        "split": split,
        "text": f"What is {native}?",
        "answers": ("x",),
        "gold": (f"{dataset}:text:{gold}",),
    }
    return Question(**(values | fields))


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """SQuAD with a training paragraph for each of ten questions, and one that the measured split asks about too."""
    storage = Storage(tmp_path)
    items = [item(f"p{number}", f"paragraph {number}", dataset="squad") for number in range(11)]
    asked = [question(f"t{number}", f"p{number}") for number in range(11)]
    asked += [
        question("d", "p10", split="dev"),
        question("lost", "p3", split="dev", evidence=EvidenceStatus.MEDIA_MISSING),
        question("hidden", "p3", split="test", answers=()),
    ]
    write_corpus(storage, items, asked, dataset="squad")
    return storage


def test_the_record_counts_roles_reasons_and_leaks(storage: Storage):
    made = build_question_set(storage, QuestionSetSettings(val_share=0.2))
    [row] = made.rows
    assert row.roles == {"train": 8, "val": 2, "test": 1}
    assert row.dropped == {"leak": 1, "evidence: media_missing": 1, "published without its answer": 1}
    assert made.leaks == ("squad:train:t10: leak: shares evidence or words with squad:dev:d, which measures",)
    assert question_set(storage) == made
    assert len(roles(storage)) == 11


def test_tasks_come_from_the_question_set_and_what_is_missing_is_told(storage: Storage):
    assert {task.id for task in tasks_of_split(storage, "test")} == {"squad:dev:d"}
    assert len(tasks_of_split(storage, "train")) + len(tasks_of_split(storage, "val")) == 10
    write_corpus(
        storage,
        [item("p", "x", dataset="lvbench")],
        [question("q", "p", dataset="lvbench", split="test")],
        dataset="lvbench",
    )
    with pytest.raises(
        ValueError, match=r"made of other corpora \(lvbench changed\); .*vimrag questions build"
    ):
        tasks_of_split(storage, "train")
    storage.remove_tree("corpus/squad")
    build_question_set(storage)
    with pytest.raises(
        ValueError, match=r"no questions of split 'train'.* lvbench: 1 test.*--cut lvbench=0\.5"
    ):
        tasks_of_split(storage, "train")
