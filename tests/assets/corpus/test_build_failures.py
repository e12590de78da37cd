"""A build is whole or absent: bad folders are refused, a run that fails or is killed leaves what was there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from assets.corpus.build import build_corpus
from assets.corpus.read import built_datasets, read_items
from assets.parsers.types import ParsedRecord, SkippedRecord
from infra.storage import manifest
from infra.storage.root import Storage
from tests.artifacts import read_samples, read_skipped, verify
from tests.assets.toy import CONTEXT, build, text, toy_records

REPOSITORY = Path(__file__).resolve().parents[3]
Register = Callable[[Callable[[], Iterator[ParsedRecord]]], Path]


def test_an_unknown_dataset_is_named_with_its_nearest_and_all_known(tmp_path: Path, storage: Storage):
    with pytest.raises(
        ValueError, match=r"unknown dataset 'hotpot'; did you mean 'hotpotqa'\?.* known: hotpotqa, squad"
    ):
        build_corpus(tmp_path, storage, datasets=["hotpot"])


@pytest.mark.parametrize(
    ("made", "datasets", "message"),
    [
        (None, None, "no raw folder at"),
        ("", None, "holds no folder of a known dataset"),
        ("other", None, "holds no folder of a known dataset"),
        ("other", ["squad"], "no folder 'squad'"),
        ("squad", ["squad"], "raw folder of squad is empty"),
        ("squad", None, "raw folder of squad is empty"),
    ],
)
def test_a_raw_folder_without_data_is_a_clear_error(
    tmp_path: Path, storage: Storage, made: str | None, datasets: list[str] | None, message: str
):
    if made is not None:
        (tmp_path / "raw" / made).mkdir(parents=True)
    with pytest.raises(ValueError, match=message):
        build_corpus(tmp_path / "raw", storage, datasets=datasets, settings=CONTEXT)
    assert not (tmp_path / "root").exists()


def test_a_dataset_of_which_nothing_can_be_read_is_not_published(register: Register, storage: Storage):
    raw = register(lambda: iter([SkippedRecord(reason="bad_json", where="a.json")]))
    with pytest.raises(ValueError, match=r"nothing in .* could be read.*bad_json"):
        build(raw, storage)
    assert built_datasets(storage) == ()
    with pytest.raises(ValueError, match="build it first"):
        list(read_items(storage, "toy"))


def test_a_parser_that_fails_keeps_the_corpus_of_before(register: Register, storage: Storage):
    build(register(toy_records), storage)
    before = storage.read_bytes("corpus/toy/manifest.json")

    def failing() -> Iterator[ParsedRecord]:
        yield text("new", "new words")
        raise RuntimeError("the parser is wrong")

    with pytest.raises(RuntimeError, match="parser is wrong"):
        build(register(failing), storage)
    assert storage.read_bytes("corpus/toy/manifest.json") == before
    assert built_datasets(storage) == ("toy",)
    verify(storage, "shards/toy")


ENDLESS = """
import itertools
import sys
from pathlib import Path
from tests.assets.toy import image, text
from assets.corpus import dataset
from assets.corpus.build import build_corpus
from assets.corpus.dataset import Dataset
from assets.parsers.types import ParseContext
from infra.storage import manifest
from infra.storage.root import Storage

def endless(raw, context):
    for number in itertools.count():
        yield text(str(number), f"words {number}")
        yield image(str(number), number % 255)

dataset.DATASETS["toy"] = Dataset(name="toy", parse=endless)
tell = lambda stage, done, total: print(stage, done, flush=True)
build_corpus(
    Path(sys.argv[1]), Storage(sys.argv[2]), datasets=["toy"], settings=ParseContext(), progress=tell,
    max_shard_bytes=20_000,
)
"""


@pytest.mark.parametrize("built_before", [False, True])
def test_a_build_killed_in_the_middle_leaves_nothing_new_that_a_reader_trusts(
    register: Register, storage: Storage, tmp_path: Path, built_before: bool
):
    raw = register(toy_records)
    if built_before:
        build(raw, storage)
    command = [sys.executable, "-c", ENDLESS, str(raw), storage.root]
    builder = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=REPOSITORY, text=True)
    assert builder.stdout is not None
    for line in builder.stdout:
        if line.startswith("toy: read") and int(line.split()[-1]) >= 1_024:
            break
    os.kill(builder.pid, signal.SIGKILL)
    builder.wait()
    builder.stdout.close()
    half_written = [path for path in (tmp_path / "root").rglob("*.tar") if ".partial" in str(path)]
    assert half_written  # it really was in the middle
    if built_before:
        assert len(list(read_items(storage, "toy"))) == 3
        verify(storage, "shards/toy")
    else:
        assert built_datasets(storage) == ()
        with pytest.raises(ValueError, match="build it first"):
            list(read_samples(storage, "toy"))
    build(raw, storage)  # the next run sweeps up and succeeds
    assert not [path for path in (tmp_path / "root").rglob("*") if ".partial" in path.name]
    assert len(list(read_items(storage, "toy"))) == 3


def test_a_root_inside_a_raw_folder_is_refused_before_anything_is_written(register: Register):
    raw = register(toy_records)
    with pytest.raises(ValueError, match="lies in the raw folder of toy"):
        build(raw, Storage(raw / "toy" / "out"))
    assert not (raw / "toy" / "out").exists()
    build(raw, Storage(raw))  # beside the folders of the datasets there is room


def test_two_builds_of_one_dataset_do_not_mix(register: Register, storage: Storage, tmp_path: Path):
    raw = register(toy_records)
    command = [sys.executable, "-c", ENDLESS, str(raw), storage.root]
    builder = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=REPOSITORY, text=True)
    assert builder.stdout is not None
    next(line for line in builder.stdout if line.startswith("toy: read"))
    with pytest.raises(ValueError, match=r"another process is writing .*corpus/toy; wait for it to end"):
        build(raw, storage)
    builder.kill()
    builder.wait()
    builder.stdout.close()
    build(raw, storage)
    assert len(list(read_items(storage, "toy"))) == 3
    assert not [path for path in (tmp_path / "root").rglob("*") if path.name.startswith(".")]


def test_a_corpus_keeps_the_shards_it_was_built_with(register: Register, storage: Storage):
    # what a build leaves that is ended between its two artifacts
    raw = register(toy_records)
    build(raw, storage)
    before = manifest.read(storage, "corpus/toy")
    (raw / "toy" / "file.txt").write_text("other raw data")
    build(raw, storage)
    storage.write_bytes("corpus/toy/manifest.json", manifest.to_json(before))
    assert len(list(read_items(storage, "toy"))) == 3
    shards = manifest.read(storage, "shards/toy", before.inputs["shards"])
    assert shards != manifest.read(storage, "shards/toy")

    storage.remove_tree(f"shards/toy/{shards.folder}")
    with pytest.raises(ValueError, match=r"corpus and shards of toy .* of different builds; build it again"):
        list(read_items(storage, "toy"))
    build(raw, storage)
    assert len(list(read_items(storage, "toy"))) == 3


def test_what_is_said_about_a_skip_is_short(register: Register, storage: Storage):
    long = SkippedRecord(reason="record_malformed", where="a.json[0]", detail="x" * 10**6)
    build(register(lambda: iter([text("a", "words"), long])), storage)
    [listed] = read_skipped(storage, "toy")
    assert (listed.reason, len(listed.detail)) == ("record_malformed", 501)


@pytest.mark.parametrize(
    ("folder", "hint"), [("HotpotQA", "rename 'HotpotQA' to 'hotpotqa'"), ("holidays", "xvbench$")]
)
def test_a_folder_that_is_nearly_named_as_a_dataset_is_pointed_out(
    tmp_path: Path, storage: Storage, folder: str, hint: str
):
    (tmp_path / "raw" / folder).mkdir(parents=True)
    with pytest.raises(ValueError, match=f"no folder of a known dataset.*{hint}"):
        build_corpus(tmp_path / "raw", storage, settings=CONTEXT)
