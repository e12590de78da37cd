"""A root with a few files of a person: a report of three pages, a note, and a film of six seconds in two colours."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from assets.miniature.writers.pdf import PdfPageSpec, pdf_bytes
from assets.parsers.types import ParseContext
from assets.user_files.ingest import IngestSettings, ingest
from infra.storage.root import Storage

REPORT = (
    PdfPageSpec(lines=("Harbour report", "The pier was closed for repairs during the whole winter.")),
    PdfPageSpec(lines=("The crane at the northern quay opened in 1931.", "It lifts forty tons.")),
    PdfPageSpec(lines=("Budget of the lighthouse", "Paint and glass cost nine thousand crowns.")),
)
PAGE_PX = (600, 400)  # 300 x 200 points at 144 dots an inch
WITHOUT_OCR = IngestSettings(reading=ParseContext(ocr=None))


def build(folder: Path) -> Path:
    """Write the files, ingest them into ``folder/root``, and give that."""
    files = folder / "files"
    files.mkdir(parents=True)
    (files / "report.pdf").write_bytes(pdf_bytes(REPORT, width=300, height=200))
    (files / "note.txt").write_text("The old mill burned down in a dry summer. Nobody was hurt.\n")
    write_film(files / "film.mp4")
    root = folder / "root"
    report = ingest([files], Storage(root), settings=WITHOUT_OCR)
    assert report.readable == 3, report
    return root


def write_film(path: Path) -> None:
    """Three seconds of red, three of blue, one frame a second."""
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=1)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, 1)
        stream.codec_context.thread_count = 1
        for second in range(6):
            colour = (255, 0, 0) if second < 3 else (0, 0, 255)
            picture = Image.fromarray(np.full((64, 64, 3), colour, dtype=np.uint8))
            frame = av.VideoFrame.from_image(picture)
            frame.pts = second
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
