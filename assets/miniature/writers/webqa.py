"""WebQA files: ``WebQA_train_val.json``, ``imgs.tsv`` and ``imgs.lineidx``.

The published test file has no answers, so validation and test worlds are both "val". Free choices: every question lists the
other images and snippets of its world as negative facts, so that all of them are corpus; snippet ids are new for every
question, as in the original, and one snippet therefore has many.
"""

import base64
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from assets.miniature import render
from assets.miniature.plans import PlannedQuestion
from assets.miniature.sentences import EvidenceKey, WorldImage, WorldPassage, webqa_images, webqa_snippets
from assets.miniature.world import MiniatureWorld, named
from assets.miniature.writers.files import (
    DatasetWriter,
    GrowingJson,
    GrowingLines,
    WrittenQuestion,
    WrittenWorld,
    held_out,
    md5_prefix,
)
from infra.media import encode_png

FIRST_IMAGE = 30_000_000
CATEGORIES = {
    "badge_colour": "color",
    "badge_code": "number",
    "founder_code": "number",
    "same_colour": "YesNo",
    "meeting_door": "shape",
    "meeting_region": "text",
}


class WebqaWriter(DatasetWriter):
    """See the module."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._questions = self.growing(GrowingJson(folder / "WebQA_train_val.json", head="{", tail="}"))
        self._images = self.growing(GrowingLines(folder / "imgs.tsv"))
        self._offsets = self.growing(GrowingLines(folder / "imgs.lineidx"))

    def add(self, world: MiniatureWorld, questions: Sequence[PlannedQuestion]) -> WrittenWorld:
        """See ``DatasetWriter.add``."""
        images = {image.key: self._image(world, image) for image in webqa_images(world)}
        ids = {key: f"webqa:image:{fact['image_id']}" for key, fact in images.items()}
        split = "val" if held_out(world.split) else "train"
        written = []
        for number, question in enumerate(questions):
            guid = "d5" + md5_prefix(f"{world.salt}:{world.key}:{number}", 30)
            snippets = {
                passage.key: _snippet(guid, n, passage) for n, passage in enumerate(webqa_snippets(world))
            }
            for key, fact in snippets.items():
                ids.setdefault(key, f"webqa:text:{fact['snippet_id']}")
            self._questions.append(_record(guid, split, question, images, snippets), name=guid)
            written.append(WrittenQuestion(f"webqa:{split}:{guid}", question))
        return WrittenWorld(ids, written)

    def _image(self, world: MiniatureWorld, image: WorldImage) -> dict[str, object]:
        """Append one image to the table; returns its fact."""
        image_id = FIRST_IMAGE + self._images.count
        encoded = base64.b64encode(encode_png(_draw(world, image, image_id))).decode()
        self._offsets.append(str(self._images.size))
        self._images.append(f"{image_id}\t{encoded}")
        return {
            "title": image.name,
            "caption": image.caption,
            "url": f"https://example.org/wiki/{image.kind}_{image.name}",
            "imgUrl": f"https://example.org/{image.kind}_{image.name}.png",
            "image_id": image_id,
        }


def _draw(world: MiniatureWorld, image: WorldImage, seed: int) -> Image.Image:
    if image.kind == "badge":
        person = named(world.people, image.name)
        return render.badge(person.colour, person.code, seed)
    return render.door(named(world.places, image.name).mark, seed)


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
    images: dict[EvidenceKey, dict[str, object]],
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
        "img_posFacts": [fact for key, fact in images.items() if key in question.gold],
        "img_negFacts": [fact for key, fact in images.items() if key not in question.gold],
        "txt_negFacts": [fact for key, fact in snippets.items() if key not in question.gold],
        "txt_posFacts": [fact for key, fact in snippets.items() if key in question.gold],
    }
