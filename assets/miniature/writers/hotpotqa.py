"""HotpotQA files: ``hotpot_train_v1.1.json`` and ``hotpot_dev_distractor_v1.json``.

The published test file has no answers, so validation and test worlds both go into the dev file; ``plans.jsonl`` tells them
apart. Free choices: ten paragraphs a context, the gold two among eight distractors of the same world.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from pathlib import Path

from assets.miniature.plans import PlacedQuestion, PlannedQuestion
from assets.miniature.sentences import EvidenceKey, WorldPassage, hotpotqa_passages
from assets.miniature.world import MiniatureWorld
from assets.miniature.writers.files import GrowingJson, held_out
from assets.parsers.hotpotqa import Paragraph

CONTEXT_SIZE = 10


class HotpotqaWriter:
    """See the module."""

    def __init__(self, folder: Path) -> None:
        self._files = {
            "train": GrowingJson(folder / "hotpot_train_v1.1.json"),
            "dev": GrowingJson(folder / "hotpot_dev_distractor_v1.json"),
        }

    def add(
        self, world: MiniatureWorld, asked: Sequence[PlannedQuestion], ids: dict[EvidenceKey, str]
    ) -> list[PlacedQuestion]:
        """See ``Writer.add``. Every paragraph of the world stands in some context as soon as four questions are asked."""
        passages = {passage.key: passage for passage in hotpotqa_passages(world)}
        ids |= {key: Paragraph(passage.title, passage.text).id for key, passage in passages.items()}
        split = "dev" if held_out(world.split) else "train"
        rng = random.Random(f"{world.salt}:hotpotqa:contexts")
        fillers = list(passages)
        rng.shuffle(fillers)
        placed = []
        for number, question in enumerate(asked):
            native = hashlib.md5(
                f"{world.salt}:{world.key}:{number}".encode(), usedforsecurity=False
            ).hexdigest()[:24]
            context = _context(question, fillers, passages, rng)
            self._files[split].append(_record(native, question, context))
            placed.append(
                PlacedQuestion(
                    asked=question, question_id=f"hotpotqa:{split}:{native}", split=world.split, ids=ids
                )
            )
        return placed

    def close(self) -> None:
        """See ``Writer.close``."""
        for file in self._files.values():
            file.close()


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
    chosen = [*question.gold, *distractors]
    rng.shuffle(chosen)
    return [passages[key] for key in chosen]


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
