"""A dataset's shards in a shuffled order that resumes exactly, also with another number of ranks and workers.

Shards are read one after the other, samples within one in shuffled order by range reads, on disk or S3; in memory are the
index and one sample. Only what a manifest names is read; members of other kinds than ``DECODERS`` are refused.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from assets.corpus import shards
from assets.corpus.shard_order import ReadCursor, advanced, permutation
from assets.corpus.tables import rows
from infra.limits import MAX_MEMBER_BYTES, MAX_SAMPLE_BYTES
from infra.media import media_decoder
from infra.storage import manifest
from infra.storage.root import Storage

BLOCK = tarfile.BLOCKSIZE
_SHARD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\.tar")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderLane:
    """Which share of the samples: worker ``worker`` of ``workers`` in rank ``rank`` of ``world``."""

    rank: int = 0
    world: int = 1
    worker: int = 0
    workers: int = 1

    def __post_init__(self) -> None:
        """Refuse a lane that is none of its lanes."""
        if not (0 <= self.rank < self.world and 0 <= self.worker < self.workers):
            raise ValueError(f"rank {self.rank} of {self.world}, worker {self.worker} of {self.workers}")

    @property
    def number(self) -> int:
        """Neighbours in the order belong to different ranks, so that steps of all ranks stay together."""
        return self.worker * self.world + self.rank

    @property
    def count(self) -> int:
        """Lanes in all."""
        return self.world * self.workers


class ShardSample(NamedTuple):
    """A sample. ``members`` are its files but the json; ``state`` is that of the lane once the sample is used."""

    key: str
    meta: dict[str, Any]
    members: dict[str, bytes]
    position: int
    state: dict[str, Any]


class _Place(NamedTuple):
    """Where a sample lies: bytes ``[start, end)`` of its shard hold it whole."""

    key: str
    extensions: tuple[str, ...]
    start: int
    end: int


class ShardReader:
    """Iterable over one lane's samples; ``epochs`` None never ends. One iterator at a time."""

    def __init__(
        self,
        storage: Storage,
        dataset: str,
        *,
        seed: int,
        lane: ReaderLane | None = None,
        epochs: int | None = 1,
    ) -> None:
        """Read manifest and index.

        Raises:
            ValueError: if the shards are not finished, or manifest and index disagree.
        """
        self._storage, self._directory, self._seed = storage, shards.directory(dataset), seed
        self._lane, self._epochs = lane or ReaderLane(), epochs
        finished = manifest.read(storage, self._directory)
        self._names = [file.name for file in finished.files if file.name.endswith(".tar")]
        if bad := [name for name in self._names if not _SHARD.fullmatch(name)]:
            raise ValueError(f"no names of shards: {bad[:5]}")
        sizes = {file.name: file.size for file in finished.files}
        self._places = _places(storage, self._directory, {name: sizes[name] for name in self._names})
        for name in self._names:
            if (found := len(self._places[name])) != finished.counts.get(f"samples/{name}"):
                raise ValueError(f"the index has {found} samples of {name}, the manifest says otherwise")
        self.fingerprint = hashlib.sha256(f"{manifest.digest(finished)}:{seed}".encode()).hexdigest()
        self._bounds = np.cumsum([0, *(len(self._places[name]) for name in self._names)])
        self._start, self._taken = ReadCursor(), 0
        self._cached: tuple[tuple[int, int], np.ndarray] = ((-1, -1), np.empty(0, np.int64))

    def __len__(self) -> int:
        """Samples of one epoch, of all lanes."""
        return int(self._bounds[-1])

    def __iter__(self) -> Iterator[ShardSample]:
        """The rest of this lane's samples. Raises ``ValueError`` for a shard that is damaged or holds something else."""
        while len(self):
            position = self._start.remaining(self._lane.number + self._taken * self._lane.count)
            if self._epochs is not None and position >= self._epochs * len(self):
                return
            shard, place = self._locate(position)
            members = self._read(shard, place)
            self._taken += 1
            meta = json.loads(members.pop("json"))
            yield ShardSample(place.key, meta, members, position, self.state_dict())

    def state_dict(self) -> dict[str, Any]:
        """What this lane has handed out; json-able. Those of all lanes become one by ``merge_states``."""
        return {
            "epoch": self._start.cursor // max(1, len(self)),
            "cursor": self._start.cursor,
            "ahead": list(self._start.ahead),
            "fingerprint": self.fingerprint,
            "lanes": self._lane.count,
            "lane": self._lane.number,
            "taken": self._taken,
            "samples": len(self),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a merged state, or from one of this very lane.

        Raises:
            ValueError: for a state of other shards, another seed, or one lane among others.
        """
        if state["fingerprint"] != self.fingerprint:
            raise ValueError("the state is of other shards or another seed; begin anew")
        lanes, lane = state.get("lanes", 1), state.get("lane", 0)
        if state.get("taken", 0) and (lanes, lane) != (self._lane.count, self._lane.number):
            raise ValueError("a state of one lane among others; merge_states of all lanes comes first")
        self._start = ReadCursor(cursor=state["cursor"], ahead=tuple(state.get("ahead", ())))
        self._taken = state.get("taken", 0)

    def _locate(self, position: int) -> tuple[str, _Place]:
        epoch, left = divmod(position, len(self))
        for shard in self._shuffled(epoch, 0, len(self._names)):
            size = int(self._bounds[shard + 1] - self._bounds[shard])
            if left < size:
                sample = self._order(epoch, int(shard), size)[left]
                return self._names[shard], self._places[self._names[shard]][sample]
            left -= size
        raise AssertionError("a position within the epoch is in one of its shards")

    def _order(self, epoch: int, shard: int, size: int) -> np.ndarray:
        """The order of the samples of a shard, kept until another is asked for."""
        if self._cached[0] != (epoch, shard):
            self._cached = ((epoch, shard), self._shuffled(epoch, shard + 1, size))
        return self._cached[1]

    def _shuffled(self, epoch: int, part: int, size: int) -> np.ndarray:
        return permutation(size, self._seed, epoch, part)

    def _read(self, shard: str, place: _Place) -> dict[str, bytes]:
        path = f"{self._directory}/{shard}"
        data = self._storage.read_bytes(path, start=place.start, end=place.end)
        if len(data) != place.end - place.start:
            raise ValueError(f"truncated shard {shard}: sample {place.key} ends early")
        members = dict(_members(shard, place.key, data))
        if set(members) != {"json", *place.extensions}:
            raise ValueError(
                f"shard {shard}: sample {place.key} has members {sorted(members)}, not those of the index"
            )
        return members


def merge_states(states: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One state of what all lanes handed out since they began together; a lane that is not given took nothing.

    Raises:
        ValueError: if they did not begin together, or a lane is given twice.
    """
    began = {(s["fingerprint"], s["cursor"], tuple(s["ahead"]), s["lanes"]) for s in states}
    if len(began) != 1 or len({s["lane"] for s in states}) != len(states):
        raise ValueError("states of different lanes that began together are needed")
    fingerprint, cursor, ahead, lanes = next(iter(began))
    taken = [0] * lanes
    for state in states:
        taken[state["lane"]] = state["taken"]
    merged = advanced(ReadCursor(cursor=cursor, ahead=ahead), taken)
    return {
        "epoch": merged.cursor // max(1, states[0]["samples"]),
        "samples": states[0]["samples"],
        "cursor": merged.cursor,
        "ahead": list(merged.ahead),
        "fingerprint": fingerprint,
        "lanes": 1,
        "lane": 0,
        "taken": 0,
    }


def _places(storage: Storage, directory: str, sizes: Mapping[str, int]) -> dict[str, list[_Place]]:
    """Where samples lie, by shard. A json may lie before or behind the media of its sample: both gaps are read."""
    found: dict[str, list[tuple[str, tuple[str, ...], int, int]]] = {name: [] for name in sizes}
    columns = ["key", "shard", "extensions", "offsets", "sizes"]
    with storage.open(f"{directory}/{shards.INDEX}") as file:
        for row in rows(file, columns=columns):
            spans = list(zip(row["offsets"], row["sizes"], strict=True))
            if (
                row["shard"] not in sizes
                or not spans
                or any(not _fits(*s, sizes[row["shard"]]) for s in spans)
            ):
                raise ValueError(f"the index places sample {row['key']!r} outside the shards of the manifest")
            first = min(offset for offset, _ in spans) - BLOCK
            last = max(offset + -(-size // BLOCK) * BLOCK for offset, size in spans)
            found[row["shard"]].append((row["key"], tuple(row["extensions"]), first, last))
    return {name: _with_gaps(name, among, sizes[name]) for name, among in found.items()}


def _fits(offset: int, size: int, end: int) -> bool:
    return offset >= BLOCK and offset % BLOCK == 0 and 0 <= size <= MAX_MEMBER_BYTES and offset + size <= end


def _with_gaps(name: str, among: list[tuple[str, tuple[str, ...], int, int]], end: int) -> list[_Place]:
    before = [0, *(last for *_, last in among)]
    behind = [*(first for _, _, first, _ in among), end][1:]
    places = [_Place(k, e, a, b) for (k, e, *_), a, b in zip(among, before, behind, strict=False)]
    if any(not 0 <= place.end - place.start <= MAX_SAMPLE_BYTES for place in places):
        raise ValueError(f"the index of shard {name} is out of order, or a sample too large")
    return places


def _members(shard: str, key: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """The members of one sample among whole members of its neighbours."""
    at = 0
    while at < len(data) and any(data[at : at + BLOCK]):
        try:
            info = tarfile.TarInfo.frombuf(data[at : at + BLOCK], "utf-8", "strict")
        except (tarfile.HeaderError, UnicodeDecodeError) as error:
            raise ValueError(f"damaged shard {shard}: no header at sample {key}: {error}") from error
        name, _, extension = info.name.partition(".")
        end = at + BLOCK + info.size
        if (
            info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE)
            or extension.rpartition(".")[2] not in DECODERS
        ):
            raise ValueError(f"shard {shard}: {info.name!r} is of no kind that is read: {sorted(DECODERS)}")
        if not 0 <= info.size <= MAX_MEMBER_BYTES or end > len(data):
            raise ValueError(f"truncated shard {shard}: {info.name!r} claims {info.size} bytes")
        if name == key:
            yield extension, data[at + BLOCK : end]
        at += BLOCK + -(-info.size // BLOCK) * BLOCK


def decoded(sample: ShardSample) -> dict[str, Any]:
    """The members as values, by extension. Raises ``MediaError`` or ``ValueError`` for what is damaged."""
    return {name: DECODERS[name.rpartition(".")[2]](data) for name, data in sample.members.items()}


def _array(data: bytes) -> np.ndarray:
    """An array without objects whose header claims no more than there is."""
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    left = data[file.tell() :]
    if dtype.hasobject or any(side < 0 for side in shape) or len(left) != dtype.itemsize * _product(shape):
        raise ValueError(f"an array of {dtype} {shape} in {len(left)} bytes is not read")
    return np.frombuffer(left, dtype).reshape(shape, order="F" if fortran else "C")


def _product(sides: Sequence[int]) -> int:
    product = 1
    for side in sides:
        product *= side
    return product


DECODERS: dict[str, Callable[[bytes], Any]] = {
    "json": json.loads,
    "txt": lambda data: data.decode(),
    **dict.fromkeys(("jpg", "jpeg", "png", "webp"), lambda data: media_decoder().image(data)),
    "npy": _array,
    "mp4": bytes,  # frames are decoded by ``MediaDecoder.frames``
}
"""All kinds of members that are read, and how. None of them runs what it reads."""
