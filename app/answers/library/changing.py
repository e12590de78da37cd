"""Removing files and reading them again, as ``vimrag ingest`` would: corpus and index are published anew.

What a reader has open stays until he lets go of it (decision 0024); only the copy of an uploaded file, which is ours, is
deleted from the disk. Other files are never touched.
"""

from collections.abc import Sequence
from pathlib import Path

from app.answers.library.naming import meant
from assets.user_files import ledger
from assets.user_files.ingest import IngestReport, IngestSettings, ingest
from assets.user_files.paths import file_key, is_below, location_of
from infra.progress import ProgressListener, silent
from infra.storage.root import Storage

UPLOADS = "uploads"
"""Folder of the root in which the server keeps what it was sent."""


def locations(storage: Storage, words: Sequence[str], *, refused: bool = True) -> list[str]:
    """Where the files lie that ``words`` mean; raises as ``meant``. Without ``refused`` only those that are searchable."""
    known = list(ledger.read(storage))
    if refused:
        known += [each for each in ledger.read_refused(storage) if each not in known]
    return meant(words, known)


def scope_of(storage: Storage, words: Sequence[str]) -> tuple[str, ...]:
    """The keys that a search is limited to so that it finds these files and no other; raises as ``meant``.

    Of files with equal content the first one stands for all of them.
    """
    files = ledger.read(storage)
    first: dict[str, str] = {}
    for location, file in files.items():
        first.setdefault(file.kept, file_key(location))
    chosen = meant(words, list(files))
    return tuple(dict.fromkeys(first[files[location].kept] for location in chosen))


def remove(storage: Storage, places: Sequence[str], progress: ProgressListener = silent) -> IngestReport:
    """Take files out of corpus and index; ``ValueError`` if one was never ingested or another run is writing."""
    report = ingest([], storage, forget=places, progress=progress)
    if uploads := storage.local_path(UPLOADS):
        for place in places:
            if is_below(place, [location_of(uploads)]):
                Path(place).unlink(missing_ok=True)
    return report


def reread(
    storage: Storage,
    places: Sequence[str],
    progress: ProgressListener = silent,
    *,
    settings: IngestSettings | None = None,
) -> IngestReport:
    """Read files again, whether or not they have changed: after OCR was installed, for example.

    Raises:
        ValueError: if one of them is not at its place any more, or another run is writing.
    """
    if gone := [place for place in places if not Path(place).is_file()]:
        raise ValueError(f"not at its place any more, so it cannot be read again: {', '.join(gone[:5])}")
    return ingest(list(places), storage, settings=settings, again=True, progress=progress)
