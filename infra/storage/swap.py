"""Compare and swap of one small file: it is replaced only if it still is what the writer saw.

On disk under a lock of its folder, on S3 by a conditional PUT. A store that takes no conditions is refused, unless
``VIMRAG_SINGLE_WRITER=1`` says that nobody else writes there.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.errors import StorageError, boundary
from infra.storage import atomic
from infra.storage.root import Storage

SINGLE_WRITER = "VIMRAG_SINGLE_WRITER"
_PROBE = ".conditional-writes"
_REFUSALS = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}
_able: set[tuple[str, str]] = set()


class LostRaceError(StorageError):
    """Another writer was faster; nothing was replaced."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A file as a writer found it: None if there was none."""

    data: bytes | None
    etag: str | None = None


def look(storage: Storage, path: str) -> Seen:
    """The file as it is now, for a later ``swap``."""
    try:
        etag = None if storage.is_local else str(_info(storage, path)["ETag"])
        return Seen(
            storage.read_bytes(path), etag
        )  # newer than its tag, if it changed between: the swap then fails
    except FileNotFoundError:
        return Seen(None)


def swap(storage: Storage, path: str, seen: Seen, data: bytes) -> None:
    """Replace the file, if it still is as ``seen``.

    Raises:
        LostRaceError: if it is not.
        StorageError: if the store fails, or does not take conditions.
    """
    if storage.is_local:
        with locked_folder(Path(storage.path(path)).parent):
            if look(storage, path).data != seen.data:
                raise _lost(storage, path)
            for leftover in atomic.leftovers(
                Path(storage.path(path))
            ):  # whoever wrote them held this lock, and was killed
                leftover.unlink(missing_ok=True)
            storage.write_bytes(path, data)
        return
    if os.environ.get(SINGLE_WRITER) == "1":
        storage.write_bytes(path, data)
        return
    _require_conditions(storage)
    with boundary(StorageError, f"write {path!r}"):
        if not _put(storage, path, data, seen):
            raise _lost(storage, path)


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Hold a folder of this machine, made if it is not there, for as long as one small file takes; others wait."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _lost(storage: Storage, path: str) -> LostRaceError:
    return LostRaceError(
        f"{storage.path(path)!r} was replaced by another writer since this one began; nothing was published: "
        "run again if it is still wanted"
    )


def _info(storage: Storage, path: str) -> dict[str, Any]:
    with boundary(StorageError, f"look up {path!r}", passing=(FileNotFoundError,)):
        return storage.fs.info(storage.path(path), refresh=True)


def _put(storage: Storage, path: str, data: bytes, seen: Seen) -> bool:
    """Whether the store took it."""
    fs: Any = storage.fs
    bucket, key, _ = fs.split_path(storage.path(path))
    condition = {"IfNoneMatch": "*"} if seen.data is None else {"IfMatch": seen.etag}
    try:
        fs.call_s3("put_object", Bucket=bucket, Key=key, Body=data, **condition)
    except OSError as error:
        response: dict[str, Any] = getattr(error.__cause__, "response", {})
        if str(response.get("Error", {}).get("Code")) in _REFUSALS:
            return False
        raise
    finally:
        fs.invalidate_cache(storage.path(path))
    return True


def _require_conditions(storage: Storage) -> None:
    """Once a process and root: a second "only if there is none" must be refused."""
    known = (storage.root, str(storage.object_store_options().get("aws_endpoint")))
    if known in _able:
        return
    with boundary(StorageError, "try a conditional write"):
        took_both = _put(storage, _PROBE, b"", Seen(None)) and _put(storage, _PROBE, b"", Seen(None))
    if took_both:
        raise StorageError(
            f"the store of {storage.root} ignores conditions of writes (If-None-Match): two writers could mix what they "
            f"publish. Set {SINGLE_WRITER}=1 if there is only ever one"
        )
    _able.add(known)
