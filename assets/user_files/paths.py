"""Which files a person means: those named, and those below the folders named, in a stable order.

Holds finding and naming; nothing is opened here. A file is known by its location, the absolute path as it was given:
links are not resolved, so that ``docs/a.pdf`` and ``/home/me/docs/a.pdf`` are one file wherever the command was run.
"""

import hashlib
import os
import re
import stat
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from assets.parsers.types import SkippedRecord
from assets.user_files import left_out

KEY_HEX = 10  # digits of the hash in a file key: 40 bits, and the readable part differs too
SLUG_CHARACTERS = 40
_NOT_PLAIN = re.compile(r"[^a-z0-9]+")


class SourcePath(NamedTuple):
    """A file that was found. ``named``: it was given itself, not only a folder above it."""

    path: Path  # as given, or below the folder as given
    named: bool

    @property
    def location(self) -> str:
        """What the file is known by."""
        return location_of(self.path)


@dataclass(slots=True)
class PathListing:
    """What lies at the paths given. ``folders`` and ``unseen`` are locations; the latter could not be entered."""

    places: list[SourcePath] = field(default_factory=list)
    skipped: list[SkippedRecord] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)

    def has_lost(self, location: str) -> bool:
        """Whether a file once at ``location`` would have been found, had it still been there."""
        return is_below(location, self.folders) and not is_below(location, self.unseen)


def location_of(path: Path) -> str:
    """The absolute path, ``.`` and ``..`` worked out, links left as they are, in characters that can be stored."""
    return shown_path(os.path.abspath(path))


def shown_path(path: str | Path) -> str:
    """A path as text: bytes of a name that are no UTF-8, as old disks hold, are spelled out in hex."""
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def is_below(location: str, folders: Iterable[str]) -> bool:
    """Whether ``location`` is one of ``folders`` or lies in one."""
    return any(location == folder or location.startswith(folder.rstrip("/") + "/") for folder in folders)


def file_key(location: str) -> str:
    """A short name for ids: the file's name in plain letters and the beginning of the location's hash."""
    name = location.rsplit("/", 1)[-1].lower()
    if not name.isascii():
        name = "".join(char for char in unicodedata.normalize("NFKD", name) if char.isascii())
    slug = _NOT_PLAIN.sub("-", name).strip("-")[:SLUG_CHARACTERS].strip("-")
    return f"{slug or 'file'}-{hashlib.sha256(location.encode()).hexdigest()[:KEY_HEX]}"


def find(paths: Sequence[Path], *, leave_out: Path | None = None) -> PathListing:
    """Every file at ``paths``, folders entered in name order, hidden entries and folders of packages left out.

    Links are followed to files of the same folder and nowhere else; a path that is given may itself be a link.
    ``leave_out`` is a folder that is not entered from above: the one that results are written to.

    Raises:
        ValueError: if there is nothing at a path.
    """
    walk = PathListing()
    for path in paths:
        if not path.exists():
            raise ValueError(f"no such file or folder: {path}")
        if path.is_dir():
            walk.folders.append(location_of(path))
            _enter(path, walk, leave_out)
        else:
            _take(path, walk, named=True)
    # the same file may lie at several paths; that it was named by one of them counts
    by_location: dict[str, SourcePath] = {}
    for place in walk.places:
        known = by_location.setdefault(place.location, place)
        if place.named and not known.named:
            by_location[place.location] = place
    walk.places = list(by_location.values())
    return walk


def _enter(top: Path, walk: PathListing, leave_out: Path | None) -> None:
    inside = top.resolve()
    closed = leave_out.resolve() if leave_out else None

    def unseen(error: OSError) -> None:
        walk.unseen.append(location_of(Path(error.filename)))
        walk.skipped.append(_skip("folder_unreadable", Path(error.filename), error.strerror or ""))

    for folder, folders, files in os.walk(top, onerror=unseen):
        here = Path(folder)
        folders[:] = sorted(_entered(here, folders, closed, walk))
        for name in sorted(files):
            if name.startswith("."):
                continue
            path = here / name
            if path.is_symlink() and (reason := _refused_link(path, inside)):
                walk.skipped.append(_skip(reason, path))
                continue
            _take(path, walk, named=False)


def _entered(here: Path, folders: Sequence[str], closed: Path | None, walk: PathListing) -> Iterator[str]:
    """The folders to enter; one behind a link is read where it really is, if that is in the folder given."""
    for name in folders:
        path = here / name
        if name.startswith("."):
            continue
        if path.is_symlink():
            walk.skipped.append(_skip("link_to_folder", path))
        elif why := left_out.why_folder(path):
            walk.unseen.append(location_of(path))  # what was read of it when it was named stays
            walk.skipped.append(_skip(left_out.PACKAGES, path, why))
        elif closed is None or path.resolve() != closed:
            yield name


def _refused_link(path: Path, inside: Path) -> str:
    """Why a link to a file is not followed; empty if it is."""
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError):
        return "link_broken"
    return "" if target.is_relative_to(inside) else "link_outside"


def _take(path: Path, walk: PathListing, *, named: bool) -> None:
    try:
        regular = stat.S_ISREG(path.stat().st_mode)
    except OSError as error:
        walk.skipped.append(_skip("file_unreadable", path, error.strerror or ""))
        return
    if regular:
        walk.places.append(SourcePath(path, named))
    else:  # opening a pipe would wait for ever
        walk.skipped.append(_skip("not_a_file", path))


def _skip(reason: str, path: Path, detail: str = "") -> SkippedRecord:
    return SkippedRecord(reason=reason, where=shown_path(path), detail=detail)
