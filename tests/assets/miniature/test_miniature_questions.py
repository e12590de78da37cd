"""Properties of what is asked: no better than chance with closed books, enough hops, pixels and mixtures."""

from __future__ import annotations

import re
from collections import Counter, defaultdict

import pytest

from assets.miniature.lexicon import SPLITS, split_of
from assets.miniature.plans import NOT_ANSWERABLE, PlannedQuestion
from assets.miniature.questions import TEMPLATES, questions
from assets.miniature.world import NAMES_PER_WORLD, worlds

SEED = 5
WORLDS = 250
PER_DATASET = 6


def draw(split: str) -> dict[str, list[PlannedQuestion]]:
    found: dict[str, list[PlannedQuestion]] = {name: [] for name in TEMPLATES}
    for world in worlds(split, WORLDS, seed=SEED):
        for name, asked in questions(world, per_dataset=PER_DATASET).items():
            found[name] += asked
    return found


@pytest.fixture(scope="module")
def train() -> dict[str, list[PlannedQuestion]]:
    return draw("train")


@pytest.fixture(scope="module")
def test() -> dict[str, list[PlannedQuestion]]:
    return draw("test")


def abstract(asked: PlannedQuestion) -> str:
    """The answer, with a name of the question replaced by its place there: a guesser may prefer the first."""
    names_asked = re.findall(r"\b[A-Z][a-z]{5}\b", asked.text)
    return f"name {names_asked.index(asked.answer)}" if asked.answer in names_asked else asked.answer


def best_guesses(asked: list[PlannedQuestion]) -> dict[str, str]:
    """The most frequent answer of each template."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for question in asked:
        counts[question.template][abstract(question)] += 1
    return {template: max(sorted(counter), key=counter.__getitem__) for template, counter in counts.items()}


@pytest.mark.parametrize("dataset", TEMPLATES)
def test_closed_book_accuracy_on_unseen_worlds_is_chance(
    dataset: str, train: dict[str, list[PlannedQuestion]], test: dict[str, list[PlannedQuestion]]
) -> None:
    guesses = best_guesses(train[dataset])
    hits = [guesses.get(question.template) == abstract(question) for question in test[dataset]]
    chance = sum(question.chance for question in test[dataset]) / len(test[dataset])
    assert sum(hits) / len(hits) == pytest.approx(chance, abs=0.03)


def test_yes_and_no_and_first_and_second_are_balanced(train: dict[str, list[PlannedQuestion]]) -> None:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for asked in train.values():
        for question in asked:
            if question.chance == 0.5:
                counts[question.template][abstract(question)] += 1
    assert counts.keys() == {
        *("opened_first", "same_colour", "higher_output"),
        *("more_stock", "same_start", "ends_with"),
    }
    for counter in counts.values():
        assert len(counter) == 2
        assert max(counter.values()) / counter.total() < 0.56


def test_letters_of_choices_are_uniform(train: dict[str, list[PlannedQuestion]]) -> None:
    letters = Counter(question.answer for question in train["lvbench"])
    assert letters.keys() == set("ABCD")
    assert all(share / letters.total() == pytest.approx(0.25, abs=0.04) for share in letters.values())


def test_a_fifth_of_the_document_questions_is_unanswerable(train: dict[str, list[PlannedQuestion]]) -> None:
    for dataset, share in (("mmlongbench_doc", 0.2), ("squad", 0.25)):
        unanswerable = sum(question.answer == NOT_ANSWERABLE for question in train[dataset])
        assert unanswerable / len(train[dataset]) == pytest.approx(share, abs=0.04)


def test_many_questions_need_several_hops_and_many_need_pixels(
    train: dict[str, list[PlannedQuestion]],
) -> None:
    asked = [question for found in train.values() for question in found]
    assert sum(len(question.hops) > 1 for question in asked) >= 0.3 * len(asked)
    assert sum(question.needs_pixels for question in asked) >= 0.4 * len(asked)
    sources = [{key.dataset for key in question.gold} for question in asked]
    assert any({"mmlongbench_doc", "xvbench"} <= found for found in sources)


def test_names_of_splits_are_disjoint_and_no_world_shares_one() -> None:
    found = {
        split: [name for world in worlds(split, 20, seed=1) for name in world_names(world)]
        for split in SPLITS
    }
    for split, used in found.items():
        assert len(set(used)) == len(used) == 20 * NAMES_PER_WORLD
        assert all(split_of(name) == split for name in used)


def world_names(world) -> list[str]:
    entities = (*world.teams, *world.workshops, *world.people, *world.devices, *world.places)
    return [world.label, *(entity.name for entity in entities)]


def test_worlds_are_the_same_for_the_same_seed_and_others_for_another() -> None:
    assert list(worlds("train", 3, seed=1)) == list(worlds("train", 3, seed=1))
    assert next(worlds("train", 1, seed=1)) != next(worlds("train", 1, seed=2))


def test_more_worlds_than_names_are_refused() -> None:
    with pytest.raises(ValueError, match="names for"):
        for _ in worlds("val", 1_000, seed=0):
            pass
