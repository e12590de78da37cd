"""The metrics as the benchmarks publish them: values derived by hand."""

from __future__ import annotations

import pytest

from assets.grading.metrics import anls, rouge_l
from assets.grading.normalise import letter_of, words


def test_articles_are_dropped_between_any_marks():
    assert words("The U.S.\u2013a nation") == ["us\u2013", "nation"]


def test_similarity_of_one_half_is_nothing():
    # "ab" against "abcd": 2 edits of 4 -> 1/2, which is not above the threshold; 2 of 5 -> 3/5
    assert anls("ab", "abcd") == 0.0
    assert anls("abc", "abcde") == pytest.approx(3 / 5)


@pytest.mark.parametrize(
    "answer",
    [
        "C",
        "c",
        "(C)",
        "C.",
        "C)",
        "**C**",
        "C: three",
        "Answer: C",
        "The correct answer is (C).",
        "three",
        "Option C",
    ],
)
def test_a_letter_is_read_from_all_usual_phrasings(answer: str):
    assert letter_of(answer, ("one", "two", "three", "four")) == "C"


class TestLongAnswers:
    def test_rouge_compares_stems(self):
        # painting/painted -> paint, chairs -> chair: "paint the chair" 3 of 3 and 4 -> 6/7
        assert rouge_l("painting the chairs", "You painted the chair") == pytest.approx(6 / 7)
        assert rouge_l("", "x") == 0.0

    def test_other_scripts_are_compared_too(self):
        assert rouge_l("кот спит", "пёс спит") == pytest.approx(1 / 2)

    def test_words_of_three_letters_keep_their_ends(self):
        assert rouge_l("was", "wa") == 0.0
