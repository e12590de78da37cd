"""Leases: who reads a version says so, and is left it until the lease ends or is no longer renewed.

A lease is a small file below ``leases/``, written before the version is opened and renewed by a thread. A reader that is killed
stops renewing; its lease ends after ``TTL_S`` by the clock of the store, with ``SKEW_S`` for clocks that differ.
"""

import json
import logging
import os
import time
import uuid
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event, Thread
from typing import NamedTuple, Self

from infra.errors import StorageError
from infra.storage.root import Storage

log = logging.getLogger(__name__)

FOLDER = "leases"
TTL_S = 600.0
SKEW_S = 300.0
RENEWALS = 4  # in a TTL: three may fail


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
        self._file = _File(storage, f"{FOLDER}/{uuid.uuid4().hex}.json", json.dumps(said).encode(), ttl_s)
        self._ended = Event()
        storage.write_bytes(self._file.path, self._file.content)
        self._end = weakref.finalize(self, _end, self._file, self._ended)
        Thread(target=_renew, args=(self._file, self._ended), name="lease", daemon=True).start()

    def end(self) -> None:
        """The versions may go; nothing happens if it has ended."""
        self._end()

    def bind(self, owner: object) -> None:
        """End with ``owner``, or with the process."""
        weakref.finalize(owner, self.end)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


class _File(NamedTuple):
    storage: Storage
    path: str
    content: bytes
    ttl_s: float


def _renew(file: _File, ended: Event) -> None:
    while not ended.wait(file.ttl_s / RENEWALS):
        try:
            file.storage.write_bytes(file.path, file.content)
        except StorageError as error:
            log.warning("a lease could not be renewed: %s", error)
    _remove(file)


def _end(file: _File, ended: Event) -> None:
    ended.set()
    _remove(file)  # the thread does so too, for it may be writing just now


def _remove(file: _File) -> None:
    try:
        file.storage.remove_tree(file.path)
    except StorageError as error:
        log.warning("a lease was not removed, and ends by itself: %s", error)


def held(storage: Storage) -> list[Held]:
    """The leases that have not ended; those that have are removed."""
    leases: list[Held] = []
    now = time.time()
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
