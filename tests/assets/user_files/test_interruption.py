"""A run that is killed, or meets another, leaves a root that readers trust and a next run that goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from assets.corpus.media import ShardMedia
from assets.corpus.read import read_items
from assets.index.published import open_index
from assets.user_files import ledger
from assets.user_files.ingest import IngestStatus
from infra.storage.lock import only_writer
from infra.storage.root import Storage
from tests.artifacts import verify
from tests.assets.small_corpus import CountingEmbedder
from tests.assets.user_files.material import SpyOcr, happened, items, take, titles, write_picture, write_text

REPOSITORY = Path(__file__).resolve().parents[3]
BLOCKED = """
import sys
import time
from pathlib import Path
from assets.user_files.ingest import ingest
from infra.storage.root import Storage
from tests.assets.user_files.material import SpyOcr, settings
from tests.assets.small_corpus import CountingEmbedder

folder, root, where, count = sys.argv[1:]

def blocking(stage, done, total):
    if stage.startswith(where) and done >= int(count):
        print("here", flush=True)
        time.sleep(600)

ingest([Path(folder)], Storage(root), settings=settings(SpyOcr()), progress=blocking, embedder=CountingEmbedder())
"""
NUM_PICTURES = 5


@pytest.fixture
def docs(tmp_path: Path, storage: Storage) -> Path:
    """A folder of five pictures beside a text that was ingested before."""
    write_text(tmp_path / "docs/0.txt", "words of before")
    take(storage, tmp_path / "docs")
    for number in range(1, NUM_PICTURES + 1):
        write_picture(tmp_path / f"docs/{number}.png", 10 * number)
    return tmp_path / "docs"


@pytest.mark.parametrize(
    ("stage", "count", "read_before"),
    [("pages, images", 3, 2), ("documents: put together", 1, 5), ("documents: index", 1, 5)],
)
def test_a_killed_run_leaves_the_old_root_or_the_new_and_the_next_goes_on(
    docs: Path, storage: Storage, stage: str, count: int, read_before: int
):
    command = [sys.executable, "-c", BLOCKED, str(docs), storage.root, stage, str(count)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None and run.stdout.readline() == "here\n"
        os.kill(run.pid, signal.SIGKILL)
    assert list(Path(storage.root).rglob("*.partial"))  # it really was in the middle
    assert titles(storage)[0] == "0.txt"
    for part in ("corpus", "shards"):
        verify(storage, f"{part}/documents")
    assert open_index(storage, embedder=CountingEmbedder()).search("words of before", 1)[0].title == "0.txt"
    ocr = SpyOcr()
    report = take(storage, docs, ocr=ocr)
    assert ocr.pictures == NUM_PICTURES - read_before
    assert (report.count(IngestStatus.UNCHANGED), report.items) == (1 + read_before, 1 + NUM_PICTURES)
    assert not list(Path(storage.root).rglob("*.partial"))
    media = ShardMedia(storage)
    assert all(media.image(item.id) for item in items(storage) if item.media_key)


def test_a_corpus_that_lags_behind_its_list_of_files_is_put_together_again(docs: Path, storage: Storage):
    take(storage, docs, ocr=SpyOcr())
    whole = items(storage)
    storage.remove_tree("corpus/documents")  # as between the two renames of a publication
    assert take(storage, forget=[docs / "1.png"]).items == NUM_PICTURES
    assert items(storage) == [item for item in whole if item.title != "1.png"]


def test_shards_that_disagree_with_the_corpus_are_written_again(docs: Path, storage: Storage):
    take(storage, docs, ocr=SpyOcr())
    storage.remove_tree("shards/documents")
    take(storage, docs, ocr=SpyOcr())
    assert ShardMedia(storage).image(items(storage)[-1].id).size == (32, 24)


def test_a_damaged_copy_of_what_was_read_is_made_again_when_its_file_is_named(docs: Path, storage: Storage):
    take(storage, docs, ocr=SpyOcr())
    kept = ledger.read(storage)[str(docs / "2.png")].kept
    storage.write_bytes(f"ingest/{kept}/items.parquet", b"damaged")
    report = take(storage, docs, ocr=SpyOcr())
    assert {name for name, what in happened(report).items() if what == "read"} == {"2.png"}


def test_a_missing_copy_of_a_file_that_is_not_named_is_a_clear_error(docs: Path, storage: Storage):
    take(storage, docs, ocr=SpyOcr())
    storage.remove_tree(f"ingest/{ledger.read(storage)[str(docs / '2.png')].kept}")
    with pytest.raises(ValueError, match=r"2\.png' is gone from .*; ingest it again or forget it"):
        take(storage, forget=[docs / "1.png"])
    assert len(list(read_items(storage, "documents"))) == 1 + NUM_PICTURES  # the old one stays


def test_two_runs_into_one_root_do_not_mix(docs: Path, storage: Storage):
    with only_writer(storage, "ingest"), pytest.raises(ValueError, match="another process is writing"):
        take(storage, docs)
    assert take(storage, docs).items == 1 + NUM_PICTURES


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"schema_version": 1, "files": [{}]}', b"\xff"])
def test_a_damaged_list_of_files_is_a_clear_error(storage: Storage, docs: Path, content: bytes):
    storage.write_bytes(ledger.FILES, content)
    with pytest.raises(ValueError, match="remove it and ingest again"):
        take(storage, docs)


def test_a_list_of_files_of_a_newer_schema_is_refused(storage: Storage, docs: Path):
    storage.write_bytes(ledger.FILES, b'{"schema_version": 99, "files": []}')
    with pytest.raises(ValueError, match="schema 99"):
        take(storage, docs)
