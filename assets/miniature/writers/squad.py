"""SQuAD 2.0 files: ``train-v2.0.json`` and ``dev-v2.0.json``.

There is no public test, so validation and test worlds both go into the dev file. Free choices: one article an entity, one
paragraph an article; unanswerable questions offer the paragraph's first stated value as ``plausible_answers``.
"""

from collections.abc import Sequence
from pathlib import Path

from assets.miniature.plans import NOT_ANSWERABLE, PlannedQuestion
from assets.miniature.sentences import EvidenceKey, squad_passages
from assets.miniature.world import MiniatureWorld
from assets.miniature.writers.files import (
    DatasetWriter,
    GrowingJson,
    WrittenQuestion,
    WrittenWorld,
    held_out,
    md5_prefix,
)
from assets.parsers.squad import SquadParagraph as SquadPassage


class SquadWriter(DatasetWriter):
    """See the module."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        head, tail = '{"version": "v2.0", "data": [', "]}"
        self._files = {
            "train": self.growing(GrowingJson(folder / "train-v2.0.json", head=head, tail=tail)),
            "dev": self.growing(GrowingJson(folder / "dev-v2.0.json", head=head, tail=tail)),
        }

    def add(self, world: MiniatureWorld, questions: Sequence[PlannedQuestion]) -> WrittenWorld:
        """See ``DatasetWriter.add``."""
        split = "dev" if held_out(world.split) else "train"
        ids: dict[EvidenceKey, str] = {}
        written = []
        for passage in squad_passages(world):
            ids[passage.key] = SquadPassage(passage.title, passage.text).id
            qas = []
            for question in questions:
                if passage.title in question.text and passage.key.name == passage.title:  # no news, no decoy
                    native = md5_prefix(f"{world.salt}:{question.text}", 24)
                    qas.append(_qa(native, question, passage.text))
                    written.append(WrittenQuestion(f"squad:{split}:{native}", question))
            self._files[split].append(
                {"title": passage.title, "paragraphs": [{"context": passage.text, "qas": qas}]}
            )
        return WrittenWorld(ids, written)


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
