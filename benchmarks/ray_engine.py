"""OCR of page images on Ray Data against the same OCR in this process, one page after the other: one JSON line.

Invented pages in small shards; every worker reads with one thread. ``ratio`` is pages a second on Ray over the peer's, without
the seconds that Ray takes to start, which stand beside it. The tables of texts must be equal, byte for byte::

    python benchmarks/ray_engine.py [--pages 40] [--workers 2]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import tempfile
import time
from functools import partial

from PIL import Image, ImageDraw, ImageFont

from assets.corpus import ocr_prefetch
from assets.corpus.ocr_prefetch import PageReader, TextJob
from assets.corpus.shards import ShardWriter, directory
from infra.media import SandboxedOcr, encode_png
from infra.progress import silent
from infra.storage.publication import publish
from infra.storage.root import Storage
from infra.workers.local import LocalEngine, WorkerEngine
from infra.workers.ray import RayEngine, local_ray

PEER = "the same OCR in this process, one page after the other"
PAGE = (800, 600)  # pixels
LINES = 10
PAGES_A_SHARD = 4


def page(rng: random.Random) -> Image.Image:
    image = Image.new("RGB", PAGE, "white")
    draw = ImageDraw.Draw(image)
    for line in range(LINES):
        words = " ".join(
            "".join(rng.choices("abcdefghijklmnoprstuvwy", k=rng.randint(2, 9))) for _ in range(6)
        )
        draw.text((30, 20 + line * 56), words, fill="black", font=ImageFont.load_default(24))
    return image


def write_pages(storage: Storage, count: int) -> str:
    rng = random.Random(0)
    pages = [encode_png(page(rng)) for _ in range(count)]
    with publish(storage, directory("pages"), producer="bench", params={}, inputs={}) as made:
        writer = ShardWriter(made, "pages", max_bytes=PAGES_A_SHARD * (max(map(len, pages)) + 2048))
        for number, data in enumerate(pages):
            writer.add(f"{number:04d}", f"page:{number}", [("png", data)], {})
        writer.finish({})
    return directory("pages")


def read(storage: Storage, source: str, target: str, engine: WorkerEngine) -> tuple[float, str]:
    """Seconds, and the hash of all tables."""
    texts = TextJob(source, target)
    began = time.perf_counter()
    make = partial(PageReader, SandboxedOcr(num_threads=1).text)
    ocr_prefetch.write_texts(storage, texts, make, engine, stage="OCR", progress=silent)
    seconds = time.perf_counter() - began
    tables = [storage.read_bytes(f"{target}/{name}") for name in storage.list(target)]
    return seconds, hashlib.sha256(b"".join(tables)).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=f"peer: {PEER}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", type=int, default=40)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        storage = Storage(folder)
        source = write_pages(storage, arguments.pages)
        shards = sum(name.endswith(".tar") for name in storage.list(source))
        local_s, local_hash = read(storage, source, "local", LocalEngine())
        began = time.perf_counter()
        with local_ray(cpus=arguments.workers):
            start_s = time.perf_counter() - began
            ray_s, ray_hash = read(storage, source, "ray", RayEngine(workers=arguments.workers))
    line = {
        "name": "ray_engine",
        "sizes": {"pages": arguments.pages, "shards": shards, "workers": arguments.workers},
        "peer": PEER,
        "pages_a_second": {
            "ray": round(arguments.pages / ray_s, 2),
            "local": round(arguments.pages / local_s, 2),
        },
        "ray_start_s": round(start_s, 1),
        "same_bytes": ray_hash == local_hash,
        "ratio": round(local_s / ray_s, 2),
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
