"""One writer at a time: a lock on part of a root that ends with the process that holds it.

For what takes minutes and publishes several artifacts that belong together; a single artifact needs none
(``manifest.py``). On S3 there is no lock, and two writers at a time are the caller's to avoid.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.storage.root import Storage


@contextmanager
def only_writer(storage: Storage, directory: str) -> Iterator[None]:
    """Hold ``directory`` against other writers of this machine; nothing is left behind.

    Raises:
        ValueError: if another process or thread holds it.
    """
    target = storage.local_path(directory)
    if target is None:
        yield
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    path = target.with_name(f".{target.name}.lock")
    lock = _locked(path)
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
