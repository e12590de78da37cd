"""The way in: one dataset from its publication into ``<root>/raw/<dataset>``, where ``vimrag corpus build`` finds it.

Runs again do only what is missing; a killed run is continued by the next. A required file that does not come is a
failure of the report; media that do not come are quarantined, and the run succeeds.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from assets.acquisition.catalogue import (
    HubListing,
    NamedFiles,
    PublicationPart,
    PublishedDataset,
    RemoteFile,
    ZipArchive,
)
from assets.acquisition.lock_file import LockFile, read_lock
from assets.acquisition.quarantine import read_quarantine
from assets.acquisition.records import count_questions
from assets.acquisition.repositories import commit_of
from assets.acquisition.session import (
    FetchOutcome,
    FetchReport,
    FetchSession,
    FetchSettings,
    FetchStatus,
)
from assets.acquisition.sources import fetch_archive, fetch_file, fetch_listed, fetch_named
from assets.acquisition.video_files import fetch_videos
from assets.corpus.dataset import DATASETS
from infra.downloads.http import client
from infra.progress import ProgressListener, silent
from infra.storage.lock import only_writer
from infra.storage.root import Storage

ALL = "all"


class TermsNotAcceptedError(ValueError):
    """What was asked for is under terms that were not accepted; ``terms`` is their text."""

    def __init__(self, dataset: str, terms: str) -> None:
        super().__init__(f"{dataset}: read the terms, then say --accept-terms")
        self.terms = terms


def fetch(
    publication: PublishedDataset, root: Path, settings: FetchSettings, *, progress: ProgressListener = silent
) -> FetchReport:
    """Fetch one dataset.

    Raises:
        TermsNotAcceptedError: before anything is fetched.
        ValueError: if a part is unknown, a mirror missing, a record damaged, or another process is at it.
        DownloadError: if the disk is full or may not be written.
    """
    parts = selected_parts(publication, settings)
    if publication.by_hand and not settings.mirrors.base(publication.dataset):
        raise ValueError(publication.by_hand)
    folder = root / "raw" / publication.dataset
    report = FetchReport(publication.dataset, str(folder))
    with only_writer(Storage(root), f"raw/{publication.dataset}"), client(settings.retry) as http:
        lock_path = folder.with_name(f"{publication.dataset}.lock.json")
        session = FetchSession(
            folder=folder,
            http=http,
            settings=settings,
            lock=LockFile(lock_path) if settings.relock else read_lock(lock_path),
            quarantine=read_quarantine(folder.with_name(f"{publication.dataset}.quarantine.jsonl")),
            report=report,
            progress=progress,
        )
        try:
            report.outcomes.extend(_outcomes(session, publication, parts))
        finally:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()  # nothing came: the corpus would call it an empty dataset
        _count(session, publication)
        report.quarantine = session.quarantine.reasons()
    return report


def selected_parts(publication: PublishedDataset, settings: FetchSettings) -> list[PublicationPart]:
    """The parts to be fetched.

    Raises:
        ValueError: if one is unknown, or videos are wanted of a dataset without.
        TermsNotAcceptedError: if one of them, or the videos, needs it.
    """
    if ALL in settings.parts:
        parts = list(publication.parts)
    else:
        asked = {publication.part(name).name for name in settings.parts}
        parts = [part for part in publication.parts if part.is_default or part.name in asked]
    if settings.videos and publication.video_ids is None:
        raise ValueError(f"{publication.dataset} has no videos")
    if not settings.accept_terms and (settings.videos or any(part.needs_terms for part in parts)):
        raise TermsNotAcceptedError(publication.dataset, f"{publication.licence}\n{publication.terms}")
    return parts


def _outcomes(
    session: FetchSession, publication: PublishedDataset, parts: list[PublicationPart]
) -> Iterator[FetchOutcome]:
    for part in parts:
        revision = _revision(session, part)
        for source in part.sources:
            match source:
                case RemoteFile():
                    yield fetch_file(session, source, revision)
                case ZipArchive():
                    yield from fetch_archive(session, source, revision)
                case NamedFiles():
                    yield from fetch_named(session, source, revision)
                case HubListing():
                    assert part.repository is not None
                    yield from fetch_listed(session, source, part.repository, revision)
    if session.settings.videos and publication.video_ids is not None:
        yield from fetch_videos(session, publication)


def _revision(session: FetchSession, part: PublicationPart) -> str:
    """The commit to fetch: as recorded, else looked up and recorded; the branch's name if nobody tells it."""
    if part.repository is None:
        return ""
    name = part.repository.name
    repository = replace(
        part.repository, revision=session.settings.revisions.get(name, part.repository.revision)
    )
    key = f"{name}@{repository.revision}"
    if other := next(
        (kept for kept in session.lock.revisions if kept.startswith(f"{name}@") and kept != key), ""
    ):
        raise ValueError(
            f"{session.folder} holds {other}; for {key} remove that folder, then fetch with --relock"
        )
    kept = session.lock.revisions.get(key)
    if kept is None or (not kept and not session.lock.files):  # nothing came under the branch's name yet
        session.lock.revisions[key] = commit_of(session, repository) or ""
        session.lock.save()
    commit = session.lock.revisions[key]
    if not commit:
        session.report.notes.append(
            f"{name}: the commit of {repository.revision!r} is not known; only the hashes of its files are kept"
        )
    return commit or repository.revision


def _count(session: FetchSession, publication: PublishedDataset) -> None:
    """Count the questions of new files; another number than published is a failure, said aloud."""
    expected = DATASETS[publication.dataset].expected_counts
    for name, editions in publication.questions.items():
        locked = session.lock.files.get(name)
        if locked is None or not (session.folder / name).is_file():
            continue
        if locked.questions is None:
            session.progress(f"{publication.dataset}: count questions", 0, None)
            locked = replace(locked, questions=count_questions(publication.dataset, session.folder / name))
            session.lock.files[name] = locked
            session.lock.save()
        assert locked.questions is not None
        session.report.questions[name] = locked.questions
        published = sum(expected[edition] for edition in editions)
        if locked.questions != published:
            detail = (
                f"{session.folder / name}: {locked.questions:,} questions where {published:,} are published: "
                "another version (choose one with --revision) or a damaged copy"
            )
            session.report.outcomes.append(
                FetchOutcome(name, FetchStatus.FAILED, reason="count", detail=detail)
            )
