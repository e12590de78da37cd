"""The nine datasets by name: which files are published where, and what is known of them.

Sizes and hashes were read in several public records of the files; where there is none here, none is known to us: the first
fetch is trusted, and kept. Repositories are taken at the head of their main branch unless a revision is given, and the commit
found is kept. Questions and transcripts come by themselves; images and videos are asked for apart.
"""

import re
from collections.abc import Callable
from functools import partial

from assets.acquisition import records
from assets.acquisition.catalogue import (
    GB,
    MB,
    HubListing,
    NamedFiles,
    PublicationPart,
    PublishedDataset,
    RemoteFile,
    Repository,
    RepositoryHost,
    ZipArchive,
)
from assets.parsers import hotpotqa, lvbench, mmlongbench_doc, slidevqa, squad, videorag, webqa, xvbench

WEBQA_CHUNKS, LVBENCH_CHUNKS = 51, 14  # parts of the archives of their images and videos
VIDEO_TERMS = (
    "The videos belong to the people who made them, and neither the authors of the benchmark nor this software "
    "can give you a right to them. The terms of the site that shows them may forbid downloading. By accepting you "
    "state that you are allowed to fetch them where you are, that you use them for research only and that you do not "
    "pass them on."
)
SHA256 = {
    "hotpot_dev_distractor_v1.json": "4e9ecb5c8d3b719f624d66b60f8d56bf227f03914f5f0753d6fa1b359d7104ea",
    "hotpot_train_v1.1.json": "26650cf50234ef5fb2e664ed70bbecdfd87815e6bffc257e068efea5cf7cd316",
    "hotpot_dev_fullwiki_v1.json": "2f1f3e594a3066a3084cc57950ca2713c24712adaad03af6ccce18d1846d5618",
    "hotpot_test_fullwiki_v1.json": "c61a5274...1c2b",
    "train-v1.1.json": "3527663986b8295af4f7fcdff1ba1ff3f72d07d61a20f487cb238a6ef92fd955",
    "dev-v1.1.json": "95aa6a52d5d6a735563366753ca50492a658031da74f301ac5238b03966972c9",
    "train-v2.0.json": "68dcfbb971bd3e96d5b46c7177b16c1a4e7d4bdef19fb204502738552dede002",
    "dev-v2.0.json": "80a5225e94905956a6446d296ca1093975c4d3b3260f1d6c8f68bc2ab77182d8",
}
_IN_VIDEORAG = re.compile(r"[^/]+/datasets/(qa/\w+\.json|scripts/(?:original|asr)/[^/]+\.txt)")
_VIDEO = re.compile(r"(?:.*/)?([^/]+\.(?:mp4|mkv|webm))", re.IGNORECASE)


def _known_file(mirror: str, name: str, size: int) -> RemoteFile:
    return RemoteFile(name=name, url=f"{{{mirror}}}/{name}", max_bytes=GB, size=size, sha256=SHA256[name])


def _github_file(repository: str, path: str, name: str, max_bytes: int) -> RemoteFile:
    return RemoteFile(name=name, url=f"{{github-raw}}/{repository}/{{revision}}/{path}", max_bytes=max_bytes)


def _hub_file(repository: str, name: str, max_bytes: int) -> RemoteFile:
    url = f"{{huggingface}}/datasets/{repository}/resolve/{{revision}}/{name}"
    return RemoteFile(name=name, url=url, max_bytes=max_bytes)


def _hub(name: str) -> Repository:
    return Repository(host=RepositoryHost.HUB, name=name, revision="main")


def _github(name: str) -> Repository:
    return Repository(host=RepositoryHost.GITHUB, name=name, revision="HEAD")


def _flat_video(member: str) -> str | None:
    """Where a video of LVBench's archive goes."""
    match = _VIDEO.fullmatch(member)
    return f"videos/{match.group(1)}" if match and not match.group(1).startswith(".") else None


def _of_videorag(name: str) -> Callable[[str], str | None]:
    """Where a file of the repository goes: one file of questions, and all transcripts, which are one pool."""

    def place(member: str) -> str | None:
        match = _IN_VIDEORAG.fullmatch(member)
        path = match.group(1) if match else ""
        return path if path.startswith("scripts/") or path == f"qa/{name}.json" else None

    return place


def _videorag(dataset: videorag.VideoragDataset, name: str) -> PublishedDataset:
    """WikiHowQA or SyntheticQA, whose questions and transcripts lie in one repository."""
    questions = f"qa/{name}.json"
    url = "{github-archive}/starsuzi/VideoRAG/zip/{revision}"
    archive = ZipArchive(
        parts=(RemoteFile(name="VideoRAG.zip", url=url, max_bytes=2 * GB),),
        place=_of_videorag(name),
        max_unpacked=2 * GB,
        is_stable=False,
    )
    part = PublicationPart(
        name="questions",
        about="534 questions and the transcripts of 8,648 videos, some 38 MB unpacked",
        repository=_github("starsuzi/VideoRAG"),
        sources=(archive,),
    )
    return PublishedDataset(
        dataset=dataset.dataset,
        licence=dataset.licence,
        terms=VIDEO_TERMS,
        parts=(part,),
        questions={questions: ("test",)},
        video_ids=partial(records.listed_videos, dataset.dataset, questions),
    )


HOTPOTQA = PublishedDataset(
    dataset="hotpotqa",
    licence=hotpotqa.LICENCE,
    parts=(
        PublicationPart(
            name="dev",
            about="7,405 questions with ten paragraphs each, 46 MB",
            sources=(_known_file("hotpotqa", "hotpot_dev_distractor_v1.json", 46_320_117),),
        ),
        PublicationPart(
            name="train",
            about="90,447 questions, 566 MB",
            is_default=False,
            sources=(_known_file("hotpotqa", "hotpot_train_v1.1.json", 566_426_227),),
        ),
        PublicationPart(
            name="fullwiki",
            about="the same dev questions and 7,405 of test with retrieved paragraphs, 94 MB",
            is_default=False,
            sources=(
                _known_file("hotpotqa", "hotpot_dev_fullwiki_v1.json", 47_454_698),
                _known_file("hotpotqa", "hotpot_test_fullwiki_v1.json", 46_213_747),
            ),
        ),
    ),
    questions={
        "hotpot_dev_distractor_v1.json": ("dev",),
        "hotpot_train_v1.1.json": ("train",),
        "hotpot_dev_fullwiki_v1.json": ("dev fullwiki",),
        "hotpot_test_fullwiki_v1.json": ("test fullwiki",),
    },
)

SQUAD = PublishedDataset(
    dataset="squad",
    licence=squad.LICENCE,
    parts=(
        PublicationPart(
            name="v1",
            about="SQuAD 1.1, 87,599 and 10,570 questions, 35 MB",
            sources=(
                _known_file("squad", "train-v1.1.json", 30_288_272),
                _known_file("squad", "dev-v1.1.json", 4_854_279),
            ),
        ),
        PublicationPart(
            name="v2",
            about="SQuAD 2.0, 130,319 and 11,873 questions, 46 MB",
            is_default=False,
            sources=(
                _known_file("squad", "train-v2.0.json", 42_123_633),
                _known_file("squad", "dev-v2.0.json", 4_370_528),
            ),
        ),
    ),
    questions={
        "train-v1.1.json": ("train",),
        "dev-v1.1.json": ("dev",),
        "train-v2.0.json": ("train 2.0",),
        "dev-v2.0.json": ("dev 2.0",),
    },
)

WEBQA = PublishedDataset(
    dataset="webqa",
    licence=webqa.LICENCE,
    by_hand=(
        "WebQA is published in a folder of Google Drive (linked from github.com/WebQnA/WebQA), whose files have no "
        "plain addresses. Download WebQA_train_val.json and WebQA_test.json, and imgs.7z.001 to .051 for the pictures, "
        "and put them on any file server or on this machine: vimrag fetch webqa --mirror webqa=URL"
    ),
    terms="The pictures are files of Wikimedia Commons; each has a licence of its own, told on its page.",
    parts=(
        PublicationPart(
            name="questions",
            about="49,272 questions with their facts; no plain address, needs --mirror webqa=URL",
            sources=tuple(
                RemoteFile(name=name, url=f"{{webqa}}/{name}", max_bytes=2 * GB)
                for name in ("WebQA_train_val.json", "WebQA_test.json")
            ),
        ),
        PublicationPart(
            name="images",
            about="389,750 pictures in 51 parts of a 7z archive, 51 GB; to be unpacked by hand: 7z x imgs.7z.001",
            is_default=False,
            needs_terms=True,
            sources=tuple(
                RemoteFile(
                    name=f"imgs.7z.{number:03d}", url=f"{{webqa}}/imgs.7z.{number:03d}", max_bytes=2 * GB
                )
                for number in range(1, WEBQA_CHUNKS + 1)
            ),
        ),
    ),
    questions={"WebQA_train_val.json": ("train", "val"), "WebQA_test.json": ("test",)},
)

SLIDEVQA = PublishedDataset(
    dataset="slidevqa",
    licence=slidevqa.LICENCE,
    terms=(
        "SlideVQA is under NTT's licence for software evaluation: internal evaluation only, no copies, no passing on, "
        "and it may be ended by NTT. Its text lies in github.com/nttmdlab-nlp/SlideVQA; read it before you accept."
    ),
    parts=(
        PublicationPart(
            name="questions",
            about="14,484 questions in three splits",
            needs_terms=True,
            repository=_github("nttmdlab-nlp/SlideVQA"),
            sources=tuple(
                _github_file("nttmdlab-nlp/SlideVQA", path, path, GB)
                for path in (f"annotations/qa/{split}.jsonl" for split in ("train", "dev", "test"))
            ),
        ),
        PublicationPart(
            name="slides",
            about="52,380 slides as the hub's Parquet, stored again with each question, size unknown; needs HF_TOKEN",
            is_default=False,
            needs_terms=True,
            repository=_hub("NTT-hil-insight/SlideVQA"),
            sources=(HubListing(suffix=".parquet", max_bytes=8 * GB),),
        ),
    ),
    questions={f"annotations/qa/{split}.jsonl": (split,) for split in ("train", "dev", "test")},
)

MMLONGBENCH_DOC = PublishedDataset(
    dataset="mmlongbench_doc",
    licence=mmlongbench_doc.LICENCE,
    parts=(
        PublicationPart(
            name="questions",
            about="1,082 questions and the documents they name, some 135 PDFs",
            repository=_github("mayubo2333/MMLongBench-Doc"),
            sources=(
                _github_file("mayubo2333/MMLongBench-Doc", "data/samples.json", "samples.json", 100 * MB),
                NamedFiles(
                    names=records.documents,
                    url="{github-raw}/mayubo2333/MMLongBench-Doc/{revision}/data/documents/{file}",
                    max_bytes=500 * MB,
                ),
            ),
        ),
    ),
    questions={"samples.json": ("test",)},
)

LVBENCH = PublishedDataset(
    dataset="lvbench",
    licence=lvbench.LICENCE,
    terms=VIDEO_TERMS,
    parts=(
        PublicationPart(
            name="questions",
            about="1,549 questions on 103 videos, 0.5 MB",
            repository=_hub("zai-org/LVBench"),
            sources=(_hub_file("zai-org/LVBench", "video_info.meta.jsonl", 100 * MB),),
        ),
        PublicationPart(
            name="archive",
            about="the videos as others keep them, a zip in 14 parts, size unknown; twice that is needed",
            is_default=False,
            needs_terms=True,
            repository=_hub("AIWinter/LVBench"),
            sources=(
                ZipArchive(
                    parts=tuple(
                        _hub_file("AIWinter/LVBench", f"all_videos_split.zip.{number:03d}", 64 * GB)
                        for number in range(1, LVBENCH_CHUNKS + 1)
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

WIKIHOWQA = _videorag(videorag.WIKIHOWQA, "wikihow")
SYNTHETICQA = _videorag(videorag.SYNTHETICQA, "synthetic")
XVBENCH = PublishedDataset(
    dataset="xvbench",
    licence=xvbench.LICENCE,
    terms=VIDEO_TERMS,
    parts=(
        PublicationPart(
            name="questions",
            about="below 1,000 questions; how many is not published",
            repository=_hub("Alibaba-NLP/XVBench"),
            sources=(_hub_file("Alibaba-NLP/XVBench", "xvbench.jsonl", 100 * MB),),
        ),
    ),
    video_ids=records.xvbench_videos,
)

_ALL = (HOTPOTQA, SQUAD, WEBQA, SLIDEVQA, MMLONGBENCH_DOC, LVBENCH, WIKIHOWQA, SYNTHETICQA, XVBENCH)
PUBLICATIONS: dict[str, PublishedDataset] = {publication.dataset: publication for publication in _ALL}
