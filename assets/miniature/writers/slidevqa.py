"""SlideVQA files: ``train.jsonl``, ``dev.jsonl``, ``test.jsonl`` and ``images/<deck>/<deck>-<n>-1024.jpg``.

Free choices: the files hold PNG bytes under the authoritative ``.jpg`` names, because the fine texture of numbers does not
survive JPEG; evidence pages are counted from 1.
"""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from assets.miniature import render
from assets.miniature.plans import PlannedQuestion
from assets.miniature.sentences import WorldImage, deck
from assets.miniature.world import MiniatureWorld, named
from assets.miniature.writers.files import DatasetWriter, GrowingLines, WrittenQuestion, WrittenWorld

FILES = {"train": "train", "val": "dev", "test": "test"}


class SlidevqaWriter(DatasetWriter):
    """See the module."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._images = folder / "images"
        self._files = {
            split: self.growing(GrowingLines(folder / f"{name}.jsonl")) for split, name in FILES.items()
        }
        self._count = 0

    def add(self, world: MiniatureWorld, questions: Sequence[PlannedQuestion]) -> WrittenWorld:
        """See ``DatasetWriter.add``."""
        name = f"{world.label}_deck"
        slides = deck(world)
        (self._images / name).mkdir(parents=True, exist_ok=True)
        for number, slide in enumerate(slides, start=1):
            image = _draw(world, slide, world.salt + number)
            image.save(self._images / name / f"{name}-{number}-1024.jpg", "PNG")
        numbers = {slide.key: number for number, slide in enumerate(slides, start=1)}
        ids = {key: f"slidevqa:slide:{name}#{number}" for key, number in numbers.items()}
        written = []
        for question in questions:
            self._count += 1
            pages = sorted(numbers[key] for key in question.gold)
            self._files[world.split].append_json(_record(name, self._count, question, pages))
            written.append(WrittenQuestion(f"slidevqa:{FILES[world.split]}:{self._count}", question))
        return WrittenWorld(ids, written)


def _draw(world: MiniatureWorld, slide: WorldImage, seed: int) -> Image.Image:
    if slide.kind == "chart":
        return render.bar_chart(named(world.teams, slide.name).output, slide.caption, seed)
    if slide.kind == "table":
        return render.table(named(world.workshops, slide.name).stock, slide.caption, seed)
    return render.text_page((slide.caption,), seed)


def _record(name: str, qa_id: int, question: PlannedQuestion, pages: list[int]) -> dict[str, object]:
    return {
        "deck_name": name,
        "deck_url": f"https://example.org/{name}",
        "image_urls": [f"https://example.org/{name}/{name}-{number}-1024.jpg" for number in range(1, 21)],
        "qa_id": qa_id,
        "question": question.text,
        "answer": question.answer,
        "arithmetic_expression": "None",
        "evidence_pages": pages,
    }
