"""WebQA: the real sample exactly; pictures in a table read by offset."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from assets.corpus.item import Modality
from assets.parsers.files.image_table import ImageTable
from assets.parsers.webqa import unquoted
from infra.errors import MediaError
from infra.media._images import decode
from tests.assets.parsers.outcome import Outcome, read


def png(shade: int) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (4, 3), (shade, 0, 0)).save(target, "PNG")
    return target.getvalue()


def write_table(folder: Path, pictures: dict[int, bytes], *, offsets: bool = True) -> None:
    lines = [
        f"{image_id}\t{base64.b64encode(data).decode()}\n".encode() for image_id, data in pictures.items()
    ]
    (folder / "imgs.tsv").write_bytes(b"".join(lines))
    if offsets:
        starts = [sum(map(len, lines[:number])) for number in range(len(lines))]
        (folder / "imgs.lineidx").write_text("".join(f"{start}\n" for start in starts), encoding="utf-8")


def image(image_id: int) -> dict[str, Any]:
    return {"image_id": image_id, "title": f"Picture {image_id}", "caption": "a  <b>caption</b>", "url": "u"}


def snippet(native: str, fact: str = "A fact.", url: str = "u") -> dict[str, Any]:
    return {"title": "T", "fact": fact, "url": url, "snippet_id": native}


def record(**changes: Any) -> dict[str, Any]:
    return {
        "Q": '"What color is it?"',
        "A": ['"It is red."'],
        "split": "val",
        "Qcate": "color",
        "Guid": "g1",
        "img_posFacts": [image(30000001)],
        "img_negFacts": [image(30000000)],
        "txt_posFacts": [],
        "txt_negFacts": [snippet("g1_0")],
        **changes,
    }


def parse(folder: Path, records: dict[str, object], name: str = "WebQA_train_val.json") -> Outcome:
    (folder / name).write_text(json.dumps(records), encoding="utf-8")
    return read("webqa", folder)


def test_the_sample_has_16_snippets_and_no_images_and_keeps_its_question(shared_data: Path):
    outcome = read("webqa", shared_data / "webqa")
    # 18 pictures of the one train record and 18 of the test record, whose Q was not printed
    # beside them lie 20 reworded questions and two tables of predictions
    assert (len(outcome.items), len(outcome.questions)) == (16, 21)
    assert outcome.reasons == {"file_not_read": 2, "image_missing": 36, "record_malformed": 1}
    [question] = [one for one in outcome.questions if one.split == "train"]
    assert (question.evidence, question.kind, question.split) == ("media_missing", "yes_no", "train")
    assert question.text.startswith("Are both the National Museum")


def test_images_are_read_from_the_table_and_snippets_from_the_record(tmp_path: Path):
    write_table(tmp_path, {30000000: png(0), 30000001: png(200)})
    outcome = parse(tmp_path, {"g1": record()})
    picture = outcome.items["webqa:image:30000001"]
    assert (picture.modality, picture.title, picture.text) == (
        Modality.IMAGE,
        "Picture 30000001",
        "a  <b>caption</b>",
    )
    assert outcome.items["webqa:text:g1_0"].modality == Modality.TEXT
    [question] = outcome.questions
    assert (question.text, question.answers) == ("What color is it?", ("It is red.",))
    assert (question.gold, question.evidence) == (("webqa:image:30000001",), "present")
    media = {parsed.item.id: parsed.media for parsed in outcome.parsed}["webqa:image:30000001"]
    assert media is not None
    assert decode(media.members[0][1]).getpixel((0, 0)) == (200, 0, 0)


def test_gold_may_be_an_image_and_a_snippet(tmp_path: Path):
    write_table(tmp_path, {30000000: png(0), 30000001: png(1)})
    [question] = parse(tmp_path, {"g1": record(txt_posFacts=[snippet("g1_9")])}).questions
    assert question.gold == ("webqa:image:30000001", "webqa:text:g1_9")


def test_one_image_of_two_questions_is_one_item_and_one_snippet_has_equal_hashes(tmp_path: Path):
    write_table(tmp_path, {30000000: png(0), 30000001: png(1)})
    other = record(Guid="g2", txt_negFacts=[snippet("g2_5"), snippet("g2_6", url="elsewhere")])
    outcome = parse(tmp_path, {"g1": record(), "g2": other})
    assert len(outcome.parsed) == 5
    items = outcome.items
    assert items["webqa:text:g1_0"].content_hash == items["webqa:text:g2_5"].content_hash
    assert items["webqa:text:g1_0"].content_hash != items["webqa:text:g2_6"].content_hash


def test_a_test_record_has_facts_and_no_gold(tmp_path: Path):
    write_table(tmp_path, {30000000: png(0)})
    hidden = {
        "Q": "Q?",
        "A": ["?"],
        "split": "test",
        "img_Facts": [image(30000000)],
        "txt_Facts": [snippet("t_0")],
    }
    outcome = parse(tmp_path, {"g9": hidden}, name="WebQA_test.json")
    assert len(outcome.items) == 2
    [question] = outcome.questions
    assert (question.id, question.answers, question.evidence) == ("webqa:test:g9", (), "none")


def test_missing_and_damaged_images_are_counted_and_the_question_kept(tmp_path: Path):
    target = io.BytesIO()
    Image.effect_noise((64, 64), 80).save(target, "PNG")
    write_table(tmp_path, {30000000: target.getvalue()[:2000]})
    outcome = parse(tmp_path, {"g1": record()})
    assert outcome.reasons == {"image_missing": 1, "image_truncated": 1}
    assert outcome.questions[0].evidence == "media_missing"


def test_bad_facts_are_counted_and_the_rest_kept(tmp_path: Path):
    bad = record(
        img_posFacts=[], img_negFacts=[{"image_id": "x"}], txt_negFacts=[{"snippet_id": "s"}, snippet("ok")]
    )
    outcome = parse(tmp_path, {"g1": bad, "g2": 5, "g3": record(img_posFacts="no list"), "g4": {"A": []}})
    assert outcome.reasons == {"record_malformed": 5}
    assert list(outcome.items) == ["webqa:text:ok"]


@pytest.mark.parametrize("offsets", [True, False])
def test_a_partial_table_is_searched_where_its_lines_are_numbered_otherwise(tmp_path: Path, offsets: bool):
    write_table(tmp_path, {30000007: png(7), 30000003: png(3)}, offsets=offsets)
    table = ImageTable(tmp_path)
    assert decode(table.image(30000003)).getpixel((0, 0)) == (3, 0, 0)
    assert decode(table.image(30000007)).getpixel((0, 0)) == (7, 0, 0)
    with pytest.raises(MediaError, match="image_missing"):
        table.image(30000000)


def test_a_line_that_is_no_base64_is_refused(tmp_path: Path):
    (tmp_path / "imgs.tsv").write_text("30000000\t???\n", encoding="utf-8")
    with pytest.raises(MediaError, match="image_unreadable"):
        ImageTable(tmp_path).image(30000000)


def test_one_pair_of_literal_quotes_is_stripped():
    assert [unquoted(text) for text in ('"a"', '""a""', 'a "b"', '"', "")] == ["a", '"a"', 'a "b"', '"', ""]


def jpeg() -> bytes:
    target = io.BytesIO()
    Image.effect_noise((96, 96), 60).convert("RGB").save(target, "JPEG")
    return target.getvalue()


def test_a_jpeg_cut_short_is_shown_as_far_as_it_goes_and_told(tmp_path: Path):
    # the release has truncated pictures, and its readme says to show them
    whole = jpeg()
    write_table(tmp_path, {30000000: whole, 30000001: whole[: len(whole) // 2]})
    outcome = parse(tmp_path, {"g1": record()})
    assert outcome.reasons == {"image_truncated_kept": 1}
    assert (outcome.questions[0].evidence, len(outcome.items)) == ("present", 3)
    media = {parsed.item.id: parsed.media for parsed in outcome.parsed}
    complete, cut = media["webqa:image:30000000"], media["webqa:image:30000001"]
    assert complete is not None and cut is not None
    first, other = decode(complete.members[0][1]), decode(cut.members[0][1])
    assert first.size == other.size == (96, 96)
    box = (0, 0, 96, 32)
    assert first.crop(box).tobytes() == other.crop(box).tobytes()
    assert len(set(other.crop((0, 88, 96, 96)).getdata())) <= 4  # grey where nothing came


def test_with_offsets_only_the_lines_asked_for_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ImageTable, "_scan", lambda table: pytest.fail("the whole table was read"))
    write_table(tmp_path, {30000000: png(0), 30000001: png(1), 30000002: png(2)})
    assert parse(tmp_path, {"g1": record()}).reasons == {}


def test_an_id_of_the_second_range_is_not_the_image_on_its_line(tmp_path: Path):
    # the baseline numbers features from 40000000; 40000001 and 30000001 are both line 1
    write_table(tmp_path, {30000000: png(0), 30000001: png(1)})
    with pytest.raises(MediaError, match="image_missing"):
        ImageTable(tmp_path).image(40000001)


@pytest.mark.parametrize("offsets", ["9" * 40, "-1", "0\n1e3", "0\n99999999"])
def test_offsets_that_are_wrong_cost_a_search_and_nothing_else(tmp_path: Path, offsets: str):
    write_table(tmp_path, {30000000: png(0), 30000001: png(1)})
    (tmp_path / "imgs.lineidx").write_text(offsets, encoding="utf-8")
    assert decode(ImageTable(tmp_path).image(30000001)).getpixel((0, 0)) == (1, 0, 0)


def test_the_release_may_lie_in_folders_and_be_called_otherwise(tmp_path: Path):
    (tmp_path / "images").mkdir()
    write_table(tmp_path / "images", {30000000: png(0), 30000001: png(1)})
    (tmp_path / "first release").mkdir()
    assert len(parse(tmp_path, {"g1": record()}, name="first release/train and val.json").questions) == 1
    assert parse(tmp_path, {"g1": record()}, name="first release/train and val.json").reasons == {}


@pytest.mark.parametrize(
    ("name", "changes", "split", "answers"),
    [
        ("WebQA_val.json", {"split": None}, "val", 1),
        ("questions.json", {"split": None}, "train", 1),  # it has gold, so it is none of the test split
        ("questions.json", {"split": None, "img_posFacts": []}, "test", 0),
        ("WebQA_train_val.json", {"split": " VAL "}, "val", 1),
    ],
)
def test_a_record_without_a_split_has_that_of_its_file_or_of_its_gold(
    tmp_path: Path, name: str, changes: dict[str, Any], split: str, answers: int
):
    [question] = parse(tmp_path, {"g1": record(**changes)}, name=name).questions
    assert (question.split, len(question.answers)) == (split, answers)


def test_splits_are_counted_as_the_records_name_them(tmp_path: Path):
    records = {"a": record(Guid="a"), "b": record(Guid="b", split="train"), "c": record(Guid="c", Q=" ")}
    assert parse(tmp_path, records).tallies == {"train": 1, "val": 2}
