"""HotpotQA files: ``hotpot_train_v1.1.json`` and ``hotpot_dev_distractor_v1.json``.

The published test file has no answers, so validation and test worlds both go into the dev file; ``plans.jsonl`` tells them
apart. Free choices: ten paragraphs a context, the gold two among eight distractors of the same world.
"""

import random
from collections.abc import Sequence
from pathlib import Path

from assets.miniature.plans import PlannedQuestion
from assets.miniature.sentences import EvidenceKey, WorldPassage, hotpotqa_passages
from assets.miniature.world import MiniatureWorld
from assets.miniature.writers.files import (
    DatasetWriter,
    GrowingJson,
    WrittenQuestion,
    WrittenWorld,
    held_out,
    md5_prefix,
)
from assets.parsers.hotpotqa import Paragraph

CONTEXT_SIZE = 10


class HotpotqaWriter(DatasetWriter):
    """See the module."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._files = {
            "train": self.growing(GrowingJson(folder / "hotpot_train_v1.1.json")),
            "dev": self.growing(GrowingJson(folder / "hotpot_dev_distractor_v1.json")),
        }

    def add(self, world: MiniatureWorld, questions: Sequence[PlannedQuestion]) -> WrittenWorld:
        """See ``DatasetWriter.add``. Every paragraph of the world stands in some context as soon as four questions are asked."""
        passages = {passage.key: passage for passage in hotpotqa_passages(world)}
        ids = {key: Paragraph(passage.title, passage.text).id for key, passage in passages.items()}
        split = "dev" if held_out(world.split) else "train"
        rng = random.Random(f"{world.salt}:hotpotqa:contexts")
        fillers = list(passages)
        rng.shuffle(fillers)
        written = []
        for number, question in enumerate(questions):
            native = md5_prefix(f"{world.salt}:{world.key}:{number}", 24)
            context = _context(question, fillers, passages, rng)
            self._files[split].append(_record(native, question, context))
            written.append(WrittenQuestion(f"hotpotqa:{split}:{native}", question))
        return WrittenWorld(ids, written)


def _context(
    question: PlannedQuestion,
    fillers: list[EvidenceKey],
    passages: dict[EvidenceKey, WorldPassage],
    rng: random.Random,
) -> list[WorldPassage]:
    """Gold and the next distractors in turn, so that successive questions use up all paragraphs."""
    distractors = [key for key in fillers if key not in question.gold][: CONTEXT_SIZE - len(question.gold)]
    for key in distractors:
        fillers.remove(key)
        fillers.append(key)
    context = [*question.gold, *distractors]
    rng.shuffle(context)
    return [passages[key] for key in context]


def _record(native: str, question: PlannedQuestion, context: list[WorldPassage]) -> dict[str, object]:
    titles = [key.name for key in question.gold]
    return {
        "_id": native,
        "answer": question.answer,
        "question": question.text,
        "supporting_facts": [[title, 1] for title in titles],
        "context": [[passage.title, list(passage.sentences)] for passage in context],
        "type": "comparison" if question.template == "opened_first" else "bridge",
        "level": "hard",
    }
