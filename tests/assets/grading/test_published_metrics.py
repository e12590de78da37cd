"""The metrics as the benchmarks publish them: values derived by hand."""

from __future__ import annotations

import math

import pytest

from assets.grading import webqa
from assets.grading.choice import letter_of
from assets.grading.evidence import EvidenceOverlap, answer_overlap, evidence_overlap, joint
from assets.grading.metrics import anls, bleu_4, rouge_l
from assets.grading.normalise import words
from assets.grading.slides import published_overlap, published_words
from assets.grading.totals import DocumentTotals, GradedAnswer, accuracy_by_ability, document_totals


def test_supporting_facts_are_a_set_of_title_and_sentence():
    # found 2 of 3 gold, and 1 of 3 found is wrong: precision 2/3, recall 2/3, F1 2/3
    gold = [("A", 0), ("B", 1), ("B", 2)]
    found = evidence_overlap([("A", 0), ("B", 1), ("A", 1), ("A", 0)], gold)
    assert (found.exact, found.f1) == (False, pytest.approx(2 / 3))
    assert evidence_overlap(reversed(gold), gold) == EvidenceOverlap(True, 1.0, 1.0)
    assert evidence_overlap([], gold).f1 == 0.0


def test_the_joint_measure_multiplies_precisions_and_recalls():
    # answer: "ann lee" against "ann": precision 1/2, recall 1; evidence: precision 1, recall 1/2
    answer = answer_overlap(["ann", "lee"], ["ann"])
    found = joint(answer, evidence_overlap([1], [1, 2]))
    # 1/2 and 1/2 -> 1/2; each alone has 2/3
    assert (found.f1, answer.f1) == (pytest.approx(1 / 2), pytest.approx(2 / 3))
    assert joint(answer_overlap(["a"], ["a"]), evidence_overlap([1], [1])).exact


def test_sources_of_webqa_are_graded_by_f1():
    assert evidence_overlap([30000001, 30000002], [30000001]).f1 == pytest.approx(2 / 3)


def test_articles_are_dropped_between_any_marks():
    assert words("The U.S.\u2013a nation") == ["us\u2013", "nation"]


def test_similarity_of_one_half_is_nothing():
    # "ab" against "abcd": 2 edits of 4 -> 1/2, which is not above the threshold; 2 of 5 -> 3/5
    assert anls("ab", "abcd") == 0.0
    assert anls("abc", "abcde") == pytest.approx(3 / 5)


class TestSlides:
    def test_fillers_units_and_number_words_go(self):
        assert published_words("It is Twelve users", "how many users are there?") == ["12"]
        assert published_words("Research & Development", "?") == ["research", "development"]
        assert published_words("75 percent", "what share?") == published_words("75%", "what share?") == ["75"]
        assert published_words("Yes, it does", "?") == ["yes"]
        assert published_words("2012 year", "which year?") == ["2012", "year"]  # the unit is "year?"

    def test_the_published_script_drops_the_decimal_point(self):
        assert published_overlap("12.5 bn", "125 bn", "?").exact

    def test_f1_of_two_shared_words_of_three_and_two(self):
        found = published_overlap("new york city", "new york", "?")
        assert (found.exact, found.f1) == (False, pytest.approx(4 / 5))
        assert published_overlap("", "new york", "?") == EvidenceOverlap(False, 0.0, 0.0)

    def test_pages_are_a_set(self):
        assert evidence_overlap([7, 5], [5, 7]).exact


class TestDocuments:
    def test_f1_rewards_answering_what_has_an_answer(self):
        # values 1, 0.5, 0 answerable; one abstained rightly, one unanswerable was answered
        graded = [
            GradedAnswer(1.0, is_answerable=True, is_answered=True),
            GradedAnswer(0.5, is_answerable=True, is_answered=True),
            GradedAnswer(0.0, is_answerable=True, is_answered=False),
            GradedAnswer(1.0, is_answerable=False, is_answered=False),
            GradedAnswer(0.0, is_answerable=False, is_answered=True),
        ]
        # accuracy 2.5/5; recall 1.5/3, precision 1.5/3 -> F1 1/2
        assert document_totals(graded) == DocumentTotals(0.5, pytest.approx(0.5))
        # one more answered unanswerable: precision 1.5/4 = 3/8, recall 1/2 -> 2*(3/16)/(7/8) = 3/7
        more = document_totals([*graded, graded[-1]])
        assert more.f1 == pytest.approx(3 / 7)

    def test_nothing_answered_earns_nothing_and_nothing_graded_has_no_value(self):
        assert document_totals([GradedAnswer(0.0, is_answerable=True, is_answered=False)]) == (0.0, 0.0)
        assert document_totals([]) == (None, None)


def test_a_question_of_two_abilities_counts_in_both():
    answers = [(True, ["reasoning", "summarization"]), (False, ["reasoning", "reasoning"])]
    assert accuracy_by_ability(answers) == {"reasoning": 0.5, "summarization": 1.0}


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


class TestWebqa:
    def test_closed_sets_are_graded_by_f1(self):
        # said red and blue where red is wanted: 1 shared, 2*1/(2+1)
        assert webqa.accuracy("It is red or blue.", "red", "color") == pytest.approx(2 / 3)
        assert webqa.accuracy("A round red plate", "round", "shape") == 1.0
        assert webqa.accuracy("There are two.", "2", "number") == 1.0
        assert webqa.accuracy("Yes, no", "No", "YesNo") == pytest.approx(2 / 3)
        assert webqa.accuracy("nothing", "red", "color") == 0.0

    def test_other_questions_are_graded_by_recall_of_the_keywords(self):
        assert webqa.accuracy("a stone fountain stands there", "fountain water", "Others") == 1 / 2
        assert webqa.accuracy("", "fountain", "text") == 0.0


class TestLongAnswers:
    def test_rouge_compares_stems(self):
        # painting/painted -> paint, chairs -> chair: "paint the chair" 3 of 3 and 4 -> 6/7
        assert rouge_l("painting the chairs", "You painted the chair") == pytest.approx(6 / 7)
        assert rouge_l("", "x") == 0.0

    def test_other_scripts_are_compared_too(self):
        assert rouge_l("кот спит", "пёс спит") == pytest.approx(1 / 2)

    def test_words_of_three_letters_keep_their_ends(self):
        assert rouge_l("was", "wa") == 0.0

    def test_bleu_of_equal_answers_is_one_and_of_none_zero(self):
        assert bleu_4("cut the red cabbage into wedges", "cut the red cabbage into wedges") == pytest.approx(
            1
        )
        assert bleu_4("", "cut the cabbage") == 0.0

    def test_bleu_counts_a_tenth_where_no_n_gram_is_shared(self):
        # of 5 words: 1-grams 4/5, 2-grams 2/4, 3-grams 1/3, 4-grams 0.1/2; equal length, so no penalty
        wanted = math.exp(sum(math.log(share) for share in (4 / 5, 2 / 4, 1 / 3, 0.1 / 2)) / 4)
        assert bleu_4("a b c x e", "a b c d e") == pytest.approx(wanted)
