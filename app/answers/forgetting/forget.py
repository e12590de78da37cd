"""``vimrag forget``: a document out of the corpus, every version of it, and everything that was derived; then looked for again.

The order matters: what it can be recognised by is taken down first, then it leaves the corpus and a new index is published,
then versions that nobody reads are removed, then traces elsewhere. Readers keep the release they hold (decision 0024): who
holds one is named, and the command is run again when they are done. The audit line holds a hash of the place and counts, no name
and no content.
"""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from app.answers.forgetting.marks import Marks, marks_of
from app.answers.forgetting.traces import erase, remaining
from app.answers.library.changing import remove
from app.answers.library.naming import meant
from assets.index import retention
from assets.index.published import current_index
from assets.user_files import ledger
from assets.user_files.paths import file_key, location_of
from assets.user_files.reading import DATASET
from infra.progress import ProgressListener, silent
from infra.storage import lease
from infra.storage.root import Storage

AUDIT = "audit/forgotten.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """What was done."""

    subjects: tuple[str, ...]
    """A sha256 of each file's place: it tells whether a known file was forgotten, and names none."""
    items: int
    """That were searchable."""
    versions: int
    """Removed, of indexes, corpora and shards."""
    traces: int
    """Files elsewhere that held one."""
    copies: tuple[str, ...]
    """Other files with the same content, which stay; empty in the audit."""
    held_by: tuple[str, ...]
    """Readers of versions that hold it still."""
    left: tuple[str, ...]
    """Files below the root that still hold a trace."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing of it is left."""
        return not self.left


def subject_of(location: str) -> str:
    """What the audit calls a file."""
    return hashlib.sha256(location.encode()).hexdigest()


def forget(storage: Storage, words: Sequence[str], progress: ProgressListener = silent) -> Forgotten:
    """Forgets the files that ``words`` mean: a path, a name, a key, or the id of one of their items.

    A file that was forgotten before, while somebody read it, is looked for again by its path.

    Raises:
        ValueError: if no such file was ever ingested, or another run is writing.
    """
    files = ledger.read(storage)
    known = [*files, *(each for each in ledger.read_refused(storage) if each not in files)]
    locations = _again(storage, words) or meant([_file_of(word, known) for word in words], known)
    marks = marks_of(storage, locations, files)
    kept = {files[each].kept for each in locations if each in files}
    copies = tuple(
        file.source for place, file in files.items() if file.kept in kept and place not in locations
    )
    ingested = [each for each in locations if each in known]
    report = remove(storage, ingested, progress) if ingested else None
    versions = _collect(storage)
    traces = erase(storage, marks, keep=(AUDIT,))
    done = Forgotten(
        subjects=tuple(map(subject_of, locations)),
        items=sum(file.items for file in report.files) if report else 0,
        versions=versions,
        traces=len(traces),
        copies=copies,
        held_by=_readers(storage),
        left=tuple(_left(storage, marks)),
    )
    _audit(storage, done)
    return done


def _file_of(word: str, known: Sequence[str]) -> str:
    """The key of the file that an item's id (``documents:page:report-0123abcd...``) begins with, else the word."""
    if not word.startswith(f"{DATASET}:"):
        return word
    native = word.partition(":")[2].partition(":")[2]
    return max((key for key in map(file_key, known) if native.startswith(key)), key=len, default=word)


def _again(storage: Storage, words: Sequence[str]) -> list[str]:
    """The places of ``words`` if every one of them is in the audit and in no list any more."""
    places = [location_of_word(word) for word in words]
    known = set(ledger.read(storage))
    done = {subject for line in audit(storage) for subject in line["subjects"]}
    return places if all(each not in known and subject_of(each) in done for each in places) else []


def location_of_word(word: str) -> str:
    """The place a path means, whether or not something lies there."""
    return location_of(Path(word).expanduser())


def _collect(storage: Storage) -> int:
    """Versions that nobody reads go at once, of the person's own files whatever their age."""
    in_use = current_index(storage)
    if in_use is None:
        return 0
    removed = retention.collect(storage, keep_s=0.0, before=in_use.version, at_once=(DATASET,))
    return len(removed)


def _readers(storage: Storage) -> tuple[str, ...]:
    in_use = current_index(storage)
    now = in_use.version if in_use else ""
    return tuple(
        held.holder for held in lease.held(storage) if any(version != now for version in held.versions)
    )


def _left(storage: Storage, marks: Marks) -> list[str]:
    return remaining(storage, marks, keep=(AUDIT,))


def _audit(storage: Storage, done: Forgotten) -> None:
    line = {
        "at": datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="seconds"),
        "subjects": list(done.subjects),
        "items": done.items,
        "versions_removed": done.versions,
        "traces_erased": done.traces,
        "left": len(done.left),
        "held_by_readers": len(done.held_by),
    }
    before = storage.read_bytes(AUDIT) if storage.exists(AUDIT) else b""
    storage.write_bytes(AUDIT, before + json.dumps(line, sort_keys=True).encode() + b"\n")


def audit(storage: Storage) -> list[dict[str, list[str]]]:
    """The lines so far."""
    if not storage.exists(AUDIT):
        return []
    return [json.loads(line) for line in storage.read_bytes(AUDIT).splitlines() if line.strip()]
