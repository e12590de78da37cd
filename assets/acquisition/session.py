"""Fetching one dataset: what is asked for, what the steps share, and what became of each file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple, Self

import httpx

from assets.acquisition.lock_file import LockedFile, LockFile
from assets.acquisition.mirrors import Mirrors
from assets.acquisition.quarantine import Quarantine
from infra.downloads.http import DownloadedFile
from infra.downloads.retry import RetrySchedule
from infra.downloads.ytdlp_fetcher import VideoSettings
from infra.errors import DownloadError
from infra.progress import ProgressListener

OF_THE_DISK = ("disk_full", "read_only", "disk")
OF_THE_HOST = ("rate_limited", "unreachable", "server")
STOP_AFTER = 3  # such failures, one after the other: the host wants us to stop, or is not there


class FetchStatus(StrEnum):
    """What became of one file."""

    FETCHED = "fetched"
    PRESENT = "present"  # it was there, as recorded
    ADOPTED = "adopted"  # it was there, and is recorded now
    QUARANTINED = "quarantined"  # it may be missing; see the quarantine table
    FAILED = "failed"


class FetchOutcome(NamedTuple):
    """One file; ``size`` in bytes, ``reason`` and ``detail`` where it did not come."""

    name: str
    status: FetchStatus
    size: int = 0
    reason: str = ""
    detail: str = ""

    @classmethod
    def failed(cls, name: str, error: DownloadError) -> Self:
        """A file that did not come because of ``error``; raises it again if every other file would meet it too."""
        if error.reason in OF_THE_DISK:
            raise error
        return cls(name, FetchStatus.FAILED, reason=error.reason, detail=error.detail)


@dataclass(slots=True)
class FetchReport:
    """What was done for one dataset, in order."""

    dataset: str
    folder: str
    outcomes: list[FetchOutcome] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What a person should know, one sentence each."""
    quarantine: Mapping[str, int] = field(default_factory=dict)
    """Rows of the quarantine table by reason, those of earlier runs too."""
    questions: dict[str, int] = field(default_factory=dict)
    """Counted in each file of questions."""

    @property
    def failures(self) -> list[FetchOutcome]:
        """What makes the run fail."""
        return [outcome for outcome in self.outcomes if outcome.status is FetchStatus.FAILED]

    def count(self, status: FetchStatus) -> int:
        """How many files became that."""
        return sum(outcome.status is status for outcome in self.outcomes)

    @property
    def fetched_bytes(self) -> int:
        """Size of what was fetched in this run."""
        return sum(outcome.size for outcome in self.outcomes if outcome.status is FetchStatus.FETCHED)

    def to_json(self) -> dict[str, Any]:
        """What ``--json`` prints of a dataset."""
        return {
            "folder": self.folder,
            **{status.value: self.count(status) for status in FetchStatus},
            "fetched_bytes": self.fetched_bytes,
            "questions": self.questions,
            "failures": [
                {"name": outcome.name, "reason": outcome.reason, "detail": outcome.detail}
                for outcome in self.failures
            ],
            "quarantine": dict(self.quarantine),
            "notes": self.notes,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchSettings:
    """What a person asks for, beside the dataset."""

    parts: tuple[str, ...] = ()
    """Parts that do not come by default; "all" means every part."""
    videos: bool = False
    max_videos: int | None = None
    """Videos asked for in one run."""
    accept_terms: bool = False
    mirrors: Mirrors = field(default_factory=Mirrors)
    revisions: Mapping[str, str] = field(default_factory=dict)
    """By repository ("owner/name"), a revision other than the default."""
    retry_quarantined: bool = False
    verify: bool = False
    """Hash what is there, where else its size is enough."""
    relock: bool = False
    """Forget what was recorded, and record anew."""
    retry: RetrySchedule = field(default_factory=RetrySchedule)
    video: VideoSettings = field(default_factory=VideoSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchSession:
    """One dataset being fetched."""

    folder: Path
    http: httpx.Client
    settings: FetchSettings
    lock: LockFile
    quarantine: Quarantine
    report: FetchReport
    progress: ProgressListener

    def quarantined(self, name: str) -> FetchOutcome | None:
        """What is known of a file that is not to be tried in this run; None if it is."""
        if not self.quarantine.holds(name, retry_all=self.settings.retry_quarantined):
            return None
        row = self.quarantine.rows[name]
        return FetchOutcome(name, FetchStatus.QUARANTINED, reason=row.reason, detail=row.detail)

    def quarantine_file(self, failed: FetchOutcome) -> FetchOutcome:
        """Record a file that did not come as one that may be missing."""
        self.quarantine.put(failed.name, failed.reason, failed.detail)
        return failed._replace(status=FetchStatus.QUARANTINED)

    def record(self, name: str, url: str, file: DownloadedFile) -> None:
        """Keep where a file came from, with its size and hash, in the lock file."""
        self.lock.files[name] = LockedFile(url=url, size=file.size, sha256=file.sha256)
        self.lock.save()

    def bytes_progress(self, name: str) -> Callable[[int, int | None], None]:
        """A progress callback of one file, in whole MB so that a person can read it."""
        stage = f"{self.report.dataset}: {name} (MB)"
        return lambda done, total: self.progress(
            stage, done >> 20, None if total is None else max(1, total >> 20)
        )


@dataclass(slots=True)
class RefusalCounter:
    """Counts failures that are the host's, to leave it alone in time."""

    in_a_row: int = 0

    def stop(self, session: FetchSession, reason: str, left: int) -> bool:
        """Whether to stop after one more file, of which ``reason`` is "" if it came; says so in the report."""
        self.in_a_row = self.in_a_row + 1 if reason in OF_THE_HOST else 0
        if self.in_a_row < STOP_AFTER or not left:
            return False
        session.report.notes.append(
            f"stopped after {self.in_a_row} files in a row were not answered ({reason}); {left:,} are left: "
            "run again later"
        )
        return True
