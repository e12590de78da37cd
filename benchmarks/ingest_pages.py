"""Pages a second of ``vimrag ingest`` over PDFs of dense text, and the bytes a root holds for them.

    python benchmarks/ingest_pages.py [--pages 500] [--pages-per-file 50] [--arms images,references]

Two arms, one after the other in the same run, each in a process of its own over the same files: ``images`` keeps every page
as a picture (as all versions did until pages were kept as themselves), ``references`` as they are kept now. Pages have two
columns of English prose and a table, so that reading, storing, embedding and indexing all have work. Processor time is told
beside the clock, for other work may share the machine. One JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

ARMS = ("images", "references")
LINES = 48  # of a column


def write_pdf(path: Path, pages: int, seed: int) -> None:
    """Pages of two columns of English prose (the language reference that comes with Python), shuffled line by line."""
    from matplotlib.backends.backend_pdf import PdfPages
    from matplotlib.figure import Figure

    numbers = random.Random(seed)
    lines = [
        line
        for text in topics.values()
        for line in text.replace("$", "").splitlines()
        if len(line.split()) >= 6
    ]
    with PdfPages(path) as document:
        for page in range(1, pages + 1):
            figure = Figure(figsize=(8.27, 11.69))
            figure.text(0.1, 0.95, f"Report {seed}, page {page}", fontsize=14)
            for column in range(2):
                prose = " ".join(" ".join(numbers.choices(lines, k=40)).split())
                column_lines = textwrap.wrap(prose, 46)[:LINES]
                figure.text(0.08 + 0.45 * column, 0.92, "\n".join(column_lines), fontsize=8, va="top")
            rows = "\n".join(f"item {row}  {numbers.randint(1, 10**6):>9,}" for row in range(8))
            figure.text(0.1, 0.12, rows, fontsize=8, va="top")
            document.savefig(figure)


def ingest(files: Path, root: Path, arm: str) -> dict[str, Any]:
    """In this process: the clock and processor seconds of one ``ingest``, children included."""
    from assets.parsers.types import ParseContext
    from assets.user_files.ingest import IngestSettings
    from assets.user_files.ingest import ingest as run
    from infra.storage.root import Storage

    settings = IngestSettings(reading=ParseContext(ocr=None, page_images=arm == "images"))
    began_s = time.monotonic()
    report = run([files], Storage(str(root)), settings=settings)
    seconds = time.monotonic() - began_s
    from infra.media.decoding import sandbox

    sandbox("media").close()  # so that its processor time is counted
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {
        "arm": arm,
        "pages": report.items,
        "seconds": round(seconds, 2),
        "pages_per_s": round(report.items / seconds, 2),
        "cpu_s": round(sum(each.ru_utime + each.ru_stime for each in used), 2),
        "root_mb": round(_bytes_of(root) / 1e6, 2),
        "parts_mb": {
            each.name: round(_bytes_of(each) / 1e6, 2) for each in sorted(root.iterdir()) if each.is_dir()
        },
    }


def _bytes_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", type=int, default=500)
    parser.add_argument("--pages-per-file", type=int, default=50)
    parser.add_argument("--arms", default=",".join(ARMS))
    parser.add_argument("--inside", nargs=3, metavar=("FILES", "ROOT", "ARM"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        files, root, arm = options.inside
        return print(json.dumps(ingest(Path(files), Path(root), arm)))
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "files"
        files.mkdir()
        for number in range(-(-options.pages // options.pages_per_file)):
            count = min(options.pages_per_file, options.pages - number * options.pages_per_file)
            write_pdf(files / f"report-{number:03d}.pdf", count, number)
        runs: list[dict[str, Any]] = []
        for arm in options.arms.split(","):
            command = [sys.executable, __file__, "--inside", str(files), str(Path(folder) / arm), arm]
            environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
            ended = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
            runs.append(json.loads(ended.stdout.splitlines()[-1]))
        figures: dict[str, Any] = {"files_mb": round(_bytes_of(files) / 1e6, 2), "runs": runs}
        if len(runs) == 2:
            figures["times_as_fast"] = round(runs[1]["pages_per_s"] / runs[0]["pages_per_s"], 2)
            figures["times_less_processor"] = round(runs[0]["cpu_s"] / runs[1]["cpu_s"], 2)
            figures["times_smaller"] = round(runs[0]["root_mb"] / runs[1]["root_mb"], 2)
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
