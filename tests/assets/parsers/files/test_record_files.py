"""The same records whatever they are published in, and every file that is not read has its reason."""

from __future__ import annotations

import gzip
import io
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from assets.parsers.files.json_stream import JsonElement
from assets.parsers.files.raw_folder import RawFolder
from assets.parsers.files.record_files import find_records, read_records
from tests.assets.parsers.outcome import Outcome, read, write_film

Row = Mapping[str, Any]
Rows = Sequence[Row]
MARKS = (frozenset({"id", "question"}),)


def parquet(path: Path, rows: Rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows)), path)


def lines(path: Path, rows: Rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")


def array(path: Path, rows: Rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows), encoding="utf-8")


def packed(path: Path, rows: Rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(json.dumps(rows).encode()))


CONTAINERS: dict[str, tuple[Callable[[Path, Rows], None], str]] = {
    "parquet of the hub": (parquet, "data/{split}-00000-of-00001.parquet"),
    "lines": (lines, "{split}.jsonl"),
    "array in a clone": (array, "A-Clone/data/{split}.json"),
    "lines called json": (lines, "{split}.JSON"),
    "array called lines": (array, "{split}.ndjson"),
    "gzip": (packed, "{split}.json.gz"),
}


def summary(outcome: Outcome) -> tuple[set[str], set[tuple[str, tuple[str, ...], tuple[str, ...]]]]:
    """Items and questions with answers and gold."""
    asked = {(question.id, question.answers, question.gold) for question in outcome.questions}
    assert not outcome.skipped
    return set(outcome.items), asked


def hotpot_rows(folder: Path) -> Rows:
    """The sample in the hub's shape."""
    records = json.loads((folder / "hotpotqa/hotpot_train_v1.1.json").read_text(encoding="utf-8"))
    return [
        {
            "id": record["_id"],
            "question": record["question"],
            "answer": record["answer"],
            "type": record["type"],
            "level": record["level"],
            "supporting_facts": dict(
                zip(
                    ("title", "sent_id"),
                    map(list, zip(*record["supporting_facts"], strict=True)),
                    strict=True,
                )
            ),
            "context": dict(
                zip(("title", "sentences"), map(list, zip(*record["context"], strict=True)), strict=True)
            ),
        }
        for record in records
    ]


def squad_rows(folder: Path, name: str) -> Rows:
    """A sample in the hub's shape."""
    data = json.loads((folder / "squad" / name).read_text(encoding="utf-8"))["data"]
    return [
        {
            "id": qa["id"],
            "title": article["title"],
            "context": paragraph["context"],
            "question": qa["question"],
            "answers": {
                name: [answer[name] for answer in qa["answers"]] for name in ("text", "answer_start")
            },
        }
        for article in data
        for paragraph in article["paragraphs"]
        for qa in paragraph["qas"]
    ]


@pytest.mark.parametrize("container", CONTAINERS)
def test_hotpotqa_is_the_same_from_every_container(container: str, tmp_path: Path, shared_data: Path):
    write, name = CONTAINERS[container]
    write(tmp_path / name.format(split="train"), hotpot_rows(shared_data))
    assert summary(read("hotpotqa", tmp_path)) == summary(read("hotpotqa", shared_data / "hotpotqa"))


@pytest.mark.parametrize("container", CONTAINERS)
def test_squad_of_both_versions_is_the_same_from_every_container(
    container: str, tmp_path: Path, shared_data: Path
):
    write, name = CONTAINERS[container]
    write(tmp_path / "squad" / name.format(split="validation"), squad_rows(shared_data, "dev-v1.1.json"))
    write(tmp_path / "squad_v2" / name.format(split="validation"), squad_rows(shared_data, "dev-v2.0.json"))
    outcome = read("squad", tmp_path)
    assert summary(outcome) == summary(read("squad", shared_data / "squad"))
    assert outcome.tallies == {"dev": 39, "dev 2.0": 36}


@pytest.mark.parametrize("container", CONTAINERS)
def test_mmlongbench_doc_is_the_same_from_every_container(container: str, tmp_path: Path, shared_data: Path):
    write, name = CONTAINERS[container]
    samples = json.loads((shared_data / "mmlongbench_doc/samples.json").read_text(encoding="utf-8"))
    ours = [sample for sample in samples if sample["doc_id"] == "watch_d.pdf"]
    document = shared_data / "mmlongbench_doc/documents/watch_d.pdf"
    whole, other = tmp_path / "a", tmp_path / "b"
    for folder in (whole / "documents", other / "A-Clone/data/documents"):
        folder.mkdir(parents=True)
        shutil.copy(document, folder)
    array(whole / "samples.json", ours)
    write(other / name.format(split="train"), ours)
    assert summary(read("mmlongbench_doc", other, dpi=18)) == summary(read("mmlongbench_doc", whole, dpi=18))


@pytest.mark.parametrize("container", CONTAINERS)
def test_lvbench_is_the_same_flat_from_the_hub_or_one_line_a_video(
    container: str, tmp_path: Path, shared_data: Path
):
    write, name = CONTAINERS[container]
    text = (shared_data / "lvbench/video_info.meta.jsonl").read_text(encoding="utf-8")
    videos = [json.loads(line) for line in text.splitlines()]
    flat = [{"key": one["key"], "type": one["type"], **qa} for one in videos for qa in one["qa"]]
    lines(tmp_path / "a/video_info.meta.jsonl", videos)
    write(tmp_path / "b" / name.format(split="train"), flat)
    for folder in ("a/videos", "b/all_videos"):
        write_film(tmp_path / folder / f"{videos[0]['key']}.mp4", seconds=30)
    assert summary(read("lvbench", tmp_path / "b")) == summary(read("lvbench", tmp_path / "a"))


def slide(page: int) -> dict[str, object]:
    target = io.BytesIO()
    Image.new("RGB", (16, 12), (page, 0, 0)).save(target, "PNG")
    return {"bytes": target.getvalue(), "path": f"{page}.png"}


def deck_row(qa_id: int, deck: str, pages: Sequence[int], evidence: list[int]) -> dict[str, object]:
    columns = sorted(
        (f"page_{page}" for page in range(1, 21)), key=str
    )  # page_1, page_10, page_11, ... page_2
    there = {f"page_{page}": slide(page) for page in pages}
    return {
        "deck_name": deck,
        "deck_url": "u",
        **{name: there.get(name) for name in columns},
        "qa_id": qa_id,
        "question": f"How much {qa_id}?",
        "answer": "12.5 bn",
        "arithmetic_expression": "None",
        "evidence_pages": evidence,
    }


def test_slides_in_the_columns_of_the_hub_are_items_once_a_deck(tmp_path: Path):
    whole = range(1, 20)  # page 20 is null in the first row, and there in the second
    rows = [
        deck_row(1, "a-deck", whole, [2, 10]),
        deck_row(2, "a-deck", range(1, 21), [20]),
        deck_row(3, "b", [1], [1]),
    ]
    parquet(tmp_path / "data/test-00000-of-00002.parquet", rows[:2])
    parquet(tmp_path / "data/test-00001-of-00002.parquet", rows[2:])
    outcome = read("slidevqa", tmp_path)
    assert not outcome.skipped
    assert len(outcome.parsed) == 21
    assert [item.position for item in outcome.items.values()] == [*map(float, range(1, 21)), 1.0]
    assert {question.id: question.gold for question in outcome.questions} == {
        "slidevqa:test:1": ("slidevqa:slide:a-deck#10", "slidevqa:slide:a-deck#2"),
        "slidevqa:test:2": ("slidevqa:slide:a-deck#20",),
        "slidevqa:test:3": ("slidevqa:slide:b#1",),
    }


def test_a_damaged_slide_in_a_column_is_counted_where_it_stands(tmp_path: Path):
    row = deck_row(1, "a", [1, 2], [1]) | {"page_1": {"bytes": b"no picture", "path": "1.png"}}
    parquet(tmp_path / "dev.parquet", [row])
    outcome = read("slidevqa", tmp_path)
    assert outcome.reasons == {"image_unreadable": 1, "slide_missing": 1}
    assert outcome.skipped[0].where == "dev.parquet[0].page_1"


def test_files_are_known_by_their_records_and_every_other_has_its_reason(tmp_path: Path):
    record = {"id": 1, "question": "?"}
    array(tmp_path / "anything.json", [{"broken": 1}, record])
    array(tmp_path / "foreign.json", [{"uid": 1, "query": "?"}])
    array(tmp_path / "empty.json", [])
    array(tmp_path / "results.json", {"133": ["a", "b"]})  # type: ignore[arg-type]
    array(tmp_path / "dataset_infos.json", {"default": {"splits": 1}})  # type: ignore[arg-type]
    (tmp_path / "torn.json").write_text('[{"id"', encoding="utf-8")
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 and nothing more")
    found = find_records(RawFolder(tmp_path), MARKS)
    assert [file.name for file in found.files] == ["anything.json", "torn.json", "torn.parquet"]
    assert {skip.where: skip.reason for skip in found.skipped} == {
        "empty.json": "file_without_records",
        "foreign.json": "file_unrecognised",
        "results.json": "file_unrecognised",
    }
    assert "uid, query" in found.skipped[1].detail
    for torn in found.files[1:]:
        [told] = read_records(torn, MARKS)
        assert not isinstance(told, JsonElement) and told.reason == "file_malformed"


def test_numbers_that_are_none_are_null_in_a_table_too(tmp_path: Path):
    parquet(tmp_path / "a.parquet", [{"id": 1, "question": "?", "score": float("nan")}])
    [file] = find_records(RawFolder(tmp_path), MARKS).files
    [row] = read_records(file, MARKS)
    assert isinstance(row, JsonElement) and row.value == {"id": 1, "question": "?", "score": None}


@pytest.mark.parametrize("encode", [json.dumps, str])
def test_nested_fields_of_a_sharded_table_may_be_text(tmp_path: Path, encode: Callable[[object], str]):
    context = {"title": ["A", "B"], "sentences": [["One.", " Two."], ['"Three".']]}
    facts = {"title": ["A", "B"], "sent_id": [0, 0]}
    rows = [
        {"id": f"h{number}", "question": f"{number}?", "answer": "yes", "extra": None}
        | {"context": encode(context), "supporting_facts": encode(facts)}
        for number in range(4)
    ]
    folder = tmp_path / "a folder with spaces/distractor"
    folder.mkdir(parents=True)
    for shard in range(2):
        table = pa.Table.from_pylist(rows[shard::2])
        pq.write_table(table, folder / f"validation-{shard:05d}-of-00002.parquet")
    outcome = read("hotpotqa", tmp_path)
    assert sorted(question.id for question in outcome.questions) == [f"hotpotqa:dev:h{n}" for n in range(4)]
    assert (len(outcome.items), outcome.reasons, outcome.tallies) == (2, {}, {"dev": 4})
    assert all(len(question.gold) == 2 for question in outcome.questions)
