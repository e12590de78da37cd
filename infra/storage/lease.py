"""Leases: who reads a version says so, and is left it until the lease ends or is no longer renewed.

A lease is a small file below ``leases/``, written before the version is opened and renewed by a thread. A reader that is killed
stops renewing; its lease ends after ``TTL_S`` by the clock of the store, with ``SKEW_S`` for clocks that differ.
"""

import atexit
import json
import logging
import os
import threading
import time
import uuid
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Self

from infra.errors import StorageError
from infra.storage.root import Storage

log = logging.getLogger(__name__)

FOLDER = "leases"
TTL_S = 600.0
SKEW_S = 300.0
RENEWALS = 4  # in a TTL: three may fail
END_S = 10.0  # that the end of a block or of the process waits for the file to be removed
PAUSES_S = (0.2, 0.8, 3.0)  # before each further attempt to remove it


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """That ``holder`` reads ``versions``."""

    name: str
    holder: str
    versions: tuple[str, ...]


class Lease:
    """Keeps ``versions`` from being removed until ``end``, the end of the block, or the end of what it is bound to."""

    def __init__(
        self, storage: Storage, versions: Sequence[str], holder: str, *, ttl_s: float = TTL_S
    ) -> None:
        """Written before anything is read.

        Args:
            storage: the root.
            versions: as those who remove know them.
            holder: who reads, for people.
            ttl_s: how long the lease lasts if this process is killed.

        Raises:
            StorageError: if it cannot be written; one that cannot be renewed later is logged.
        """
        said = {"holder": f"{holder}, process {os.getpid()}", "versions": list(versions), "ttl_s": ttl_s}
        path = f"{FOLDER}/{uuid.uuid4().hex}.json"
        self._file = _LeaseFile(storage, path, json.dumps(said).encode(), ttl_s)
        weakref.finalize(self, self._file.let_go).atexit = False

    def end(self) -> None:
        """The versions may go; nothing happens if it has ended."""
        self._file.let_go()
        self._file.wait()

    def bind(self, owner: object) -> None:
        """End with ``owner``, or with the process."""
        weakref.finalize(owner, self._let_go).atexit = False

    def _let_go(self) -> None:
        """Bound to this lease, so that it lives as long as the owner."""
        self._file.let_go()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


class _LeaseFile:
    """The file of a lease and the thread that writes it again and removes it.

    The thread does the removing: a lease may be let go by the garbage collector, anywhere, whatever lock is held there.
    """

    def __init__(self, storage: Storage, path: str, content: bytes, ttl_s: float) -> None:
        self._storage, self._path, self._content, self._ttl_s = storage, path, content, ttl_s
        storage.write_bytes(path, content)
        self.is_let_go = False
        self._over: SimpleQueue[None] = SimpleQueue()
        self._thread = Thread(target=self._renew, name="lease", daemon=True)
        _files[path] = self
        self._thread.start()

    def let_go(self) -> None:
        """Have it removed; waits for nothing and takes no lock."""
        self.is_let_go = True
        self._over.put(None)

    def wait(self) -> None:
        """Until it is removed; one that takes longer goes on beside, and a process that ends then leaves it to its end."""
        self._thread.join(END_S)
        if self._thread.is_alive():
            log.warning("a lease was not removed within %.0f s; if it stays, it ends by itself", END_S)

    def _renew(self) -> None:
        while self._is_held():
            try:
                self._storage.write_bytes(self._path, self._content)
            except StorageError as error:
                log.warning("a lease could not be renewed: %s", error)
        self._remove()
        _files.pop(self._path, None)

    def _remove(self) -> None:
        """More than once if a store fails: nobody else does it before the lease has ended."""
        for pause_s in PAUSES_S:
            try:
                return self._storage.remove_file(self._path)
            except StorageError:
                time.sleep(pause_s)
        try:
            self._storage.remove_file(self._path)
        except StorageError as error:
            log.warning("a lease was not removed, and ends by itself: %s", error)

    def _is_held(self) -> bool:
        """Whether it still is when it is time to renew it."""
        try:
            self._over.get(timeout=self._ttl_s / RENEWALS)
        except Empty:
            return True
        return False


_files: dict[str, _LeaseFile] = {}  # of this process


def _end_all() -> None:
    files = list(_files.values())
    for file in files:
        file.let_go()
    for file in files:
        file.wait()


# When the main thread ends, before the pools of threads stop: by one of them a store on S3 looks up its address. ``atexit`` comes
# behind that, and in a process of ``multiprocessing`` never.
getattr(threading, "_register_atexit", atexit.register)(_end_all)


def held(storage: Storage) -> list[Held]:
    """The leases that have not ended; those that have are removed."""
    for file in [file for file in list(_files.values()) if file.is_let_go]:
        file.wait()
    leases: list[Held] = []
    now = storage.now()
    for name in storage.list(FOLDER):
        path = f"{FOLDER}/{name}"
        try:
            fields, renewed = json.loads(storage.read_bytes(path)), storage.modified(path)
            lease = Held(name=name, holder=str(fields["holder"]), versions=tuple(fields["versions"]))
        except FileNotFoundError:
            continue  # ended just now
        except (ValueError, KeyError, TypeError):
            log.warning("%s is no lease; it is left where it is", storage.path(path))
            continue
        if now - renewed > float(fields["ttl_s"]) + SKEW_S:
            storage.remove_tree(path)
        else:
            leases.append(lease)
    return leases
