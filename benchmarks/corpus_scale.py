"""How the build of a corpus grows with its size: one JSON line.

Writes raw folders in the published formats, seven tenths texts (HotpotQA paragraphs of 60 to 120 words, WebQA snippets of
which half repeat another), a quarter page images (SlideVQA slides of 1,000 x 750 pixels), the rest clips (MP4 of eight
seconds), then runs ``vimrag corpus build`` on each and watches its whole process tree::

    python benchmarks/corpus_scale.py [--sizes 2000,20000,200000]

Writing the raw folders is not counted. OCR is off: it reads about one slide a second, whatever the build does. The ratio
is the peak memory at the largest size over that at the smallest, which is what the build is compared with: itself.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from PIL import Image, ImageDraw

REPOSITORY = Path(__file__).resolve().parents[1]
PARAGRAPHS_A_RECORD = 10
SLIDES_A_DECK = 20
PAGE_WIDTH, PAGE_HEIGHT = 1_000, 750
FILM_WIDTH, FILM_HEIGHT, FILM_SECONDS = 320, 180, 8
NUM_LAYOUTS = 16  # pages drawn in full; the others are one of them with another head line
SAMPLE_EVERY_S = 0.05
MIB = 1 << 20


class Shares(NamedTuple):
    """How many items of each kind a corpus has."""

    paragraphs: int
    snippets: int
    pages: int
    clips: int


class Built(NamedTuple):
    """What a build took."""

    items: int
    seconds: float
    cpu_s: float
    peak_mib: float
    counts: dict[str, int]


def shares(size: int) -> Shares:
    """``size`` items; whole records and decks, so that counts are known beforehand."""
    pages = size // 4 // SLIDES_A_DECK * SLIDES_A_DECK
    paragraphs = size * 6 // 10 // PARAGRAPHS_A_RECORD * PARAGRAPHS_A_RECORD
    clips = size // 20
    return Shares(paragraphs, size - pages - paragraphs - clips, pages, clips)


def write_raw(raw: Path, size: int) -> Shares:
    """The raw folders of ``size`` items, one record in memory at a time."""
    wanted = shares(size)
    _write_json(raw / "hotpotqa" / "hotpot_train_v1.1.json", "[", _hotpotqa(wanted.paragraphs), "]")
    _write_json(raw / "webqa" / "WebQA_train_val.json", "{", _webqa(wanted.snippets), "}")
    _write_slides(raw / "slidevqa", wanted.pages)
    _write_films(raw / "syntheticqa", wanted.clips)
    return wanted


def _write_json(path: Path, head: str, parts: Iterator[str], tail: str) -> None:
    path.parent.mkdir(parents=True)
    with path.open("w", encoding="utf-8") as file:
        file.write(head)
        for number, part in enumerate(parts):
            file.write(("," if number else "") + part)
        file.write(tail)


@lru_cache(maxsize=1)
def _vocabulary() -> tuple[str, ...]:
    letters = random.Random(1)
    return tuple(
        "".join(letters.choices("abcdefghilmnoprstuv", k=letters.randint(3, 9))) for _ in range(5_000)
    )


def words(serial: int) -> str:
    """60 to 120 words that no other serial number has."""
    drawn = random.Random(serial)
    return " ".join((*drawn.choices(_vocabulary(), k=drawn.randint(60, 119)), f"n{serial}."))


def _hotpotqa(num: int) -> Iterator[str]:
    for record in range(num // PARAGRAPHS_A_RECORD):
        first = record * PARAGRAPHS_A_RECORD
        numbers = range(first, first + PARAGRAPHS_A_RECORD)
        yield json.dumps(
            {
                "_id": f"{record:024x}",
                "question": f"Which of them is number {record}?",
                "answer": "both",
                "type": "bridge",
                "level": "hard",
                "supporting_facts": [[f"Title {first}", 0], [f"Title {first + 1}", 0]],
                "context": [[f"Title {number}", [words(number)]] for number in numbers],
            }
        )


def _webqa(num: int) -> Iterator[str]:
    """Each question has a snippet of its own and, under another id, that of the question before."""
    for record in range(num):
        guid = f"q{record:07d}"
        own, before = (_fact(guid, at, max(record - at, 0)) for at in (0, 1))
        value = {
            "Q": f'"What is number {record}?"',
            "A": ['"It is one."'],
            "split": "train",
            "Qcate": "text",
            "Guid": guid,
            "img_posFacts": [],
            "img_negFacts": [],
            "txt_posFacts": [own, before],
            "txt_negFacts": [],
        }
        yield f"{json.dumps(guid)}: {json.dumps(value)}"


def _fact(guid: str, at: int, number: int) -> dict[str, str]:
    text = words(10_000_000 + number)
    url = f"https://example.org/{number}"
    return {"title": f"Snippet {number}", "fact": text, "url": url, "snippet_id": f"{guid}_{at}"}


def _write_slides(folder: Path, num: int) -> None:
    folder.mkdir(parents=True)
    with (folder / "train.jsonl").open("w", encoding="utf-8") as lines:
        for deck in range(num // SLIDES_A_DECK):
            name = f"deck-{deck:05d}"
            (folder / "images" / name).mkdir(parents=True)
            for page in range(1, SLIDES_A_DECK + 1):
                path = folder / "images" / name / f"{name}-{page}-1024.jpg"
                path.write_bytes(page_bytes(deck * SLIDES_A_DECK + page))
            asked = {"deck_name": name, "qa_id": deck, "question": "Which?", "answer": "12.5 bn"}
            lines.write(json.dumps(asked | {"evidence_pages": [1, 2]}) + "\n")


@lru_cache(maxsize=NUM_LAYOUTS)
def _layout(number: int) -> Image.Image:
    page = Image.new("RGB", (PAGE_WIDTH, PAGE_HEIGHT), (250, 250, 240))
    pen = ImageDraw.Draw(page)
    for line in range(18):
        pen.text((60, 100 + 32 * line), words(number * 100 + line)[:90], fill=(20, 20, 40))
    pen.rectangle((700, 400, 940, 700), fill=(40 * number % 255, 120, 160))
    return page


def page_bytes(serial: int) -> bytes:
    """A page of text as JPEG; its head line is its own."""
    page = _layout(serial % NUM_LAYOUTS).copy()
    ImageDraw.Draw(page).text((60, 40), f"Slide {serial}", fill=(0, 0, 0), font_size=32)
    target = io.BytesIO()
    page.save(target, "JPEG", quality=85)
    return target.getvalue()


def _write_films(folder: Path, num: int) -> None:
    for name in ("qa", "videos"):
        (folder / name).mkdir(parents=True)
    for number in range(num):
        (folder / "videos" / f"film{number:07d}.mp4").write_bytes(film_bytes(number))
    records = (
        json.dumps(
            {
                "qid": f"film{number:07d}_0",
                "howto100m_query_text": "What?",
                "wikihow_query_text": "What?",
                "answer_text": "A bar that moves over a still picture.",
                "videos": [{"video_id": f"film{number:07d}", "rank": 1}],
            }
        )
        for number in range(num)
    )
    (folder / "qa" / "synthetic.json").write_text("[" + ",".join(records) + "]", encoding="utf-8")


@lru_cache(maxsize=1)
def _still() -> np.ndarray:
    columns = np.linspace(0, 200, FILM_WIDTH, dtype=np.uint8)
    return np.repeat(np.repeat(columns[None, :, None], FILM_HEIGHT, axis=0), 3, axis=2)


def film_bytes(serial: int) -> bytes:
    """One frame a second; blocks in the head line spell ``serial``, a bar moves below it."""
    buffer = io.BytesIO()
    bits = np.repeat(np.array([serial >> bit & 1 for bit in range(20)], np.uint8) * 255, 16)
    with av.open(buffer, "w", format="mp4") as output:
        stream = output.add_stream("libx264", rate=1)
        stream.width, stream.height, stream.pix_fmt = FILM_WIDTH, FILM_HEIGHT, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1)
        stream.codec_context.thread_count = 1
        stream.options = {"preset": "ultrafast", "threads": "1"}
        for second in range(FILM_SECONDS):
            picture = _still().copy()
            picture[:16] = bits[None, :, None]
            picture[20 + 16 * second : 36 + 16 * second] = 255
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        output.mux(stream.encode(None))
    return buffer.getvalue()


def build(raw: Path, root: Path) -> Built:
    """``vimrag corpus build`` in a process of its own."""
    command = [sys.executable, "-m", "app.cli", "corpus", "build", "--raw", str(raw), "--root", str(root)]
    started = time.perf_counter()
    with (root.parent / "out.json").open("wb") as out, (root.parent / "err.txt").open("wb") as err:
        process = subprocess.Popen([*command, "--no-ocr", "--json"], stdout=out, stderr=err, cwd=REPOSITORY)
        peak, cpu_s = 0, 0.0
        while process.poll() is None:
            used, spent = _usage(process.pid)
            peak, cpu_s = max(peak, used), max(cpu_s, spent)
            time.sleep(SAMPLE_EVERY_S)
    seconds = time.perf_counter() - started
    if process.returncode:
        raise SystemExit((root.parent / "err.txt").read_text(encoding="utf-8")[-2_000:])
    counts = _counts(root)
    return Built(counts["items"], seconds, cpu_s, peak / MIB, counts)


def _usage(pid: int) -> tuple[int, float]:
    """Bytes in memory, shared ones by share, and CPU seconds of a process and all below it; zeros once it has ended."""
    try:
        folder = Path("/proc", str(pid))
        rollup = (folder / "smaps_rollup").read_text().split()
        used = int(rollup[rollup.index("Pss:") + 1]) * 1_024
        times = (folder / "stat").read_text().rpartition(")")[2].split()
        spent = (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")
        children = [
            child for task in (folder / "task").iterdir() for child in (task / "children").read_text().split()
        ]
    except (
        FileNotFoundError,
        ProcessLookupError,
        ValueError,
    ):  # a process that ends has no memory to tell of
        return 0, 0.0
    below = [_usage(int(child)) for child in children]
    return used + sum(one for one, _ in below), spent + sum(one for _, one in below)


def _counts(root: Path) -> dict[str, int]:
    total = dict.fromkeys(("items", "questions", "folded", "gold_moved", "gold_missing"), 0)
    for path in (root / "corpus").glob("*/manifest.json"):
        counts = json.loads(path.read_bytes())["counts"]
        for name in total:
            total[name] += counts.get(name, 0)
    total["samples"] = sum(
        json.loads(path.read_bytes())["counts"]["samples"]
        for path in (root / "shards").glob("*/manifest.json")
    )
    return total


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """The slope of log time over log size."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def measured(size: int, scratch: Path) -> Built:
    """Write, build, check what came out."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        raw, root = Path(folder, "raw"), Path(folder, "root")
        wanted = write_raw(raw, size)
        found = build(raw, root)
    expected = {"items": size, "samples": wanted.pages + wanted.clips, "gold_missing": 0}
    expected |= {"folded": wanted.snippets, "gold_moved": wanted.snippets}
    wrong = {name: found.counts[name] for name, value in expected.items() if found.counts[name] != value}
    if wrong:
        raise SystemExit(f"the corpus of {size} items came out as {wrong}, expected {expected}")
    print(f"{size:,} items: {found.seconds:.1f} s, {found.peak_mib:.0f} MiB", file=sys.stderr, flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Growth of the corpus build; its peer is itself at the smallest size."
    )
    parser.add_argument(
        "--sizes", type=_sizes, default="2000,20000,200000", help="items of each corpus, ascending"
    )
    parser.add_argument(
        "--scratch", type=Path, help="where raw folders and corpora are written (11 GB at 200,000)"
    )
    arguments = parser.parse_args()
    sizes = arguments.sizes
    if arguments.scratch is not None:
        arguments.scratch.mkdir(parents=True, exist_ok=True)
    runs = [measured(size, arguments.scratch) for size in sizes]
    print(json.dumps(_line(sizes, runs)))


def _sizes(text: str) -> list[int]:
    sizes = [int(size) for size in text.split(",")]
    if len(sizes) < 2 or sorted(set(sizes)) != sizes or sizes[0] < 100:
        raise argparse.ArgumentTypeError(f"at least two numbers, ascending, from 100, not {text!r}")
    return sizes


def _line(sizes: Sequence[int], runs: Sequence[Built]) -> dict[str, Any]:
    first, last = runs[0], runs[-1]
    step = math.log(last.cpu_s / runs[-2].cpu_s) / math.log(sizes[-1] / sizes[-2])
    return {
        "name": "corpus_scale",
        "sizes": sizes,
        "peer": f"the same build of {sizes[0]} items",
        "ratio": round(last.peak_mib / first.peak_mib, 3),
        "exponent": round(exponent(sizes, [run.seconds for run in runs]), 3),
        "exponent_cpu_last": round(step, 3),
        "seconds": [round(run.seconds, 1) for run in runs],
        "cpu_s": [round(run.cpu_s, 1) for run in runs],
        "items_per_s": [round(run.items / run.seconds, 1) for run in runs],
        "peak_mib": [round(run.peak_mib) for run in runs],
        "counts": [run.counts for run in runs],
    }


if __name__ == "__main__":
    main()
