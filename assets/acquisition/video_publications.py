"""LVBench, WikiHowQA, SyntheticQA and XVBench: questions and transcripts, and the videos that are asked for apart.

No size or hash of these is known to us: the first fetch is trusted, and kept.
"""

import re
from collections.abc import Callable

from assets.acquisition import records
from assets.acquisition.catalogue import (
    GB,
    MB,
    PublicationPart,
    PublishedDataset,
    RemoteFile,
    Repository,
    RepositoryHost,
    ZipArchive,
)
from assets.parsers import lvbench, videorag, xvbench

VIDEO_TERMS = (
    "The videos belong to the people who made them, and neither the authors of the benchmark nor this software "
    "can give you a right to them. The terms of the site that shows them may forbid downloading. By accepting you "
    "state that you are allowed to fetch them where you are, that you use them for research only and that you do not "
    "pass them on."
)
LVBENCH_PARTS = 14
VIDEORAG = Repository(host=RepositoryHost.GITHUB, name="starsuzi/VideoRAG", revision="HEAD")
_IN_VIDEORAG = re.compile(r"[^/]+/datasets/(qa/\w+\.json|scripts/(?:original|asr)/[^/]+\.txt)")
_VIDEO = re.compile(r"(?:.*/)?([^/]+\.(?:mp4|mkv|webm))", re.IGNORECASE)


def _flat_video(member: str) -> str | None:
    """Where a video of LVBench's archive goes."""
    match = _VIDEO.fullmatch(member)
    return f"videos/{match.group(1)}" if match and not match.group(1).startswith(".") else None


LVBENCH = PublishedDataset(
    dataset="lvbench",
    licence=lvbench.LICENCE,
    terms=VIDEO_TERMS,
    parts=(
        PublicationPart(
            name="questions",
            about="1,549 questions on 103 videos, 0.5 MB",
            repository=Repository(host=RepositoryHost.HUB, name="zai-org/LVBench", revision="main"),
            sources=(
                RemoteFile(
                    name="video_info.meta.jsonl",
                    url="{huggingface}/datasets/zai-org/LVBench/resolve/{revision}/video_info.meta.jsonl",
                    max_bytes=100 * MB,
                ),
            ),
        ),
        PublicationPart(
            name="archive",
            about="the videos as others keep them, a zip in 14 parts, size unknown; twice that is needed",
            is_default=False,
            needs_terms=True,
            repository=Repository(host=RepositoryHost.HUB, name="AIWinter/LVBench", revision="main"),
            sources=(
                ZipArchive(
                    parts=tuple(
                        RemoteFile(
                            name=f"all_videos_split.zip.{number:03d}",
                            url="{huggingface}/datasets/AIWinter/LVBench/resolve/{revision}/"
                            f"all_videos_split.zip.{number:03d}",
                            max_bytes=64 * GB,
                        )
                        for number in range(1, LVBENCH_PARTS + 1)
                    ),
                    place=_flat_video,
                    max_unpacked=600 * GB,
                ),
            ),
        ),
    ),
    questions={"video_info.meta.jsonl": ("test",)},
    video_ids=records.lvbench_videos,
)


def _of_videorag(name: str) -> Callable[[str], str | None]:
    """Where a file of the repository goes: one file of questions, and all transcripts, which are one pool."""

    def place(member: str) -> str | None:
        match = _IN_VIDEORAG.fullmatch(member)
        kept = match.group(1) if match else None
        return kept if kept and (kept.startswith("scripts/") or kept == f"qa/{name}.json") else None

    return place


def _videorag_part(name: str) -> PublicationPart:
    return PublicationPart(
        name="questions",
        about="534 questions and the transcripts of 8,648 videos, some 38 MB unpacked",
        repository=VIDEORAG,
        sources=(
            ZipArchive(
                parts=(
                    RemoteFile(
                        name="VideoRAG.zip",
                        url="{github-archive}/starsuzi/VideoRAG/zip/{revision}",
                        max_bytes=2 * GB,
                    ),
                ),
                place=_of_videorag(name),
                max_unpacked=2 * GB,
                is_stable=False,
            ),
        ),
    )


WIKIHOWQA = PublishedDataset(
    dataset="wikihowqa",
    licence=videorag.WIKIHOWQA.licence,
    terms=VIDEO_TERMS,
    parts=(_videorag_part("wikihow"),),
    questions={"qa/wikihow.json": ("test",)},
    video_ids=records.wikihow_videos,
)
SYNTHETICQA = PublishedDataset(
    dataset="syntheticqa",
    licence=videorag.SYNTHETICQA.licence,
    terms=VIDEO_TERMS,
    parts=(_videorag_part("synthetic"),),
    questions={"qa/synthetic.json": ("test",)},
    video_ids=records.synthetic_videos,
)
XVBENCH = PublishedDataset(
    dataset="xvbench",
    licence=xvbench.LICENCE,
    terms=VIDEO_TERMS,
    parts=(
        PublicationPart(
            name="questions",
            about="below 1,000 questions; how many is not published",
            repository=Repository(host=RepositoryHost.HUB, name="Alibaba-NLP/XVBench", revision="main"),
            sources=(
                RemoteFile(
                    name="xvbench.jsonl",
                    url="{huggingface}/datasets/Alibaba-NLP/XVBench/resolve/{revision}/xvbench.jsonl",
                    max_bytes=100 * MB,
                ),
            ),
        ),
    ),
    video_ids=records.xvbench_videos,
)
