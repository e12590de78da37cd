"""OCR ahead of a build, on any engine: the corpus is then the same, byte for byte, as if it had read each image itself.

The raw folder is parsed twice. The first pass keeps the images that the parser wants read, losslessly, as small shards; the
engine reads those, the texts of a shard being one table; in the second pass the texts are looked up by the pixels. Both lie
beside the corpus under hidden names and go when it is published: a build that was killed goes on behind the last finished shard.
"""

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from assets.corpus import shards, tables
from assets.corpus.dataset import Dataset
from assets.corpus.merge import PROGRESS_EVERY
from assets.corpus.shards import ShardWriter
from assets.parsers.types import ParseContext
from infra.errors import ExternalError, MediaError
from infra.media import OcrError, encode_png, media_decoder
from infra.progress import ProgressListener
from infra.storage import manifest
from infra.storage.publication import publish
from infra.storage.root import Storage
from infra.workers.local import WorkerEngine

PRODUCER = "assets.ocr_ahead/1"
SHARD_BYTES = 16 * 1024 * 1024  # some 40 pages: a minute of work, which is what a killed worker loses
ReadImage = Callable[[Image.Image], str]
ReadBytes = Callable[[bytes], str]
"""The text of an encoded image. Must depend on the image alone, so that every engine gives the same bytes."""
_SCHEMA = pa.schema(
    {
        "key": pa.string(),
        "extension": pa.string(),
        "text": pa.string(),
        "failure": pa.string(),
        "reason": pa.string(),
    }
)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class OcrPrefetch:
    """The OCR of one dataset on an engine. ``params`` and ``inputs`` are those of the build it is for."""

    storage: Storage
    dataset: Dataset
    folder: Path
    engine: WorkerEngine
    params: Mapping[str, Any]
    inputs: Mapping[str, str]
    progress: ProgressListener

    @contextmanager
    def reading(self, context: ParseContext) -> Iterator[ParseContext]:
        """Give ``context`` with texts that are looked up; what was kept for it goes if the block ends without an error.

        Raises:
            EngineError: if the engine fails; what is finished is kept.
        """
        if context.ocr is None or not self.dataset.reads_images:
            yield context
            return
        pages, kept = (f"corpus/.{self.dataset.name}.{name}" for name in ("pages", "texts"))
        self._collect(pages, context)
        job = TextJob(pages, f"{kept}/{manifest.digest(manifest.read(self.storage, pages))[:16]}")
        stage, make = f"{self.dataset.name}: OCR", partial(PageReader, context.ocr)
        write_texts(self.storage, job, make, self.engine, stage=stage, progress=self.progress)
        yield replace(context, ocr=_TextLookup(read_texts(self.storage, job), context.ocr))
        for scratch in (pages, kept):
            self.storage.remove_tree(scratch)

    def _collect(self, pages: str, context: ParseContext) -> None:
        """The first pass, unless it was finished before."""
        params = {**self.params, "reader": f"rapidocr {version('rapidocr')}"}
        made: dict[str, Any] = {"producer": PRODUCER, "params": params, "inputs": self.inputs}
        if manifest.is_current(self.storage, pages, **made):
            return
        with publish(self.storage, pages, **made) as publication:
            writer = ShardWriter(publication, "pages", max_bytes=SHARD_BYTES)
            keeper = _ImageKeeper(writer)
            for done, _ in enumerate(
                self.dataset.records(self.folder, replace(context, ocr=keeper)), start=1
            ):
                if done % PROGRESS_EVERY == 0:
                    self.progress(f"{self.dataset.name}: pages for OCR", done, None)
            writer.finish({})


class _ImageKeeper:
    """Stands in for OCR in the first pass: keeps each image once and reads nothing."""

    def __init__(self, writer: ShardWriter) -> None:
        self._writer, self._known = writer, set[str]()

    def __call__(self, image: Image.Image) -> str:
        key = _pixels(image)
        if key not in self._known:
            self._known.add(key)
            self._writer.add(key, key, [("png", encode_png(image, compress_level=1))], {})
        return ""


class PageReader:
    """What a worker does with the bytes of a kept image."""

    def __init__(self, ocr: ReadImage) -> None:
        self._ocr = ocr

    def __call__(self, data: bytes) -> str:
        """See ``ReadBytes``."""
        return self._ocr(media_decoder().image(data))


class _TextLookup:
    """Stands in for OCR in the second pass. An image that the first did not see is read here and now."""

    def __init__(self, texts: Iterable[ImageText], ocr: ReadImage) -> None:
        self._texts = {text.key: text for text in texts}
        self._ocr = ocr

    def __call__(self, image: Image.Image) -> str:
        known = self._texts.get(_pixels(image))
        if known is None:
            return self._ocr(image)
        if known.reason:
            raise MediaError(known.reason, known.failure)
        if known.failure:
            raise OcrError(known.failure)
        return known.text


def _pixels(image: Image.Image) -> str:
    """Hash of size and RGB pixels, in hex."""
    return hashlib.sha256(f"{image.size}".encode() + image.convert("RGB").tobytes()).hexdigest()


def write_texts(
    storage: Storage,
    job: TextJob,
    make: Callable[[], ReadBytes],
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
    finished = storage.sizes(job.target)
    counts = {shard: _samples(storage, job.source, shard) for shard in _shards(storage, job.source)}
    missing = [shard for shard in counts if f"{shard}.parquet" not in finished]
    total = sum(counts.values())
    done = total - sum(counts[shard] for shard in missing)
    if done:
        progress(stage, done, total)
    for count in engine.run(partial(_ShardReader, storage, job, make), missing):
        done += count
        progress(stage, done, total)


def read_texts(storage: Storage, job: TextJob) -> Iterator[ImageText]:
    """What was written, in the order of the shards and of the images in them."""
    for shard in _shards(storage, job.source):
        with storage.open(f"{job.target}/{shard}.parquet") as file:
            yield from (ImageText(**row) for row in tables.rows(file))


class _ShardReader:
    """What a worker does: a shard to its table."""

    def __init__(self, storage: Storage, job: TextJob, make: Callable[[], ReadBytes]) -> None:
        self._storage, self._job, self._reader = storage, job, make()

    def __call__(self, shard: str) -> int:
        samples = list(self._rows(shard))
        table = pa.Table.from_pylist([row._asdict() for rows in samples for row in rows], schema=_SCHEMA)
        target = io.BytesIO()
        pq.write_table(table, target, compression="zstd")
        self._storage.write_bytes(f"{self._job.target}/{shard}.parquet", target.getvalue())
        return len(samples)

    def _rows(self, shard: str) -> Iterator[list[ImageText]]:
        for sample in shards.read_shard(self._storage, self._job.source, shard):
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
