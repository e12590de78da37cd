"""Zip archives unpacked with suspicion: nothing lands outside the folder, and nothing unpacks without end.

An archive may come in parts (``.001``, ``.002``, ...), which are read as one without being joined on the disk.
Which members are selected, and under which names, is the caller's to say.
"""

import bisect
import hashlib
import io
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from infra.downloads.partial_file import disk
from infra.errors import DownloadError
from infra.storage.atomic import replacing

MAX_RATIO = 200  # of unpacked to packed bytes of one member above ``RATIO_FREE_BYTES``; text has 3 to 20
RATIO_FREE_BYTES = 10 << 20
DAMAGED = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError, OverflowError)
_CHUNK = 1 << 20


class UnpackedFile(NamedTuple):
    """One file that was unpacked; ``name`` is relative to the folder."""

    name: str
    size: int
    sha256: str


def unpack(
    parts: Sequence[Path],
    folder: Path,
    *,
    place: Callable[[str], str | None],
    max_bytes: int,
    max_members: int = 200_000,
) -> Iterator[UnpackedFile]:
    """Unpack the members that ``place`` gives a name to, in the order of the archive.

    Each appears under its name when it is whole. ``max_bytes`` and ``max_members`` are of all that is selected.

    Raises:
        DownloadError: ``archive``, if it is damaged, encrypted, too large unpacked, or a name leads elsewhere;
            else as ``partial_file.disk`` says.
    """
    with disk(folder), _JoinedFiles(parts) as raw, io.BufferedReader(raw, _CHUNK) as stream:
        try:
            with zipfile.ZipFile(stream) as archive:
                for member, name in _selected_members(archive, place, max_bytes, max_members):
                    with archive.open(member) as source:
                        yield _write(source, member, folder, name)
        except DAMAGED as error:
            raise DownloadError("archive", f"{parts[0].name} cannot be unpacked: {error}") from error


def safe_name(name: str) -> str | None:
    """``name`` if it is that of a file below a folder; None if it is anything else."""
    path = PurePosixPath(name)
    bad = path.is_absolute() or "\\" in name or ":" in name or not name.isprintable()
    if bad or not path.parts or ".." in path.parts or any(len(part) > 200 for part in path.parts):
        return None
    return path.as_posix()


def _selected_members(
    archive: zipfile.ZipFile, place: Callable[[str], str | None], max_bytes: int, max_members: int
) -> list[tuple[zipfile.ZipInfo, str]]:
    """The selected members and their names; refused as a whole if one of them is no plain file."""
    named = [(member, place(member.filename)) for member in archive.infolist() if not member.is_dir()]
    selected = [(member, name) for member, name in named if name is not None]
    for member, name in selected:
        if safe_name(name) is None or safe_name(member.filename) is None:
            raise zipfile.BadZipFile(f"the name {member.filename[:200]!r} leads elsewhere")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise zipfile.BadZipFile(f"{member.filename[:200]!r} is a link")
        if member.file_size > max(RATIO_FREE_BYTES, MAX_RATIO * member.compress_size):
            raise zipfile.BadZipFile(f"{member.filename[:200]!r} unpacks to {member.file_size:,} bytes")
    if len({name for _, name in selected}) != len(selected):
        raise zipfile.BadZipFile("two members have one name")
    total = sum(member.file_size for member, _ in selected)
    if total > max_bytes or len(selected) > max_members:
        raise zipfile.BadZipFile(
            f"{len(selected):,} files of {total:,} bytes, limits {max_members:,} and {max_bytes:,}"
        )
    return selected


def _write(source: IO[bytes], member: zipfile.ZipInfo, folder: Path, name: str) -> UnpackedFile:
    """Write one member; it may not be longer than the archive says it is."""
    target = folder / name
    hashed, size = hashlib.sha256(), 0
    with replacing(target, durable=True) as partial:
        with partial.open("wb") as file:
            while chunk := source.read(_CHUNK):
                size += len(chunk)
                if size > member.file_size:
                    raise zipfile.BadZipFile(f"{name} is longer than its {member.file_size:,} bytes")
                file.write(chunk)
                hashed.update(chunk)
        if size != member.file_size:
            raise zipfile.BadZipFile(f"{name} has {size:,} of {member.file_size:,} bytes")
    return UnpackedFile(name, size, hashed.hexdigest())


class _JoinedFiles(io.RawIOBase):
    """Several files read as one, by seeking."""

    def __init__(self, parts: Sequence[Path]) -> None:
        super().__init__()
        self._files: list[IO[bytes]] = []
        try:
            self._files.extend(path.open("rb") for path in parts)
        except OSError:
            self.close()
            raise
        self._ends = list(accumulate(os.fstat(file.fileno()).st_size for file in self._files))
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._ends[-1]}[whence]
        if base + offset < 0:
            raise OSError(22, "seek before the beginning")
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        index = bisect.bisect_right(self._ends, self._position)
        if index == len(self._files):
            return 0
        file = self._files[index]
        file.seek(self._position - (self._ends[index - 1] if index else 0))
        data = file.read(min(len(buffer), self._ends[index] - self._position))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        for file in self._files:
            file.close()
        super().close()
