"""The files below a raw folder, however a clone, a downloader or an archive left them.

Links are followed, each real folder once; hidden files and folders and what macOS adds to archives are passed
over. What cannot be a source (a broken link, a Git LFS pointer, an unfinished download) is a fault that the
parser yields; what looks like data and no parser took is told by ``untaken``. Reading is elsewhere.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from assets.parsers.types import SkippedRecord

LFS_HEAD = b"version https://git-lfs.github.com/spec/"
LFS_BYTES = 1024  # a pointer is some 130 bytes
SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("dev", "val", "valid", "validation"), "dev"),
    **dict.fromkeys(("test", "testing"), "test"),
}
UNFINISHED = (".part", ".partial", ".incomplete", ".crdownload", ".aria2", ".ytdl")
TABLES = (".json", ".jsonl", ".ndjson", ".parquet", ".csv", ".tsv", ".arrow", ".feather", ".pkl", ".xlsx")
COMPRESSED = (".gz", ".bz2", ".xz", ".zst")  # one file each, read as it is
ARCHIVES = (".zip", ".7z", ".rar", ".tar", ".tgz", *COMPRESSED)
_WORD = re.compile(r"[a-z]+")
_PART_OF_ARCHIVE = re.compile(r"\.\d{3}")  # imgs.7z.001


class RawFile(NamedTuple):
    """One file; ``name`` is its path relative to the raw folder, with forward slashes."""

    path: Path
    name: str

    @property
    def suffix(self) -> str:
        """The suffix in lower case, that of the content if the file is compressed."""
        lowered = PurePosixPath(self.name.lower())
        return PurePosixPath(lowered.stem).suffix if lowered.suffix in COMPRESSED else lowered.suffix

    @property
    def folder(self) -> str:
        """The name of the folder that holds it; "" for the raw folder itself."""
        return PurePosixPath(self.name).parent.name

    @property
    def split(self) -> str | None:
        """The split that the path names: a word of the file's name, else of the nearest folder that has one.

        A word is a run of letters, or one with "set" behind it; "latest" names nothing, nor does a folder
        "training_data" above a file called "dev-v1.1.json".
        """
        for part in reversed(PurePosixPath(self.name.lower()).parts):
            for word in _WORD.findall(part):
                if (split := SPLITS.get(word) or SPLITS.get(word.removesuffix("set"))) is not None:
                    return split
        return None


class RawFolder:
    """All files of one dataset, in order of their names, part by part."""

    def __init__(self, raw: Path) -> None:
        self.faults: list[SkippedRecord] = []
        self.files: tuple[RawFile, ...] = tuple(self._checked(raw))
        self._taken: set[str] = set()

    def _checked(self, raw: Path) -> Iterator[RawFile]:
        files = _walk(raw, self.faults)
        for file in sorted(files, key=lambda file: PurePosixPath(file.name).parts):
            if fault := _fault(file):
                self.faults.append(fault)
            else:
                yield file

    def take(self, suffixes: Sequence[str], wanted: Callable[[RawFile], bool] | None = None) -> list[RawFile]:
        """The files of these kinds (and, if given, ``wanted``); they count as taken."""
        files = [file for file in self.files if file.suffix in suffixes and (wanted is None or wanted(file))]
        self._taken.update(file.name for file in files)
        return files

    def untaken(self, media: Sequence[str] = ()) -> Iterator[SkippedRecord]:
        """What nobody took: tables, archives and files of the kinds ``media``, each with its reason."""
        for file in self.files:
            if file.name in self._taken:
                continue
            if _is_archive(file):
                yield SkippedRecord(
                    reason="archive_not_unpacked", where=file.name, detail="unpack it where it lies"
                )
            elif file.suffix in (*TABLES, *media):
                yield SkippedRecord(
                    reason="file_not_read", where=file.name, detail=f"a {file.suffix} of no use here"
                )


def _is_archive(file: RawFile) -> bool:
    last = PurePosixPath(file.name.lower()).suffix
    if last in COMPRESSED and file.suffix in TABLES:
        return False
    return last in ARCHIVES or _PART_OF_ARCHIVE.fullmatch(last) is not None


def _walk(raw: Path, faults: list[SkippedRecord]) -> Iterator[RawFile]:
    """Every file; folders that cannot be listed go to ``faults``."""

    def unlisted(error: OSError) -> None:
        where = os.path.relpath(error.filename, raw)
        faults.append(
            SkippedRecord(reason="folder_unreadable", where=_legible(where), detail=error.strerror or "")
        )

    entered: set[str] = set()
    for folder, folders, names in os.walk(raw, followlinks=True, onerror=unlisted):
        real = os.path.realpath(folder)
        if real in entered:
            folders.clear()
            continue
        entered.add(real)
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        for name in names:
            if not _is_hidden(name):
                path = Path(folder, name)
                yield RawFile(path, path.relative_to(raw).as_posix())


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _fault(file: RawFile) -> SkippedRecord | None:
    """Why a file cannot be a source; None if it can."""
    if file.name != _legible(file.name):
        return SkippedRecord(reason="file_name_undecodable", where=_legible(file.name))
    if PurePosixPath(file.name).suffix.lower() in UNFINISHED:
        return SkippedRecord(reason="download_unfinished", where=file.name)
    try:
        if not file.path.is_file():
            link = file.path.is_symlink()
            return SkippedRecord(reason="link_broken" if link else "not_a_file", where=file.name)
        if not os.access(file.path, os.R_OK):
            return SkippedRecord(reason="file_unreadable", where=file.name, detail="no permission")
        if file.path.stat().st_size <= LFS_BYTES and file.path.read_bytes().startswith(LFS_HEAD):
            return SkippedRecord(
                reason="git_lfs_pointer", where=file.name, detail="fetch it with `git lfs pull`"
            )
    except OSError as error:
        return SkippedRecord(reason="file_unreadable", where=file.name, detail=error.strerror or "")
    return None


def _legible(name: str) -> str:
    """``name`` with bytes that are no UTF-8 written out."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
