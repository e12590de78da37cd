"""What decoding in a process of its own costs: one JSON line, sandboxed against in-process.

``ratio`` is that of pages a second (rendered at 144 dpi, text read, stored as JPEG, as a build does); beside it the ratio of
rendering alone, and of pictures of two megapixels decoded and stored. The named peer is the same work in this process. Both
take turns, and the median turn counts. Pages are made here, an A4 sheet of text with a photograph each; real ones can be
named::

    python benchmarks/sandbox_cost.py [--pages 12] [--pictures 12] [--repeats 5] [--documents FOLDER]
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from assets.parsers.images import encode
from infra.media import MediaDecoder, media_decoder
from infra.media.sandbox.process import InProcessRunner

PEER = "the same in this process"
SHEET = (1240, 1754)  # A4 at 150 dpi
WORDS = "The harbour of Belodu opened in 1901 and was closed in 1955, which nobody has explained since. "


def photograph(width: int, height: int) -> Image.Image:
    """Shapes and grain: what a camera sees is neither flat nor noise."""
    grain = Image.effect_noise((width, height), 40)
    rings = Image.radial_gradient("L").resize((width, height))
    return Image.merge("RGB", (grain, rings, Image.linear_gradient("L").resize((width, height))))


def document(num_pages: int) -> bytes:
    """Scans of sheets with 60 lines of text and a photograph."""
    sheets = []
    for number in range(num_pages):
        sheet = Image.new("RGB", SHEET, "white")
        sheet.paste(photograph(800, 500), (220, 1150))
        for line in range(60):
            ImageDraw.Draw(sheet).text((80, 60 + 18 * line), f"{number}.{line} {WORDS}", fill="black")
        sheets.append(sheet)
    target = io.BytesIO()
    sheets[0].save(target, "PDF", save_all=True, append_images=sheets[1:], resolution=150)
    return target.getvalue()


def render(decoder: MediaDecoder, documents: Sequence[Path], num_pages: int, *, store: bool) -> int:
    """Pages done, at most ``num_pages`` of each document."""
    done = 0
    for path in documents:
        with decoder.open_pdf(path) as opened:
            for number in range(1, min(opened.num_pages, num_pages) + 1):
                page = opened.page(number)
                if store:
                    encode(page.image)
                done += 1
    return done


def decode(decoder: MediaDecoder, images: Sequence[bytes]) -> int:
    for data in images:
        encode(decoder.image(data))
    return len(images)


def rates(work: Callable[[MediaDecoder], int], repeats: int) -> tuple[float, float]:
    """Units a second, sandboxed and in this process; the first turn of each starts what must be started."""
    decoders = (media_decoder(), MediaDecoder(InProcessRunner()))
    times: tuple[list[float], list[float]] = ([], [])
    done = 0
    for _ in range(repeats + 1):
        for decoder, taken in zip(decoders, times, strict=True):
            start = time.perf_counter()
            done = work(decoder)
            taken.append(time.perf_counter() - start)
    ours, theirs = (statistics.median(taken[1:]) for taken in times)
    return done / ours, done / theirs


def measure(documents: Sequence[Path], arguments: argparse.Namespace) -> dict[str, object]:
    pictures = [io.BytesIO() for _ in range(arguments.pictures)]
    for target in pictures:
        photograph(1600, 1200).save(target, "JPEG", quality=88)
    shots, pages = [target.getvalue() for target in pictures], arguments.pages
    stored = rates(lambda decoder: render(decoder, documents, pages, store=True), arguments.repeats)
    rendered = rates(lambda decoder: render(decoder, documents, pages, store=False), arguments.repeats)
    decoded = rates(lambda decoder: decode(decoder, shots), arguments.repeats)
    return {
        "name": "sandbox_cost",
        "sizes": {
            "pages": pages,
            "documents": len(documents),
            "pictures": len(shots),
            "repeats": arguments.repeats,
        },
        "peer": PEER,
        "pages_per_s": round(stored[0], 1),
        "peer_pages_per_s": round(stored[1], 1),
        "ratio": round(stored[0] / stored[1], 3),
        "rendering_ratio": round(rendered[0] / rendered[1], 3),
        "pictures_ratio": round(decoded[0] / decoded[1], 3),
    }


def sources(folder: Path | None, num_pages: int, scratch: Path) -> Iterator[Path]:
    if folder is not None:
        yield from sorted(folder.glob("*.pdf"))
        return
    (scratch / "made.pdf").write_bytes(document(num_pages))
    yield scratch / "made.pdf"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", type=int, default=12, help="of each document, at most")
    parser.add_argument("--pictures", type=int, default=12, help="of 1600 x 1200 pixels")
    parser.add_argument("--repeats", type=int, default=5, help="turns of each")
    parser.add_argument("--documents", type=Path, help="a folder of PDFs instead of a made one")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as scratch:
        documents = list(sources(arguments.documents, arguments.pages, Path(scratch)))
        if not documents:
            parser.error(f"no *.pdf in {arguments.documents}")
        print(json.dumps(measure(documents, arguments)))


if __name__ == "__main__":
    main()
