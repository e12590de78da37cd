"""MMLongBench-Doc files: ``samples.json`` and ``documents/<label>_report.pdf``.

Every value is a string, pages are counted from 1. Free choices: pages of 64 x 64 points, that is 128 x 128 pixels at the
benchmark's 144 dpi; the text layer of figure pages is a caption, scanned pages have none. Only coarse facts are in PDFs.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from assets.miniature import render
from assets.miniature.glyphs import LINE_CHARS
from assets.miniature.plans import NOT_ANSWERABLE, PlannedQuestion
from assets.miniature.sentences import WorldImage, report
from assets.miniature.world import MiniatureWorld, named
from assets.miniature.writers.files import DatasetWriter, GrowingJson, WrittenQuestion, WrittenWorld
from assets.miniature.writers.pdf import PdfPageSpec, pdf_bytes
from assets.parsers.identity import short_hash
from assets.parsers.mmlongbench_doc import page_id

FIGURE_BOX = (8.0, 0.0, 48.0, 48.0)  # points: left, bottom, width, height of a figure below two caption lines
WHOLE_PAGE = (0.0, 0.0, 64.0, 64.0)
LINE_LETTERS = 17  # of a text line, at 7 points on a page of 64


class MmlongbenchDocWriter(DatasetWriter):
    """See the module."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._documents = folder / "documents"
        self._samples = self.growing(GrowingJson(folder / "samples.json"))

    def add(self, world: MiniatureWorld, questions: Sequence[PlannedQuestion]) -> WrittenWorld:
        """See ``DatasetWriter.add``."""
        doc_id = f"{world.label}_report.pdf"
        pages = report(world)
        self._documents.mkdir(parents=True, exist_ok=True)
        (self._documents / doc_id).write_bytes(
            pdf_bytes(tuple(_page(world, page, n) for n, page in enumerate(pages)))
        )
        numbers = {page.key: number for number, page in enumerate(pages, start=1)}
        ids = {key: page_id(doc_id, number) for key, number in numbers.items()}
        written = []
        for question in questions:
            native = f"{self._samples.count}-{short_hash(doc_id, question.text)}"
            self._samples.append(_sample(question, doc_id, sorted(numbers[key] for key in question.gold)))
            written.append(WrittenQuestion(f"mmlongbench_doc:test:{native}", question))
        return WrittenWorld(ids, written)


def wrapped(text: str, letters: int) -> tuple[str, ...]:
    """``text`` in lines of at most ``letters`` letters, a new line after every full stop."""
    lines: list[str] = []
    for sentence in re.findall(r"[^.]+\.", text):
        line = ""
        for word in sentence.split():
            if line and len(line) + 1 + len(word) > letters:
                lines.append(line)
                line = word
            else:
                line = f"{line} {word}".strip()
        lines.append(line)
    return tuple(lines)


def _page(world: MiniatureWorld, page: WorldImage, number: int) -> PdfPageSpec:
    seed = world.salt + number
    if page.kind == "text":
        return PdfPageSpec(lines=wrapped(page.caption, LINE_LETTERS))
    if page.kind == "scan":
        return PdfPageSpec(image=render.text_page(wrapped(page.caption, LINE_CHARS), seed), box=WHOLE_PAGE)
    return PdfPageSpec(
        lines=wrapped(page.caption, LINE_LETTERS), image=_figure(world, page, seed), box=FIGURE_BOX
    )


def _figure(world: MiniatureWorld, page: WorldImage, seed: int) -> Image.Image:
    if page.kind == "dial":
        return render.dial(named(world.devices, page.name).reading, seed)
    return render.door(named(world.places, page.name).mark, seed)


def _sample(question: PlannedQuestion, doc_id: str, pages: list[int]) -> dict[str, str]:
    if question.answer == NOT_ANSWERABLE:
        pages, kind = [], "None"
    else:
        kind = "Int" if question.answer.isdigit() else "Str"
    sources = ["Figure"] if question.needs_pixels else ["Pure-text (Plain-text)"]
    return {
        "doc_id": doc_id,
        "doc_type": "Research report / Introduction",
        "question": question.text,
        "answer": question.answer,
        "evidence_pages": str(pages),
        "evidence_sources": str(sources if pages else []),
        "answer_format": kind,
    }
