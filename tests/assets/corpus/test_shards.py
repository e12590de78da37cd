"""Shards are the same bytes on every run, readable by anyone, and refuse what could harm a reader."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest
import webdataset
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.corpus import shards
from assets.corpus.shards import ShardWriter
from infra.storage import manifest
from infra.storage.publication import publish
from infra.storage.root import Storage
from tests.artifacts import read_samples

CLIP = [("0.jpg", b"first"), ("1.jpg", b"second!"), ("10.jpg", b"eleventh"), ("2.jpg", b"third")]


def key(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def build(
    storage: Storage, *, count: int = 5, max_bytes: int = 1 << 20, aliases: dict[str, str] | None = None
) -> None:
    with publish(storage, "shards/d", producer="t", params={}, inputs={}) as publication:
        writer = ShardWriter(publication, "d", max_bytes=max_bytes)
        for number in range(count):
            data = bytes([number]) * (700 * (number + 1))
            writer.add(
                key(str(number)), f"d:page:{number}", [("png", data)], {"title": f"Blatt {number} – ä"}
            )
        writer.add(key("clip"), "d:clip:x", CLIP, {"times": [0.5, 1.5, 2.5, 3.5]})
        writer.finish(aliases or {})


def files(root: Path) -> dict[str, str]:
    return {path.name: manifest.sha256_of(path) for path in sorted(root.rglob("*")) if path.is_file()}


def test_two_runs_give_the_same_bytes_in_every_file(tmp_path: Path):
    for run in ("a", "b"):
        build(Storage(tmp_path / run), max_bytes=8_192, aliases={"d:page:9": "d:page:0"})
    assert files(tmp_path / "a") == files(tmp_path / "b")
    assert len(files(tmp_path / "a")) >= 5


def test_members_are_sorted_and_carry_no_trace_of_who_wrote_them(tmp_path: Path):
    build(Storage(tmp_path), count=1)
    with tarfile.open(tmp_path / "shards/d/d-000000.tar") as tar:
        infos = tar.getmembers()
    assert [info.name for info in infos][:2] == [f"{key('0')}.json", f"{key('0')}.png"]
    assert [info.name.partition(".")[2] for info in infos][2:] == [
        "0.jpg",
        "1.jpg",
        "10.jpg",
        "2.jpg",
        "json",
    ]
    assert {(info.mtime, info.uid, info.gid, info.uname, info.gname, info.mode) for info in infos} == {
        (0, 0, 0, "", "", 0o444)
    }


def test_what_was_added_is_read_back_in_order(tmp_path: Path):
    storage = Storage(tmp_path)
    build(storage)
    samples = list(read_samples(storage, "d"))
    assert [sample.key for sample in samples] == [key(str(number)) for number in range(5)] + [key("clip")]
    assert samples[2].members == (("png", b"\2" * 2100),)
    assert samples[2].meta == {"item_id": "d:page:2", "dataset": "d", "title": "Blatt 2 – ä"}
    assert samples[-1].meta["times"] == [0.5, 1.5, 2.5, 3.5]


def test_the_index_points_at_the_very_bytes_in_time_order(tmp_path: Path):
    build(Storage(tmp_path), aliases={"d:page:again": "d:page:3"})
    locations = shards.read_locations(Storage(tmp_path), "d")
    clip = locations["d:clip:x"]
    data = (tmp_path / clip.path).read_bytes()
    found = [data[offset : offset + size] for offset, size in zip(clip.offsets, clip.sizes, strict=True)]
    assert found == [b"first", b"second!", b"eleventh", b"third"]
    assert clip.times == (0.5, 1.5, 2.5, 3.5)
    assert locations["d:page:again"] is locations["d:page:3"]


@settings(max_examples=15, deadline=None)
@given(sizes=st.lists(st.integers(0, 5_000), min_size=1, max_size=12), limit=st.integers(1, 20_000))
def test_a_shard_exceeds_its_limit_only_by_a_single_sample_that_is_larger(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], limit: int
):
    storage = Storage(tmp_path_factory.mktemp("limit"))
    with publish(storage, "shards/d", producer="t", params={}, inputs={}) as publication:
        writer = ShardWriter(publication, "d", max_bytes=limit)
        for number, size in enumerate(sizes):
            writer.add(key(str(number)), f"d:page:{number}", [("png", b"x" * size)], {})
        writer.finish({})
    finished = manifest.read(storage, "shards/d")
    samples = {name: count for name, count in finished.counts.items() if "/" in name}
    assert sum(samples.values()) == finished.counts["samples"] == len(sizes)
    for name, count in samples.items():
        content = sum(len(data) for _, data in _members(storage, name.removeprefix("samples/")))
        assert count == 1 or content <= limit
    assert [len(sample.members[0][1]) for sample in read_samples(storage, "d")] == sizes


def _members(storage: Storage, shard: str) -> list[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(storage.read_bytes(f"shards/d/{shard}"))) as tar:
        return [(info.name, tar.extractfile(info).read()) for info in tar]  # type: ignore[union-attr]


def test_a_reader_with_webdataset_and_none_of_our_code_sees_the_same(tmp_path: Path):
    build(Storage(tmp_path))
    urls = [str(path) for path in sorted((tmp_path / "shards/d").glob("*.tar"))]
    seen = list(webdataset.WebDataset(urls, shardshuffle=False))
    assert [sample["__key__"] for sample in seen] == [key(str(number)) for number in range(5)] + [key("clip")]
    assert json.loads(seen[0]["json"])["item_id"] == "d:page:0"
    assert seen[-1]["10.jpg"] == b"eleventh"


@pytest.mark.parametrize("extension", ["pkl", "pyd", "pickle", "0.pkl", "exe", "npy", ""])
def test_members_that_a_reader_might_execute_are_refused(tmp_path: Path, extension: str):
    with (
        pytest.raises(ValueError, match="no kind that shards may hold"),
        publish(Storage(tmp_path), "shards/d", producer="t", params={}, inputs={}) as publication,
    ):
        ShardWriter(publication, "d").add(key("x"), "d:page:x", [(extension, b"1")], {})


@pytest.mark.parametrize("bad", ["a.b", "a/b", "", "ä", "x" * 81])
def test_keys_that_would_split_or_lead_elsewhere_are_refused(tmp_path: Path, bad: str):
    with (
        pytest.raises(ValueError, match="sample key"),
        publish(Storage(tmp_path), "shards/d", producer="t", params={}, inputs={}) as publication,
    ):
        ShardWriter(publication, "d").add(bad, "d:page:x", [("png", b"1")], {})


def forge(root: Path, content: bytes, *, count: int = 1) -> Storage:
    """A finished directory whose shard was made by somebody else."""
    storage = Storage(root)
    with publish(storage, "shards/d", producer="t", params={}, inputs={}) as publication:
        publication.write_bytes("d-000000.tar", content)
        publication.counts["samples/d-000000.tar"] = count
    return storage


def tar_of(*members: tuple[str, bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return target.getvalue()


def test_a_foreign_shard_with_a_pickle_is_refused_and_nothing_of_it_runs(tmp_path: Path):
    storage = forge(tmp_path, tar_of(("k.json", b"{}"), ("k.pkl", b"cos\nsystem\n")))
    with pytest.raises(ValueError, match="no kind that shards may hold"):
        list(read_samples(storage, "d"))


@pytest.mark.parametrize(
    "content",
    [
        tar_of(("../up.png", b"1")),
        tar_of(("k.png", b"1")),
        tar_of(("k.json", b"{")),
        tar_of(("k.json", b"{}"), ("k.png", b"x" * 2000))[:1700],
        b"no tar at all" * 100,
    ],
    ids=["path", "no json", "bad json", "cut short", "no tar"],
)
def test_a_damaged_shard_is_an_error_that_names_it(tmp_path: Path, content: bytes):
    with pytest.raises(ValueError, match=r"d-000000\.tar"):
        list(read_samples(forge(tmp_path, content), "d"))


def test_a_shard_with_fewer_samples_than_its_manifest_says_is_an_error(tmp_path: Path):
    storage = forge(tmp_path, tar_of(("k.json", b"{}"), ("k.png", b"1")), count=2)
    with pytest.raises(ValueError, match="holds 1 samples, its manifest says 2"):
        list(read_samples(storage, "d"))


def test_a_tar_that_no_manifest_names_is_not_read(tmp_path: Path):
    storage = Storage(tmp_path)
    build(storage, count=1)
    storage.write_bytes("shards/d/d-000009.tar", tar_of(("zz.json", b"{}"), ("zz.png", b"1")))
    assert [sample.key for sample in read_samples(storage, "d")] == [key("0"), key("clip")]
