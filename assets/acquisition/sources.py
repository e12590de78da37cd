"""How each kind of source is fetched: a file, the members of an archive, files that records name, files that a hub lists.

A file is there already, taken over, or fetched; in each case it is held to what is known of its bytes.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from assets.acquisition.catalogue import HubListing, NamedFiles, RemoteFile, Repository, ZipArchive
from assets.acquisition.lock_file import LockedFile
from assets.acquisition.repositories import listed_files
from assets.acquisition.session import (
    FetchOutcome,
    FetchSession,
    FetchStatus,
    RefusalCounter,
)
from infra.downloads.archives import unpack
from infra.downloads.http import DownloadedFile, DownloadRequest, download, matches
from infra.errors import DownloadError
from infra.storage.manifest import sha256_of

TERMS_HINT = "; it may ask you to accept its terms on the hub, and to set HF_TOKEN"
AGAIN = "remove it to fetch it again"
STAGING = ".archives"  # hidden: parsers pass it over


class LocalFile(NamedTuple):
    """A file that is there."""

    status: FetchStatus
    file: DownloadedFile


def fetch_file(session: FetchSession, file: RemoteFile, revision: str) -> FetchOutcome:
    """Bring one file below the raw folder, and record it.

    Raises:
        DownloadError: for what the disk has against it; all else is an outcome.
        ValueError: if its mirror has no address.
    """
    url = session.settings.mirrors.address(file.url, revision=revision)
    try:
        local = present(session, file) or LocalFile(FetchStatus.FETCHED, fetch_to(session, file, url))
    except DownloadError as error:
        return FetchOutcome.failed(file.name, error)
    if local.status is not FetchStatus.PRESENT:
        session.record(file.name, url, local.file)
    return FetchOutcome(file.name, local.status, local.file.size)


def present(session: FetchSession, file: RemoteFile) -> LocalFile | None:
    """The file that is there already, if it is as recorded and published; None if there is none.

    Raises:
        DownloadError: ``changed``, if it is anything else.
    """
    path = session.folder / file.name
    if not path.is_file():
        return None
    locked, size = session.lock.files.get(file.name), path.stat().st_size
    if locked is not None and locked.size == size and not session.settings.verify:
        return LocalFile(FetchStatus.PRESENT, DownloadedFile(size, locked.sha256))
    sha256 = sha256_of(path)
    if file.size is not None and size != file.size:
        raise DownloadError(
            "changed", f"{path} has {size:,} bytes where {file.size:,} are published; {AGAIN}"
        )
    for known in (file.sha256, locked.sha256 if locked else None):
        if known and not matches(sha256, known):
            raise DownloadError(
                "changed", f"{path} has sha256 {sha256}, not {known} as pinned or first recorded; {AGAIN}"
            )
    return LocalFile(FetchStatus.PRESENT if locked else FetchStatus.ADOPTED, DownloadedFile(size, sha256))


def fetch_to(
    session: FetchSession, file: RemoteFile, url: str, *, target: Path | None = None
) -> DownloadedFile:
    """Download ``file``, held to what is published and recorded of it; raises ``DownloadError``."""
    locked = session.lock.files.get(file.name)
    request = DownloadRequest(
        url=url,
        target=target or session.folder / file.name,
        max_bytes=file.max_bytes,
        size=file.size,
        sha256=locked.sha256 if locked else file.sha256,
        headers=session.settings.mirrors.headers(url),
    )
    try:
        return download(
            session.http, request, session.settings.retry, progress=session.bytes_progress(file.name)
        )
    except DownloadError as error:
        if error.reason == "forbidden" and "huggingface" in file.url:
            raise DownloadError(error.reason, f"{error.detail}{TERMS_HINT}") from error
        raise


def fetch_archive(session: FetchSession, archive: ZipArchive, revision: str) -> list[FetchOutcome]:
    """Bring what is needed of an archive below the raw folder, and record it.

    Raises:
        DownloadError: for what the disk has against it; all else is an outcome.
    """
    name = archive.parts[0].name
    try:
        if members := _present_members(session, name):
            return [
                FetchOutcome(member, FetchStatus.PRESENT, session.lock.files[member].size)
                for member in members
            ]
        parts = [_part(session, archive, part, revision) for part in archive.parts]
        outcomes = _unpacked(session, archive, parts)
    except DownloadError as error:
        return [FetchOutcome.failed(name, error)]
    shutil.rmtree(session.folder / STAGING, ignore_errors=True)
    return outcomes


def _present_members(session: FetchSession, name: str) -> list[str]:
    """The members of the archive, if all of them are there as recorded."""
    members = session.lock.archives.get(name, [])
    for member in members:
        path, locked = session.folder / member, session.lock.files[member]
        if not path.is_file():
            return []
        if path.stat().st_size != locked.size or (
            session.settings.verify and sha256_of(path) != locked.sha256
        ):
            raise DownloadError("changed", f"{path} is not as it was fetched; {AGAIN}")
    return members


def _part(session: FetchSession, archive: ZipArchive, part: RemoteFile, revision: str) -> Path:
    """One part in the hidden folder; it may lie there from a run that was killed while unpacking."""
    target = session.folder / STAGING / part.name
    locked = session.lock.files.get(part.name)
    if locked and target.is_file() and target.stat().st_size == locked.size:
        return target
    target.unlink(missing_ok=True)
    if not archive.is_stable:
        session.lock.files.pop(part.name, None)
    url = session.settings.mirrors.address(part.url, revision=revision)
    session.record(part.name, url, fetch_to(session, part, url, target=target))
    return target


def _unpacked(session: FetchSession, archive: ZipArchive, parts: list[Path]) -> list[FetchOutcome]:
    url = session.lock.files[archive.parts[0].name].url
    stage = f"{session.report.dataset}: unpack"
    unpacked: dict[str, LockedFile] = {}
    for member in unpack(parts, session.folder, place=archive.place, max_bytes=archive.max_unpacked):
        known = session.lock.files.get(member.name)
        if known is not None and known.sha256 != member.sha256:
            (session.folder / member.name).unlink()
            raise DownloadError(
                "changed", f"{member.name} has sha256 {member.sha256}, not {known.sha256} as first recorded"
            )
        unpacked[member.name] = LockedFile(url=url, size=member.size, sha256=member.sha256)
        session.progress(stage, len(unpacked), None)
    session.progress(stage, len(unpacked), len(unpacked))
    if not unpacked:
        raise DownloadError(
            "archive", f"{parts[0].name} holds nothing that is needed: its layout has changed"
        )
    session.lock.files.update(unpacked)
    session.lock.archives[archive.parts[0].name] = list(unpacked)
    session.lock.save()
    return [FetchOutcome(name, FetchStatus.FETCHED, locked.size) for name, locked in unpacked.items()]


def fetch_named(session: FetchSession, source: NamedFiles, revision: str) -> Iterator[FetchOutcome]:
    """Bring every file that is named; one that does not come is quarantined."""
    names, refusals = source.names(session.folder), RefusalCounter()
    stage = f"{session.report.dataset}: files named by records"
    for done, name in enumerate(names, 1):
        if quarantined := session.quarantined(name):
            yield quarantined
            continue
        url = source.url.replace("{file}", quote(name.rpartition("/")[2]))
        outcome = fetch_file(session, RemoteFile(name=name, url=url, max_bytes=source.max_bytes), revision)
        if outcome.status is not FetchStatus.FAILED or outcome.reason == "changed":
            session.quarantine.release(name)
            yield outcome
        else:
            yield session.quarantine_file(outcome)
        session.progress(stage, done, len(names))
        if refusals.stop(session, outcome.reason, len(names) - done):
            return


def fetch_listed(
    session: FetchSession, source: HubListing, repository: Repository, revision: str
) -> Iterator[FetchOutcome]:
    """Bring every listed file with the right suffix, held to the size and the hash that the hub gives."""
    try:
        files = listed_files(session, source, repository, revision)
    except (DownloadError, ValueError) as error:
        reason = error.reason if isinstance(error, DownloadError) else "server"
        hint = TERMS_HINT if reason == "forbidden" else ""
        yield FetchOutcome(repository.name, FetchStatus.FAILED, reason=reason, detail=f"{error}{hint}")
        return
    for file in files:
        yield fetch_file(session, file, revision)
