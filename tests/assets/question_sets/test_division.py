"""Nothing that measures was seen in training, whatever shares whatever with whatever."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.question_sets.division import Candidate, divide, grouped, normalised
from assets.question_sets.settings import QuestionSetSettings, Role, published_role


def ask(id_: str, *evidence: str, text: str | None = None) -> Candidate:
    dataset, split, _ = id_.split(":")
    return Candidate(id_, dataset, split, text or id_, frozenset(evidence))


@st.composite
def candidates(draw: st.DrawFn) -> list[Candidate]:
    splits = st.sampled_from(
        [
            "squad:train",
            "squad:dev",
            "webqa:train",
            "webqa:test",
            "hotpotqa:train",
            "hotpotqa:dev",
            "lvbench:test",
        ]
    )
    made = draw(
        st.lists(
            st.tuples(splits, st.frozensets(st.integers(0, 12), max_size=3), st.integers(0, 30)), max_size=30
        )
    )
    return [
        ask(f"{split}:{number}", *(f"item{item}" for item in evidence), text=f"Question {words}?")
        for number, (split, evidence, words) in enumerate(made)
    ]


@given(candidates(), st.integers(0, 3), st.booleans())
def test_train_val_and_test_share_no_evidence_and_no_words(asked: list[Candidate], seed: int, cut: bool):
    cuts = {"squad": 0.5} if cut and any(each.dataset == "squad" for each in asked) else {}
    settings = QuestionSetSettings(seed=seed, cuts=cuts, val_share=0.3)
    division = divide(asked, settings)
    seen: dict[str, set[str]] = {}
    for each in asked:
        if (role := division.roles.get(each.id)) is not None:
            seen.setdefault(role, set()).update(each.evidence, {normalised(each.text)})
    for one in seen:
        for other in seen:
            assert one == other or not seen[one] & seen[other]
    assert set(division.roles) | set(division.dropped) == {each.id for each in asked}
    assert not set(division.roles) & set(division.dropped)
    shuffled = asked.copy()
    random.Random(seed).shuffle(shuffled)
    assert divide(shuffled, settings) == division


def test_a_question_that_leaks_is_left_out_of_training_and_says_with_whom():
    division = divide(
        [
            ask("squad:train:1", "a"),
            ask("squad:train:2", "b"),
            ask("squad:train:3", text="Who  built IT"),
            ask("squad:train:4", "c"),
            ask("squad:train:5", "d"),
            ask("hotpotqa:dev:1", "a"),
            ask("lvbench:test:1", text="who built it?"),
        ],
        QuestionSetSettings(),
    )
    assert division.dropped == {
        "squad:train:1": "leak: shares evidence or words with hotpotqa:dev:1, which measures",
        "squad:train:3": "leak: shares evidence or words with lvbench:test:1, which measures",
    }
    assert sorted(division.roles.values()) == ["test", "test", "train", "train", "val"]


def test_what_shares_over_others_is_one_group():
    groups = grouped([ask("a:t:3", "x"), ask("a:t:2", "x", "y"), ask("a:t:1", "y"), ask("a:t:0", "z")])
    assert groups == {"a:t:3": "a:t:1", "a:t:2": "a:t:1", "a:t:1": "a:t:1", "a:t:0": "a:t:0"}


@pytest.mark.parametrize(
    ("dataset", "split", "answered", "role"),
    [
        ("squad", "train", {"train", "dev"}, Role.TRAIN),
        ("squad", "dev", {"train", "dev"}, Role.TEST),
        ("slidevqa", "val", {"train", "val", "test"}, None),
        ("webqa", "val", {"train", "val"}, Role.TEST),  # its test split is published without answers
        ("webqa", "universalrag", {"train", "universalrag"}, Role.TEST),
        ("hotpotqa", "train", {"train", "dev"}, None),
        ("hotpotqa", "train", {"train"}, Role.TEST),
        ("mmlongbench_doc", "test", {"test"}, Role.TEST),
    ],
)
def test_what_published_splits_stand_for(dataset: str, split: str, answered: set[str], role: Role | None):
    assert published_role(dataset, split, answered) is role


def test_a_cut_goes_by_groups_and_must_name_a_benchmark_that_is_there():
    asked = [ask(f"hotpotqa:train:{number}", f"film{number // 5}") for number in range(200)]
    division = divide(asked, QuestionSetSettings(cuts={"hotpotqa": 0.5}))
    by_film = {number // 5: set[Role]() for number in range(200)}
    for number, each in enumerate(asked):
        by_film[number // 5].add(division.roles[each.id])
    assert all(len(roles) == 1 for roles in by_film.values())
    assert 60 < sum(role is Role.TEST for role in division.roles.values()) < 140
    with pytest.raises(ValueError, match="a cut of squad, of which there are no questions"):
        divide(asked, QuestionSetSettings(cuts={"squad": 0.5}))
    with pytest.raises(ValueError, match="between 0 and 1"):
        QuestionSetSettings(cuts={"squad": 1.0})
