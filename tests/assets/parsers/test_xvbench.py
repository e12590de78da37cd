"""XVBench: clip files and their references, in the spellings that the descriptions differ in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.assets.parsers.outcome import Outcome, read, write_film


@pytest.fixture
def chunks(tmp_path: Path) -> Path:
    for name in ("abc_1_000.mp4", "abc_1_002.mp4"):
        write_film(tmp_path / "video_chunks" / name, seconds=4)
    return tmp_path


def parse(folder: Path, *lines: object) -> Outcome:
    (folder / "xvbench.jsonl").write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    return read("xvbench", folder, max_frames=1)


def line(reference: object, **changes: Any) -> dict[str, Any]:
    return {
        "question": "Which?",
        "answer": "the red one",
        "video_name": "abc_1",
        "reference": reference,
        **changes,
    }


def test_a_clip_file_starts_at_its_number_times_a_minute(chunks: Path):
    items = parse(chunks, line(["abc_1_000.mp4"])).items
    assert list(items) == ["xvbench:clip:abc_1#0", "xvbench:clip:abc_1#120"]
    item = items["xvbench:clip:abc_1#120"]
    assert (item.position, item.parent, item.title) == (120.0, "abc_1", "abc 1 02:00")
    assert item.media_key == item.id


@pytest.mark.parametrize(
    "reference",
    ["abc_1_002.mp4", ["abc_1_002"], "['abc_1_002.mp4']", ["./video_chunks/abc_1_002.mp4", "abc_1_002.mp4"]],
)
def test_references_come_as_lists_strings_paths_and_stems(chunks: Path, reference: object):
    assert parse(chunks, line(reference)).questions[0].gold == ("xvbench:clip:abc_1#120",)


def test_a_page_image_is_gold_in_the_documents(chunks: Path):
    [question] = parse(chunks, line(["abc_1_000.mp4", "some_report_5.jpg"])).questions
    assert question.gold == ("mmlongbench_doc:page:some_report.pdf#5", "xvbench:clip:abc_1#0")


def test_field_names_may_differ_and_lines_without_id_are_numbered(chunks: Path):
    other = {"query": "What?", "ground_truth": "Yes", "reference": []}
    first, second, named = parse(chunks, line([]), other, line([], id="x7")).questions
    assert [question.id.rsplit(":", 1)[1] for question in (first, second, named)] == ["0", "1", "x7"]
    assert (second.text, second.kind, second.evidence) == ("What?", "yes_no", "none")


def test_missing_clips_are_counted_and_the_question_kept(chunks: Path):
    outcome = parse(chunks, line(["gone_004.mp4"]), line(["gone_004.mp4", "abc_1_000.mp4"]))
    assert outcome.reasons == {"video_missing": 1}
    assert outcome.evidence == {"media_missing": 1, "present": 1}


def test_bad_lines_and_files_are_counted(chunks: Path):
    (chunks / "video_chunks/bad_000.mp4").write_bytes(b"no video")
    outcome = parse(chunks, 3, line({"a": 1}), {"question": "?"}, line([]))
    assert outcome.reasons == {"video_unreadable": 1, "record_malformed": 3}


def test_what_is_said_in_a_clip_may_lie_beside_it(chunks: Path):
    (chunks / "video_chunks/abc_1_000.txt").write_text("weld\nit", encoding="utf-8")
    assert parse(chunks, line([])).items["xvbench:clip:abc_1#0"].text == "weld it"


def test_a_whole_video_whose_id_ends_in_a_number_is_not_a_second_clip(tmp_path: Path):
    write_film(tmp_path / "abcDEFghi_1.mp4", seconds=4)
    outcome = parse(tmp_path, line("abcDEFghi_1", video_name="abcDEFghi_1.mp4"))
    assert list(outcome.items) == ["xvbench:clip:abcDEFghi_1#0"]
    assert outcome.questions[0].evidence == "present"


@pytest.mark.parametrize("reference", ["abc_1_000.mp4, abc_1_002.mp4", "['abc_1_000.mp4', 'abc_1_002.mp4']"])
def test_several_references_may_be_one_string(chunks: Path, reference: str):
    [question] = parse(chunks, line(reference)).questions
    assert question.gold == ("xvbench:clip:abc_1#0", "xvbench:clip:abc_1#120")


def test_a_set_in_a_folder_and_as_an_array_is_read(chunks: Path):
    (chunks / "XVBench").mkdir()
    (chunks / "XVBench/test.json").write_text(json.dumps([line("abc_1_000")]), encoding="utf-8")
    outcome = read("xvbench", chunks, max_frames=1)
    assert (len(outcome.questions), outcome.reasons, outcome.tallies) == (1, {}, {"test": 1})
