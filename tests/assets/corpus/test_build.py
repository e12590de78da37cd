"""The corpus holds each content once, keeps every question and counts what it could not use."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl

from assets.corpus.build import build_corpus, fingerprint
from assets.corpus.dataset import DATASETS
from assets.corpus.media import ShardMedia
from assets.corpus.question import EvidenceStatus
from assets.corpus.read import built_datasets, read_items, read_questions
from assets.parsers.types import ParsedRecord
from infra.storage import manifest
from infra.storage.root import Storage
from tests.artifacts import read_samples, read_skipped, verify
from tests.assets.toy import CONTEXT, build, question, text, toy_records

Register = Callable[[Callable[[], Iterator[ParsedRecord]]], Path]


def test_equal_content_is_one_item_with_the_other_ids_as_aliases(register: Register, storage: Storage):
    report = build(register(toy_records), storage)
    items = {item.id: item for item in read_items(storage, "toy")}
    assert list(items) == ["toy:text:a", "toy:page:p1", "toy:page:p2"]
    assert items["toy:text:a"].aliases == ("toy:text:b",)
    assert items["toy:page:p1"].aliases == ("toy:page:p3",)
    assert items["toy:text:a"].media_key is None
    assert items["toy:page:p2"].media_key == items["toy:page:p2"].content_hash
    assert (report.items, report.folded) == (3, 2)


def test_gold_follows_the_item_it_was_folded_into_and_the_moves_are_counted(
    register: Register, storage: Storage
):
    report = build(register(toy_records), storage)
    gold = {found.id: found.gold for found in read_questions(storage, "toy")}
    assert gold["toy:dev:early"] == ("toy:text:a",)
    assert gold["toy:dev:both"] == ("toy:page:p1", "toy:text:a")
    assert report.gold_moved == 2


def test_a_question_whose_gold_is_lost_stays_with_a_status_and_a_note(register: Register, storage: Storage):
    report = build(register(toy_records), storage)
    found = {found.id: found for found in read_questions(storage, "toy")}
    assert found["toy:dev:lost"].evidence is EvidenceStatus.MEDIA_MISSING
    assert found["toy:dev:lost"].gold == ()
    assert found["toy:dev:half"].evidence is EvidenceStatus.PRESENT
    assert found["toy:dev:half"].gold == ("toy:page:p2",)
    assert found["toy:dev:half"].notes == ("gold_not_in_corpus:['toy:page:gone']",)
    assert found["toy:dev:none"].evidence is EvidenceStatus.UNANSWERABLE
    assert report.gold_missing == 2
    assert report.evidence == {"media_missing": 1, "present": 3, "unanswerable": 1}


def test_everything_left_out_is_counted_by_its_reason_and_listed(register: Register, storage: Storage):
    report = build(register(toy_records), storage)
    assert report.skipped == {"item_id_conflict": 1, "pdf_truncated": 2, "question_id_repeated": 1}
    listed = list(read_skipped(storage, "toy"))
    assert [skip.where for skip in listed if skip.reason == "pdf_truncated"] == [
        "documents/x.pdf",
        "documents/y.pdf",
    ]


def test_the_report_has_the_published_form(register: Register, storage: Storage):
    report = build_corpus(register(toy_records), storage, datasets=["toy"], settings=CONTEXT)
    assert report.to_json() == {
        "datasets": {
            "toy": {
                "items": 3,
                "questions": 5,
                "skipped": {"item_id_conflict": 1, "pdf_truncated": 2, "question_id_repeated": 1},
                "copies": {},
            }
        },
        "ignored": [],
        "root": storage.root,
    }


def test_images_of_items_and_of_aliases_are_found_in_the_shards(register: Register, storage: Storage):
    build(register(toy_records), storage)
    media = ShardMedia(storage)
    assert media.image("toy:page:p2").getpixel((0, 0)) == (20, 20, 20)
    assert media.image("toy:page:p3").getpixel((0, 0)) == (10, 10, 10)
    assert len(list(read_samples(storage, "toy"))) == 2


def test_two_builds_give_the_same_bytes_in_every_file(register: Register, tmp_path: Path):
    raw = register(toy_records)
    trees = []
    for run in ("a", "b"):
        build(raw, Storage(tmp_path / run))
        paths = sorted(path for path in (tmp_path / run).rglob("*") if path.is_file())
        trees.append({str(path.relative_to(tmp_path / run)): manifest.sha256_of(path) for path in paths})
    assert trees[0] == trees[1]
    assert {Path(name).name for name in trees[0]} == {
        *("items.parquet", "questions.parquet", "skipped.parquet", "manifest.json"),
        *("toy-000000.tar", "index.parquet", "aliases.parquet"),
    }


def test_the_manifest_ties_tables_shards_settings_and_raw_files_together(
    register: Register, storage: Storage
):
    raw = register(toy_records)
    build(raw, storage)
    tables = verify(storage, "corpus/toy")
    assert tables.inputs["shards"] == manifest.digest(verify(storage, "shards/toy"))
    assert tables.inputs["raw"] == fingerprint(raw / "toy")
    assert tables.params["dpi"] == 144
    assert tables.counts["evidence/media_missing"] == 1
    (raw / "toy" / "file.txt").write_text("changed")
    assert tables.inputs["raw"] != fingerprint(raw / "toy")


def test_the_tables_are_plain_parquet(register: Register, storage: Storage):
    build(register(toy_records), storage)
    with manifest.open_file(storage, "corpus/toy", "items.parquet") as file:
        frame = pl.read_parquet(file)
    assert frame.filter(pl.col("aliases").list.len() > 0)["id"].to_list() == ["toy:text:a", "toy:page:p1"]


def test_tables_larger_than_a_batch_keep_every_row_in_order(register: Register, storage: Storage):
    count = 10_000

    def many() -> Iterator[ParsedRecord]:
        for number in range(count):
            yield text(f"{number:05d}", f"words {number // 2}")
            yield question(f"{number}", f"toy:text:{number:05d}")

    report = build(register(many), storage)
    assert (report.items, report.folded, report.questions, report.gold_moved) == (5_000, 5_000, count, 5_000)
    found = list(read_items(storage, "toy"))
    assert [item.id for item in found] == [f"toy:text:{number:05d}" for number in range(0, count, 2)]
    assert all(item.aliases == (f"toy:text:{int(item.title) + 1:05d}",) for item in found)


def test_progress_is_told_by_stage_and_ends_at_its_total(register: Register, storage: Storage):
    told: list[tuple[str, int, int | None]] = []
    build_corpus(
        register(toy_records),
        storage,
        datasets=["toy"],
        settings=CONTEXT,
        progress=lambda stage, done, total: told.append((stage, done, total)),
    )
    assert told[0] == ("toy: hash", 1, 1)
    assert ("toy: read", 15, 15) in told
    assert told[-1] == ("toy: write", 8, 8)


def test_the_same_build_on_s3(register: Register, storage: Storage, s3_storage: Storage, tmp_path: Path):
    raw = register(toy_records)
    remote = Storage(f"{s3_storage.root}/{tmp_path.name}", s3_storage.__getstate__()["options"])
    build(raw, storage)
    build(raw, remote)
    for directory in ("corpus/toy", "shards/toy"):
        assert verify(remote, directory) == verify(storage, directory)
    assert list(read_items(remote, "toy")) == list(read_items(storage, "toy"))
    assert built_datasets(remote) == ("toy",)
    assert ShardMedia(remote).image("toy:page:p3").getpixel((0, 0)) == (10, 10, 10)


def test_memory_does_not_grow_with_the_texts(register: Register, storage: Storage):
    # 120 MB of text go through twice; the process may grow by hashes, ids and two batches
    def long_texts() -> Iterator[ParsedRecord]:
        for number in range(6_000):
            yield text(str(number), f"{number} " + "long " * 4_000)

    raw = register(long_texts)
    before = _resident_bytes()
    build(raw, storage)
    assert _resident_bytes() - before < 100e6


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_every_known_dataset_has_the_name_it_is_registered_under():
    assert all(entry.name == name for name, entry in DATASETS.items())


def test_the_fingerprint_is_of_what_a_parser_may_read(tmp_path: Path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/b.json").write_text("b")
    (tmp_path / "raw/a.json").write_text("a")
    before = fingerprint(tmp_path / "raw")
    (tmp_path / "raw/.git").mkdir()
    (tmp_path / "raw/.git/index").write_text("of no account")
    (tmp_path / "raw/gone.json").symlink_to(tmp_path / "nowhere")
    assert fingerprint(tmp_path / "raw") == before
    (tmp_path / "raw/linked").symlink_to(tmp_path / "elsewhere")
    linked = fingerprint(tmp_path / "raw")
    assert linked != before
    (tmp_path / "elsewhere/b.json").write_text("changed")
    assert fingerprint(tmp_path / "raw") != linked
