"""HotpotQA: the real sample exactly, the pitfalls of the full files by hand-made records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from assets.corpus.item import Modality
from tests.assets.parsers.outcome import Outcome, read

CONTEXT = [["A", ["First.", " Second."]], ["B &amp; C (film)", ["Only one.", ""]]]


def record(**changes: Any) -> dict[str, Any]:
    return {
        "_id": "5a8b57f25542995d1e6f1371",
        "question": "Which?",
        "answer": "yes",
        "supporting_facts": [["A", 0], ["B &amp; C (film)", 7], ["A", 1]],
        "context": CONTEXT,
        **changes,
    }


def parse(folder: Path, *records: object, name: str = "hotpot_dev_distractor_v1.json") -> Outcome:
    (folder / name).write_text(json.dumps(records), encoding="utf-8")
    return read("hotpotqa", folder)


def test_the_sample_holds_23_questions_on_224_paragraphs_with_two_gold_each(shared_data: Path):
    outcome = read("hotpotqa", shared_data / "hotpotqa")
    assert (len(outcome.items), len(outcome.parsed), len(outcome.questions)) == (224, 224, 23)
    assert outcome.reasons == {}
    assert all(len(question.gold) == 2 for question in outcome.questions)
    assert all(gold in outcome.items for question in outcome.questions for gold in question.gold)
    assert {question.split for question in outcome.questions} == {"train"}
    assert sum(question.kind == "yes_no" for question in outcome.questions) == 7


def test_a_paragraph_is_its_sentences_joined_as_they_are(tmp_path: Path):
    outcome = parse(tmp_path, record())
    texts = {item.title: item.text for item in outcome.items.values()}
    assert texts == {"A": "First. Second.", "B &amp; C (film)": "Only one."}
    assert {item.modality for item in outcome.items.values()} == {Modality.TEXT}


def test_gold_are_the_distinct_titles_even_if_a_sentence_id_runs_past_the_paragraph(tmp_path: Path):
    [question] = parse(tmp_path, record()).questions
    assert len(question.gold) == 2
    assert question.evidence == "present"
    assert question.id == "hotpotqa:dev:5a8b57f25542995d1e6f1371"


def test_sentences_are_kept_as_finer_evidence(tmp_path: Path):
    [question] = parse(tmp_path, record()).questions
    facts = ("A#0", "B &amp; C (film)#7", "A#1")
    assert question.notes == tuple(f"supporting_fact:{fact}" for fact in facts)
    hub = {"title": ["A", "B &amp; C (film)", "A"], "sent_id": [0, 7, 1]}
    [same] = parse(tmp_path, record(supporting_facts=hub)).questions
    assert same.notes == question.notes


def test_equal_paragraphs_are_one_item_and_equal_titles_with_other_texts_are_two(tmp_path: Path):
    other = record(_id="2", context=[*CONTEXT, ["A", ["Another text."]]])
    outcome = parse(tmp_path, record(), other)
    assert sorted(item.title for item in outcome.items.values()) == ["A", "A", "B &amp; C (film)"]
    assert len(outcome.parsed) == 3
    assert len({item.content_hash for item in outcome.items.values()}) == 3


def test_a_supporting_title_that_is_not_in_the_context_is_noted(tmp_path: Path):
    facts = [["A", 0], ["Elsewhere", 0]]
    [part, none] = parse(
        tmp_path, record(supporting_facts=facts), record(_id="2", supporting_facts=facts[1:])
    ).questions
    assert (len(part.gold), part.evidence) == (1, "present")
    assert part.notes == (
        "gold_title_missing:Elsewhere",
        "supporting_fact:A#0",
        "supporting_fact:Elsewhere#0",
    )
    assert (none.gold, none.evidence) == ((), "invalid")


def test_the_test_file_has_questions_without_answers(tmp_path: Path):
    hidden = {key: value for key, value in record().items() if key not in ("answer", "supporting_facts")}
    [question] = parse(tmp_path, hidden, name="hotpot_test_fullwiki_v1.json").questions
    assert (question.split, question.answers, question.gold, question.evidence) == ("test", (), (), "none")


def test_a_question_of_both_dev_files_keeps_the_gold_of_the_distractor_file(tmp_path: Path):
    (tmp_path / "hotpot_dev_fullwiki_v1.json").write_text(
        json.dumps([record(context=[["Other", ["Retrieved."]]])]), encoding="utf-8"
    )
    outcome = parse(tmp_path, record())
    [question] = outcome.questions
    assert len(question.gold) == 2
    assert outcome.reasons == {"question_duplicate": 1}
    assert "Other" in {item.title for item in outcome.items.values()}


def test_the_shape_of_the_hub_gives_the_same_items_and_gold(tmp_path: Path):
    ours = parse(tmp_path, record())
    hub = tmp_path / "hub"
    hub.mkdir()
    row = record(
        id="5a8b57f25542995d1e6f1371",
        supporting_facts={"title": ["A", "B &amp; C (film)", "A"], "sent_id": [0, 7, 1]},
        context={"title": [pair[0] for pair in CONTEXT], "sentences": [pair[1] for pair in CONTEXT]},
    )
    del row["_id"]
    (hub / "validation.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    theirs = read("hotpotqa", hub)
    assert theirs.items.keys() == ours.items.keys()
    assert theirs.questions == ours.questions


def test_bad_records_are_counted_and_the_good_ones_kept(tmp_path: Path):
    outcome = parse(
        tmp_path,
        "text",
        None,
        record(question=None),
        record(context="no list"),
        record(context=[["A"]]),
        record(context=[["A", [1]]]),
        record(supporting_facts=[[]]),
        record(answer=None),
        {},
        record(),
    )
    assert outcome.reasons == {"record_malformed": 9}
    assert outcome.skipped[0].where == "hotpot_dev_distractor_v1.json[0]"
    assert len(outcome.questions) == 1


def test_an_empty_paragraph_is_no_item_and_no_gold(tmp_path: Path):
    outcome = parse(tmp_path, record(context=[["A", [""]], CONTEXT[1]]))
    assert outcome.reasons == {"paragraph_empty": 1}
    assert len(outcome.questions[0].gold) == 1


def test_a_truncated_file_keeps_its_whole_records(tmp_path: Path):
    text = json.dumps([record(), record(_id="2")])
    (tmp_path / "hotpot_train_v1.1.json").write_text(text[:-40], encoding="utf-8")
    outcome = read("hotpotqa", tmp_path)
    assert (len(outcome.questions), outcome.reasons) == (1, {"file_malformed": 1})


def test_ids_do_not_depend_on_the_file(tmp_path: Path):
    first = parse(tmp_path, record())
    elsewhere = tmp_path / "deeper"
    elsewhere.mkdir()
    assert parse(elsewhere, record(_id="9"), record()).items.keys() == first.items.keys()


def test_the_paragraphs_of_a_question_that_is_none_are_kept(tmp_path: Path):
    nothing = float("nan")
    outcome = parse(tmp_path, record(answer=nothing), record(_id="2", question=""), record(_id=None))
    assert (len(outcome.items), len(outcome.questions)) == (2, 0)
    assert outcome.reasons == {"record_malformed": 3}
    assert outcome.tallies == {"dev": 3}


def test_an_id_is_the_same_as_a_number_and_as_text(tmp_path: Path):
    outcome = parse(tmp_path, record(_id=133), record(_id=133.0), record(_id="133"))
    assert [question.id for question in outcome.questions] == ["hotpotqa:dev:133"]
    assert outcome.reasons == {"question_duplicate": 2}


def test_two_questions_of_one_id_are_a_conflict(tmp_path: Path):
    outcome = parse(tmp_path, record(), record(question="Another?"))
    assert outcome.reasons == {"question_id_conflict": 1}
    assert outcome.tallies == {"dev": 2}


def test_titles_and_texts_of_the_hub_that_do_not_pair_are_refused(tmp_path: Path):
    outcome = parse(tmp_path, record(context={"title": ["A", "B"], "sentences": [["x"]]}))
    assert outcome.reasons == {"record_malformed": 1}


def test_both_configurations_of_the_hub_are_counted_apart(tmp_path: Path):
    for configuration in ("distractor", "fullwiki"):
        (tmp_path / configuration).mkdir()
        parse(tmp_path, record(), name=f"{configuration}/validation.json")
    outcome = read("hotpotqa", tmp_path)
    assert outcome.tallies == {"dev": 1, "dev fullwiki": 1}
    assert [question.split for question in outcome.questions] == ["dev"]


def test_very_long_texts_and_every_character_survive(tmp_path: Path):
    long = "\U00020000\u0000\U0001f600 " * 200_000
    outcome = parse(tmp_path, record(context=[["A", [long]], ["B &amp; C (film)", ["\u202eabc"]]]))
    assert sorted(len(item.text) for item in outcome.items.values()) == [4, len(long)]
    assert outcome.reasons == {}
