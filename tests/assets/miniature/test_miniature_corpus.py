"""What the real parsers make of the miniature: nothing skipped, gold as planned, gold sufficient and necessary."""

from __future__ import annotations

from typing import Any

import pytest

from assets.corpus.dataset import DATASETS
from assets.corpus.question import AnswerKind, Question
from assets.miniature.plans import NOT_ANSWERABLE
from assets.parsers.types import ParseContext, SkippedRecord
from tests.assets.miniature.fragments import split_fragments
from tests.assets.miniature.solver import solve
from tests.assets.miniature.template_ocr import read_text

COMPARISONS = (
    *("same_colour", "higher_output", "more_stock", "higher_reading"),
    *("same_start", "ends_with"),
)  # both possible answers stand in the question, or it is yes or no


def gold_of(plan: dict[str, Any]) -> list[str]:
    """Gold of all hops of a plan."""
    return sorted({item_id for hop in plan["hops"] for item_id in hop["gold"]})


def answerable(plan: dict[str, Any]) -> bool:
    return plan["answer"] != NOT_ANSWERABLE


def test_the_parsers_skip_nothing_and_yield_the_planned_gold(built) -> None:
    plans = {plan["question_id"]: plan for plan in built.plans}
    found = {}
    for name, dataset in DATASETS.items():
        for record in dataset.records(built.raw / name, ParseContext(ocr=read_text, max_frames=1)):
            assert not isinstance(record, SkippedRecord), record
            if isinstance(record, Question):
                found[record.id] = record
    assert found.keys() == plans.keys()
    canonical = {alias: item.id for item in built.items.values() for alias in item.aliases}
    for question_id, question in found.items():
        gold = sorted({canonical.get(item_id, item_id) for item_id in question.gold})
        assert gold == (gold_of(plans[question_id]) if answerable(plans[question_id]) else [])


def test_no_two_different_things_fold_into_one_item(built) -> None:
    """Only WebQA snippets, which have an id in every question, may have aliases."""
    assert all(item.id.startswith("webqa:text:") for item in built.items.values() if item.aliases)
    assert {item_id for plan in built.plans for item_id in gold_of(plan)} <= built.items.keys()


def test_answer_kinds_come_out_of_the_formats(built) -> None:
    kinds = {
        plan["template"]: built.questions[plan["question_id"]].kind
        for plan in built.plans
        if answerable(plan)
    }
    expected = {
        "leader_works": AnswerKind.TEXT,
        "same_colour": AnswerKind.YES_NO,
        "same_start": AnswerKind.YES_NO,
        "reading": AnswerKind.INTEGER,
        "workers": AnswerKind.INTEGER,
        "boss": AnswerKind.TEXT,
        "lamp_at": AnswerKind.CHOICE,
        "steps": AnswerKind.TEXT,
    }
    assert {template: kinds[template] for template in expected} == expected
    unanswerable = [built.questions[plan["question_id"]] for plan in built.plans if not answerable(plan)]
    assert unanswerable and all(question.kind == AnswerKind.UNANSWERABLE for question in unanswerable)


def test_a_scripted_oracle_answers_from_gold_alone(built) -> None:
    right = 0
    for plan in built.plans:
        evidence = [built.evidence(item_id) for item_id in gold_of(plan)]
        right += solve(built.questions[plan["question_id"]].text, evidence) == plan["answer"]
    assert right >= 0.98 * len(built.plans)


def test_the_oracle_abstains_without_any_one_piece_of_gold(built) -> None:
    for plan in built.plans:
        gold = gold_of(plan) if answerable(plan) else []
        for missing in gold:
            evidence = [built.evidence(item_id) for item_id in gold if item_id != missing]
            assert solve(built.questions[plan["question_id"]].text, evidence) == NOT_ANSWERABLE, (
                plan,
                missing,
            )


def test_no_other_item_of_the_corpus_makes_up_for_missing_gold(built) -> None:
    """Every fact is stated or shown once in the whole corpus, so even all other items together do not answer."""
    world_items = {item_id: built.evidence(item_id) for item_id in built.items}
    for plan in built.plans[::5]:
        for missing in gold_of(plan) if answerable(plan) else []:
            evidence = [piece for item_id, piece in world_items.items() if item_id != missing]
            assert solve(built.questions[plan["question_id"]].text, evidence) == NOT_ANSWERABLE, (
                plan,
                missing,
            )


def test_unanswerable_questions_stay_unanswerable_with_the_whole_corpus(built) -> None:
    everything = [built.evidence(item_id) for item_id in built.items]
    for plan in built.plans:
        if not answerable(plan):
            assert solve(built.questions[plan["question_id"]].text, everything) == NOT_ANSWERABLE


def test_answers_that_need_pixels_stand_in_no_text(built) -> None:
    """Not in the question (choices apart), nor in title, text, id or file name of the gold."""
    for plan in built.plans:
        question = built.questions[plan["question_id"]]
        if not plan["needs_pixels"] or plan["template"] in COMPARISONS or not answerable(plan):
            continue
        shown = question.choices["ABCD".index(plan["answer"])] if question.choices else plan["answer"]
        stem = question.text.partition("\n")[0]
        items = [built.items[item_id] for item_id in gold_of(plan)]
        texts = [stem, *(f"{item.title} {item.text} {item.source}" for item in items)]
        assert all(shown not in split_words(text) for text in texts), (shown, texts)


def split_words(text: str) -> set[str]:
    return set("".join(char if char.isalnum() else " " for char in text).split())


def test_the_lexicon_covers_every_rendering(built) -> None:
    for item in built.items.values():
        split_fragments(f"{item.title}: {item.text}")
    for plan in built.plans:
        split_fragments(" " + built.questions[plan["question_id"]].text)
        for text in (
            plan["answer"],
            *(text for hop in plan["hops"] for text in (hop["summary"], *hop["queries"])),
        ):
            split_fragments(text)
            split_fragments(" " + text)


def test_a_text_outside_the_lexicon_is_refused() -> None:
    with pytest.raises(ValueError, match="no fragment"):
        split_fragments("Belodu é")
