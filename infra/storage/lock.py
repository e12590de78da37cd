"""One writer at a time: a lock on part of a root that ends with the process that holds it.

For what takes minutes and publishes several artifacts that belong together; a single artifact needs none
(``manifest.py``). On S3 there is no lock; who writes one directory again and again claims it, and whoever claimed it before is
told at his next write.
"""

import fcntl
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.storage.root import Storage
from infra.storage.swap import LostRaceError, look, swap

LOOK_S = 0.2


@contextmanager
def claimed(storage: Storage, directory: str, *, wait_s: float = 0.0) -> Iterator[Callable[[], None]]:
    """Hold ``directory``; yields what to call before each write to it.

    On disk as ``only_writer`` does. On S3 the last to claim it has it, so that nothing has to be taken back from one that was
    killed; a file beside the directory, ``.<name>.writer``, says who that is, and stays.

    Raises:
        ValueError: on disk, if another process holds it.
        LostRaceError: on S3, from the call, once another has claimed it.
    """
    if storage.is_local:
        with only_writer(storage, directory, wait_s=wait_s):
            yield lambda: None
        return
    parent, _, name = directory.rpartition("/")
    path, token = f"{parent}/.{name}.writer", uuid.uuid4().hex.encode()
    swap(storage, path, look(storage, path), token)

    def require() -> None:
        if look(storage, path).data != token:
            raise LostRaceError(
                f"{storage.path(directory)!r} was replaced by another writer since this one began, which goes on; "
                "this one has ended"
            )

    yield require


@contextmanager
def only_writer(storage: Storage, directory: str, *, wait_s: float = 0.0) -> Iterator[None]:
    """Hold ``directory`` against other writers of this machine, waited for at most so long; nothing is left behind.

    Raises:
        ValueError: if another process or thread holds it.
    """
    target = storage.local_path(directory)
    if target is None:
        yield
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    path = target.with_name(f".{target.name}.lock")
    deadline = time.monotonic() + wait_s
    while (lock := _locked(path)) is None and time.monotonic() < deadline:
        time.sleep(LOOK_S)
    if lock is None:
        raise ValueError(f"another process is writing {target}; wait for it to end")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(lock)  # the kernel does so too, however this process ends


def _locked(path: Path) -> int | None:
    """A descriptor of the locked file; None if somebody else holds it."""
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        if os.fstat(lock).st_nlink:
            return lock
        os.close(lock)  # whoever held it has removed it since it was opened
