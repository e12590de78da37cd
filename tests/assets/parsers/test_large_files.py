"""Files larger than the machine: read by stream or by seek, in memory that does not grow with them."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image

REPOSITORY = Path(__file__).resolve().parents[3]
SMALL, LARGE = 2_000_000, 64_000_000  # bytes
ALLOWED_KIB = 24 * 1024  # between the two: far less than the larger file, more than one window on it
GIGABYTE = 1 << 30
READ = """
import resource, sys
from pathlib import Path
from assets.corpus.dataset import DATASETS
from assets.parsers.types import ParseContext, ParsedItem
from assets.corpus.question import Question

records = DATASETS[sys.argv[1]].records(Path(sys.argv[2]), ParseContext())
counts = {ParsedItem: 0, Question: 0}
for record in records:
    counts[type(record)] = counts.get(type(record), 0) + 1
print(counts[ParsedItem], counts[Question], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


class Read(NamedTuple):
    """What a process read, and the most memory it had, in KiB."""

    items: int
    questions: int
    peak_kib: int


def read(dataset: str, raw: Path) -> Read:
    finished = subprocess.run(
        [sys.executable, "-c", READ, dataset, str(raw)], capture_output=True, text=True, cwd=REPOSITORY
    )
    assert finished.returncode == 0, finished.stderr
    return Read(*map(int, finished.stdout.split()))


def hotpotqa_records() -> Iterator[str]:
    """The same ten paragraphs with every question, so that only the file grows."""
    context = [[f"Title {number}", ["Many words of one paragraph. " * 60]] for number in range(10)]
    for number in range(10**9):
        asked = {"_id": f"{number:024x}", "question": "Which?", "answer": "both", "context": context}
        yield json.dumps(asked | {"supporting_facts": [["Title 1", 0]]})


def squad_articles() -> Iterator[str]:
    """The same long paragraph again and again, each time with another question."""
    context = "Many words of one paragraph. " * 600
    for number in range(10**9):
        answers = [{"text": "words", "answer_start": 5}]
        asked = [{"id": f"{number:024x}", "question": "Which?", "answers": answers}]
        yield json.dumps({"title": "Title", "paragraphs": [{"context": context, "qas": asked}]})


def write(path: Path, head: str, parts: Iterator[str], tail: str, *, size: int) -> int:
    """Write parts until ``size`` bytes are there; how many they are."""
    path.parent.mkdir(parents=True)
    with path.open("w", encoding="utf-8") as file:
        file.write(head)
        for count, part in enumerate(parts):
            if file.tell() >= size:
                file.write(tail)
                return count
            file.write(("," if count else "") + part)
    raise AssertionError("there are always more parts")


@pytest.mark.parametrize(
    ("dataset", "name", "head", "parts", "tail", "items"),
    [
        ("hotpotqa", "hotpot_train_v1.1.json", "[", hotpotqa_records, "]", 10),
        ("squad", "train-v1.1.json", '{"version": "1.1", "data": [', squad_articles, "]}", 1),
    ],
)
def test_memory_does_not_grow_with_the_file(
    tmp_path: Path,
    dataset: str,
    name: str,
    head: str,
    parts: Callable[[], Iterator[str]],
    tail: str,
    items: int,
):
    peaks: list[int] = []
    for size in (SMALL, LARGE):
        count = write(tmp_path / str(size) / name, head, parts(), tail, size=size)
        found = read(dataset, tmp_path / str(size))
        assert found[:2] == (items, count)
        peaks.append(found.peak_kib)
    assert peaks[1] - peaks[0] < ALLOWED_KIB


def test_an_image_behind_fifty_gigabytes_is_read_by_seek(tmp_path: Path):
    # the table is a sparse file: what lies between its two lines takes no room, and would take minutes to read
    target = io.BytesIO()
    Image.new("RGB", (4, 3), (200, 0, 0)).save(target, "PNG")
    picture = base64.b64encode(target.getvalue()).decode()
    offsets = (0, 50 * GIGABYTE)
    with (tmp_path / "imgs.tsv").open("wb") as table:
        for number, offset in enumerate(offsets):
            table.seek(offset)
            table.write(f"{30_000_000 + number}\t{picture}\n".encode())
    (tmp_path / "imgs.lineidx").write_text("".join(f"{offset}\n" for offset in offsets), encoding="utf-8")
    facts = [{"image_id": 30_000_000 + number, "title": "T", "caption": "c", "url": "u"} for number in (0, 1)]
    asked = {"Q": "What?", "A": ["Red."], "split": "val", "Qcate": "color", "Guid": "g"}
    record = asked | {"img_posFacts": facts[1:], "img_negFacts": facts[:1]}
    (tmp_path / "WebQA_train_val.json").write_text(json.dumps({"g": record}), encoding="utf-8")
    found = read("webqa", tmp_path)
    assert found[:2] == (2, 1)
