"""No file ends a run: what cannot be read is counted by a reason, and the rest is read."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from assets.user_files.file_kinds import MAX_BYTES, FileKind
from assets.user_files.ingest import IngestSettings, IngestStatus
from infra.media import OcrError
from infra.storage.root import Storage
from tests.assets.user_files.material import (
    PARAGRAPH,
    SpyOcr,
    happened,
    take,
    titles,
    write_pdf,
    write_picture,
    write_still_film,
    write_text,
)

NOBODY = 65534


def encrypted_pdf() -> bytes:
    """A PDF whose trailer asks for a password that opens nothing."""
    junk = b"<" + b"41" * 32 + b">"
    head = b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n"
    head += b"2 0 obj\n<< /Type /Pages /Count 0 /Kids [] >>\nendobj\n"
    third = b"3 0 obj\n<< /Filter /Standard /V 1 /R 2 /P -4 /O " + junk + b" /U " + junk + b" >>\nendobj\n"
    offsets = [head.index(b"1 0 obj"), head.index(b"2 0 obj"), len(head)]
    table = b"xref\n0 4\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    trailer = b"trailer\n<< /Size 4 /Root 1 0 R /Encrypt 3 0 R /ID [<41> <41>] >>\nstartxref\n%d\n%%%%EOF\n"
    return head + third + table + trailer % len(head + third)


def pdf(tmp_path: Path) -> bytes:
    return write_pdf(tmp_path / "whole.pdf", *(PARAGRAPH * 3 for _ in range(9))).read_bytes()


def png(tmp_path: Path) -> bytes:
    path = tmp_path / "whole.png"
    Image.effect_noise((64, 64), 90).save(path)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.pdf", b"", "file_empty"),
        ("program.exe", b"MZ\x90\x00", "kind_unknown"),
        ("data", b"\x01\x02\xff", "kind_unknown"),
        ("secret.pdf", encrypted_pdf(), "pdf_encrypted"),
        ("fake.pdf", b"no such thing \0\x81", "pdf_unreadable"),
        ("fake.png", b"no such thing \0\x81", "image_unreadable"),
        ("fake.mp4", b"no such thing \0\x81", "video_unreadable"),
        ("fake.txt", b"\x7fELF\x00\x00", "text_binary"),
        ("blank.md", b" \n\n", "text_empty"),
        ("cut.txt", b"\xff\xfea", "text_undecodable"),
    ],
)
def test_a_file_that_is_no_document_is_skipped_by_its_reason(
    storage: Storage, tmp_path: Path, name: str, content: bytes, reason: str
):
    write_text(tmp_path / "docs/good.txt", "words")
    (tmp_path / "docs" / name).write_bytes(content)
    report = take(storage, tmp_path / "docs", ocr=SpyOcr())
    assert dict(report.skipped) == {reason: 1}
    assert happened(report)[name].startswith(f"skipped: {reason}")
    assert titles(storage) == ["good.txt"]


def test_files_cut_short_are_skipped(storage: Storage, tmp_path: Path):
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "cut.pdf").write_bytes(pdf(tmp_path)[:300])
    (docs / "cut.png").write_bytes(png(tmp_path)[:-2_000])
    assert dict(take(storage, docs).skipped) == {"image_truncated": 1, "pdf_truncated": 1}


def test_of_a_document_cut_short_the_pages_that_are_left_are_read(storage: Storage, tmp_path: Path):
    whole = pdf(tmp_path)
    (tmp_path / "cut.pdf").write_bytes(b"/Type /Page ".join(whole.split(b"/Type /Page ")[:-3]))
    report = take(storage, tmp_path / "cut.pdf")
    assert 0 < len(titles(storage)) < 9
    assert dict(report.skipped) == {"pdf_page_unreadable": 9 - len(titles(storage))}
    assert "damaged at its end" in happened(report)["cut.pdf"]


def test_content_decides_before_the_name(storage: Storage, tmp_path: Path):
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "paper.txt").write_bytes(pdf(tmp_path))
    (docs / "scan.pdf").write_bytes(png(tmp_path))
    report = take(storage, docs)
    assert (titles(storage)[0], titles(storage)[-1]) == ("paper.txt page 1", "scan.pdf")
    assert not report.skipped


@pytest.mark.parametrize("kind", list(FileKind))
def test_a_file_above_the_limit_of_its_kind_is_refused(storage: Storage, tmp_path: Path, kind: FileKind):
    docs = tmp_path / "docs"
    write_pdf(docs / "a.pdf", PARAGRAPH)
    write_picture(docs / "a.png")
    write_text(docs / "a.txt", "words")
    write_text(docs / "a.md", "other words")
    write_text(docs / "a.csv", "name,place\nAda,London\n")
    write_still_film(docs / "b.mp4", seconds=3)
    report = take(storage, docs, max_bytes={**MAX_BYTES, kind: 4})
    assert dict(report.skipped) == {"file_too_large": 1}
    assert report.count(IngestStatus.READ) == 5
    [refused] = [file for file in report.files if file.status is IngestStatus.SKIPPED]
    assert refused.reason.endswith("bytes, limit 4")


def test_pages_pixels_and_seconds_are_limited(storage: Storage, tmp_path: Path):
    docs = tmp_path / "docs"
    write_pdf(docs / "long.pdf", *["x"] * 4)
    bomb = Image.new("1", (9_000, 9_000))  # 81 million pixels in a few kilobytes; the limit is 64 million
    bomb.save(docs / "bomb.png")
    write_still_film(docs / "long.mp4", seconds=7 * 3600)
    assert dict(take(storage, docs, page_limit=3).skipped) == {
        "image_too_large": 1,
        "pdf_too_long": 1,
        "video_too_long": 1,
    }


def test_a_file_that_became_unreadable_loses_its_items(storage: Storage, tmp_path: Path):
    path = write_pdf(tmp_path / "docs/a.pdf", PARAGRAPH)
    write_text(tmp_path / "docs/b.txt", "words")
    take(storage, tmp_path / "docs")
    path.write_bytes(path.read_bytes()[:60])
    assert dict(take(storage, tmp_path / "docs").skipped) == {"pdf_truncated": 1}
    assert titles(storage) == ["b.txt"]


def test_nothing_readable_leaves_no_corpus_and_no_index(storage: Storage, tmp_path: Path):
    report = take(storage, write_text(tmp_path / "a.bin", "\1x"))
    assert (report.items, report.readable, report.index) == (0, 0, None)
    assert (storage.list("corpus"), storage.list("index")) == ((), ())


def test_a_path_that_is_not_there_is_the_caller_s_mistake_and_writes_nothing(
    storage: Storage, tmp_path: Path
):
    with pytest.raises(ValueError, match="no such file or folder"):
        take(storage, tmp_path / "none")
    assert not Path(storage.root).exists()


@pytest.mark.parametrize(
    ("failure", "reason"),
    [(OcrError("engine"), "ocr_failed"), (ZeroDivisionError("in a decoder"), "reading_failed")],
)
def test_a_decoder_that_fails_costs_one_file_which_the_next_run_tries_again(
    storage: Storage, tmp_path: Path, failure: Exception, reason: str
):
    class Failing(SpyOcr):
        def __call__(self, image: Image.Image) -> str:
            raise failure

    write_picture(tmp_path / "docs/a.png")
    write_text(tmp_path / "docs/b.txt", "words")
    assert dict(take(storage, tmp_path / "docs", ocr=Failing()).skipped) == {reason: 1}
    assert titles(storage) == ["b.txt"]
    take(storage, tmp_path / "docs", ocr=SpyOcr())
    assert titles(storage) == ["b.txt", "a.png"]


def test_a_file_that_changes_while_it_is_read_is_left_to_the_next_run(storage: Storage, tmp_path: Path):
    path = write_picture(tmp_path / "a.png")

    class Writing(SpyOcr):
        def __call__(self, image: Image.Image) -> str:
            write_picture(path, 99)
            return "words of the first picture"

    assert dict(take(storage, path, ocr=Writing()).skipped) == {"file_changed_meanwhile": 1}
    take(storage, path, ocr=SpyOcr("words of the second"))
    assert titles(storage) == ["a.png"]


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without the right to read everything, which root has."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that everybody may enter and write to; pytest's own are closed to others."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


def test_what_may_not_be_opened_is_skipped_and_a_closed_folder_is_not_taken_for_empty(public_folder: Path):
    docs = public_folder / "docs"
    write_text(docs / "open.txt", "words")
    closed = write_text(docs / "closed.txt", "other words")
    inner = write_text(docs / "inner/deep.txt", "deep words")
    storage = Storage(public_folder / "root")
    with as_nobody():
        assert take(storage, docs).items == 3
    closed.chmod(0)
    inner.parent.chmod(0)
    try:
        with as_nobody():
            report = take(storage, docs)
    finally:
        inner.parent.chmod(0o755)
    assert dict(report.skipped) == {"file_unreadable": 1, "folder_unreadable": 1}
    assert titles(storage) == ["open.txt", "deep.txt"]


def test_settings_that_mean_nothing_are_refused():
    with pytest.raises(ValueError, match="must be positive"):
        IngestSettings(passage_words=0)
    with pytest.raises(ValueError, match="says nothing of markdown"):
        IngestSettings(max_bytes={kind: 1 for kind in FileKind if kind is not FileKind.MARKDOWN})
