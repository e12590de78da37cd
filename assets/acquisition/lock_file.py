"""The lock file of a dataset, ``raw/<dataset>.lock.json``: what was fetched, from where, with which hash.

It lies beside the raw folder, not in it, so that a folder deleted and fetched again is held to the same bytes.
Written anew, whole, after each file: a process that is killed loses no more than the one under way.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from infra.downloads.partial_file import disk
from infra.storage.atomic import replacing

SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedFile:
    """One file as it was first fetched."""

    url: str
    size: int
    sha256: str
    questions: int | None = None
    """Counted, where it is a file of questions."""


@dataclass(slots=True)
class LockFile:
    """What is recorded of one dataset."""

    path: Path
    files: dict[str, LockedFile] = field(default_factory=dict)
    """By name below the raw folder."""
    archives: dict[str, list[str]] = field(default_factory=dict)
    """By the name of its first part, the files that came out of an archive."""
    revisions: dict[str, str] = field(default_factory=dict)
    """By repository and the revision asked for ("owner/name@main"), the commit; "" if nobody told."""

    def save(self) -> None:
        """Replace the file on the disk; raises ``DownloadError`` as ``partial_file.disk`` says."""
        content: dict[str, Any] = {
            "schema": SCHEMA,
            "revisions": dict(sorted(self.revisions.items())),
            "archives": dict(sorted(self.archives.items())),
            "files": {name: asdict(locked) for name, locked in sorted(self.files.items())},
        }
        write_whole(self.path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def read_lock(path: Path) -> LockFile:
    """The lock at ``path``; an empty one if there is none.

    Raises:
        ValueError: if it is damaged, or of a newer schema.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["schema"] > SCHEMA:
            raise ValueError(f"schema {content['schema']} where {SCHEMA} is known")
        files = {name: LockedFile(**entry) for name, entry in content["files"].items()}
        return LockFile(path, files, dict(content["archives"]), dict(content["revisions"]))
    except FileNotFoundError:
        return LockFile(path)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(
            f"damaged lock file {path}: {error}; mend it, or begin anew with --relock"
        ) from error


def write_whole(path: Path, text: str) -> None:
    """Replace a text file so that a reader, or a crash, meets the old one or the new one."""
    with disk(path), replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")
