"""XVBench files: ``xvbench.jsonl`` and ``video_chunks/<video>_000.{mp4,txt}``.

Free choices, as the published names are not verified: fields ``question``, ``answer``, ``video_name`` and
``reference`` (a list of file names); transcripts stand beside the clips. A page that a question needs is
named as its image would be, ``<pdf stem>_<page>.jpg``.
"""

from collections.abc import Sequence
from pathlib import Path

from assets.miniature.plans import PlannedQuestion
from assets.miniature.sentences import EvidenceKey, cross_videos, report
from assets.miniature.templates.videos import clip_key
from assets.miniature.world import MiniatureWorld
from assets.miniature.writers.files import DatasetWriter, GrowingLines, WrittenQuestion, WrittenWorld
from assets.miniature.writers.mp4 import write_video


class XvbenchWriter(DatasetWriter):
    """See the module."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._chunks = folder / "video_chunks"
        self._lines = self.growing(GrowingLines(folder / "xvbench.jsonl"))

    def add(self, world: MiniatureWorld, questions: Sequence[PlannedQuestion]) -> WrittenWorld:
        """See ``DatasetWriter.add``."""
        files: dict[EvidenceKey, str] = {
            page.key: f"{world.label}_report_{number}.jpg"
            for number, page in enumerate(report(world), start=1)
        }
        ids: dict[EvidenceKey, str] = {}
        for video in cross_videos(world):
            key = clip_key("xvbench", video.id)
            files[key] = f"{video.id}_000.mp4"
            write_video(self._chunks / files[key], video)
            (self._chunks / files[key]).with_suffix(".txt").write_text(video.speech, encoding="utf-8")
            ids[key] = f"xvbench:clip:{video.id}#0"
        written = []
        for question in questions:
            references = [files[key] for key in question.gold]
            names = [name.removesuffix("_000.mp4") for name in references if name.endswith(".mp4")]
            written.append(WrittenQuestion(f"xvbench:test:{self._lines.count}", question))
            self._lines.append_json(
                {
                    "video_name": names[0],
                    "question": question.text,
                    "answer": question.answer,
                    "reference": references,
                }
            )
        return WrittenWorld(ids, written)
