"""What a parser yielded, sorted by kind: the shape in which the parser tests look at it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np

from assets.corpus.dataset import DATASETS
from assets.corpus.item import Item
from assets.corpus.question import Question
from assets.parsers.types import EditionCounts, ParseContext, ParsedItem, SkippedRecord


class Outcome(NamedTuple):
    items: dict[str, Item]
    parsed: list[ParsedItem]
    questions: list[Question]
    skipped: list[SkippedRecord]
    tallies: dict[str, int]

    @property
    def reasons(self) -> dict[str, int]:
        return dict(Counter(skip.reason for skip in self.skipped))

    @property
    def evidence(self) -> dict[str, int]:
        return dict(Counter(question.evidence.value for question in self.questions))


def write_film(path: Path, *, seconds: int, side: int = 32) -> None:
    """A film of one frame a second, each a shade lighter than the one before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=1)
        stream.width = stream.height = side
        stream.pix_fmt = "yuv420p"
        for second in range(seconds):
            shade = np.full((side, side, 3), 8 * (second % 32), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(shade, format="rgb24")))
        container.mux(stream.encode(None))


def read(dataset: str, raw: Path, **settings: Any) -> Outcome:
    """Everything that ``dataset``'s parser finds in ``raw``; pages are rendered small, for nobody looks at them."""
    context = ParseContext(**{"dpi": 36, "max_frames": 4, **settings})
    records = list(DATASETS[dataset].records(raw, context))
    parsed = [record for record in records if isinstance(record, ParsedItem)]
    return Outcome(
        items={record.item.id: record.item for record in parsed},
        parsed=parsed,
        questions=[record for record in records if isinstance(record, Question)],
        skipped=[record for record in records if isinstance(record, SkippedRecord)],
        tallies={record.edition: record.questions for record in records if isinstance(record, EditionCounts)},
    )
