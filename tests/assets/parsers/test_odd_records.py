"""Whatever a field of a published record is replaced by, the parser goes on, and no record vanishes without a word."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.corpus.dataset import DATASETS
from tests.assets.parsers.outcome import Outcome, read

HOTPOT = {
    "_id": "h1",
    "question": "Which?",
    "answer": "yes",
    "supporting_facts": [["A", 0], ["B", 1]],
    "context": [["A", ["First."]], ["B", ["One.", " Two."]]],
}
FACT = {"title": "T", "fact": "A fact.", "url": "u", "snippet_id": "w1_0"}
PICTURE = {"image_id": 30000001, "title": "P", "caption": "c", "url": "u"}
LISTS = {"img_posFacts": [PICTURE], "img_negFacts": [], "txt_posFacts": [], "txt_negFacts": [FACT]}
RECORDS: dict[str, dict[str, Any]] = {
    "hotpotqa": HOTPOT,
    "squad": {"id": "s1", "title": "T", "context": "Ann.", "question": "Who?", "answers": {"text": ["Ann"]}},
    "webqa": {"Guid": "w1", "Q": "What?", "A": ["Red."], "split": "val", "Qcate": "color", **LISTS},
    "slidevqa": {
        "deck_name": "d",
        "qa_id": 1,
        "question": "How much?",
        "answer": "5",
        "evidence_pages": [1, 2],
    },
    "mmlongbench_doc": {
        "doc_id": "a.pdf",
        "question": "How many?",
        "answer": "8",
        "evidence_pages": "[2]",
        "answer_format": "Int",
    },
    "lvbench": {
        "key": "v",
        "qa": [
            {"uid": "1", "question": "What?\n(A) a\n(B) b", "answer": "A", "time_reference": "00:01-00:02"}
        ],
    },
    "wikihowqa": {
        "qid": 1,
        "wikihow_query_text": "How To",
        "answer_text": "So.",
        "videos": [{"video_id": "v", "rank": 1}],
    },
    "syntheticqa": {
        "qid": "v_0",
        "wikihow_query_text": "What?",
        "answer_text": "So.",
        "videos": [{"video_id": "v", "rank": 1}],
    },
    "xvbench": {"id": 1, "question": "What?", "answer": "So.", "video_name": "v", "reference": ["v_000.mp4"]},
}
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**12), 10**12),
    st.sampled_from(
        [float("nan"), float("inf"), 0.5, "", " ", "None", "[5", "[[1]]", "{'a': 1}", "\ud800", "9" * 60]
    ),
    st.text(max_size=6),
    st.lists(st.one_of(st.none(), st.integers(), st.text(max_size=3), st.just([]), st.just({})), max_size=3),
    st.dictionaries(st.sampled_from(["text", "title", "a"]), st.none() | st.lists(st.integers(), max_size=2)),
)
REMOVED = "removed"


def places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place below the record, fields of nested records too."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, one in inner for found in [(*path, key), *places(one, (*path, key))]]


def changed(record: dict[str, Any], place: tuple[str | int, ...], odd: object) -> dict[str, Any]:
    """A copy with something odd at one place."""
    target: Any = (record := copy.deepcopy(record))
    for key in place[:-1]:
        target = target[key]
    if odd == REMOVED:
        del target[place[-1]]
    else:
        target[place[-1]] = odd
    return record


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("odd")


@pytest.mark.parametrize("name", DATASETS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_an_odd_field_is_used_or_told_and_the_next_record_is_read(
    name: str, scratch: Path, data: st.DataObject
):
    whole = RECORDS[name]
    place = data.draw(st.sampled_from(places(whole)))
    odd = changed(whole, place, data.draw(ODD | st.just(REMOVED)))
    outcome = parse(scratch / name, name, odd, renamed(whole))
    has_taken_the_id = any(record.reason == "question_id_conflict" for record in outcome.skipped)
    known = {question.text for question in outcome.questions} | markers(outcome)
    assert renamed(whole)["marker"] in known or has_taken_the_id
    assert len(outcome.questions) == 2 or outcome.skipped
    assert all(question.gold or question.evidence != "present" for question in outcome.questions)
    for question in outcome.questions:
        question.text.encode()  # what no table could hold was replaced


SEVERAL = st.integers(1, 5)
TOLD_PER_RECORD = frozenset({"record_malformed", "question_duplicate", "question_id_conflict"})


@pytest.mark.parametrize("name", DATASETS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_records_in_are_questions_and_skips_out(name: str, scratch: Path, data: st.DataObject):
    records = []
    for number in range(data.draw(SEVERAL)):
        record = numbered(RECORDS[name], number)
        for _ in range(data.draw(st.integers(0, 2))):
            there = places(record)
            if there:
                record = changed(record, data.draw(st.sampled_from(there)), data.draw(ODD | st.just(REMOVED)))
        records.append(record)
    # the first stays whole, for a file is known by its records
    outcome = parse(scratch / f"{name} in, out", name, numbered(RECORDS[name], 99), *records)
    told = sum(skip.reason in TOLD_PER_RECORD for skip in outcome.skipped)
    assert len(outcome.questions) + told >= questions_in(name, records) + 1
    assert len({question.id for question in outcome.questions}) == len(outcome.questions)
    assert sum(outcome.tallies.values()) <= len(outcome.questions) + told


def questions_in(name: str, records: list[dict[str, Any]]) -> int:
    """One a record; a film's line without a list of questions holds none."""
    return sum(record.get("qa", [1]) != [] if name == "lvbench" else 1 for record in records)


def numbered(record: dict[str, Any], number: int) -> dict[str, Any]:
    """The same record under an id and a question of its own."""
    other = copy.deepcopy(record)
    ids: dict[str, Any] = {"_id": f"h{number}", "Guid": f"w{number}", "qa_id": number}
    ids |= {"qid": f"v_{number}" if isinstance(record.get("qid"), str) else number}
    ids |= {"id": f"s{number}", "uid": str(number)}
    for one in (other, *other.get("qa", ())):
        one.update({field: value for field, value in ids.items() if field in one})
        for field in ("question", "Q", "wikihow_query_text"):
            if field in one:
                one[field] = f"{number}: {one[field]}"
    return other


def renamed(record: dict[str, Any]) -> dict[str, Any]:
    """The same record under another id, asking something else."""
    text = json.dumps(record)
    for before, after in (("h1", "h2"), ("s1", "s2"), ("w1", "w2"), ('"qa_id": 1', '"qa_id": 2')):
        text = text.replace(before, after)
    for before, after in (
        ('"uid": "1"', '"uid": "2"'),
        ('"qid": 1', '"qid": 2'),
        ("v_0", "v_1"),
        ('"id": 1', '"id": 2'),
    ):
        text = text.replace(before, after)
    other = json.loads(text)
    for field in ("question", "Q", "wikihow_query_text"):
        if field in other:
            other[field] = "The other?"
    for qa in other.get("qa", ()):
        qa["question"] = "The other?\n(A) a\n(B) b"
    return other | {"marker": "The other?"}


def markers(outcome: Outcome) -> set[str]:
    return {question.text.split("\n")[0] for question in outcome.questions}


def parse(folder: Path, name: str, *records: dict[str, Any]) -> Outcome:
    folder.mkdir(exist_ok=True)
    content = {str(number): one for number, one in enumerate(records)} if name == "webqa" else list(records)
    (folder / "dev.json").write_text(json.dumps(content), encoding="utf-8")
    return read(name, folder)
