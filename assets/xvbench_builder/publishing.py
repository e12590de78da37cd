"""The files of a build: the benchmark, the provenance of every candidate, and the account.

::

    xvbench/xvbench.jsonl        the questions, as the parser of XVBench reads them
    xvbench/video_chunks/        the clips, cut before
    provenance.jsonl             one candidate a line: clips, captions, draft, checks, reason, tokens
    report.json                  counts, reasons, what it cost, models and versions of the prompts
    .build/                      replies that were paid for, records of what was cut

Each file is replaced as a whole, after every window of candidates; neither times nor hosts are in the first two.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from assets.parsers.types import SkippedRecord
from assets.xvbench_builder.build import CaptioningResult, StopReason
from assets.xvbench_builder.records import CandidateOutcome, Check, ClipFile, Draft
from assets.xvbench_builder.videos import ClipFolders
from infra.llm.image_parts import ClipSampling
from infra.storage.root import Storage

DATASET_FOLDER, STATE_FOLDER = "xvbench", ".build"
QUESTIONS = f"{DATASET_FOLDER}/xvbench.jsonl"
PROVENANCE, REPORT = "provenance.jsonl", "report.json"
REPLIES = "replies.sqlite"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCosts:
    """What one run sent, and the replies it found paid for."""

    requests: int
    retries: int
    failures: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None
    found: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalCosts:
    """What all runs into a folder cost, as far as replies came."""

    replies: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildReport:
    """The account of a build, in the order of ``report.json``."""

    questions: int
    candidates: int
    rejected: Mapping[str, int]
    """Candidates by the reason for which they were rejected."""
    stopped: StopReason
    last_failure: str
    """What the endpoint failed with last; "" if it did not."""
    captions: CaptioningResult | None
    clips: int
    clips_sampled: int
    videos: int
    skipped: Sequence[SkippedRecord]
    this_run: RunCosts
    all_runs: TotalCosts
    seed: int
    interval: int
    look: ClipSampling
    versions: Mapping[str, str]
    out: str

    def to_json(self) -> dict[str, Any]:
        """What the file holds and ``--json`` prints."""
        return asdict(self)


class OutFolder:
    """Where a build goes.

    Raises:
        ValueError: if the folder holds something that is no build; nothing of it is touched.
    """

    def __init__(self, path: Path) -> None:
        if path.exists() and not path.is_dir():
            raise ValueError(f"{path} is no folder")
        if path.is_dir() and not (path / STATE_FOLDER).is_dir() and any(path.iterdir()):
            raise ValueError(f"{path} holds other files; give an empty folder, or one of an earlier build")
        self.path = path
        self.storage = Storage(path)
        self.clips = ClipFolders(
            chunks=path / DATASET_FOLDER / "video_chunks", records=path / STATE_FOLDER / "cuts"
        )
        self.replies = path / STATE_FOLDER / REPLIES
        self.questions = path / QUESTIONS

    def write(self, outcomes: Sequence[CandidateOutcome], versions: Mapping[str, str]) -> None:
        """Replace questions and provenance; there is no file of questions while there is no question."""
        rows = [row_of(outcome.draft) for outcome in outcomes if not outcome.reason and outcome.draft]
        if rows:
            self.storage.write_bytes(QUESTIONS, _lines(rows))
        else:
            self.questions.unlink(missing_ok=True)
        self.storage.write_bytes(PROVENANCE, _lines(provenance(outcome, versions) for outcome in outcomes))

    def write_report(self, report: BuildReport) -> None:
        """Replace the account."""
        content = json.dumps(report.to_json(), indent=1, ensure_ascii=False)
        self.storage.write_bytes(REPORT, content.encode() + b"\n")


def row_of(draft: Draft) -> dict[str, Any]:
    """One line of the benchmark; its id follows from question and clips, so that it stays when others come and go."""
    names = [clip.name for clip in draft.gold]
    hashed = hashlib.sha256(json.dumps([draft.question, names]).encode()).hexdigest()
    return {
        "id": hashed[:16],
        "question": draft.question,
        "answer": draft.answer,
        "video_name": draft.gold[0].video,
        "reference": names,
    }


def provenance(outcome: CandidateOutcome, versions: Mapping[str, str]) -> dict[str, Any]:
    """What is to be known of one candidate."""
    captions = {caption.clip.name: caption.text for caption in outcome.captions}
    draft = outcome.draft
    return {
        "candidate": outcome.candidate.number,
        "kept": not outcome.reason,
        "reason": outcome.reason or None,
        "detail": outcome.detail or None,
        "row": row_of(draft)["id"] if draft and not outcome.reason else None,
        "clips": [_clip(clip, captions.get(clip.name)) for clip in outcome.candidate.offered],
        "draft": draft and {"question": draft.question, "answer": draft.answer, "gold": _names(draft.gold)},
        "checks": [_check(check) for check in outcome.checks],
        "replies": outcome.replies,
        "prompt_tokens": outcome.prompt_tokens,
        "completion_tokens": outcome.completion_tokens,
        "versions": dict(versions),
    }


def _clip(clip: ClipFile, caption: str | None) -> dict[str, Any]:
    return {"file": clip.name, "start_s": clip.start_s, "end_s": clip.end_s, "caption": caption}


def _check(check: Check) -> dict[str, Any]:
    named = {"condition": str(check.condition), "shown": _names(check.shown)}
    return {**named, "answer": check.answer, "correct": check.correct}


def _names(clips: Iterable[ClipFile]) -> list[str]:
    return [clip.name for clip in clips]


def _lines(records: Iterable[Mapping[str, Any]]) -> bytes:
    return b"".join(json.dumps(record, ensure_ascii=False).encode() + b"\n" for record in records)
