"""One published file: there already, taken over, or fetched; in each case held to what is known of its bytes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from assets.acquisition.catalogue import RemoteFile
from assets.acquisition.lock_file import LockedFile
from assets.acquisition.outcome import FetchOutcome, FetchStatus
from assets.acquisition.session import FetchSession, raise_of_the_disk
from infra.downloads.http import DownloadedFile, DownloadRequest, download, matches
from infra.errors import DownloadError
from infra.storage.manifest import sha256_of

AGAIN = "remove it to fetch it again"


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
        found = present(session, file) or LocalFile(FetchStatus.FETCHED, fetch_to(session, file, url))
    except DownloadError as error:
        raise_of_the_disk(error)
        return FetchOutcome(file.name, FetchStatus.FAILED, reason=error.reason, detail=error.detail)
    if found.status is not FetchStatus.PRESENT:
        session.lock.files[file.name] = LockedFile(url=url, size=found.file.size, sha256=found.file.sha256)
        session.lock.save()
    return FetchOutcome(file.name, found.status, found.file.size)


def present(session: FetchSession, file: RemoteFile) -> LocalFile | None:
    """The file as it lies there, if it does and is as recorded and published.

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
    _compare(path, size, file.size)
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
    wanted = DownloadRequest(
        url=url,
        target=target or session.folder / file.name,
        max_bytes=file.max_bytes,
        size=file.size,
        sha256=locked.sha256 if locked else file.sha256,
        headers=session.settings.mirrors.headers(url),
    )
    try:
        return download(
            session.http, wanted, session.settings.patience, progress=session.bytes_progress(file.name)
        )
    except DownloadError as error:
        if error.reason == "forbidden" and "huggingface" in file.url:
            hint = "it may ask you to accept its terms on the hub, and to set HF_TOKEN"
            raise DownloadError(error.reason, f"{error.detail}; {hint}") from error
        raise


def _compare(path: Path, size: int, published: int | None) -> None:
    if published is not None and size != published:
        raise DownloadError(
            "changed", f"{path} has {size:,} bytes where {published:,} are published; {AGAIN}"
        )
