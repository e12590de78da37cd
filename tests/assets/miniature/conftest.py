"""A small miniature, written once, read by the real parsers into a real corpus."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from assets.corpus.build import build_corpus
from assets.corpus.dataset import DATASETS
from assets.corpus.item import Item, Modality
from assets.corpus.media import ShardMedia
from assets.corpus.question import Question
from assets.corpus.read import read_items, read_questions
from assets.miniature.build import PLANS, write_miniature
from assets.parsers.types import ParseContext
from infra.storage.root import Storage
from tests.assets.miniature.facts import PerceivedItem
from tests.assets.miniature.template_ocr import read_text

SEED = 11
WORLDS = {"train": 2, "val": 1, "test": 1}
QUESTIONS_PER_DATASET = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """Plans as written, items and questions as parsed, by id."""

    raw: Path
    plans: list[dict[str, Any]]
    items: dict[str, Item]
    questions: dict[str, Question]
    media: ShardMedia

    def evidence(self, item_id: str) -> PerceivedItem:
        """The item as an agent perceives it: pixels from the shards, times from the start of the video."""
        item = self.items[item_id]
        if item.modality == Modality.TEXT:
            return PerceivedItem(title=item.title, text=item.text)
        if item.modality == Modality.IMAGE:
            return PerceivedItem(title=item.title, text=item.text, images=(self.media.image(item_id),))
        times = self.media.times(item_id)
        return PerceivedItem(
            title=item.title,
            text=item.text,
            images=tuple(self.media.frame(item_id, time_s) for time_s in times),
            times=tuple(item.position + time_s for time_s in times),
        )


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Five worlds, six questions a dataset each."""
    folder = tmp_path_factory.mktemp("miniature")
    raw, storage = folder / "raw", Storage(f"file://{folder}/root")
    write_miniature(raw, seed=SEED, worlds_by_split=WORLDS, questions_per_dataset=QUESTIONS_PER_DATASET)
    build_corpus(raw, storage, settings=ParseContext(ocr=read_text, max_frames=8))
    return Built(
        raw=raw,
        plans=[json.loads(line) for line in raw.joinpath(*PLANS).read_text(encoding="utf-8").splitlines()],
        items={item.id: item for name in DATASETS for item in read_items(storage, name)},
        questions={question.id: question for name in DATASETS for question in read_questions(storage, name)},
        media=ShardMedia(storage),
    )
