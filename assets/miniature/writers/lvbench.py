"""LVBench files: ``video_info.meta.jsonl`` and ``videos/<key>.mp4``.

Free choices: keys of eleven letters that name the workshop, as no other text of the format does; one video is three minutes of
64 x 64 pixels at one frame a second; ``time_reference`` is the scene of fifteen seconds around the moment asked about.
"""

from collections.abc import Sequence
from pathlib import Path

from assets.miniature.plans import PlannedQuestion
from assets.miniature.render import FRAME_SIZE
from assets.miniature.sentences import EvidenceKey, WorldVideo, workshop_videos
from assets.miniature.templates.videos import CLIP_SECONDS, clip_key
from assets.miniature.world import SCENE_SECONDS, MiniatureWorld
from assets.miniature.writers.files import DatasetWriter, GrowingLines, WrittenQuestion, WrittenWorld
from assets.miniature.writers.mp4 import FPS, write_video


class LvbenchWriter(DatasetWriter):
    """See the module."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._videos = folder / "videos"
        self._meta = self.growing(GrowingLines(folder / "video_info.meta.jsonl"))
        self._count = 0

    def add(self, world: MiniatureWorld, questions: Sequence[PlannedQuestion]) -> WrittenWorld:
        """See ``DatasetWriter.add``."""
        ids: dict[EvidenceKey, str] = {}
        written = []
        for video in workshop_videos(world):
            write_video(self._videos / f"{video.id}.mp4", video)
            for start in range(0, len(video.scenes) * SCENE_SECONDS, CLIP_SECONDS):
                ids[clip_key("lvbench", video.id, start)] = f"lvbench:clip:{video.id}#{start}"
            entries = []
            for question in questions:
                if f" {video.name}?" in question.text:
                    self._count += 1
                    entries.append(_entry(str(self._count), question))
                    written.append(WrittenQuestion(f"lvbench:test:{self._count}", question))
            self._meta.append_json(_line(video, entries))
        return WrittenWorld(ids, written)


def _line(video: WorldVideo, entries: list[dict[str, object]]) -> dict[str, object]:
    minutes = len(video.scenes) * SCENE_SECONDS / 60
    info = {
        "duration_minutes": minutes,
        "fps": float(FPS),
        "resolution": {"width": FRAME_SIZE, "height": FRAME_SIZE},
    }
    return {"key": video.id, "type": "cartoon", "video_info": info, "qa": entries}


def _entry(uid: str, question: PlannedQuestion) -> dict[str, object]:
    start = int(question.moment_s or 0) // SCENE_SECONDS * SCENE_SECONDS
    return {
        "uid": uid,
        "question": question.text,
        "answer": question.answer,
        "question_type": ["key information retrieval", "temporal grounding"],
        "time_reference": f"{_clock(start)}-{_clock(start + SCENE_SECONDS)}",
    }


def _clock(seconds: int) -> str:
    return f"{seconds // 60:02d}:{seconds % 60:02d}"
