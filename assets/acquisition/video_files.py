"""The videos of a dataset, one after the other: kept, quarantined with a reason, or left for the next run."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from assets.acquisition.catalogue import PublishedDataset
from assets.acquisition.lock_file import write_whole
from assets.acquisition.mirrors import YOUTUBE
from assets.acquisition.session import (
    FetchOutcome,
    FetchSession,
    FetchStatus,
    RefusalCounter,
)
from assets.parsers.videos import VIDEO_SUFFIXES
from infra.downloads.http import DownloadedFile
from infra.downloads.ytdlp_failures import VideoReason
from infra.downloads.ytdlp_fetcher import DownloadedVideo, VideoFetcher
from infra.errors import DownloadError

FOLDER = "videos"
_ID = re.compile(r"[A-Za-z0-9_-]{11}")


def fetch_videos(session: FetchSession, publication: PublishedDataset) -> Iterator[FetchOutcome]:
    """Bring the videos that the questions are about, as far as there are any; raises only for the disk's sake."""
    assert publication.video_ids is not None
    ids = publication.video_ids(session.folder)
    if not ids:
        session.report.notes.append("no videos are named: the questions are not there yet")
        return
    present = _present_videos(session.folder / FOLDER)
    archive = session.lock.path.with_name(f"{publication.dataset}.archive.txt")
    _forget_missing(archive, present)
    waiting: list[str] = []
    for video_id in ids:
        if video_id in present:
            session.quarantine.release(f"{FOLDER}/{video_id}")
            path = present[video_id]
            yield FetchOutcome(f"{FOLDER}/{path.name}", FetchStatus.PRESENT, path.stat().st_size)
        elif quarantined := session.quarantined(f"{FOLDER}/{video_id}"):
            yield quarantined
        else:
            waiting.append(video_id)
    yield from _fetch_all(session, waiting, archive)


def _fetch_all(session: FetchSession, waiting: Sequence[str], archive: Path) -> Iterator[FetchOutcome]:
    settings = session.settings
    asked = waiting[: settings.max_videos]
    if left := len(waiting) - len(asked):
        session.report.notes.append(f"{left:,} more videos are left for another run (--max-videos)")
    video = replace(settings.video, any_site=settings.video.any_site or YOUTUBE in settings.mirrors.overrides)
    refusals = RefusalCounter()
    if not asked:
        return
    with VideoFetcher(session.folder / FOLDER, archive, video) as fetcher:
        for done, video_id in enumerate(asked, 1):
            outcome = _fetch_one(session, fetcher, video_id)
            yield outcome
            session.progress(f"{session.report.dataset}: videos", done, len(asked))
            if refusals.stop(session, outcome.reason, len(asked) - done):
                return


def _fetch_one(session: FetchSession, fetcher: VideoFetcher, video_id: str) -> FetchOutcome:
    name = f"{FOLDER}/{video_id}"
    try:
        if not _ID.fullmatch(video_id):
            raise DownloadError(VideoReason.UNSUPPORTED, f"{video_id[:50]!r} is no id of a YouTube video")
        video = fetcher.fetch(video_id, session.settings.mirrors.video(video_id))
    except DownloadError as error:
        return session.quarantine_file(FetchOutcome.failed(name, error))
    _record(session, video_id, video)
    session.quarantine.release(name)
    return FetchOutcome(f"{FOLDER}/{video.path.name}", FetchStatus.FETCHED, video.size)


def _record(session: FetchSession, video_id: str, video: DownloadedVideo) -> None:
    """The title beside the video, where the parsers look for it, and the hash in the lock."""
    sidecar = json.dumps({"id": video_id, "title": video.title}, ensure_ascii=False)
    write_whole(video.path.with_suffix(".info.json"), sidecar)
    url = session.settings.mirrors.video(video_id)
    session.record(f"{FOLDER}/{video.path.name}", url, DownloadedFile(video.size, video.sha256))


def _present_videos(folder: Path) -> dict[str, Path]:
    """The videos that are there, by id, whoever put them there."""
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    return {path.stem: path for path in paths if path.suffix.lower() in VIDEO_SUFFIXES}


def _forget_missing(archive: Path, present: dict[str, Path]) -> None:
    """Drop from yt-dlp's list what is no longer there, else it would be passed over for ever."""
    if not archive.is_file():
        return
    lines = archive.read_text(encoding="utf-8", errors="replace").splitlines()
    kept = [line for line in lines if line.rpartition(" ")[2] in present]
    if kept != lines:
        write_whole(archive, "".join(f"{line}\n" for line in kept))
