"""Retrieval measured by hand, and on the real sample records."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.corpus.build import build_corpus
from assets.corpus.question import EvidenceStatus, Question
from assets.index.build import build_index
from assets.index.retrieval import evaluate, outcome
from assets.parsers.types import ParseContext
from infra.storage.root import Storage
from tests.assets.small_corpus import CountingEmbedder, item, write_corpus


def question(
    native: str, text: str, *gold: str, evidence: EvidenceStatus = EvidenceStatus.PRESENT
) -> Question:
    return Question(
        id=f"toy:dev:{native}",
        dataset="toy",
        split="dev",
        text=text,
        answers=("!",),
        gold=gold,
        evidence=evidence,
    )


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """Two datasets: four items and five questions, of which two can be counted; and one item that is in the way."""
    storage = Storage(tmp_path / "root")
    items = [item(word, f"{word} {word}.") for word in ("apple", "pear", "plum", "quince")]
    questions = [
        question(
            "1", "apple", "toy:text:apple", "toy:text:quince"
        ),  # half of its gold is found by its word, the rest comes last
        question("2", "pear plum", "toy:text:plum"),
        question("3", "quince", evidence=EvidenceStatus.NONE),
        question("4", "quince", "toy:text:quince", evidence=EvidenceStatus.INVALID),
        question("5", "quince", evidence=EvidenceStatus.PRESENT),
    ]
    write_corpus(storage, items, questions)
    write_corpus(storage, [item("plum", "pear plum", dataset="other")], dataset="other")
    build_index(storage, embedder=CountingEmbedder())
    return storage


def test_recall_is_the_mean_found_share_of_gold(storage: Storage):
    report = evaluate(storage, ks=(1, 2, 4), embedder=CountingEmbedder())
    toy = report.datasets["toy"]
    # question 1 has half its gold at 1 and 2, all of it at 4; question 2 ranks pear before plum (a tie, id order)
    assert (toy.items, toy.questions) == (4, 2)
    assert toy.recall == {1: pytest.approx(0.25), 2: pytest.approx(0.75), 4: pytest.approx(1.0)}
    assert toy.mrr == pytest.approx((1 + 1 / 2) / 2)


def test_a_dataset_without_countable_questions_has_no_score(storage: Storage):
    other = evaluate(storage, embedder=CountingEmbedder()).datasets["other"]
    assert (other.items, other.questions, other.mrr, other.recall[1]) == (1, 0, None, None)


def test_the_whole_corpus_may_be_in_the_way(storage: Storage):
    own = evaluate(storage, ks=(2,), embedder=CountingEmbedder()).datasets["toy"]
    whole = evaluate(storage, scope="all", ks=(2,), embedder=CountingEmbedder()).datasets["toy"]
    assert own.recall[2] == pytest.approx(0.75)
    assert whole.recall[2] == pytest.approx(
        0.25
    )  # "pear plum" of the other dataset and pear come before plum


def test_the_report_is_json_by_dataset_and_k(storage: Storage):
    shown = evaluate(storage, datasets=["toy"], embedder=CountingEmbedder()).to_json()
    assert list(shown["datasets"]) == ["toy"]
    assert list(shown["datasets"]["toy"]) == ["items", "questions", "recall", "mrr"]
    assert list(shown["datasets"]["toy"]["recall"]) == ["1", "3", "5", "10"]


def test_what_cannot_be_measured_is_told(storage: Storage):
    with pytest.raises(ValueError, match="unknown scope 'mine'; known: own, all"):
        evaluate(storage, scope="mine")
    with pytest.raises(ValueError, match="not in the index: absent; it has: other, toy"):
        evaluate(storage, datasets=["absent"], embedder=CountingEmbedder())
    with pytest.raises(ValueError, match="ranks of at least 1"):
        evaluate(storage, ks=(0,))


@given(st.permutations("abcdefgh"), st.sets(st.sampled_from("abcdefgh"), min_size=1))
def test_recall_grows_with_k_and_gold_is_a_set(ranked: list[str], gold: set[str]):
    shares, reciprocal = outcome(ranked, [*gold, *gold], (1, 3, 5, 8))
    assert list(shares) == sorted(shares)
    assert shares[-1] == 1
    assert 1 / 8 <= reciprocal <= 1


def test_real_records_are_found_as_the_log_says(shared_data: Path, tmp_path: Path):
    storage = Storage(tmp_path / "root")
    build_corpus(shared_data, storage, datasets=["hotpotqa", "squad"], settings=ParseContext())
    build_index(storage)
    measured = evaluate(storage).datasets
    assert measured["hotpotqa"].questions == 23
    assert measured["hotpotqa"].recall[5] >= 0.85
    assert measured["squad"].questions == 55
    assert measured["squad"].recall[1] >= 0.85


def test_in_the_whole_corpus_a_video_of_two_datasets_is_one_item(tmp_path: Path):
    # wikihowqa and syntheticqa ask about the same transcripts, each under an id of its own
    storage = Storage(tmp_path / "root")
    said = [item("v", "apple apple", title="v"), item("w", "plum", title="w")]
    write_corpus(storage, said, [question("1", "apple", "toy:text:v"), question("2", "plum", "toy:text:w")])
    copies = [
        item("v", "apple apple", dataset="other", title="v"),
        item("w", "plum", dataset="other", title="w"),
    ]
    write_corpus(storage, copies, dataset="other")
    build_index(storage, embedder=CountingEmbedder())
    whole = evaluate(storage, scope="all", ks=(1,), embedder=CountingEmbedder()).datasets["toy"]
    # "other:text:v" comes before "toy:text:v" (a tie, id order) and is the same
    assert (whole.recall[1], whole.mrr) == (1.0, 1.0)


def test_a_corpus_built_again_since_it_was_indexed_is_named(storage: Storage):
    assert evaluate(storage, embedder=CountingEmbedder()).stale == ()
    write_corpus(storage, [item("plum", "another plum", dataset="other")], dataset="other")
    assert evaluate(storage, embedder=CountingEmbedder()).stale == ("other",)
    build_index(storage, embedder=CountingEmbedder())
    assert evaluate(storage, embedder=CountingEmbedder()).stale == ()
