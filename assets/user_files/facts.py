"""What a list of files shows of each, in one small file: so that a row costs no reading of its own.

Written at the end of an ingest from what is kept of each file; without it the same is read file by file.
"""

import json
from collections.abc import Mapping, Set
from typing import Any, NamedTuple

from assets.user_files import parsed_files
from assets.user_files.ledger import FileLedger
from infra.storage.root import Storage

FACTS = f"{parsed_files.FOLDER}/facts.json"
SCHEMA_VERSION = 1
MOST_REMARKS = 20  # of one file


class FileFacts(NamedTuple):
    """``kind`` as it was read; ``read_at`` in seconds since 1970; ``remarks``: notes, and parts that are missing."""

    kind: str
    read_at: float
    remarks: tuple[str, ...]


def of_kept(storage: Storage, name: str) -> FileFacts | None:
    """What is kept under ``name`` says; None if nothing is kept."""
    known = parsed_files.described(storage, name)
    if known is None:
        return None
    remarks = (*known.about.notes, *map(str, known.about.skipped_parts()))
    return FileFacts(known.kind, known.read_at, remarks[:MOST_REMARKS])


def read(storage: Storage) -> dict[str, FileFacts]:
    """By the names of what is kept. Nothing depends on it: a damaged list is an empty one."""
    try:
        raw = json.loads(storage.read_bytes(FACTS))
        if raw["schema_version"] != SCHEMA_VERSION:
            return {}
        return {name: _facts(entry) for name, entry in raw["files"].items()}
    except (FileNotFoundError, AttributeError, KeyError, TypeError, ValueError):
        return {}


def update(storage: Storage, files: FileLedger, anew: Set[str]) -> None:
    """Replace the list by that of ``files``; ``anew`` are the names under which something was written since."""
    before = read(storage)
    found: dict[str, FileFacts] = {}
    for name in dict.fromkeys(file.kept for file in files.values()):
        known = before.get(name) if name not in anew else None
        if (known := known or of_kept(storage, name)) is not None:
            found[name] = known
    if found != before:
        storage.write_bytes(FACTS, _to_bytes(found))


def _facts(entry: Any) -> FileFacts:
    kind, read_at, remarks = entry
    return FileFacts(str(kind), float(read_at), tuple(map(str, remarks)))


def _to_bytes(facts: Mapping[str, FileFacts]) -> bytes:
    return json.dumps({"schema_version": SCHEMA_VERSION, "files": facts}, ensure_ascii=False).encode() + b"\n"
