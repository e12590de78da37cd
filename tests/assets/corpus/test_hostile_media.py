"""A folder in which every second file means harm is built and ingested all the same, each of them counted by its reason."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from assets.corpus.build import build_corpus
from assets.corpus.read import read_items
from assets.parsers.types import ParseContext
from assets.user_files.ingest import IngestSettings, ingest
from infra.media import decoding, jobs
from infra.media.sandbox.process import JobLimits
from infra.storage import manifest
from infra.storage.root import Storage
from tests.artifacts import read_skipped
from tests.assets.small_corpus import CountingEmbedder
from tests.infra.media import hostile_files as hostile

PAGES = 6
CONTEXT = ParseContext(dpi=36, max_frames=2)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A copy of MMLongBench-Doc: a good document before and after those that mean harm."""
    folder = tmp_path / "raw" / "mmlongbench_doc"
    (folder / "documents").mkdir(parents=True)
    documents = {
        "a-good": hostile.pdf_of_pages(PAGES),
        "b-pages": hostile.pdf_of_pages(100_000),
        "c-circle": hostile.pdf_in_a_circle(),
        "d-spins": hostile.pdf_drawing_itself(30),
        "e-claims": hostile.pdf_that_claims(2_000_000_000),
        "f-good": hostile.pdf_with_text("Harbour 1901"),
    }
    for name, data in documents.items():
        (folder / "documents" / f"{name}.pdf").write_bytes(data)
    question = {
        "doc_id": "f-good.pdf",
        "question": "When?",
        "answer": "1901",
        "evidence_pages": "[1]",
        "answer_format": "Int",
    }
    (folder / "samples.json").write_text(json.dumps([question]))
    return tmp_path / "raw"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "SHORT", JobLimits(cpu_s=0.2, wall_s=60))


def pages_of(storage: Storage) -> list[str]:
    return [item.id.rpartition(":")[2] for item in read_items(storage, "mmlongbench_doc")]


def test_a_build_goes_on_over_hostile_documents(raw: Path, tmp_path: Path, impatient: None):
    storage = Storage(tmp_path / "root")
    report = build_corpus(raw, storage, settings=CONTEXT).datasets["mmlongbench_doc"]
    good = [f"a-good.pdf#{number}" for number in range(1, PAGES + 1)] + ["f-good.pdf#1"]
    assert [page for page in pages_of(storage) if "good" in page] == good
    assert report.skipped["too_slow"] == 1
    reasons = {skip.where: skip.reason for skip in read_skipped(storage, "mmlongbench_doc")}
    assert reasons["documents/b-pages.pdf"] == "pdf_too_long"
    assert reasons["documents/d-spins.pdf#1"] == "too_slow"
    assert report.evidence == {"present": 1}


def test_a_decoder_that_is_killed_again_and_again_costs_pages_and_never_the_build(raw: Path, tmp_path: Path):
    for document in (raw / "mmlongbench_doc" / "documents").iterdir():
        if "good" not in document.name:
            document.unlink()
    kills: list[int] = []

    def kill(image: object) -> str:
        if (pid := decoding.sandbox("media").pid) is not None and len(kills) < 3:
            os.kill(pid, signal.SIGKILL)
            kills.append(pid)
        return ""

    storage = Storage(tmp_path / "root")
    settings = ParseContext(dpi=36, ocr=kill)
    report = build_corpus(raw, storage, settings=settings).datasets["mmlongbench_doc"]
    lost = sum(report.skipped.values())
    assert len(kills) == 3 and lost <= 3 and set(report.skipped) <= {"decoder_crashed"}
    assert len(pages_of(storage)) + lost == PAGES + 1
    assert "f-good.pdf#1" in pages_of(storage)


def test_shards_are_the_same_bytes_whichever_process_decodes(
    raw: Path, tmp_path: Path, impatient: None, monkeypatch: pytest.MonkeyPatch
):
    (raw / "mmlongbench_doc" / "documents" / "d-spins.pdf").unlink()
    (raw / "lvbench").mkdir()
    (raw / "lvbench" / "vid1.mp4").write_bytes(hostile.film(6))
    names = ("mmlongbench_doc", "lvbench")
    build_corpus(raw, Storage(tmp_path / "apart"), datasets=names, settings=CONTEXT)
    monkeypatch.setenv(decoding.VARIABLE, decoding.IN_PROCESS)
    build_corpus(raw, Storage(tmp_path / "within"), datasets=names, settings=CONTEXT)
    apart, within = (
        {path.relative_to(root): manifest.sha256_of(path) for path in root.rglob("*") if path.is_file()}
        for root in (tmp_path / "apart", tmp_path / "within")
    )
    assert apart == within
    assert sum(path.suffix == ".tar" for path in apart) == 2


def test_ingesting_a_folder_of_hostile_files_keeps_the_good_ones(tmp_path: Path, impatient: None):
    files = {
        "bomb.png": hostile.png_bomb(40_000, 25_000),
        "spins.pdf": hostile.pdf_drawing_itself(30),
        "pages.pdf": hostile.pdf_of_pages(100_000),
        "cut.mp4": hostile.film()[:2_000],
        "offsets.mp4": hostile.film_with_broken_offsets(),
        "many.gif": hostile.gif(500),
        "good.pdf": hostile.pdf_with_text("Harbour 1901"),
    }
    (tmp_path / "files").mkdir()
    for name, data in files.items():
        (tmp_path / "files" / name).write_bytes(data)
    report = ingest(
        [tmp_path / "files"],
        Storage(tmp_path / "root"),
        settings=IngestSettings(reading=CONTEXT),
        embedder=CountingEmbedder(),
    )
    read = {Path(file.path).name for file in report.files if file.items}
    assert read == {"many.gif", "good.pdf"}
    reasons = {Path(file.path).name: file.reason.partition(":")[0] for file in report.files if not file.items}
    assert reasons == {
        "bomb.png": "image_too_large",
        "spins.pdf": "too_slow",
        "pages.pdf": "pdf_too_long",
        "cut.mp4": "video_unreadable",
        "offsets.mp4": "video_unreadable",
    }
