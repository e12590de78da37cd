"""Near-duplicates are found, and questions about them are on one side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from assets.question_sets.build import build_question_set, roles
from assets.question_sets.near import GoldItem, difference_hash, film_of, near_duplicates, shingles
from assets.question_sets.settings import QuestionSetSettings
from infra.storage.root import Storage
from tests.assets.question_sets.test_build import question
from tests.assets.small_corpus import item, write_corpus

WORDS = [f"word{number}" for number in range(100)]


def edited(count: int) -> list[str]:
    """The words with some of them replaced, evenly spread."""
    changed = list(WORDS)
    for number in range(count):
        changed[number * len(WORDS) // max(count, 1)] = f"other{number}"
    return changed


def near(*texts: list[str]) -> dict[str, str]:
    items = [GoldItem(f"i{number}", " ".join(words), False, "") for number, words in enumerate(texts)]
    return dict(near_duplicates(items, None, most_pictures=0).groups)


def test_a_text_with_a_word_changed_is_near_and_one_with_many_is_not():
    # 96 shingles; the first word is in one of them: 95 shared of 97
    assert near(WORDS, edited(1)) == {"i0": "i0", "i1": "i0"}
    # a word in the middle is in five: two of them leave 96 - 6 = 90 of 102
    assert near(WORDS, edited(2)) == {"i0": "i0", "i1": "i0"}
    # ten words, 46 shingles changed: 50 of 142
    assert near(WORDS, edited(10)) == {}
    assert near(WORDS[:10], WORDS[:10]) == {}  # so short a text repeats by chance


def test_shingles_do_not_mind_case_and_punctuation():
    assert np.array_equal(shingles(" ".join(WORDS)), shingles(", ".join(WORDS).upper()))


def drawing(shade: int, *, at: int = 20) -> Image.Image:
    image = Image.new("RGB", (200, 150), "white")
    ImageDraw.Draw(image).ellipse((at, 20, at + 90, 120), fill=(shade, 40, 90))
    return image


def test_pictures_that_differ_in_a_pixel_are_near_others_are_not():
    changed = drawing(10)
    changed.putpixel((3, 3), (0, 0, 0))
    smaller = drawing(10).resize((100, 75))
    pictures = {
        "a": drawing(10),
        "b": changed,
        "c": smaller,
        "d": drawing(10, at=100),
        "e": Image.new("RGB", (9, 9)),
    }
    items = [GoldItem(name, "", True, "") for name in pictures]
    found = near_duplicates(items, pictures.__getitem__, most_pictures=10)
    assert found.groups == {"a": "a", "b": "a", "c": "a"}
    assert difference_hash(pictures["e"]) is None  # a blank is like nothing
    assert near_duplicates(items, pictures.__getitem__, most_pictures=2).unseen == 3
    assert "bits of their looks" in found.pairs[0]


def test_pages_with_a_few_other_words_are_not_near_however_alike_they_look():
    pictures = {"a": drawing(10), "b": drawing(10)}
    said = {"a": "Built in 1901.", "b": "It was painted red."}
    items = [GoldItem(name, said[name], True, "") for name in pictures]
    assert near_duplicates(items, pictures.__getitem__, most_pictures=2).groups == {}
    same = [GoldItem(name, "Built, in 1901", True, "") for name in pictures]
    assert near_duplicates(same, pictures.__getitem__, most_pictures=2).groups == {"a": "a", "b": "a"}


def test_a_film_is_one_whichever_benchmark_it_came_with():
    assert film_of("wikihowqa/-1KSBqYHfOg") == film_of("xvbench/-1KSBqYHfOg") == "-1KSBqYHfOg"
    assert film_of("squad/harbour") is None


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """A training paragraph and a measured one that differ in a word; a film in two benchmarks."""
    storage = Storage(tmp_path)
    items = [
        item("train", " ".join(WORDS), dataset="squad"),
        item("dev", " ".join(edited(1)), dataset="squad"),
        item("alone", "nothing like it " * 8, dataset="squad"),
        item("film", "how to tie a knot", dataset="squad", parent="-1KSBqYHfOg"),
    ]
    asked = [question(name, name) for name in ("train", "alone", "film")] + [
        question("dev", "dev", split="dev")
    ]
    write_corpus(storage, items, asked, dataset="squad")
    other = [item("clip", "a knot is tied", dataset="lvbench", parent="-1KSBqYHfOg")]
    write_corpus(storage, other, [question("q", "clip", dataset="lvbench", split="test")], dataset="lvbench")
    return storage


def test_what_is_nearly_measured_is_not_trained_on(storage: Storage):
    made = build_question_set(storage, QuestionSetSettings())
    assert set(roles(storage)) == {"squad:train:alone", "squad:dev:dev", "lvbench:test:q"}
    assert made.near_items == 2 and "squad:text:dev ~ squad:text:train" in made.near[0]
    by_name = {row.dataset: row for row in made.rows}
    assert by_name["squad"].dropped == {"leak": 2}
