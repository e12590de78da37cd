"""The walk of docs/evaluation.md, word by word: ten questions about three PDFs, added, trained on once, evaluated, exported."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from assets.miniature.writers.pdf import PdfPageSpec, pdf_bytes

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = {
    "harbour.pdf": (
        "The crane of the harbour was built in 1901.",
        "Its arm is 40 metres long.",
        "It was painted red.",
        "Ida Holm built it.",
    ),
    "mill.pdf": ("The mill stands in Torup.", "Its wheel turns since 1850.", "The miller is called Bo."),
    "lamp.pdf": ("The lamp was lit in June.", "Its light is green.", "Ten keepers lived there."),
}
SPLITS = {"harbour.pdf": "train", "mill.pdf": "val", "lamp.pdf": "test"}


def commands(folder: Path) -> list[str]:
    """The lines of the walk, with a folder's names in their places."""
    text = (REPOSITORY / "docs/evaluation.md").read_text()
    block = re.search(r"<!-- walk: begin -->\n```bash\n(.*?)```\n<!-- walk: end -->", text, re.DOTALL)
    assert block is not None
    lines = (
        block.group(1)
        .replace("FILES", str(folder / "docs"))
        .replace("questions.jsonl", str(folder / "questions.jsonl"))
    )
    return (
        lines.replace("VIMRAG_ROOT=ROOT", f"VIMRAG_ROOT={folder}/root")
        .replace("ROOT", f"{folder}/root")
        .replace(f"VIMRAG_{folder}/root", "VIMRAG_ROOT")
        .splitlines()
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    lines = []
    for name, pages in PAGES.items():
        specs = tuple(PdfPageSpec(lines=(text,)) for text in pages)
        (tmp_path / "docs" / name).write_bytes(pdf_bytes(specs, width=300, height=60))
        for number, text in enumerate(pages, start=1):
            told = {
                "question": f"What is said on page {number} of {name}?",
                "answer": text.split()[-1].strip("."),
            }
            lines.append(json.dumps({**told, "file": name, "page": number, "split": SPLITS[name]}))
    assert len(lines) == 10
    (tmp_path / "questions.jsonl").write_text("\n".join(lines))
    return tmp_path


@pytest.mark.timeout(1200)
def test_ten_questions_of_ones_own_are_trained_on_and_measured(folder: Path):
    home = folder / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text((REPOSITORY / "dagster.yaml").read_text())
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(REPOSITORY),
        "DAGSTER_HOME": str(home),
        "OMP_NUM_THREADS": "1",
    }
    vimrag = f"{sys.executable} -m app.cli"
    for line in commands(folder):
        said = re.sub(r"^vimrag\b", vimrag, line)
        ended = subprocess.run(
            said, shell=True, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, f"{line}\n{ended.stdout[-1500:]}\n{ended.stderr[-3000:]}"
    result = json.loads((folder / "root/evaluations/trained/evaluation.json").read_text())
    [score] = result["memories"]["vimrag"]["datasets"]
    assert (score["dataset"], score["rollouts"], score["failed"]) == ("documents", 3, 0)
    assert "documents" in (folder / "root/report/report.md").read_text()
    assert list((folder / "root/checkpoints/one_update-ggpo").glob("*/manifest.json"))
