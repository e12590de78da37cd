"""Files whose names are not known beforehand: those that records name, and those that a hub lists."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import quote

from assets.acquisition.catalogue import HubListing, NamedFiles, RemoteFile, Repository
from assets.acquisition.outcome import FetchOutcome, FetchStatus
from assets.acquisition.session import FetchSession, RefusalCounter
from assets.acquisition.single_file import fetch_file
from infra.downloads.archives import safe_name
from infra.downloads.http import read_text
from infra.errors import DownloadError

LISTING = "{huggingface}/api/datasets/%s/tree/{revision}?recursive=true"
FILE = "{huggingface}/datasets/%s/resolve/{revision}/%s"


def fetch_named(session: FetchSession, source: NamedFiles, revision: str) -> Iterator[FetchOutcome]:
    """Bring every file that is named; one that does not come is quarantined."""
    names, refusals = source.names(session.folder), RefusalCounter()
    stage = f"{session.report.dataset}: files named by records"
    for done, name in enumerate(names, 1):
        if session.quarantine.holds(name, retry_all=session.settings.retry_quarantined):
            row = session.quarantine.rows[name]
            yield FetchOutcome(name, FetchStatus.QUARANTINED, reason=row.reason, detail=row.detail)
            continue
        url = source.url.replace("{file}", quote(name.rpartition("/")[2]))
        outcome = fetch_file(session, RemoteFile(name=name, url=url, max_bytes=source.max_bytes), revision)
        if outcome.status is not FetchStatus.FAILED or outcome.reason == "changed":
            session.quarantine.release(name)
            yield outcome
        else:
            session.quarantine.put(name, outcome.reason, outcome.detail)
            yield outcome._replace(status=FetchStatus.QUARANTINED)
        session.progress(stage, done, len(names))
        if refusals.stop(session, outcome.reason, len(names) - done):
            return


def fetch_listed(
    session: FetchSession, source: HubListing, repository: Repository, revision: str
) -> Iterator[FetchOutcome]:
    """Bring every listed file with the right suffix, held to the size and the hash that the hub gives."""
    try:
        files = _listed(session, source, repository, revision)
    except (DownloadError, ValueError) as error:
        reason = error.reason if isinstance(error, DownloadError) else "server"
        hint = "; it may ask you to accept its terms on the hub, and to set HF_TOKEN" * (
            reason == "forbidden"
        )
        yield FetchOutcome(repository.name, FetchStatus.FAILED, reason=reason, detail=f"{error}{hint}")
        return
    for file in files:
        yield fetch_file(session, file, revision)


def _listed(
    session: FetchSession, source: HubListing, repository: Repository, revision: str
) -> list[RemoteFile]:
    settings = session.settings
    url = settings.mirrors.address(LISTING % repository.name, revision=revision)
    text = read_text(session.http, url, settings.patience, headers=settings.mirrors.headers(url))
    try:
        entries = json.loads(text)
        named = {entry["path"]: entry for entry in entries if entry["type"] == "file"}
        wanted = [(path, named[path]) for path in sorted(named) if path.endswith(source.suffix)]
        files = [_file(path, entry, source, repository) for path, entry in wanted if safe_name(path) == path]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the listing of {repository.name} cannot be read: {error}") from error
    if not files:
        raise ValueError(f"{repository.name} lists no {source.suffix} file")
    return files


def _file(path: str, entry: dict[str, object], source: HubListing, repository: Repository) -> RemoteFile:
    large = entry.get("lfs")
    sha256 = large.get("oid") if isinstance(large, dict) else None
    size = entry.get("size")
    return RemoteFile(
        name=path,
        url=FILE % (repository.name, quote(path)),
        max_bytes=source.max_bytes,
        size=size if isinstance(size, int) else None,
        sha256=sha256 if isinstance(sha256, str) and len(sha256) == 64 else None,
    )
