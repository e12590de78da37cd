"""``vimrag questions`` as a person uses it."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.storage.root import Storage
from tests.app.command_line import Vimrag
from tests.assets.question_sets.test_build import question
from tests.assets.small_corpus import item, write_corpus


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    storage = Storage(tmp_path)
    items = [item(f"p{number}", f"paragraph {number}", dataset="squad") for number in range(10)]
    asked = [question(f"d{number}", f"p{number}", split="dev") for number in range(10)]
    write_corpus(storage, items, asked, dataset="squad")
    return storage


def test_the_command_says_what_is_for_what(vimrag: Vimrag, storage: Storage):
    made = vimrag("questions", "build", "--root", storage.root, "--cut", "squad=0.5")
    assert made.code == 0 and "cut: 50%" in " ".join(made.out.split())
    shown = vimrag("questions", "show", "--root", storage.root, "--json").json
    assert shown["settings"]["cuts"] == {"squad": 0.5}
    for wrong, said in (
        ("squad", "takes DATASET=SHARE"),
        ("squad=2", "between 0 and 1"),
        ("nope=.5", "a cut of nope"),
    ):
        refused = vimrag("questions", "build", "--root", storage.root, "--cut", wrong)
        assert refused.code != 0 and said in refused.err
    assert (
        "no question set 'other'"
        in vimrag("questions", "show", "--root", storage.root, "--name", "other").err
    )
