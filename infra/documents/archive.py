"""ZIP archives that may be hostile: what is in them, within limits on entries, sizes and how far a part may expand."""

import io
import struct
import zipfile
from pathlib import Path
from typing import IO

from infra.errors import MediaError
from infra.limits import (
    MAX_ARCHIVE_ENTRIES,
    MAX_ARCHIVE_RATIO,
    MAX_PART_BYTES,
    MIN_BOMB_BYTES,
)

MARK = b"PK\x03\x04"
_END, _END_BYTES, _COMMENT_BYTES = b"PK\x05\x06", 22, 65_535
_CENTRAL_BYTES = 64 << 20  # of the table of contents, which is read whole
_ENCRYPTED = 0x1  # bit of an entry's flags
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class Archive:
    """An open archive. Names are compared without case, and with the slashes of other systems for those of archives."""

    def __init__(self, source: Path | bytes) -> None:
        """Read the table of contents.

        Raises:
            MediaError: ``archive_unreadable``, ``archive_bomb`` (too many entries, or entries that share their bytes).
        """
        file: IO[bytes] = io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
        self.num_bytes = file.seek(0, io.SEEK_END)
        _check_contents(file, self.num_bytes)
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error, OSError) as error:
            raise MediaError("archive_unreadable", str(error)) from error
        entries = self._zip.infolist()
        if len(entries) > MAX_ARCHIVE_ENTRIES:
            raise MediaError("archive_bomb", f"{len(entries):,} entries, limit {MAX_ARCHIVE_ENTRIES:,}")
        if sum(entry.compress_size for entry in entries) > self.num_bytes:
            raise MediaError("archive_bomb", "entries that share their bytes")
        self.names = tuple(entry.filename for entry in entries)
        self._by_lower = {_plain(name): name for name in self.names}

    def __contains__(self, name: str) -> bool:
        return _plain(name) in self._by_lower

    def bombs(self) -> list[str]:
        """The entries that would expand as only a bomb does."""
        return [entry.filename for entry in self._zip.infolist() if _is_bomb(entry)]

    def open(self, name: str, *, max_bytes: int = MAX_PART_BYTES) -> IO[bytes]:
        """An entry as a stream.

        Raises:
            MediaError: ``part_missing``, ``part_too_large``, ``archive_bomb``, ``document_encrypted``, ``archive_unreadable``.
        """
        written = self._by_lower.get(_plain(name))
        if written is None:
            raise MediaError("part_missing", name)
        entry = self._zip.getinfo(written)
        if entry.flag_bits & _ENCRYPTED:
            raise MediaError("document_encrypted", f"{name} needs a password")
        if entry.compress_type not in _METHODS:
            raise MediaError("archive_unreadable", f"{name} is packed by method {entry.compress_type}")
        if _is_bomb(entry):
            raise MediaError(
                "archive_bomb", f"{name}: {entry.compress_size:,} bytes would become {entry.file_size:,}"
            )
        if entry.file_size > max_bytes:
            raise MediaError("part_too_large", f"{name}: {entry.file_size:,} bytes, limit {max_bytes:,}")
        try:
            return self._zip.open(entry)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
            raise MediaError("archive_unreadable", f"{name}: {error}") from error

    def read(self, name: str, *, max_bytes: int = MAX_PART_BYTES) -> bytes:
        """An entry whole. Raises as ``open``."""
        try:
            with self.open(name, max_bytes=max_bytes) as stream:
                return stream.read()
        except (zipfile.BadZipFile, EOFError, OSError, ValueError) as error:
            raise MediaError("archive_unreadable", f"{name}: {error}") from error
        except Exception as error:
            if type(error).__module__ == "zlib":
                raise MediaError("archive_unreadable", f"{name}: {error}") from error
            raise


def _plain(name: str) -> str:
    return name.lower().replace("\\", "/").lstrip("/")


def _check_contents(file: IO[bytes], size: int) -> None:
    """Refuse a table of contents that would not fit in memory before it is read."""
    file.seek(max(0, size - _END_BYTES - _COMMENT_BYTES))
    tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_BYTES:
        raise MediaError("archive_unreadable", "its table of contents is gone: the file is cut short")
    entries, central = struct.unpack_from("<HI", tail, at + 10)
    if central > min(size, _CENTRAL_BYTES) and central != 0xFFFFFFFF:
        raise MediaError("archive_bomb", f"a table of contents of {central:,} bytes, {entries:,} entries")
    if central == 0xFFFFFFFF and size > _CENTRAL_BYTES:
        raise MediaError("archive_bomb", "a table of contents for files above 4 GB")


def _is_bomb(entry: zipfile.ZipInfo) -> bool:
    return entry.file_size > MIN_BOMB_BYTES and entry.file_size > MAX_ARCHIVE_RATIO * max(
        1, entry.compress_size
    )
