"""What a host says of a repository: which commit a branch is today, and which files a hub lists in it."""

import json
import re
from typing import Any
from urllib.parse import quote

from assets.acquisition.catalogue import HubListing, RemoteFile, Repository, RepositoryHost
from assets.acquisition.session import FetchSession
from infra.downloads.archives import safe_name
from infra.downloads.http import read_text
from infra.errors import DownloadError

COMMIT = {
    RepositoryHost.HUB: "{{huggingface}}/api/datasets/{name}/revision/{revision}",
    RepositoryHost.GITHUB: "{{github-api}}/repos/{name}/commits/{revision}",
}
LISTING = "{huggingface}/api/datasets/%s/tree/{revision}?recursive=true"
FILE = "{huggingface}/datasets/%s/resolve/{revision}/%s"
_COMMIT = re.compile(r"[0-9a-f]{40}")


def commit_of(session: FetchSession, repository: Repository) -> str | None:
    """The commit that the repository's revision is; None if nobody tells, as mirrors that only serve files."""
    if _COMMIT.fullmatch(repository.revision):
        return repository.revision
    template = COMMIT[repository.host].format(name=repository.name, revision=repository.revision)
    try:
        answer = _json_at(session, session.settings.mirrors.address(template))
    except (DownloadError, ValueError):
        return None
    sha = answer.get("sha") if isinstance(answer, dict) else None
    return sha if isinstance(sha, str) and _COMMIT.fullmatch(sha) else None


def listed_files(
    session: FetchSession, listing: HubListing, repository: Repository, revision: str
) -> list[RemoteFile]:
    """Every file with the right suffix, with the size and the hash that the hub gives.

    Raises:
        DownloadError: if the hub does not answer.
        ValueError: if the listing cannot be read, or names no such file.
    """
    url = session.settings.mirrors.address(LISTING % repository.name, revision=revision)
    try:
        entries = {entry["path"]: entry for entry in _json_at(session, url) if entry["type"] == "file"}
        paths = [
            path for path in sorted(entries) if path.endswith(listing.suffix) and safe_name(path) == path
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the listing of {repository.name} cannot be read: {error}") from error
    if not paths:
        raise ValueError(f"{repository.name} lists no {listing.suffix} file")
    return [_file(path, entries[path], listing, repository) for path in paths]


def _json_at(session: FetchSession, url: str) -> Any:
    settings = session.settings
    return json.loads(read_text(session.http, url, settings.retry, headers=settings.mirrors.headers(url)))


def _file(path: str, entry: dict[str, object], listing: HubListing, repository: Repository) -> RemoteFile:
    large = entry.get("lfs")
    sha256 = large.get("oid") if isinstance(large, dict) else None
    size = entry.get("size")
    return RemoteFile(
        name=path,
        url=FILE % (repository.name, quote(path)),
        max_bytes=listing.max_bytes,
        size=size if isinstance(size, int) else None,
        sha256=sha256 if isinstance(sha256, str) and len(sha256) == 64 else None,
    )
