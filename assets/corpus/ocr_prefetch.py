"""OCR ahead of a build, on any engine: the corpus is then the same, byte for byte, as if it had read each image itself.

The raw folder is parsed twice. The first pass keeps the images that the parser wants read, losslessly, as small shards; the
engine reads those; in the second pass the texts are looked up by the pixels. Both lie beside the corpus under hidden names
and go when it is published: a build that was killed goes on behind the last finished shard.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from PIL import Image

from assets.corpus import shard_texts
from assets.corpus.dataset import Dataset, ParseContext
from assets.corpus.merge import PROGRESS_EVERY
from assets.corpus.shard_texts import ImageText, TextJob
from assets.corpus.shards import ShardWriter
from infra.errors import MediaError
from infra.media import OcrError, encode_png, media_decoder
from infra.progress import ProgressListener
from infra.storage import manifest
from infra.storage.root import Storage
from infra.workers.local import WorkerEngine

PRODUCER = "assets.ocr_ahead/1"
SHARD_BYTES = 16 * 1024 * 1024  # some 40 pages: a minute of work, which is what a killed worker loses
ReadImage = Callable[[Image.Image], str]


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
        texts = TextJob(pages, f"{kept}/{manifest.digest(manifest.read(self.storage, pages))[:16]}")
        stage, make = f"{self.dataset.name}: OCR", partial(PageReader, context.ocr)
        shard_texts.write(self.storage, texts, make, self.engine, stage=stage, progress=self.progress)
        yield replace(context, ocr=_LookedUp(shard_texts.read(self.storage, texts), context.ocr))
        for scratch in (pages, kept):
            self.storage.remove_tree(scratch)

    def _collect(self, pages: str, context: ParseContext) -> None:
        """The first pass, unless it was finished before."""
        params = {**self.params, "reader": f"rapidocr {version('rapidocr')}"}
        made: dict[str, Any] = {"producer": PRODUCER, "params": params, "inputs": self.inputs}
        if manifest.is_current(self.storage, pages, **made):
            return
        with manifest.publish(self.storage, pages, **made) as publication:
            writer = ShardWriter(publication, "pages", max_bytes=SHARD_BYTES)
            keeper = _Keeper(writer)
            for done, _ in enumerate(
                self.dataset.records(self.folder, replace(context, ocr=keeper)), start=1
            ):
                if done % PROGRESS_EVERY == 0:
                    self.progress(f"{self.dataset.name}: pages for OCR", done, None)
            writer.finish({})


class _Keeper:
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
        """See ``shard_texts.ImageReader``."""
        return self._ocr(media_decoder().image(data))


class _LookedUp:
    """Stands in for OCR in the second pass. An image that the first did not see is read here and now."""

    def __init__(self, texts: Iterable[ImageText], ocr: ReadImage) -> None:
        self._texts = {text.key: text for text in texts}
        self._ocr = ocr

    def __call__(self, image: Image.Image) -> str:
        found = self._texts.get(_pixels(image))
        if found is None:
            return self._ocr(image)
        if found.reason:
            raise MediaError(found.reason, found.failure)
        if found.failure:
            raise OcrError(found.failure)
        return found.text


def _pixels(image: Image.Image) -> str:
    """Hash of size and RGB pixels, in hex."""
    return hashlib.sha256(f"{image.size}".encode() + image.convert("RGB").tobytes()).hexdigest()
