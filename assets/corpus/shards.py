"""Media of the corpus as WebDataset tars, and an index that finds one image without reading the rest.

A sample is ``<key>.json`` with the members beside it (``<key>.png``; ``<key>.0.jpg``, ``<key>.1.jpg`` ... for
the frames of a clip). Shards are byte-identical on re-run. Holds writing, streaming and the index; decoding
belongs to ``media.py``.
"""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import pyarrow as pa

from assets.corpus.tables import TableWriter, rows
from infra.limits import MAX_MEMBER_BYTES, MAX_SHARD_BYTES
from infra.storage import manifest
from infra.storage.publication import ArtifactWriter, HashingFile
from infra.storage.root import Storage

PAGE = "pdf"  # a page as a PDF of its own, rendered when it is looked at
EXTENSIONS = frozenset(
    {"json", "txt", "png", "jpg", "jpeg", "webp", PAGE}
)  # nothing here is executed by a reader
INDEX, ALIASES = "index.parquet", "aliases.parquet"
BLOCK = tarfile.BLOCKSIZE  # bytes of a tar header, and the unit to which members are padded
_KEY = re.compile(r"[A-Za-z0-9_-]{1,80}")  # no dot, at which WebDataset splits; fits one tar header
_INDEX_SCHEMA = pa.schema(
    {
        "item_id": pa.string(),
        "key": pa.string(),
        "shard": pa.string(),
        "extensions": pa.list_(pa.string()),
        "offsets": pa.list_(pa.int64()),
        "sizes": pa.list_(pa.int64()),
        "times": pa.list_(pa.float64()),
    }
)
Members = Sequence[tuple[str, bytes]]
"""(extension, bytes) of the media of one sample, in time order."""
_ALIAS_SCHEMA = pa.schema({"alias": pa.string(), "item_id": pa.string()})


class MediaSample(NamedTuple):
    """One sample as it is read. ``meta`` is its json; ``members`` are (extension, bytes) in tar order."""

    key: str
    meta: dict[str, Any]
    members: tuple[tuple[str, bytes], ...]


class MediaLocation(NamedTuple):
    """Where the media of an item lie: offsets and sizes in bytes, times in seconds (none for an image)."""

    path: str
    """Of the shard, below the root."""
    offsets: tuple[int, ...]
    sizes: tuple[int, ...]
    times: tuple[float, ...]
    is_page: bool = False
    """Whether it is a PDF of one page instead of an image."""


def directory(dataset: str) -> str:
    """Where the shards of a dataset lie below the root."""
    return f"shards/{dataset}"


class ShardWriter:
    """Samples, in the order they come, into ``<dataset>-000000.tar`` and so on; ``finish`` ends them."""

    def __init__(
        self, publication: ArtifactWriter, dataset: str, *, max_bytes: int = MAX_SHARD_BYTES
    ) -> None:
        self._publication, self._dataset, self._max_bytes = publication, dataset, max_bytes
        self._index = TableWriter(publication.open(INDEX), _INDEX_SCHEMA)
        self._tar: _Tar | None = None
        self._shard = ""
        self._num_shards = 0
        publication.counts["samples"] = 0

    def add(self, key: str, item_id: str, members: Members, meta: Mapping[str, Any]) -> None:
        """One sample: members in time order; ``meta`` json-able (a clip has ``times``, one a member)."""
        _check_sample(key, members, meta)
        record = {"item_id": item_id, "dataset": self._dataset, **meta}
        described = _to_json(record)
        parts = sorted((*members, ("json", described)))
        tar = self._tar_with_room(sum(BLOCK + len(data) + _padding(len(data)) for _, data in parts))
        offsets = {extension: tar.append(f"{key}.{extension}", data) for extension, data in parts}
        self._index.write(
            {
                "item_id": item_id,
                "key": key,
                "shard": self._shard,
                "extensions": [extension for extension, _ in members],
                "offsets": [offsets[extension] for extension, _ in members],
                "sizes": [len(data) for _, data in members],
                "times": list(meta.get("times", ())),
            }
        )
        for count in ("samples", f"samples/{self._shard}"):
            self._publication.counts[count] = self._publication.counts.get(count, 0) + 1

    def finish(self, aliases: Mapping[str, str]) -> None:
        """Close the last shard and the index. ``aliases``: other id -> the id the media were added under."""
        self._close_tar()
        self._index.close()
        with TableWriter(self._publication.open(ALIASES), _ALIAS_SCHEMA) as table:
            for alias in sorted(aliases):
                table.write({"alias": alias, "item_id": aliases[alias]})

    def _tar_with_room(self, size: int) -> _Tar:
        if self._tar is not None and self._tar.offset + size > self._max_bytes:
            self._close_tar()
        if self._tar is None:
            self._shard = f"{self._dataset}-{self._num_shards:06d}.tar"
            self._num_shards += 1
            self._tar = _Tar(self._publication.open(self._shard))
        return self._tar

    def _close_tar(self) -> None:
        if self._tar is not None:
            self._tar.close()
            self._tar = None


class _Tar:
    """A USTAR archive that is only appended to: tarfile's headers and padding, each member written as one piece."""

    def __init__(self, file: HashingFile) -> None:
        self._file = file

    @property
    def offset(self) -> int:
        """Bytes written so far."""
        return self._file.size

    def append(self, name: str, data: bytes) -> int:
        """Where in the archive the bytes of the new member begin."""
        self._file.write(_tar_info(name, len(data)).tobuf(tarfile.USTAR_FORMAT))
        begins = self._file.size
        self._file.write(data)
        self._file.write(bytes(_padding(len(data))))
        return begins

    def close(self) -> None:
        """Two empty blocks, and more up to a whole record, as tarfile ends archives."""
        ended = self._file.size + 2 * BLOCK
        self._file.write(bytes(2 * BLOCK + -ended % tarfile.RECORDSIZE))
        self._file.close()


def _padding(size: int) -> int:
    """Bytes that fill the last block of a member."""
    return -size % BLOCK


def _check_sample(key: str, members: Members, meta: Mapping[str, Any]) -> None:
    if not _KEY.fullmatch(key):
        raise ValueError(f"a sample key has 1 to 80 letters, digits, '_' or '-', not {key!r}")
    names = [extension for extension, _ in members]
    if not names or len(set(names)) < len(names) or "json" in names:
        raise ValueError(f"sample {key} needs members of different names beside its json, got {names}")
    _refuse_unknown(names)
    if "times" in meta and len(meta["times"]) != len(members):
        raise ValueError(f"sample {key} has {len(members)} frames and {len(meta['times'])} times")


def _refuse_unknown(names: Sequence[str]) -> None:
    if bad := [name for name in names if name.rpartition(".")[2] not in EXTENSIONS]:
        raise ValueError(f"members {bad} are of no kind that shards may hold: {sorted(EXTENSIONS)}")


def _to_json(record: Mapping[str, Any]) -> bytes:
    return json.dumps(
        record, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def _tar_info(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)  # its defaults are fixed: mtime 0, uid and gid 0, no names of users
    info.size, info.mode = size, 0o444
    return info


def read_shard(storage: Storage, folder: str, shard: str) -> Iterator[MediaSample]:
    """The samples of one tar of the finished shards in ``folder``, in order, one in memory at a time.

    Raises:
        ValueError: if the shards are not finished or do not name this one, or if it is damaged, holds something else than
            samples, or fewer of them.
    """
    finished = manifest.read(storage, folder)
    count = 0
    try:
        with (
            manifest.open_file(storage, folder, shard) as file,
            tarfile.open(fileobj=file, mode="r|") as tar,
        ):
            for key, members in groupby(_members(tar), key=lambda member: member[0]):
                parts = {extension: data for _, extension, data in members}
                _refuse_unknown(list(parts))
                meta = json.loads(parts.pop("json"))
                yield MediaSample(key, meta, tuple(parts.items()))
                count += 1
    except (tarfile.TarError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"damaged shard {shard}: {type(error).__name__}: {error}") from error
    if count != (expected := finished.counts.get(f"samples/{shard}", 0)):
        raise ValueError(f"shard {shard} holds {count} samples, its manifest says {expected}")


def _members(tar: tarfile.TarFile) -> Iterator[tuple[str, str, bytes]]:
    for info in tar:
        key, _, extension = info.name.partition(".")
        content = tar.extractfile(info)
        plain = info.isreg() and not info.issparse() and info.size <= MAX_MEMBER_BYTES
        if content is None or not plain or not _KEY.fullmatch(key):
            raise tarfile.TarError(f"{info.name!r} is no member of a sample")
        yield key, extension, content.read()


def read_locations(storage: Storage, dataset: str, version: str | None = None) -> dict[str, MediaLocation]:
    """Where the media of every item of a dataset lie, in its current shards or those of a version, by item id and by alias.

    Raises:
        ValueError: if the shards are not finished, or the index names a shard that the manifest does not.
    """
    finished = manifest.read(storage, directory(dataset), version)
    folder = manifest.folder_of(directory(dataset), finished)
    paths = {
        file.name: f"{folder}/{file.name}" for file in finished.files
    }  # one string a shard, not one a sample
    locations: dict[str, MediaLocation] = {}
    with storage.open(f"{folder}/{finished.entry(INDEX).name}") as file:
        for row in rows(file, columns=["item_id", "shard", "extensions", "offsets", "sizes", "times"]):
            if row["shard"] not in paths:
                raise ValueError(f"the index of {dataset} names {row['shard']!r}, its manifest does not")
            offsets, sizes, times = (tuple(row[column]) for column in ("offsets", "sizes", "times"))
            is_page = row["extensions"] == [PAGE]
            locations[row["item_id"]] = MediaLocation(paths[row["shard"]], offsets, sizes, times, is_page)
    with storage.open(f"{folder}/{finished.entry(ALIASES).name}") as file:
        for row in rows(file):
            if row["item_id"] in locations:
                locations[row["alias"]] = locations[row["item_id"]]
    return locations
