"""The unfinished file of a download: bytes so far, their hash, and what tells whether the server still means them.

``<name>.part`` holds the bytes, ``.<name>.part.json`` the validator that the server gave with them. Holds no
network; ``http.py`` decides what is appended. Parsers pass both over.
"""

import errno
import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from infra.errors import DownloadError
from infra.storage import atomic

FULL = (errno.ENOSPC, errno.EDQUOT)
READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
_CHUNK = 1 << 20  # bytes hashed at a time


@dataclass(slots=True)
class PartialFile:
    """What has come of one file; used by one process at a time."""

    target: Path
    size: int = 0
    validator: str = ""
    """A strong ETag or a date: what ``If-Range`` takes; "" if the bytes cannot be continued."""
    _hash: Any = field(default_factory=hashlib.sha256)

    @property
    def path(self) -> Path:
        """Where the bytes are."""
        return self.target.with_name(f"{self.target.name}.part")

    @property
    def _note(self) -> Path:
        return self.target.with_name(f".{self.target.name}.part.json")

    @property
    def sha256(self) -> str:
        """Of the bytes so far, in hex."""
        return self._hash.hexdigest()

    def load(self) -> None:
        """Take up what an earlier process left; bytes without a validator are dropped."""
        with disk(self.target):
            self.target.parent.mkdir(parents=True, exist_ok=True)
            try:
                self.validator = str(json.loads(self._note.read_text(encoding="utf-8"))["validator"])
            except (FileNotFoundError, ValueError, KeyError, TypeError):
                self.validator = ""
            if not self.validator or not self.path.is_file():
                self.restart("")
                return
            with self.path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    self._hash.update(chunk)
                    self.size += len(chunk)

    def restart(self, validator: str) -> None:
        """Forget the bytes; those that follow come under ``validator``."""
        with disk(self.target):
            self.path.unlink(missing_ok=True)
            self._note.unlink(missing_ok=True)
            self.size, self.validator, self._hash = 0, validator, hashlib.sha256()
            if validator:
                self._note.write_text(json.dumps({"validator": validator}), encoding="utf-8")

    @contextmanager
    def appending(self) -> Iterator[IO[bytes]]:
        """The file, open at its end; write through ``append``."""
        with disk(self.target), self.path.open("ab") as file:
            yield file

    def append(self, file: IO[bytes], data: bytes) -> None:
        """Write behind what is there."""
        file.write(data)
        self._hash.update(data)
        self.size += len(data)

    def require_room(self, total: int) -> None:
        """Refuse to begin what cannot be finished. ``total`` is the size of the whole file, in bytes.

        Raises:
            DownloadError: ``disk_full``.
        """
        free = shutil.disk_usage(self.target.parent).free
        if total - self.size > free:
            needed = f"{total - self.size:,} more bytes are needed, {free:,} are free"
            raise DownloadError("disk_full", f"no room for {self.target}: {needed}")

    def finish(self) -> None:
        """Give the file its name, once its bytes are on the device."""
        with disk(self.target):
            atomic.replace(self.path, self.target, durable=True)
            self._note.unlink(missing_ok=True)


@contextmanager
def disk(target: Path) -> Iterator[None]:
    """Say plainly what a disk has against ``target``.

    Raises:
        DownloadError: ``disk_full``, ``read_only`` or ``disk``.
    """
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise DownloadError("disk_full", f"the disk is full: cannot write {target}") from error
        if error.errno in READ_ONLY:
            raise DownloadError(
                "read_only", f"not allowed to write {target}: {error.strerror}; choose another --root"
            ) from error
        raise DownloadError("disk", f"cannot write {target}: {error.strerror or error}") from error
