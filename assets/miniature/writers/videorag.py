"""WikiHowQA and SyntheticQA files, which share one layout.

They are ``qa/<name>.json``, ``retrieval/<name>/query2videos.json``, ``scripts/asr/<id>.txt`` and ``videos/<id>.mp4``.

Free choices: one video a question, of one minute; ids of eleven letters that name the device; transcripts of WikiHowQA say
the steps, those of SyntheticQA only name the video.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from assets.miniature.plans import PlannedQuestion
from assets.miniature.sentences import WorldVideo, howto_videos, single_videos
from assets.miniature.templates.videos import clip_key
from assets.miniature.world import MiniatureWorld
from assets.miniature.writers.files import DatasetWriter, GrowingJson, WrittenQuestion, WrittenWorld
from assets.miniature.writers.mp4 import write_video


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoragLayout:
    """Differences between the two datasets. ``name`` is that of their files."""

    dataset: str
    name: str
    videos: Callable[[MiniatureWorld], tuple[WorldVideo, ...]]
    steps: bool


WIKIHOWQA = VideoragLayout(dataset="wikihowqa", name="wikihow", videos=howto_videos, steps=True)
SYNTHETICQA = VideoragLayout(dataset="syntheticqa", name="synthetic", videos=single_videos, steps=False)


class VideoragWriter(DatasetWriter):
    """See the module."""

    def __init__(self, folder: Path, layout: VideoragLayout) -> None:
        super().__init__()
        self._folder, self._layout = folder, layout
        self._qa = self.growing(GrowingJson(folder / "qa" / f"{layout.name}.json"))
        self._ranking = self.growing(
            GrowingJson(folder / "retrieval" / layout.name / "query2videos.json", head="{", tail="}")
        )

    def add(self, world: MiniatureWorld, questions: Sequence[PlannedQuestion]) -> WrittenWorld:
        """See ``DatasetWriter.add``."""
        videos = self._layout.videos(world)
        dataset = self._layout.dataset
        for video in videos:
            self._write_video(video)
        ids = {clip_key(dataset, video.id): f"{dataset}:clip:{video.id}#0" for video in videos}
        written = []
        for number, question in enumerate(questions):
            video = next(video for video in videos if video.name in question.text)
            qid = self._qa.count + 1 if self._layout.steps else f"{video.id}_{number}"
            self._qa.append(_record(qid, question, video, steps=self._layout.steps))
            self._ranking.append([other.id for other in videos], name=str(qid))
            written.append(WrittenQuestion(f"{dataset}:test:{qid}", question))
        return WrittenWorld(ids, written)

    def _write_video(self, video: WorldVideo) -> None:
        write_video(self._folder / "videos" / f"{video.id}.mp4", video)
        scripts = self._folder / "scripts" / "asr"
        scripts.mkdir(parents=True, exist_ok=True)
        (scripts / f"{video.id}.txt").write_text(video.speech, encoding="utf-8")


def _record(
    qid: int | str, question: PlannedQuestion, video: WorldVideo, *, steps: bool
) -> dict[str, object]:
    task = question.text.removeprefix("How To ") if steps else question.text
    record: dict[str, object] = {
        "qid": qid,
        "howto100m_query_text": task,
        "wikihow_query_text": question.text,
        "answer_text": question.answer,
    }
    if steps:
        record["wikihow_article_id"] = 1_000_000 + int(qid)
    return record | {"videos": [{"video_id": video.id, "rank": 1}]}
