"""Which commit a branch is today, so that what is fetched next year can be the same."""

from __future__ import annotations

import json
import re

import httpx

from assets.acquisition.catalogue import Repository, RepositoryHost
from assets.acquisition.mirrors import Mirrors
from infra.downloads.http import read_text
from infra.downloads.retry import RetrySchedule
from infra.errors import DownloadError

LOOK_UP = {
    RepositoryHost.HUB: "{{huggingface}}/api/datasets/{name}/revision/{revision}",
    RepositoryHost.GITHUB: "{{github-api}}/repos/{name}/commits/{revision}",
}
_COMMIT = re.compile(r"[0-9a-f]{40}")


def commit_of(
    http: httpx.Client, mirrors: Mirrors, repository: Repository, patience: RetrySchedule
) -> str | None:
    """The commit that the repository's revision is; None if nobody tells, as mirrors that only serve files."""
    if _COMMIT.fullmatch(repository.revision):
        return repository.revision
    template = LOOK_UP[repository.host].format(name=repository.name, revision=repository.revision)
    url = mirrors.address(template)
    try:
        answer = json.loads(read_text(http, url, patience, headers=mirrors.headers(url)))
    except (DownloadError, ValueError):
        return None
    sha = answer.get("sha") if isinstance(answer, dict) else None
    return sha if isinstance(sha, str) and _COMMIT.fullmatch(sha) else None
