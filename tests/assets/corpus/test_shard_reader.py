"""Whatever is killed whenever, and whoever goes on: every sample of an epoch once, none twice."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.corpus.shard_reader import DECODERS, ReaderLane, ShardReader, merge_states
from assets.corpus.shards import ShardWriter
from infra.storage.manifest import publish
from infra.storage.root import Storage

COUNT = 23


def build(storage: Storage, count: int = COUNT) -> Storage:
    with publish(storage, "shards/d", producer="t", params={}, inputs={}) as publication:
        writer = ShardWriter(publication, "d", max_bytes=12_000)
        for number in range(count):
            members = [("png", b"p" * (100 * number))]
            if number % 3 == 1:
                members = [("0.jpg", b"a" * 700), ("1.jpg", bytes([number]))]
            writer.add(f"k{number}", f"d:x:{number}", members, {"n": number})
        writer.finish({})
    return storage


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Storage:
    return build(Storage(tmp_path_factory.mktemp("shards")))


def lanes(world: int, workers: int) -> list[ReaderLane]:
    return [
        ReaderLane(rank=r, world=world, worker=w, workers=workers)
        for r in range(world)
        for w in range(workers)
    ]


def test_an_epoch_has_every_sample_whole_and_epochs_differ(storage: Storage):
    reader = ShardReader(storage, "d", seed=1, epochs=2)
    found = list(reader)
    first, second = found[:COUNT], found[COUNT:]
    assert sorted(s.meta["n"] for s in first) == sorted(s.meta["n"] for s in second) == list(range(COUNT))
    assert [s.key for s in first] != [s.key for s in second]
    assert all(s.members == {"png": b"p" * (100 * s.meta["n"])} for s in first if s.meta["n"] % 3 != 1)
    assert next(s for s in first if s.key == "k4").members == {"0.jpg": b"a" * 700, "1.jpg": b"\4"}


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 5),
    phases=st.lists(
        st.tuples(
            st.integers(1, 4), st.integers(1, 3), st.lists(st.integers(0, 9), min_size=12, max_size=12)
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_any_resumption_with_any_number_of_lanes_loses_nothing_and_repeats_nothing(
    storage: Storage, seed: int, phases: list[tuple[int, int, list[int]]]
):
    seen: Counter[int] = Counter()
    state = None
    for world, workers, steps in [*phases, (1, 1, [3 * COUNT])]:
        states = []
        for lane, count in zip(lanes(world, workers), steps, strict=False):
            reader = ShardReader(storage, "d", seed=seed, lane=lane, epochs=3)
            if state is not None:
                reader.load_state_dict(state)
            seen.update(sample.position for sample in islice(reader, count))
            states.append(reader.state_dict())
        state = json.loads(json.dumps(merge_states(states)))
    assert seen == Counter(range(3 * COUNT))


def test_a_state_of_other_shards_or_of_one_lane_among_others_is_refused(storage: Storage):
    reader = ShardReader(storage, "d", seed=1)
    with pytest.raises(ValueError, match="another seed"):
        reader.load_state_dict(ShardReader(storage, "d", seed=2).state_dict())
    other = ShardReader(storage, "d", seed=1, lane=ReaderLane(rank=1, world=2))
    next(iter(other))
    with pytest.raises(ValueError, match="merge_states"):
        reader.load_state_dict(other.state_dict())


CHILD = """
import json, sys
from assets.corpus.shard_reader import ReaderLane, ShardReader
from infra.storage.root import Storage
root, rank, state, log = sys.argv[1:]
reader = ShardReader(Storage(root), "d", seed=3, lane=ReaderLane(rank=int(rank), world=2))
with open(log, "a") as out:
    for sample in reader:
        print(json.dumps(sample.state | {"position": sample.position}), file=out, flush=True)
        print(flush=True)
        sys.stdin.readline()
"""


def test_ranks_that_are_killed_leave_what_one_rank_can_finish(storage: Storage, tmp_path: Path):
    root = Path(__file__).resolve().parents[3]
    for rank, turns in ((0, 5), (1, 2)):
        with subprocess.Popen(
            [sys.executable, "-c", CHILD, storage.root, str(rank), "-", str(tmp_path / str(rank))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root, env={**os.environ, "PYTHONPATH": str(root)},
        ) as child:  # fmt: skip
            assert child.stdin and child.stdout
            for turn in range(turns):
                child.stdout.readline()
                if turn < turns - 1:
                    child.stdin.write(b"\n"), child.stdin.flush()
            os.kill(child.pid, signal.SIGKILL)
    logs = [[json.loads(line) for line in (tmp_path / rank).read_text().splitlines()] for rank in "01"]
    seen = [entry["position"] for log in logs for entry in log]
    rest = ShardReader(storage, "d", seed=3)
    rest.load_state_dict(merge_states([log[-1] for log in logs]))
    assert sorted(seen + [sample.position for sample in rest]) == list(range(COUNT)) and len(seen) == 7


def damage(root: Path, change: dict[str, object], *, kind: bytes = tarfile.REGTYPE) -> ShardReader:
    """The first header of the first shard replaced by one that says something else."""
    storage = build(Storage(root))
    path = root / "shards/d/d-000000.tar"
    data = path.read_bytes()
    info = tarfile.TarInfo.frombuf(data[:512], "utf-8", "strict")
    info.type = kind
    for name, value in change.items():
        setattr(info, name, value)
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT)[:512] + data[512:])
    return ShardReader(storage, "d", seed=0)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"name": "../../etc/passwd"}, tarfile.REGTYPE),
        ({"name": "/etc/cron.d/x"}, tarfile.REGTYPE),
        ({"name": "k0.pkl"}, tarfile.REGTYPE),
        ({"linkname": "/etc/passwd"}, tarfile.SYMTYPE),
        ({"linkname": "k1.png"}, tarfile.LNKTYPE),
        ({"devmajor": 1, "devminor": 5}, tarfile.CHRTYPE),
        ({}, tarfile.FIFOTYPE),
        ({}, tarfile.GNUTYPE_SPARSE),
        ({"size": 1 << 40}, tarfile.REGTYPE),
        ({"size": 1 << 20}, tarfile.REGTYPE),
    ],
)
def test_a_hostile_member_is_refused_and_names_its_shard(
    tmp_path: Path, change: dict[str, object], kind: bytes
):
    with pytest.raises(ValueError, match=r"d-000000\.tar"):
        list(damage(tmp_path, change, kind=kind))


@pytest.mark.parametrize("name", ["pipe:cat x.tar", "http://x/a.tar", "file:///a.tar", "../a.tar", "/a.tar"])
def test_a_manifest_that_leads_elsewhere_is_refused(tmp_path: Path, name: str):
    storage = build(Storage(tmp_path))
    path = tmp_path / "shards/d/manifest.json"
    path.write_text(path.read_text().replace("d-000000.tar", name))
    with pytest.raises(ValueError):
        ShardReader(storage, "d", seed=0)


def test_a_truncated_shard_is_an_error(tmp_path: Path):
    storage = build(Storage(tmp_path))
    reader = ShardReader(storage, "d", seed=0)
    for path in (tmp_path / "shards/d").glob("*.tar"):
        path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(ValueError, match=r"(truncated|damaged) shard"):
        list(reader)


def test_arrays_are_read_without_pickles_and_without_believing_their_header():
    target = io.BytesIO()
    np.save(target, np.arange(6).reshape(2, 3))
    assert DECODERS["npy"](target.getvalue()).tolist() == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(ValueError, match="is not read"):
        DECODERS["npy"](target.getvalue().replace(b"(2, 3), ", b"(9999,),"))
    pickled = io.BytesIO()
    np.save(pickled, np.array([object], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="is not read"):
        DECODERS["npy"](pickled.getvalue())
    assert "pkl" not in DECODERS


def test_it_reads_from_s3(s3_storage: Storage):
    reader = ShardReader(build(s3_storage), "d", seed=5)
    assert sorted(sample.meta["n"] for sample in reader) == list(range(COUNT))
