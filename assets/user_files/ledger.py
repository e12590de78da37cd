"""Which files the dataset ``documents`` is made of, in the order in which they came.

One small file, ``ingest/files.json``, replaced as a whole: it is what the corpus ought to be, the corpus follows it.
New files go to the end and changed ones keep their place, so that of two equal files the earlier stays the one shown.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from assets.user_files.parsed_files import FOLDER
from infra.storage.root import Storage

SCHEMA_VERSION = 1
FILES = f"{FOLDER}/files.json"
REFUSED = f"{FOLDER}/refused.json"
MOST_REFUSED = 10_000  # the latest stay


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestedFile:
    """One file. ``kept`` names what was read of it; ``source`` is its path as it was last given."""

    location: str
    source: str
    kept: str
    items: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedFile:
    """A file that was met and could not be read, and why."""

    location: str
    reason: str
    detail: str = ""


FileLedger = Mapping[str, IngestedFile]
"""Location -> file."""


def read(storage: Storage) -> dict[str, IngestedFile]:
    """The files ingested so far; none in a new root.

    Raises:
        ValueError: if the list is damaged or of a newer schema.
    """
    try:
        raw = json.loads(storage.read_bytes(FILES))
        version, files = raw["schema_version"], [IngestedFile(**entry) for entry in raw["files"]]
    except FileNotFoundError:
        return {}
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"damaged {storage.path(FILES)!r}: {error}; remove it and ingest again") from error
    if version > SCHEMA_VERSION:
        raise ValueError(f"{storage.path(FILES)!r} has schema {version}, known up to {SCHEMA_VERSION}")
    return {file.location: file for file in files}


def digest_of(stored: bytes) -> str:
    """What a list is known by, as it is stored."""
    return hashlib.sha256(stored).hexdigest()


def stored_digest(storage: Storage) -> str:
    """``digest_of`` the list of the root; empty if there is none."""
    try:
        return digest_of(storage.read_bytes(FILES))
    except FileNotFoundError:
        return ""


def write(storage: Storage, files: FileLedger) -> None:
    """Replace the list."""
    storage.write_bytes(FILES, to_bytes(files))


def read_refused(storage: Storage) -> dict[str, RefusedFile]:
    """The files that could not be read when they were met last. Nothing depends on it: a damaged list is an empty one."""
    try:
        raw = json.loads(storage.read_bytes(REFUSED))
        return {file["location"]: RefusedFile(**file) for file in raw["files"]}
    except (FileNotFoundError, KeyError, TypeError, ValueError):
        return {}


def write_refused(storage: Storage, refused: Mapping[str, RefusedFile]) -> None:
    """Replace the list of refused files; nothing is written where it stays empty."""
    if not refused and not storage.exists(REFUSED):
        return
    files = [asdict(file) for file in list(refused.values())[-MOST_REFUSED:]]
    raw = {"schema_version": SCHEMA_VERSION, "files": files}
    storage.write_bytes(REFUSED, json.dumps(raw, indent=1, ensure_ascii=False).encode() + b"\n")


def to_bytes(files: FileLedger) -> bytes:
    """The list as it is stored; equal lists give equal bytes."""
    raw = {"schema_version": SCHEMA_VERSION, "files": [asdict(file) for file in files.values()]}
    return json.dumps(raw, indent=1, ensure_ascii=False).encode() + b"\n"
