"""Small real files of every kind, and one way to ingest them cheaply that tells what was read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from assets.corpus.item import Item
from assets.corpus.read import read_items
from assets.miniature.writers.pdf import PdfPageSpec, pdf_bytes
from assets.parsers.types import ParseContext
from assets.user_files.ingest import DATASET, IngestReport, IngestSettings, ingest
from infra.storage.root import Storage
from tests.assets.small_corpus import CountingEmbedder

PARAGRAPH = "The harbour of Belodu opened in 1901 and was closed in 1955."


class SpyOcr:
    """Reads the same words in every image, and counts the images."""

    def __init__(self, words: str = "words in a picture") -> None:
        self.words, self.pictures = words, 0

    def __call__(self, image: Image.Image) -> str:
        self.pictures += 1
        return self.words


def write_pdf(path: Path, *pages: str) -> Path:
    """A page for each text; an empty text makes a page without a text layer."""
    sheets = tuple(PdfPageSpec(lines=(text,) if text else ()) for text in pages)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pdf_bytes(sheets, width=300.0, height=60.0))
    return path


def write_picture(path: Path, shade: int = 40, *, size: tuple[int, int] = (32, 24)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (shade, 90, 160)).save(path)
    return path


def write_text(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def write_still_film(path: Path, *, seconds: int) -> Path:
    """A video that shows one image for ``seconds``, in two frames."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=1)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 90, np.uint8), format="rgb24")
        for second in (0, seconds):
            frame.pts = second
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def settings(ocr: SpyOcr | None = None, *, dpi: int = 36, **others: Any) -> IngestSettings:
    return IngestSettings(reading=ParseContext(dpi=dpi, ocr=ocr, max_frames=2, fps=0.1), **others)


def take(
    storage: Storage,
    *paths: Path,
    ocr: SpyOcr | None = None,
    embedder: CountingEmbedder | None = None,
    forget: Sequence[Path] = (),
    **others: Any,
) -> IngestReport:
    return ingest(
        paths,
        storage,
        settings=settings(ocr, **others),
        forget=forget,
        embedder=embedder or CountingEmbedder(),
    )


def items(storage: Storage) -> list[Item]:
    return list(read_items(storage, DATASET))


def titles(storage: Storage) -> list[str]:
    return [item.title for item in items(storage)]


def happened(report: IngestReport) -> dict[str, str]:
    """File name -> status, and what comes with it."""
    return {
        file.path.rsplit("/", 1)[-1]: f"{file.status}: {file.reason}" if file.reason else file.status.value
        for file in report.files
    }
