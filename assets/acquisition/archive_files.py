"""A published archive: its parts fetched into a hidden folder, what is needed unpacked, the parts removed."""

from __future__ import annotations

import shutil
from pathlib import Path

from assets.acquisition.catalogue import RemoteFile, ZipArchive
from assets.acquisition.lock_file import LockedFile
from assets.acquisition.outcome import FetchOutcome, FetchStatus
from assets.acquisition.session import FetchSession, raise_of_the_disk
from assets.acquisition.single_file import fetch_to
from infra.downloads.archives import unpack
from infra.errors import DownloadError
from infra.storage.manifest import sha256_of

STAGING = ".archives"  # hidden: parsers pass it over


def fetch_archive(session: FetchSession, archive: ZipArchive, revision: str) -> list[FetchOutcome]:
    """Bring what is needed of an archive below the raw folder, and record it.

    Raises:
        DownloadError: for what the disk has against it; all else is an outcome.
    """
    name = archive.parts[0].name
    try:
        if members := _present(session, name):
            return [
                FetchOutcome(member, FetchStatus.PRESENT, session.lock.files[member].size)
                for member in members
            ]
        parts = [_part(session, archive, part, revision) for part in archive.parts]
        outcomes = _unpacked(session, archive, parts)
    except DownloadError as error:
        raise_of_the_disk(error)
        return [FetchOutcome(name, FetchStatus.FAILED, reason=error.reason, detail=error.detail)]
    shutil.rmtree(session.folder / STAGING, ignore_errors=True)
    return outcomes


def _present(session: FetchSession, name: str) -> list[str]:
    """The members of the archive, if all of them are there as recorded."""
    members = session.lock.archives.get(name, [])
    for member in members:
        path, locked = session.folder / member, session.lock.files[member]
        if not path.is_file():
            return []
        if path.stat().st_size != locked.size or (
            session.settings.verify and sha256_of(path) != locked.sha256
        ):
            raise DownloadError("changed", f"{path} is not as it was fetched; remove it to fetch it again")
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
    fetched = fetch_to(session, part, url, target=target)
    session.lock.files[part.name] = LockedFile(url=url, size=fetched.size, sha256=fetched.sha256)
    session.lock.save()
    return target


def _unpacked(session: FetchSession, archive: ZipArchive, parts: list[Path]) -> list[FetchOutcome]:
    url = session.lock.files[archive.parts[0].name].url
    stage = f"{session.report.dataset}: unpack"
    found: dict[str, LockedFile] = {}
    for member in unpack(parts, session.folder, place=archive.place, max_bytes=archive.max_unpacked):
        known = session.lock.files.get(member.name)
        if known is not None and known.sha256 != member.sha256:
            (session.folder / member.name).unlink()
            raise DownloadError(
                "changed", f"{member.name} has sha256 {member.sha256}, not {known.sha256} as first recorded"
            )
        found[member.name] = LockedFile(url=url, size=member.size, sha256=member.sha256)
        session.progress(stage, len(found), None)
    session.progress(stage, len(found), len(found))
    if not found:
        raise DownloadError(
            "archive", f"{parts[0].name} holds nothing that is needed: its layout has changed"
        )
    session.lock.files.update(found)
    session.lock.archives[archive.parts[0].name] = list(found)
    session.lock.save()
    return [FetchOutcome(name, FetchStatus.FETCHED, locked.size) for name, locked in found.items()]
