"""A person's own files made searchable in one call: what is new or changed is read, the rest is taken over.

Holds the order of things and the report. Finding files is ``paths.py``, reading them ``reading.py``, keeping what was read
``parsed_files.py``, corpus and index ``publishing.py``.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from assets.corpus.read import built_datasets
from assets.index.build import IndexReport
from assets.parsers.types import ParsedItem
from assets.user_files import facts, heard_files, ledger, left_out, parsed_files, publishing, reading
from assets.user_files.ledger import IngestedFile, RefusedFile
from assets.user_files.media import slides
from assets.user_files.parsed_files import ParsedFileInfo
from assets.user_files.paths import PathListing, SourcePath, find, is_below, location_of, shown_path
from assets.user_files.reading import DATASET, FileRecord, IngestSettings, SourceFile
from infra.embedders.types import Embedder
from infra.errors import MediaError
from infra.progress import ProgressListener, silent
from infra.storage.lock import only_writer
from infra.storage.root import Storage

__all__ = ["DATASET", "FileReport", "IngestReport", "IngestSettings", "IngestStatus", "ingest"]


class IngestStatus(StrEnum):
    """What happened to a file."""

    READ = "read"
    UNCHANGED = "unchanged"  # its content was read before, with the same settings
    REMOVED = "removed"  # it is gone from its folder, or was to be forgotten
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReport:
    """One file. ``reason`` says why it was skipped, or what its reader should know."""

    path: str
    items: int
    status: IngestStatus
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestReport:
    """What a run did. Files ingested earlier and not named now are in ``items`` only."""

    root: str
    files: tuple[FileReport, ...]
    items: int
    """Searchable items of all files; copies of one file count once."""
    skipped: Mapping[str, int]
    """Files, and parts of files, that could not be used, by reason."""
    index: IndexReport | None
    """None if there was nothing to index."""

    def count(self, status: IngestStatus) -> int:
        """The number of files with this status."""
        return sum(file.status is status for file in self.files)

    @property
    def readable(self) -> int:
        """The number of files that are searchable now."""
        return self.count(IngestStatus.READ) + self.count(IngestStatus.UNCHANGED)

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it."""
        counts = {
            status.value: self.count(status)
            for status in (IngestStatus.READ, IngestStatus.UNCHANGED, IngestStatus.REMOVED)
        }
        return {
            "root": self.root,
            "files": [asdict(file) for file in self.files],
            "items": self.items,
            **counts,
            "skipped": dict(self.skipped),
            "index": self.index.to_json() if self.index else None,
        }


def ingest(  # noqa: PLR0913 - what is read, how, and what is to be told, by name
    paths: Sequence[str | Path],
    storage: Storage,
    *,
    settings: IngestSettings | None = None,
    forget: Sequence[str | Path] = (),
    again: bool = False,
    progress: ProgressListener = silent,
    embedder: Embedder | None = None,
) -> IngestReport:
    """Add the files at ``paths`` to the dataset ``documents``, remove those at ``forget``, and index the result.

    Files ingested before stay, except those gone from a folder that is named again. A file that cannot be read is
    counted by its reason; if it was readable before, its items go. ``again`` reads
    what is known too. A run that is killed leaves the old corpus and index;
    the next one goes on with the files already read.

    Raises:
        ValueError: if there is nothing at a path, if nothing at a path of ``forget`` was ever ingested, or if another
            run is writing to the root.
    """
    walk = find([Path(path) for path in paths], leave_out=storage.local_path())
    with only_writer(storage, parsed_files.FOLDER):
        files, refused = ledger.read(storage), ledger.read_refused(storage)
        reports = list(_forget(files, refused, forget))
        run = _Run(storage, settings or IngestSettings(), progress, files, again=again)
        reports += run.take(walk)
        ledger.write_refused(storage, _still_refused(refused, run.refused, files, walk))
        built = None
        if files or DATASET in built_datasets(storage):
            ledger.write(storage, files)
            facts.update(storage, files, run.written)
            publishing.publish_corpus(storage, files, progress, anew=again)
            built = publishing.update_index(storage, embedder, progress)
        publishing.sweep(storage, files)
        heard_files.sweep(storage, files, run.listened)
    return IngestReport(
        root=storage.root,
        files=tuple(reports),
        items=built.datasets[DATASET] if built else 0,
        skipped=dict(sorted(run.skipped.items())),
        index=built,
    )


class _Run:
    """Goes through the files of one call and changes the list of files accordingly."""

    def __init__(
        self,
        storage: Storage,
        settings: IngestSettings,
        progress: ProgressListener,
        files: dict[str, IngestedFile],
        *,
        again: bool = False,
    ) -> None:
        self._storage, self._settings, self._progress, self._files = storage, settings, progress, files
        self._again = again
        self._num_items = 0
        self.written: set[str] = set()  # names of what was read and kept
        self.listened: set[str] = set()  # hashes of the files that were listened to, whatever became of them
        self.refused: dict[str, RefusedFile] = {}
        self.skipped: Counter[str] = Counter()

    def take(self, walk: PathListing) -> Iterator[FileReport]:
        """Read what is new, take over what is known, drop what is gone."""
        for skip in walk.skipped:
            yield self._skip(skip.where, skip.reason, skip.detail)
        places = self._without_transcripts(walk.places)
        for done, place in enumerate(places, start=1):
            yield self._file(place)
            self._progress("files", done, len(places))
        present = {place.location for place in places}
        for location in [known for known in self._files if known not in present and walk.has_lost(known)]:
            yield _removed(self._files.pop(location), "gone from its folder")

    def _without_transcripts(self, places: Sequence[SourcePath]) -> list[SourcePath]:
        """Without the texts that belong to a video and were not named themselves."""
        transcripts: set[str] = set()
        for place in places:
            try:
                beside = reading.source_of(place.path, self._settings).transcripts
            except MediaError:
                continue  # it is reported when its turn comes
            transcripts.update(map(location_of, beside))
        return [place for place in places if place.named or place.location not in transcripts]

    def _file(self, place: SourcePath) -> FileReport:
        path, location = shown_path(place.path), place.location
        try:
            source = reading.source_of(place.path, self._settings)
            self._refuse_generated(place, source)
            content = parsed_files.content_of(source)
            settings = heard_files.settings_for(self._storage, source, content, self._settings)
            name = parsed_files.name_of(content, source, settings)
            about = None if self._again else parsed_files.about(self._storage, name)
            status = IngestStatus.READ if about is None else IngestStatus.UNCHANGED
            about = about or self._read(source, name, content, settings)
        except MediaError as error:
            self._files.pop(location, None)
            return self._skip(path, error.reason, error.detail)
        self.skipped.update(skip.reason for skip in about.skipped)
        copied = status is IngestStatus.UNCHANGED and location not in self._files
        remarks = ["its content was read before"] * copied + _remarks(about, source)
        self._files[location] = IngestedFile(location=location, source=path, kept=name, items=about.items)
        return FileReport(path=path, items=about.items, status=status, reason=", ".join(remarks))

    def _refuse_generated(self, place: SourcePath, source: SourceFile) -> None:
        """Raise ``MediaError`` for what is not worth reading, unless it was named, now or when it was read before."""
        if place.named or place.location in self._files:
            return
        try:
            why = left_out.why_file(place.path, source.kind)
        except OSError as error:
            raise MediaError("file_unreadable", error.strerror or type(error).__name__) from error
        if why:
            raise MediaError(left_out.GENERATED, why)

    def _read(
        self, source: SourceFile, name: str, content: Mapping[str, str], settings: IngestSettings
    ) -> ParsedFileInfo:
        params = settings.matters(source.kind, is_drawn=source.is_drawn)
        if source.is_drawn:
            params[parsed_files.DECK] = content["file"]
        if settings.speech is not None:
            params[heard_files.HEARD] = content["file"]
            self.listened.add(content["file"])
        kept = parsed_files.keep(self._storage, name, self._checked(source, content, settings), params)
        self.written.add(name)
        return kept

    def _checked(
        self, source: SourceFile, content: Mapping[str, str], settings: IngestSettings
    ) -> Iterator[FileRecord]:
        """What the file holds, counted; refused at the end if it is no longer the file that was hashed."""
        hearing = heard_files.hearing_of(self._storage, content, settings.speech, self._progress)
        hear = hearing.words if hearing is not None else None
        draw = slides.keeper(self._storage, settings.slide_seconds) if source.is_drawn else None
        for record in reading.read(source, settings, hear=hear, draw=draw):
            if isinstance(record, ParsedItem):
                self._num_items += 1
                self._progress("pages, images, clips and passages", self._num_items, None)
            yield record
        if parsed_files.content_of(source) != content:
            if hearing is not None:
                hearing.pieces.forget()  # they may be of the file that took its place
            raise MediaError("file_changed_meanwhile", "it is read again by the next run")

    def _skip(self, path: str, reason: str, detail: str) -> FileReport:
        self.skipped[reason] += 1
        location = location_of(Path(path))
        self.refused[location] = RefusedFile(location=location, reason=reason, detail=detail)
        return FileReport(
            path=path,
            items=0,
            status=IngestStatus.SKIPPED,
            reason=f"{reason}: {detail}" if detail else reason,
        )


def _still_refused(
    before: Mapping[str, RefusedFile],
    now: Mapping[str, RefusedFile],
    files: Mapping[str, IngestedFile],
    walk: PathListing,
) -> dict[str, RefusedFile]:
    """Files that could not be read, without those that can by now and those that are gone from their folder."""
    kept = {place: file for place, file in before.items() if not walk.has_lost(place)}
    return {place: file for place, file in (kept | dict(now)).items() if place not in files}


def _forget(
    files: dict[str, IngestedFile], refused: dict[str, RefusedFile], paths: Sequence[str | Path]
) -> Iterator[FileReport]:
    for path in paths:
        place = location_of(Path(path))
        below = [location for location in files if is_below(location, [place])]
        unread = [location for location in refused if is_below(location, [place])]
        for location in unread:
            del refused[location]
        if not below and not unread:
            raise ValueError(f"nothing to forget: no file was ingested from {path}")
        for location in below:
            yield _removed(files.pop(location), "forgotten")


def _removed(file: IngestedFile, reason: str) -> FileReport:
    return FileReport(path=file.source, items=file.items, status=IngestStatus.REMOVED, reason=reason)


def _remarks(about: ParsedFileInfo, source: SourceFile) -> list[str]:
    missing = Counter(skip.reason for skip in about.skipped)
    transcript = [f"words of {shown_path(transcript.name)}" for transcript in source.transcripts]
    return [*transcript, *about.notes, *(f"{reason} {count}" for reason, count in missing.items())]
