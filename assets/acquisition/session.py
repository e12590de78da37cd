"""What every step of fetching one dataset shares: settings, places, records, and the connection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from assets.acquisition.lock_file import LockFile
from assets.acquisition.mirrors import Mirrors
from assets.acquisition.outcome import FetchReport
from assets.acquisition.quarantine import Quarantine
from infra.downloads.retry import RetrySchedule
from infra.downloads.ytdlp_fetcher import VideoSettings
from infra.errors import DownloadError
from infra.progress import ProgressListener

OF_THE_DISK = ("disk_full", "read_only", "disk")
OF_THE_HOST = ("rate_limited", "unreachable", "server")
STOP_AFTER = 3  # such failures, one after the other: the host wants us to stop, or is not there


def silent(stage: str, done: int, total: int | None) -> None:
    """Say nothing."""
    del stage, done, total


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
    patience: RetrySchedule = field(default_factory=RetrySchedule)
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

    def bytes_progress(self, name: str) -> Callable[[int, int | None], None]:
        """A progress callback of one file, in whole MB so that a person can read it."""
        stage = f"{self.report.dataset}: {name} (MB)"
        return lambda done, total: self.progress(
            stage, done >> 20, None if total is None else max(1, total >> 20)
        )


def raise_of_the_disk(error: DownloadError) -> None:
    """Raise ``error`` again if it would be met by every other file too."""
    if error.reason in OF_THE_DISK:
        raise error


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
