"""LVBench: time references in all their spellings, gold clips, lost videos."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from assets.parsers.files.fields import MalformedRecordError
from assets.parsers.lvbench import TimeSpan, time_span
from tests.assets.parsers.outcome import Outcome, read, write_film

QUESTION = "What?\n(A) one\n(B) two \n(C) three\n(D) four"


def qa(**changes: Any) -> dict[str, Any]:
    return {"uid": "55", "question": QUESTION, "answer": "D", "time_reference": "00:09-00:11", **changes}


def parse(folder: Path, *questions: object, key: str = "bunny", **settings: Any) -> Outcome:
    meta = {"key": key, "type": "cartoon", "qa": list(questions)}
    (folder / "video_info.meta.jsonl").write_text(json.dumps(meta) + "\n", encoding="utf-8")
    return read("lvbench", folder, clip_s=10.0, **settings)


@pytest.fixture(scope="module")
def bunny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lvbench")
    write_film(folder / "videos/bunny.mp4", seconds=30)
    return folder


@pytest.mark.parametrize(
    ("reference", "span"),
    [
        ("00:15-00:19", TimeSpan(15, 19)),
        ("63:05-64:00", TimeSpan(3785, 3840)),
        ("1:03:05 - 1:04:00", TimeSpan(3785, 3840)),
        ("00:15\u201300:19", TimeSpan(15, 19)),
        ("1:03:05\u22121:04:00", TimeSpan(3785, 3840)),
        ("121:12 to 121:13", TimeSpan(7272, 7273)),
        ("00:15", TimeSpan(15, 15)),
        ([632, 637], TimeSpan(632, 637)),
        ("00:19-00:15", TimeSpan(15, 19)),
        ("00:01.5-00:02", TimeSpan(1.5, 2)),
        (None, None),
        ("", None),
    ],
)
def test_time_references_in_all_their_spellings(reference: object, span: TimeSpan | None):
    assert time_span(reference) == span


@pytest.mark.parametrize("reference", ["soon", "15-19", "00:15-", [1, 2, 3], {"start": 1}, [-1, 2]])
def test_what_is_no_time_is_refused(reference: object):
    with pytest.raises(MalformedRecordError):
        time_span(reference)


def test_the_partial_sample_line_keeps_its_question_without_the_video(shared_data: Path):
    outcome = read("lvbench", shared_data / "lvbench")
    # beside it lie 21 reworded questions on three other videos
    assert (outcome.items, outcome.reasons) == ({}, {"video_missing": 4})
    assert outcome.tallies == {"test": 1, "universalrag": 21}
    [question] = [one for one in outcome.questions if one.split == "test"]
    assert (question.evidence, question.answers, question.id) == ("media_missing", ("D",), "lvbench:test:55")
    assert question.choices == ("1636", "1366", "1363", "1633")


def test_gold_are_the_clips_that_overlap_the_reference(bunny: Path):
    outcome = parse(bunny, qa(), qa(uid=56, time_reference="00:25-00:25"), qa(uid=57, time_reference=None))
    assert len(outcome.items) == 3
    across, moment, nowhere = outcome.questions
    assert across.gold == ("lvbench:clip:bunny#0", "lvbench:clip:bunny#10")
    assert (moment.id, moment.gold) == ("lvbench:test:56", ("lvbench:clip:bunny#20",))
    assert (nowhere.gold, nowhere.evidence) == ((), "none")


def test_the_question_keeps_its_options_and_names_them(bunny: Path):
    [question] = parse(bunny, qa()).questions
    assert (question.text, question.kind) == (QUESTION, "choice")
    assert question.choices == ("one", "two", "three", "four")


def test_bad_questions_are_counted_where_they_stand(bunny: Path):
    outcome = parse(
        bunny, 3, qa(question=None), qa(time_reference="soon"), qa(), qa(uid=9, question="?\n(B) x")
    )
    assert outcome.reasons == {"record_malformed": 3, "time_reference_malformed": 1, "question_duplicate": 1}
    assert outcome.skipped[0].where == "video_info.meta.jsonl:1.qa[0]"
    assert outcome.evidence == {"invalid": 1}


def test_a_video_of_several_lines_keeps_all_its_questions_and_its_clips_once(bunny: Path):
    meta = [{"key": "bunny", "qa": [qa(uid=str(number))]} for number in range(3)]
    (bunny / "video_info.meta.jsonl").write_text("\n".join(map(json.dumps, meta)), encoding="utf-8")
    outcome = read("lvbench", bunny, clip_s=10.0)
    assert (len(outcome.parsed), len(outcome.questions), outcome.reasons) == (3, 3, {})
    assert outcome.tallies == {"test": 3}


def test_a_reference_outside_the_video_is_invalid_and_one_in_its_dropped_tail_is_not(tmp_path: Path):
    write_film(tmp_path / "videos/bunny.mp4", seconds=31)  # the last second is dropped
    outcome = parse(tmp_path, qa(time_reference="00:30-00:31"), qa(uid="56", time_reference="50:00-50:10"))
    tail, outside = outcome.questions
    assert tail.gold == ("lvbench:clip:bunny#20",)
    assert (outside.gold, outside.evidence, outside.notes) == (
        (),
        "invalid",
        ("time_out_of_range:3000-3010",),
    )


def test_a_reference_into_what_is_lost_of_a_video_means_no_other_clip(tmp_path: Path):
    write_film(tmp_path / "videos/bunny.mkv", seconds=60)
    whole = (tmp_path / "videos/bunny.mkv").read_bytes()
    (tmp_path / "videos/bunny.mkv").write_bytes(whole[: len(whole) // 2])
    outcome = parse(tmp_path, qa(time_reference="00:55-00:56"))
    assert sum(outcome.reasons.values()) >= 1
    assert [(question.gold, question.evidence) for question in outcome.questions] == [((), "media_missing")]


def test_videos_that_nobody_asks_about_are_items_too(tmp_path: Path):
    for name in ("bunny.mp4", "other.mp4"):
        write_film(tmp_path / "all_videos" / name, seconds=9)
    outcome = parse(tmp_path, qa())
    assert list(outcome.items) == ["lvbench:clip:bunny#0", "lvbench:clip:other#0"]
