"""The files that were ingested, one record each: how many items, how large, in what state, and what went wrong.

The list of files and what is shown of each are two small files, read once while they stay as they are; a row costs a look at
its file on the disk and no more. Which files a name means is ``naming.py``, changing them ``changing.py``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from app.answers.library.naming import folders_of
from app.answers.records import Record, Text
from assets.user_files import facts, ledger, left_out, parsed_files, publishing
from assets.user_files.facts import FileFacts
from assets.user_files.ledger import IngestedFile, RefusedFile
from assets.user_files.paths import file_key
from infra.storage.root import Storage

MOST_ROWS = 200  # of one page

READY, CHANGED, GONE, UNREADABLE, LEFT_OUT = "ready", "changed", "gone", "unreadable", "left_out"


class SourceRecord(Record):
    """One file. ``folder`` tells it apart from files of the same name and is empty where there are none.

    ``state``: "ready"; "changed" since it was read; "gone" from where it lay, though still searchable; "unreadable", or
    "left_out" because it is not worth reading, and then ``reason`` says why. ``bytes`` are those it has now.
    """

    key: str
    name: Text
    folder: Text
    path: Text
    kind: str
    items: int
    bytes: int | None
    state: str
    reason: Text
    remarks: tuple[Text, ...]
    """What a reader should know of it, and which of its parts could not be read."""
    same_as: str | None
    """The key of an earlier file with the same content, which answers for both."""


class SourcePage(Record):
    """Some of the files. ``total`` counts those that fit, ``files`` and ``unreadable`` all there are, left out ones not."""

    total: int
    offset: int
    files: int
    unreadable: int
    pending: bool
    """Whether files were read that the index does not hold yet: the last run was ended before its time."""
    rows: tuple[SourceRecord, ...]


class _Entry(NamedTuple):
    key: str
    name: str
    folder: str
    location: str
    file: IngestedFile | None
    refused: RefusedFile | None
    same_as: str | None


@dataclass(frozen=True, slots=True)
class LibraryView:
    """The list as it was when it was read, in the order of names."""

    entries: tuple[_Entry, ...]
    by_key: Mapping[str, _Entry]
    pending: bool
    facts: Mapping[str, FileFacts]

    def __len__(self) -> int:
        return len(self.entries)


class Library:
    """The files of one root; reads the list again when it has changed. Threads may share it."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._lock = Lock()
        self._known: tuple[object, LibraryView] | None = None

    def view(self) -> LibraryView:
        """The list as it is now. Raises ``ValueError`` if it is damaged."""
        stamp = self._stamp()
        with self._lock:
            if stamp is not None and self._known is not None and self._known[0] == stamp:
                return self._known[1]
        view = _view(self._storage)
        with self._lock:
            self._known = (stamp, view)
        return view

    def page(
        self, *, words: str = "", state: str = "", offset: int = 0, limit: int = MOST_ROWS
    ) -> SourcePage:
        """Files whose path holds every one of ``words``, some of them.

        ``state``: only "unreadable" ones and those left out, or only those that are searchable ("ready"); all if empty.
        """
        view = self.view()
        wanted = words.casefold().split()
        found = [
            entry
            for entry in view.entries
            if (not state or (entry.refused is not None) == (state == UNREADABLE))
            and all(word in entry.location.casefold() for word in wanted)
        ]
        shown = found[offset : offset + min(limit, MOST_ROWS)]
        return SourcePage(
            total=len(found),
            offset=offset,
            files=len(view.entries),
            unreadable=sum(_state(entry.refused) == UNREADABLE for entry in view.entries if entry.refused),
            pending=view.pending,
            rows=tuple(self._record(entry, view) for entry in shown),
        )

    def records(self, keys: Sequence[str]) -> list[SourceRecord]:
        """Those of the files that there are, in the order given."""
        view = self.view()
        return [self._record(view.by_key[key], view) for key in keys if key in view.by_key]

    def file(self, key: str) -> IngestedFile | None:
        """A file that was read, by its key."""
        entry = self.view().by_key.get(key)
        return None if entry is None else entry.file

    def first_picture(self, key: str) -> str | None:
        """The item that shows what the file looks like: its first page, picture or clip; None for a text."""
        file = self.file(key)
        if file is None:
            return None
        first = parsed_files.first_visual(self._storage, file.kept)
        return None if first is None else publishing.placed_id(first, file)

    def _stamp(self) -> object:
        stamps: list[tuple[int, int, int] | None] = []
        for name in (ledger.FILES, ledger.REFUSED, facts.FACTS, f"{publishing.CORPUS}/manifest.json"):
            path = self._storage.local_path(name)
            if path is None:
                return None  # on S3 the list is read each time
            try:
                status = path.stat()
                stamps.append((status.st_mtime_ns, status.st_size, status.st_ino))
            except OSError:
                stamps.append(None)
        return tuple(stamps)

    def _record(self, entry: _Entry, view: LibraryView) -> SourceRecord:
        if entry.refused is not None:
            return _refused_record(entry, entry.refused)
        assert entry.file is not None
        known = view.facts.get(entry.file.kept) or facts.of_kept(self._storage, entry.file.kept)
        size, state = _on_disk(entry.location, None if known is None else known.read_at)
        return SourceRecord(
            key=entry.key,
            name=entry.name,
            folder=entry.folder,
            path=entry.location,
            kind="" if known is None else known.kind,
            items=entry.file.items,
            bytes=size,
            state=state,
            reason="",
            remarks=() if known is None else known.remarks,
            same_as=entry.same_as,
        )


def _view(storage: Storage) -> LibraryView:
    files, refused = ledger.read(storage), ledger.read_refused(storage)
    locations = [*files, *(location for location in refused if location not in files)]
    folders = folders_of(locations)
    first: dict[str, str] = {}
    same: dict[str, str] = {}
    keys = {location: file_key(location) for location in locations}
    for location, file in files.items():
        key = keys[location]
        if (stands := first.setdefault(file.kept, key)) != key:
            same[location] = stands
    entries = [
        _Entry(
            key=keys[location],
            name=location.rsplit("/", 1)[-1],
            folder=folders[location],
            location=location,
            file=files.get(location),
            refused=refused[location] if location not in files else None,
            same_as=same.get(location),
        )
        for location in locations
    ]
    entries.sort(key=lambda entry: (entry.name.casefold(), entry.location))
    pending = bool(files) and not publishing.is_published(storage, ledger.stored_digest(storage))
    by_key = {entry.key: entry for entry in entries}
    return LibraryView(tuple(entries), by_key, pending, facts.read(storage))


def _refused_record(entry: _Entry, refused: RefusedFile) -> SourceRecord:
    size, _ = _on_disk(entry.location, None)
    reason = f"{refused.reason}: {refused.detail}" if refused.detail else refused.reason
    return SourceRecord(
        key=entry.key,
        name=entry.name,
        folder=entry.folder,
        path=entry.location,
        kind="",
        items=0,
        bytes=size,
        state=_state(refused),
        reason=reason,
        remarks=(),
        same_as=None,
    )


def _state(refused: RefusedFile) -> str:
    return LEFT_OUT if refused.reason in left_out.REASONS else UNREADABLE


def _on_disk(location: str, read_at: float | None) -> tuple[int | None, str]:
    """Size, and whether the file is as it was when it was read, as far as its time tells."""
    try:
        status = Path(location).stat()
    except (OSError, ValueError):
        return None, GONE
    changed = read_at is not None and status.st_mtime > read_at
    return status.st_size, CHANGED if changed else READY
