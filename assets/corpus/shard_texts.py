"""Texts of the images in shards: what a reader (OCR, a captioner) says of each, shard by shard, on any engine.

The texts of a shard are one table, written when the shard is finished: a run that was killed goes on with the next shard. What
the texts are for is known by the caller; the reader is any function from the bytes of an image to a text.
"""

import io
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from assets.corpus import shards, tables
from infra.errors import ExternalError, MediaError
from infra.progress import ProgressListener
from infra.storage import manifest
from infra.storage.root import Storage
from infra.workers.local import WorkerEngine

_SCHEMA = pa.schema(
    {
        "key": pa.string(),
        "extension": pa.string(),
        "text": pa.string(),
        "failure": pa.string(),
        "reason": pa.string(),
    }
)


class ImageReader(Protocol):
    """Says what is in an image. Must depend on the image alone, so that every engine gives the same bytes."""

    def __call__(self, data: bytes) -> str:
        """The text of an encoded image. An ``ExternalError`` is kept in the place of the text."""
        ...


class ImageText(NamedTuple):
    """The text of one image, or why there is none. ``extension`` tells the frames of a clip apart ("0.jpg").

    ``reason`` is the word of a ``MediaError``, whose detail ``failure`` then is; empty for another error.
    """

    key: str
    extension: str
    text: str
    failure: str = ""
    reason: str = ""


class TextJob(NamedTuple):
    """Which images, and where their texts go: both are folders below the root, ``source`` one of finished shards."""

    source: str
    target: str


def write(
    storage: Storage,
    texts: TextJob,
    make: Callable[[], ImageReader],
    engine: WorkerEngine,
    *,
    stage: str,
    progress: ProgressListener,
) -> None:
    """Read every image of every shard whose table is not there yet. ``make`` is called once a worker, and must pickle.

    Raises:
        ValueError: if the shards are not finished, or one is damaged.
        EngineError: as the engine does; what is finished is kept.
    """
    finished = storage.sizes(texts.target)
    counts = {shard: _samples(storage, texts.source, shard) for shard in _shards(storage, texts.source)}
    missing = [shard for shard in counts if f"{shard}.parquet" not in finished]
    total = sum(counts.values())
    done = total - sum(counts[shard] for shard in missing)
    if done:
        progress(stage, done, total)
    for count in engine.run(partial(_Reading, storage, texts, make), missing):
        done += count
        progress(stage, done, total)


def read(storage: Storage, texts: TextJob) -> Iterator[ImageText]:
    """What was written, in the order of the shards and of the images in them."""
    for shard in _shards(storage, texts.source):
        with storage.open(f"{texts.target}/{shard}.parquet") as file:
            yield from (ImageText(**row) for row in tables.rows(file))


class _Reading:
    """What a worker does: a shard to its table."""

    def __init__(self, storage: Storage, texts: TextJob, make: Callable[[], ImageReader]) -> None:
        self._storage, self._texts, self._reader = storage, texts, make()

    def __call__(self, shard: str) -> int:
        samples = list(self._rows(shard))
        table = pa.Table.from_pylist([row._asdict() for rows in samples for row in rows], schema=_SCHEMA)
        target = io.BytesIO()
        pq.write_table(table, target, compression="zstd")
        self._storage.write_bytes(f"{self._texts.target}/{shard}.parquet", target.getvalue())
        return len(samples)

    def _rows(self, shard: str) -> Iterator[list[ImageText]]:
        for sample in shards.read_shard(self._storage, self._texts.source, shard):
            yield [self._row(sample.key, extension, data) for extension, data in sample.members]

    def _row(self, key: str, extension: str, data: bytes) -> ImageText:
        try:
            return ImageText(key, extension, self._reader(data))
        except MediaError as error:
            return ImageText(key, extension, "", error.detail, error.reason)
        except ExternalError as error:
            return ImageText(key, extension, "", str(error))


def _shards(storage: Storage, source: str) -> list[str]:
    return [file.name for file in manifest.read(storage, source).files if file.name.endswith(".tar")]


def _samples(storage: Storage, source: str, shard: str) -> int:
    return manifest.read(storage, source).counts.get(f"samples/{shard}", 0)
