"""SlideVQA: decks of local page pictures and the published question lines, by hand-made files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from assets.parsers.slidevqa import page_of
from tests.assets.parsers.outcome import Outcome, read

DECK = "2012-02-20fy11roadshow-120221022442-phpapp02_95"


def write_deck(folder: Path, name: str, pages: tuple[int, ...]) -> None:
    (folder / name).mkdir(parents=True)
    for page in pages:
        Image.new("RGB", (16, 12), (page, 0, 0)).save(folder / name / f"roadshow-{page}-1024.jpg", "PNG")


def line(**changes: Any) -> dict[str, Any]:
    return {
        "deck_name": DECK,
        "qa_id": 1,
        "question": "How much?",
        "answer": "12.5 bn",
        "arithmetic_expression": "None",
        "evidence_pages": [10, 2],
        **changes,
    }


def parse(folder: Path, *lines: object, name: str = "annotations/qa/test.jsonl", **settings: Any) -> Outcome:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("\n".join(json.dumps(one) for one in lines), encoding="utf-8")
    return read("slidevqa", folder, **settings)


def test_slides_come_in_numeric_order_with_the_page_of_their_file_name(tmp_path: Path):
    write_deck(tmp_path / "images", DECK, (10, 9, 2, 1))
    outcome = parse(tmp_path, line(), ocr=lambda image: "read")
    assert list(outcome.items) == [f"slidevqa:slide:{DECK}#{page}" for page in (1, 2, 9, 10)]
    item = outcome.items[f"slidevqa:slide:{DECK}#9"]
    assert (item.title, item.text, item.position, item.parent) == (
        "2012 02 20fy11roadshow",
        "read",
        9.0,
        DECK,
    )
    [question] = outcome.questions
    assert (question.id, question.split) == ("slidevqa:test:1", "test")
    assert question.gold == (f"slidevqa:slide:{DECK}#10", f"slidevqa:slide:{DECK}#2")


def test_small_images_are_kept_without_loss(tmp_path: Path):
    write_deck(tmp_path, DECK, (7,))
    [parsed] = parse(tmp_path, line(evidence_pages=7)).parsed
    assert parsed.media is not None
    assert parsed.media.members[0][0] == "png"
    assert (parsed.item.width, parsed.item.height) == (16, 12)


@pytest.mark.parametrize("pages", [2, "2", ["2"], "[2]", [2, 2]])
def test_evidence_pages_come_in_several_shapes(tmp_path: Path, pages: object):
    write_deck(tmp_path, DECK, (1, 2))
    assert parse(tmp_path, line(evidence_pages=pages)).questions[0].gold == (f"slidevqa:slide:{DECK}#2",)


def test_val_and_dev_are_one_split_and_qa_ids_count_within_it(tmp_path: Path):
    write_deck(tmp_path, DECK, (2, 10))
    parse(tmp_path, line(), name="train.jsonl")
    outcome = parse(tmp_path, line(), line(), name="val.jsonl")
    assert [question.id for question in outcome.questions] == ["slidevqa:train:1", "slidevqa:dev:1"]
    assert outcome.reasons == {"question_duplicate": 1}


def test_missing_slides_are_counted_once_and_their_questions_kept(tmp_path: Path):
    write_deck(tmp_path, DECK, (2,))
    outcome = parse(tmp_path, line(), line(qa_id=2), line(qa_id=3, evidence_pages=[10]))
    assert outcome.reasons == {"slide_missing": 1}
    assert outcome.evidence == {"present": 2, "media_missing": 1}


def test_damaged_images_and_bad_lines_are_counted(tmp_path: Path):
    write_deck(tmp_path, DECK, (2,))
    (tmp_path / DECK / "roadshow-10-1024.jpg").write_bytes(b"no picture")
    outcome = parse(
        tmp_path, line(qa_id=2, evidence_pages="the last"), line(question=None), line(answer=None), 3, line()
    )
    assert outcome.reasons == {
        "evidence_pages_malformed": 1,
        "image_unreadable": 1,
        "record_malformed": 3,
        "slide_missing": 1,
    }
    assert [question.evidence for question in outcome.questions] == ["invalid", "present"]


def test_answers_lose_their_line_breaks(tmp_path: Path):
    write_deck(tmp_path, DECK, (2, 10))
    assert parse(tmp_path, line(answer="12.5\n bn")).questions[0].answers == ("12.5 bn",)


def test_real_slides_of_the_downloader_are_read(tmp_path: Path, shared_data: Path):
    (tmp_path / "deck").mkdir()
    for path in (shared_data / "vrag_example/img").glob("slide_*_1024.jpg"):
        shutil.copy(path, tmp_path / "deck")
    items = parse(tmp_path, line(deck_name="deck")).items
    assert [item.position for item in items.values()] == list(range(1, 21))
    assert {(item.width, item.height) for item in items.values()} == {(1024, 768)}


def test_the_page_is_read_from_all_usual_file_names():
    names = {
        "slide_7_1024": 7,
        "aliyun4_12": 12,
        "2012-report-3-1024": 3,
        "some-deck-95_20": 20,
        "12": 12,
        "cover": None,
    }
    assert {name: page_of(name) for name in names} == names


def test_all_decks_may_lie_in_one_folder(tmp_path: Path):
    (tmp_path / "images").mkdir()
    for name in (f"{DECK}_2.jpg", f"{DECK}_10.jpg", "other-deck_2.jpg"):
        Image.new("RGB", (16, 12)).save(tmp_path / "images" / name, "PNG")
    outcome = parse(tmp_path, line())
    assert sorted(outcome.items) == [
        f"slidevqa:slide:{DECK}#10",
        f"slidevqa:slide:{DECK}#2",
        "slidevqa:slide:other-deck#2",
    ]
    assert outcome.questions[0].evidence == "present"


def test_a_clone_has_its_questions_read_and_its_boxes_left(tmp_path: Path):
    write_deck(tmp_path / "SlideVQA/images/test", DECK, (2, 10))
    (tmp_path / "SlideVQA/annotations/bbox").mkdir(parents=True)
    (tmp_path / "SlideVQA/annotations/bbox/test.jsonl").write_text('{"deck_name": "x", "bboxes": []}')
    outcome = parse(tmp_path, line(), name="SlideVQA/annotations/qa/test.jsonl")
    assert (len(outcome.items), outcome.reasons, outcome.tallies) == (2, {}, {"test": 1})


def test_images_without_a_place_and_twice_the_same_slide_are_counted(tmp_path: Path):
    write_deck(tmp_path, DECK, (2, 10))
    for name in ("cover.jpg", "roadshow-2-320.jpg"):
        shutil.copy(tmp_path / DECK / "roadshow-2-1024.jpg", tmp_path / DECK / name)
    shutil.copy(tmp_path / DECK / "roadshow-2-1024.jpg", tmp_path / "loose-1.jpg")
    outcome = parse(tmp_path, line())
    assert outcome.reasons == {"slide_duplicate": 1, "slide_unplaced": 2}
    assert len(outcome.items) == 2


def test_an_answer_that_a_table_turned_into_no_number_is_no_answer(tmp_path: Path):
    assert parse(tmp_path, line(answer=float("nan"))).reasons == {"record_malformed": 1}


def test_a_reworded_set_is_a_split_of_its_own_with_the_same_gold(tmp_path: Path):
    write_deck(tmp_path, DECK, (2, 10))
    about = {
        "file_name": f"{DECK}.pdf",
        "reference_page": [2, 10],
        "origin_query": "How much?",
        "query_type": "multi_hop",
    }
    reworded = {"uid": "1", "query": "How much in 2012?", "reference_answer": "12.5 bn", "meta_info": about}
    (tmp_path / "slidevqa_refined.json").write_text(
        json.dumps({"examples": [reworded, {**reworded, "meta_info": {}}]})
    )
    outcome = parse(tmp_path, line())
    assert [question.id for question in outcome.questions] == ["slidevqa:test:1", "slidevqa:refined:1"]
    assert outcome.questions[0].gold == outcome.questions[1].gold != ()
    assert outcome.reasons == {"record_malformed": 1}
    assert outcome.tallies == {"test": 1, "refined": 1, "slidevqa_refined": 1}


def test_slides_named_by_deck_and_page_are_found_by_a_reworded_set_alone(tmp_path: Path):
    Image.new("RGB", (16, 12)).save(tmp_path / f"{DECK}_3.jpg")
    about = {"file_name": f"{DECK}.pdf", "reference_page": "[3]", "origin_query": "?"}
    record = {"uid": 4, "query": "Which?", "reference_answer": "x", "meta_info": about}
    (tmp_path / "slidevqa_refined.json").write_text(json.dumps({"examples": [record]}))
    [question] = read("slidevqa", tmp_path).questions
    assert question.gold == (f"slidevqa:slide:{DECK}#3",)


def test_a_deck_may_be_a_document(tmp_path: Path):
    pages = [Image.new("RGB", (32, 24), (page, 0, 0)) for page in range(1, 11)]
    pages[0].save(tmp_path / f"{DECK}.pdf", save_all=True, append_images=pages[1:])
    write_deck(tmp_path / "images", DECK, (2,))
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4 and no more")
    outcome = parse(tmp_path, line(), ocr=lambda image: "read")
    assert len(outcome.items) == 10
    assert outcome.items[f"slidevqa:slide:{DECK}#2"].source.endswith(".jpg")
    assert outcome.items[f"slidevqa:slide:{DECK}#10"].source == f"{DECK}.pdf"
    assert outcome.evidence == {"present": 1}
    assert list(outcome.reasons.values()) == [1]
