"""Which version of a dataset lies in its raw folder: one hash over the names and contents of its files.

It is the ``raw`` input of the corpus' manifest (``build.fingerprint``). What was hashed before is not read again while size and
time of change are the same; ``signature`` tells cheaply whether anything may have changed at all.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from assets.parsers.files.raw_folder import RawFile, RawFolder
from infra.progress import ProgressListener, silent
from infra.storage import manifest
from infra.storage.root import Storage

HASHES = "observed"  # folder below the root


@dataclass(frozen=True, slots=True, kw_only=True)
class RawVersion:
    """What lies in a raw folder."""

    version: str
    """In hex."""
    files: int
    bytes: int
    faults: Mapping[str, int] = field(default_factory=dict)
    """Reason -> files that cannot be a source, such as an unfinished download; they are no part of the version."""


def is_there(folder: Path) -> bool:
    """Whether a raw folder holds anything."""
    return folder.is_dir() and any(folder.iterdir())


def raw_version(
    storage: Storage, dataset: str, folder: Path, *, progress: ProgressListener = silent
) -> RawVersion:
    """The version of a raw folder; hashes are kept below the root, where the next look finds them."""
    found = RawFolder(folder)
    known, path = _known(storage, dataset), f"{HASHES}/{dataset}.json"
    hashes: dict[str, list[str | int]] = {}
    hashed, size = hashlib.sha256(), 0
    for done, file in enumerate(found.files, start=1):
        stamp = _stamp(file)
        kept = known.get(file.name)
        sha = str(kept[2]) if kept and tuple(kept[:2]) == stamp else manifest.sha256_of(file.path)
        hashes[file.name] = [*stamp, sha]
        size += stamp[0]
        hashed.update(f"{file.name}\0{sha}\n".encode())
        progress(f"{dataset}: hash", done, len(found.files))
    if hashes != known:
        storage.write_bytes(path, json.dumps(hashes, sort_keys=True).encode())
    faults: dict[str, int] = {}
    for fault in found.faults:
        faults[fault.reason] = faults.get(fault.reason, 0) + 1
    return RawVersion(version=hashed.hexdigest(), files=len(found.files), bytes=size, faults=faults)


def signature(folder: Path) -> str:
    """Changes whenever a file comes, goes, grows or is written: a hash over names, sizes and times, no file is opened."""
    hashed = hashlib.sha256()
    for file in RawFolder(folder).files:
        hashed.update(f"{file.name}\0{_stamp(file)}\n".encode())
    return hashed.hexdigest()[:16]


def _stamp(file: RawFile) -> tuple[int, int]:
    """Bytes, and nanoseconds since the epoch at its last change."""
    status = file.path.stat()
    return status.st_size, status.st_mtime_ns


def _known(storage: Storage, dataset: str) -> dict[str, list[str | int]]:
    try:
        return json.loads(storage.read_bytes(f"{HASHES}/{dataset}.json"))
    except (FileNotFoundError, ValueError):
        return {}
