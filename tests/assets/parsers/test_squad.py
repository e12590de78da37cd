"""SQuAD 1.1 and 2.0: the real samples exactly, the pitfalls by hand-made files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.assets.parsers.outcome import Outcome, read

QA = {"id": "q1", "question": " Who? ", "answers": [{"text": "Ann", "answer_start": 0}] * 3}
IMPOSSIBLE = {
    "id": "q2",
    "question": "Why?",
    "is_impossible": True,
    "answers": [],
    "plausible_answers": [{"text": "Ann"}],
}


def article(*qas: object, title: str = "Some_Title", context: object = "Ann came.") -> dict[str, Any]:
    return {"title": title, "paragraphs": [{"context": context, "qas": list(qas)}]}


def parse(folder: Path, *articles: object, name: str = "dev-v2.0.json", version: str = "v2.0") -> Outcome:
    (folder / name).write_text(json.dumps({"version": version, "data": articles}), encoding="utf-8")
    return read("squad", folder)


def test_the_samples_hold_75_questions_on_10_paragraphs_20_of_them_unanswerable(shared_data: Path):
    outcome = read("squad", shared_data / "squad")
    assert (len(outcome.items), len(outcome.questions), outcome.reasons) == (10, 75, {})
    assert outcome.evidence == {"present": 55, "unanswerable": 20}
    assert all(len(question.gold) == (question.evidence == "present") for question in outcome.questions)
    assert all(gold in outcome.items for question in outcome.questions for gold in question.gold)
    assert "Super Bowl 50" in {item.title for item in outcome.items.values()}


def test_every_answer_of_the_samples_stands_in_its_gold_paragraph(shared_data: Path):
    outcome = read("squad", shared_data / "squad")
    for question in outcome.questions:
        if question.gold:
            assert all(answer in outcome.items[question.gold[0]].text for answer in question.answers)


def test_repeated_answers_count_once(tmp_path: Path):
    [question] = parse(tmp_path, article(QA)).questions
    assert (question.answers, question.text, question.id) == (("Ann",), "Who?", "squad:dev:q1")


def test_an_unanswerable_question_has_no_gold_and_the_answer_that_says_so(tmp_path: Path):
    [question] = parse(tmp_path, article(IMPOSSIBLE)).questions
    assert (question.kind, question.answers, question.gold) == ("unanswerable", ("Not answerable",), ())


def test_a_paragraph_of_both_versions_is_one_item_and_its_question_one_question(tmp_path: Path):
    parse(tmp_path, article(QA), name="dev-v1.1.json", version="1.1")
    outcome = parse(tmp_path, article(QA, IMPOSSIBLE))
    assert (len(outcome.parsed), len(outcome.questions)) == (1, 2)
    assert outcome.reasons == {"question_duplicate": 1}


def test_the_file_name_tells_the_split(tmp_path: Path):
    [question] = parse(tmp_path, article(QA), name="train-v1.1.json").questions
    assert question.split == "train"


def test_flat_rows_of_the_hub_give_the_same_records(tmp_path: Path):
    nested = parse(tmp_path, article(QA, IMPOSSIBLE))
    flat = tmp_path / "flat"
    flat.mkdir()
    rows = [
        {"id": "q1", "question": "Who?", "answers": {"text": ["Ann", "Ann"], "answer_start": [0, 0]}},
        {"id": "q2", "question": "Why?", "answers": {"text": [], "answer_start": []}},
    ]
    placed = [{"title": "Some_Title", "context": "Ann came.", **row} for row in rows]
    (flat / "validation.json").write_text(json.dumps(placed), encoding="utf-8")
    outcome = read("squad", flat)
    assert outcome.items.keys() == nested.items.keys()
    assert outcome.questions == nested.questions
    (flat / "validation.json").rename(flat / "validation.jsonl")
    (flat / "validation.jsonl").write_text("\n".join(json.dumps(row) for row in placed), encoding="utf-8")
    assert read("squad", flat).questions == nested.questions


def test_bad_articles_paragraphs_and_questions_are_counted_where_they_stand(tmp_path: Path):
    outcome = parse(
        tmp_path,
        7,
        {"title": "t"},
        article(QA, context=None),
        article({"id": "x"}, "no", {"id": "y", "question": "?", "answers": [{}]}, QA),
    )
    assert outcome.reasons == {"record_malformed": 6}
    assert outcome.skipped[-1].where == "dev-v2.0.json.data[3].paragraphs[0].qas[2]"
    assert len(outcome.questions) == 1


def test_a_file_without_data_is_a_counted_skip(tmp_path: Path):
    (tmp_path / "dev-v1.1.json").write_text('{"version": "1.1"}', encoding="utf-8")
    assert read("squad", tmp_path).reasons == {"file_without_records": 1}


def test_an_empty_list_of_answers_means_what_the_flag_says(tmp_path: Path):
    nothing = {"question": "?", "answers": []}
    outcome = parse(
        tmp_path,
        article(
            {"id": "a", **nothing},
            {"id": "b", **nothing, "is_impossible": True},
            {"id": "c", **nothing, "is_impossible": False},
            {"id": "d", "question": "?", "is_impossible": True},
        ),
    )
    kinds = {question.id[-1]: question.kind.value for question in outcome.questions}
    assert kinds == {"a": "unanswerable", "b": "unanswerable", "c": "text", "d": "unanswerable"}
    hidden = outcome.questions[2]
    assert (hidden.answers, hidden.notes, hidden.evidence) == ((), ("answers_absent",), "present")


def test_one_bad_answer_of_several_costs_no_question(tmp_path: Path):
    answers = [{"text": ""}, {"text": "Ann"}, {"answer_start": 3}]
    [question] = parse(tmp_path, article({"id": "a", "question": "?", "answers": answers})).questions
    assert question.answers == ("Ann",)


def test_questions_lost_with_their_paragraph_count_for_the_edition(tmp_path: Path):
    lost = {"context": " ", "qas": [QA, IMPOSSIBLE]}
    outcome = parse(
        tmp_path, {"title": "T", "paragraphs": [lost]}, article({**QA, "id": "q3"}), name="dev-v1.1.json"
    )
    assert (len(outcome.questions), outcome.tallies) == (1, {"dev": 3})


def test_versions_are_told_apart_by_their_questions(tmp_path: Path):
    parse(tmp_path, article(QA), name="train-a.json")
    outcome = parse(tmp_path, article({**QA, "id": "q3"}, IMPOSSIBLE), name="train-b.json")
    assert outcome.tallies == {"train": 1, "train 2.0": 2}


def test_what_stands_behind_the_end_is_told(tmp_path: Path):
    parse(tmp_path, article(QA))
    with (tmp_path / "dev-v2.0.json").open("a") as file:
        file.write(" and more")
    assert read("squad", tmp_path).reasons == {"file_malformed": 1}
