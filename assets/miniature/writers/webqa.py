"""WebQA files: ``WebQA_train_val.json``, ``imgs.tsv`` and ``imgs.lineidx``.

The published test file has no answers, so validation and test worlds are both "val". Free choices: every question lists the
other pictures and snippets of its world as negative facts, so that all of them are corpus; snippet ids are new for every
question, as in the original, and one snippet therefore has many.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from assets.miniature import render
from assets.miniature.plans import PlacedQuestion, PlannedQuestion
from assets.miniature.sentences import EvidenceKey, WorldImage, WorldPassage, webqa_pictures, webqa_snippets
from assets.miniature.world import MiniatureWorld
from assets.miniature.writers.files import GrowingJson, GrowingLines, held_out

FIRST_IMAGE = 30_000_000
CATEGORIES = {
    "badge_colour": "color",
    "badge_code": "number",
    "founder_code": "number",
    "same_colour": "YesNo",
    "meeting_door": "shape",
    "meeting_region": "text",
}


class WebqaWriter:
    """See the module."""

    def __init__(self, folder: Path) -> None:
        self._questions = GrowingJson(folder / "WebQA_train_val.json", head="{", tail="}")
        self._images = GrowingLines(folder / "imgs.tsv")
        self._offsets = GrowingLines(folder / "imgs.lineidx")
        self._count = 0

    def add(
        self, world: MiniatureWorld, asked: Sequence[PlannedQuestion], ids: dict[EvidenceKey, str]
    ) -> list[PlacedQuestion]:
        """See ``Writer.add``."""
        pictures = {picture.key: self._image(world, picture) for picture in webqa_pictures(world)}
        ids |= {key: f"webqa:image:{fact['image_id']}" for key, fact in pictures.items()}
        split = "val" if held_out(world.split) else "train"
        placed = []
        for number, question in enumerate(asked):
            guid = (
                "d5"
                + hashlib.md5(
                    f"{world.salt}:{world.key}:{number}".encode(), usedforsecurity=False
                ).hexdigest()[:30]
            )
            snippets = {
                passage.key: _snippet(guid, n, passage) for n, passage in enumerate(webqa_snippets(world))
            }
            for key, fact in snippets.items():
                ids.setdefault(key, f"webqa:text:{fact['snippet_id']}")
            self._questions.append(_record(guid, split, question, pictures, snippets), name=guid)
            placed.append(
                PlacedQuestion(
                    asked=question, question_id=f"webqa:{split}:{guid}", split=world.split, ids=ids
                )
            )
        return placed

    def _image(self, world: MiniatureWorld, picture: WorldImage) -> dict[str, object]:
        """Append one picture to the table and return its fact."""
        image_id = FIRST_IMAGE + self._count
        self._count += 1
        buffer = io.BytesIO()
        _draw(world, picture, image_id).save(buffer, "PNG")
        self._offsets.append(str(self._images.size))
        self._images.append(f"{image_id}\t{base64.b64encode(buffer.getvalue()).decode()}")
        return {
            "title": picture.name,
            "caption": picture.caption,
            "url": f"https://example.org/wiki/{picture.kind}_{picture.name}",
            "imgUrl": f"https://example.org/{picture.kind}_{picture.name}.png",
            "image_id": image_id,
        }

    def close(self) -> None:
        """See ``Writer.close``."""
        for file in (self._questions, self._images, self._offsets):
            file.close()


def _draw(world: MiniatureWorld, picture: WorldImage, seed: int) -> Image.Image:
    if picture.kind == "badge":
        person = world.person(picture.name)
        return render.badge(person.colour, person.code, seed)
    return render.door(world.place(picture.name).mark, seed)


def _snippet(guid: str, number: int, passage: WorldPassage) -> dict[str, object]:
    return {
        "title": passage.title,
        "fact": passage.text,
        "url": f"https://example.org/wiki/{passage.title}",
        "snippet_id": f"{guid}_{number}",
    }


def _record(
    guid: str,
    split: str,
    question: PlannedQuestion,
    pictures: dict[EvidenceKey, dict[str, object]],
    snippets: dict[EvidenceKey, dict[str, object]],
) -> dict[str, object]:
    """Release order of the fields; question and answer in their literal double quotes, as most of the release has them."""
    return {
        "Q": f'"{question.text}"',
        "A": [f'"{question.answer}"'],
        "topic": "miniature",
        "split": split,
        "Qcate": CATEGORIES[question.template],
        "Guid": guid,
        "img_posFacts": [fact for key, fact in pictures.items() if key in question.gold],
        "img_negFacts": [fact for key, fact in pictures.items() if key not in question.gold],
        "txt_negFacts": [fact for key, fact in snippets.items() if key not in question.gold],
        "txt_posFacts": [fact for key, fact in snippets.items() if key in question.gold],
    }
