"""Grading: golden values derived by hand, and the laws that every rule obeys."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.corpus.question import AnswerKind, Question
from assets.grading import NOT_ANSWERABLE, Score, abstains, grade, grade_answer
from assets.grading.metrics import anls, rouge_l, token_f1
from assets.grading.normalise import letter_of, listed, number, slide_words, words

DATASETS = [
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
WORDS = st.lists(st.text("abcdeé1%$.,'-", min_size=1, max_size=6), min_size=1, max_size=6).map(" ".join)


def score(
    kind: str, reference: str | list[str], answer: str, dataset: str = "hotpotqa", **facts: Any
) -> Score:
    return grade_answer(
        kind, dataset, [reference] if isinstance(reference, str) else reference, answer, **facts
    )


class TestWords:
    def test_case_punctuation_and_articles_do_not_count(self):
        assert words("The  Ohio-State, a team!") == ["ohiostate", "team"]

    def test_f1_is_the_harmonic_mean_over_bags(self):
        # shared: cat, sat = 2; precision 2/3, recall 2/4 -> 2*2/(3+4)
        assert token_f1(["cat", "sat", "up"], ["cat", "sat", "on", "it"]) == pytest.approx(4 / 7)
        assert token_f1(["a", "a"], ["a"]) == pytest.approx(2 / 3)
        assert token_f1([], []) == 1.0

    def test_text_is_right_on_exact_match_and_graded_by_f1(self):
        assert score("text", "Ann Lee", "the ann lee.") == Score(
            value=1.0, correct=True, metric="f1", explanation="'ann lee' against 'ann lee'"
        )
        part = score("text", "Ann Lee", "Ann")
        assert (part.value, part.correct) == (pytest.approx(2 / 3), False)

    def test_yes_no_and_noanswer_match_wholly_or_not_at_all(self):
        assert score("yes_no", "yes", "yes it is").value == 0.0
        assert score("text", "yes it is", "yes").value == 0.0
        assert score("yes_no", "yes", "Yes.").correct

    def test_the_best_reference_counts(self):
        assert score("text", ["Ann Lee", "Lee"], "lee", "squad").correct


class TestAbstention:
    def test_an_unanswerable_question_is_right_only_if_the_answer_says_so(self):
        assert score("unanswerable", NOT_ANSWERABLE, "not answerable.", "squad").correct
        assert score("unanswerable", [], "Not answerable", "mmlongbench_doc").correct
        assert not score("unanswerable", NOT_ANSWERABLE, "Ann", "squad").correct
        assert not score("unanswerable", NOT_ANSWERABLE, "", "squad").correct

    def test_abstaining_on_an_answerable_question_is_wrong_in_every_kind(self):
        for kind in AnswerKind:
            if kind != AnswerKind.UNANSWERABLE:
                assert score(kind, "not able", "Not answerable", "mmlongbench_doc").value == 0.0

    def test_an_answer_that_contains_such_words_is_no_abstention(self):
        assert not abstains("It was not answerable to the king")
        assert abstains("This question can't be answered.")


class TestNumbers:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("1,234", 1234),
            ("$30,216,492.00", 30216492),
            ("8 references", 8),
            ("two", 2),
            ("-5", -5),
            (".5", 0.5),
            ("44.96%", 44.96),
            ("12 and 13", None),
            ("none", None),
            ("B12", None),
        ],
    )
    def test_the_only_number_of_a_text_is_its_number(self, text: str, value: float | None):
        assert number(text) == value

    def test_integers_are_equal_or_not(self):
        assert score("integer", "8", "There are 8.", "mmlongbench_doc").correct
        assert score("integer", "8", "8.0", "mmlongbench_doc").correct
        assert not score("integer", "8", "8 or 9", "mmlongbench_doc").correct
        assert not score("integer", "8", "88", "mmlongbench_doc").correct

    def test_floats_are_equal_within_a_per_cent_and_a_share_equals_its_percentage(self):
        assert score("float", "56.8", "57.3", "mmlongbench_doc").correct  # 0.5 / 57.3 = 0.9 %
        assert not score("float", "56.8", "57.5", "mmlongbench_doc").correct  # 0.7 / 57.5 = 1.2 %
        assert score("float", "44.96%", "0.4496", "mmlongbench_doc").correct
        assert score("float", "0.5", "50%", "mmlongbench_doc").correct


class TestLists:
    def test_elements_come_stringified_or_parted(self):
        assert listed("['a', 2]") == ["a", "2"]
        assert listed("a, b and c\nd; e") == ["a", "b", "c", "d", "e"]

    def test_order_is_free_and_length_is_not(self):
        assert score("list", "['White', '10%']", "10, white", "mmlongbench_doc").correct
        assert score("list", "['White', '10%']", "white", "mmlongbench_doc").value == 0.0

    def test_the_worst_element_counts(self):
        # "kitten" and "kittin": one edit of six -> 5/6; the other element is equal
        found = score("list", "['kitten', 'dog']", "dog, kittin", "mmlongbench_doc")
        assert (found.value, found.correct) == (pytest.approx(5 / 6), False)


class TestDocumentStrings:
    def test_similar_strings_earn_a_value_but_are_not_right(self):
        # kitten -> sitting: 3 edits of 7 letters -> 4/7
        found = score("text", "kitten", "sitting", "mmlongbench_doc")
        assert (found.value, found.correct, found.metric) == (pytest.approx(4 / 7), False, "anls")

    def test_less_than_half_similar_is_nothing(self):
        assert anls("abcd", "axyz") == 0.0
        assert anls("", "") == 1.0

    def test_dates_pages_and_addresses_are_compared_exactly(self):
        for reference, answer in (
            ("2022-01-05", "2022-01-06"),
            ("page 12", "page 13"),
            ("a@b.com", "a@b.org"),
        ):
            assert score("text", reference, answer, "mmlongbench_doc").value == 0.0
            assert score("text", reference, reference.upper(), "mmlongbench_doc").correct

    def test_quotes_signs_and_parentheses_are_cleaned_away(self):
        assert score("text", '"Blue" (dark)', "blue", "mmlongbench_doc").correct


class TestSlides:
    def test_numbers_and_units_have_one_spelling(self):
        assert slide_words("Two & a half, 12.5bn") == ["2", "and", "half", "12.5", "billion"]
        assert score("text", "12.5 bn", "12.5 billion", "slidevqa").correct
        assert score("text", "5%", "five percent", "slidevqa").correct
        assert not score("text", "12.5 bn", "125 bn", "slidevqa").correct


class TestChoices:
    @pytest.mark.parametrize(
        ("answer", "letter"),
        [
            ("D", "D"),
            ("(b)", "B"),
            ("C. three", "C"),
            ("(A) one", "A"),
            ("three", "C"),
            ("The answer is B.", "B"),
            ("A one-off three", ""),
            ("E", ""),
            ("A or B: the answer is A, no, the answer is B", ""),
            ("", ""),
        ],
    )
    def test_an_option_is_named_by_letter_or_text(self, answer: str, letter: str):
        assert letter_of(answer, ("one", "two", "three", "four")) == letter

    def test_the_letter_decides(self):
        assert score("choice", "D", "(D) four", "lvbench", choices=("one", "two", "three", "four")).correct
        assert score("choice", "D", "four", "lvbench", choices=("one", "two", "three", "four")).correct
        assert not score("choice", "D", "C", "lvbench").correct


class TestLongForm:
    def test_rouge_l_follows_the_longest_common_subsequence(self):
        # police killed the gunman / police shot the gunman: common "police the gunman" = 3 of 4 and 4 -> 3/4
        assert rouge_l("Police shot the gunman", "police killed the gunman") == pytest.approx(3 / 4)
        # the gunman kill police: common "the gunman" = 2 -> 2*2/8
        assert rouge_l("the gunman kill police", "police killed the gunman") == pytest.approx(1 / 2)

    def test_from_one_half_a_long_answer_counts_as_right(self):
        assert score("long_form", "police killed the gunman", "the gunman kill police").correct
        assert not score("long_form", "police killed the gunman", "the gunman, they say, got away").correct

    @given(st.lists(st.sampled_from("abc"), max_size=8), st.lists(st.sampled_from("abc"), max_size=8))
    def test_rouge_l_is_symmetric_and_one_for_a_text_and_itself(self, left: list[str], right: list[str]):
        one, other = " ".join(left), " ".join(right)
        assert rouge_l(one, other) == rouge_l(other, one) <= 1.0
        assert rouge_l(one, one) == 1.0


class TestWebqa:
    QUESTION = "What water-related object is sitting in front of the Torre del Reloj?"
    REFERENCE = "A fountain is sitting in front of the Torre del Reloj."

    def test_the_words_that_the_question_lacks_are_what_is_asked(self):
        assert score("text", self.REFERENCE, "A fountain.", "webqa", question=self.QUESTION).correct
        assert not score("text", self.REFERENCE, "Torre del Reloj", "webqa", question=self.QUESTION).correct

    def test_naming_several_colours_does_not_pay(self):
        found = score("text", "It is red.", "red or blue", "webqa", question="What color is it?")
        assert (found.value, found.correct) == (pytest.approx(2 / 3), False)

    def test_yes_or_no_is_what_counts_of_a_sentence(self):
        reference = "No, a Minnetonka flower does not have cup petals."
        assert score("yes_no", reference, "no", "webqa").correct
        assert not score("yes_no", reference, "Yes, it does not.", "webqa").correct
        assert not score("yes_no", reference, "yes and no", "webqa").correct

    def test_listing_everything_is_not_right(self):
        answer = (
            "fountain cloud lake tree car dog cat house sun moon star door hill pond road sign bike ship lamp fish "
            * 2
        )
        assert not score("text", self.REFERENCE, answer, "webqa", question=self.QUESTION).correct


class TestLaws:
    @given(st.sampled_from(list(AnswerKind)), st.sampled_from(DATASETS), WORDS)
    def test_a_reference_is_right_against_itself(self, kind: AnswerKind, dataset: str, reference: str):
        answer = NOT_ANSWERABLE if kind == AnswerKind.UNANSWERABLE else reference
        found = grade_answer(kind, dataset, [reference], answer)
        assert (found.value, found.correct) == (1.0, True)

    @given(
        st.sampled_from(list(AnswerKind)),
        st.sampled_from(DATASETS),
        st.text(max_size=20),
        st.text(max_size=20),
    )
    def test_values_stay_in_range_and_right_is_never_worthless(
        self, kind: AnswerKind, dataset: str, reference: str, answer: str
    ):
        found = grade_answer(kind, dataset, [reference], answer)
        assert 0.0 <= found.value <= 1.0 and not math.isnan(found.value)
        assert not found.correct or found.value >= 0.5

    @given(st.sampled_from(DATASETS), WORDS, WORDS)
    def test_more_references_never_hurt(self, dataset: str, reference: str, other: str):
        alone = grade_answer("text", dataset, [reference], reference)
        both = grade_answer("text", dataset, [other, reference], reference)
        assert (both.correct, both.value) >= (alone.correct, alone.value)

    def test_a_question_without_references_cannot_be_graded(self):
        hidden = Question(id="q", dataset="hotpotqa", split="test", text="?", answers=())
        with pytest.raises(ValueError, match="nothing to grade against"):
            grade(hidden, "x")

    def test_an_unknown_kind_is_refused(self):
        with pytest.raises(ValueError):
            grade_answer("essay", "squad", ["a"], "a")

    def test_a_score_out_of_range_is_refused(self):
        with pytest.raises(ValueError, match=r"0\.\.1"):
            Score(value=1.5, correct=True, metric="f1")
