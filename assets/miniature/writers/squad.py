"""SQuAD 2.0 files: ``train-v2.0.json`` and ``dev-v2.0.json``.

There is no public test, so validation and test worlds both go into the dev file. Free choices: one article an entity, one
paragraph an article; unanswerable questions offer the paragraph's first stated value as ``plausible_answers``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from assets.miniature.plans import NOT_ANSWERABLE, PlacedQuestion, PlannedQuestion
from assets.miniature.sentences import EvidenceKey, squad_passages
from assets.miniature.world import MiniatureWorld
from assets.miniature.writers.files import GrowingJson, held_out
from assets.parsers.squad import SquadParagraph as SquadPassage


class SquadWriter:
    """See the module."""

    def __init__(self, folder: Path) -> None:
        head, tail = '{"version": "v2.0", "data": [', "]}"
        self._files = {
            "train": GrowingJson(folder / "train-v2.0.json", head=head, tail=tail),
            "dev": GrowingJson(folder / "dev-v2.0.json", head=head, tail=tail),
        }

    def add(
        self, world: MiniatureWorld, asked: Sequence[PlannedQuestion], ids: dict[EvidenceKey, str]
    ) -> list[PlacedQuestion]:
        """See ``Writer.add``."""
        split = "dev" if held_out(world.split) else "train"
        placed: list[PlacedQuestion] = []
        for passage in squad_passages(world):
            ids[passage.key] = SquadPassage(passage.title, passage.text).id
            qas = []
            for question in asked:
                if passage.title in question.text and not passage.key.name.startswith("news:"):
                    native = hashlib.md5(
                        f"{world.salt}:{question.text}".encode(), usedforsecurity=False
                    ).hexdigest()[:24]
                    qas.append(_qa(native, question, passage.text))
                    placed.append(
                        PlacedQuestion(
                            asked=question, question_id=f"squad:{split}:{native}", split=world.split, ids=ids
                        )
                    )
            self._files[split].append(
                {"title": passage.title, "paragraphs": [{"context": passage.text, "qas": qas}]}
            )
        return placed

    def close(self) -> None:
        """See ``Writer.close``."""
        for file in self._files.values():
            file.close()


def _qa(native: str, question: PlannedQuestion, context: str) -> dict[str, object]:
    if question.answer == NOT_ANSWERABLE:
        plausible = context.rstrip(".").rsplit(" ", 1)[1]
        return {
            "id": native,
            "question": question.text,
            "is_impossible": True,
            "answers": [],
            "plausible_answers": [{"text": plausible, "answer_start": context.index(plausible)}],
        }
    answer = {"text": question.answer, "answer_start": context.index(question.answer)}
    return {"id": native, "question": question.text, "is_impossible": False, "answers": [answer]}
