"""What may go: versions of indexes, corpora and shards that nobody uses any more.

An index and the versions of the corpora it was built from belong together, and these name their shards. What stays: the index
in use and the one before it, those that somebody reads (``infra/storage/lease.py``), those replaced only lately, what each of
them was built from, and the current corpus and shards of each dataset. A collection that a build made on a server and did
not live to publish goes when it is as old as an unfinished version.
"""

import logging
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from assets.corpus import shards
from assets.corpus.read import built_datasets, directory
from assets.index.published import (
    POINTER,
    IndexPointer,
    corpora,
    current_index,
    read_pointer,
    versions,
)
from assets.index.stores import COLLECTIONS, drop, drop_collection
from infra.errors import VectorStoreError
from infra.storage import lease, manifest
from infra.storage.root import Storage

log = logging.getLogger(__name__)

UNFINISHED_S = 3600.0  # a version younger than this may be about to be published
_VERSION = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """Something that may go, or is gone: its path below the root, and its bytes there."""

    path: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Indexes:
    kept: tuple[IndexPointer, ...]
    old: tuple[IndexPointer, ...]
    leased: frozenset[str]


def collect(
    storage: Storage,
    *,
    keep_s: float,
    before: str | None = None,
    unfinished_s: float = UNFINISHED_S,
    at_once: Collection[str] = (),
    dry_run: bool = False,
) -> tuple[Removal, ...]:
    """Remove what may go.

    Args:
        storage: the root.
        keep_s: how long an index stays after another took its place.
        before: the index that was in use before; by default the newest that is not.
        unfinished_s: how long a version of a corpus stays that no index was built from.
        at_once: datasets whose unused versions go whatever their age; the caller keeps other writers away.
        dry_run: tell, and remove nothing.

    Raises:
        ValueError: if the index in use cannot be read: nothing is removed.
        StorageError: if the store fails.
    """
    indexes = _indexes(storage, keep_s, before)
    removals = [
        *_unused_indexes(storage, indexes, unfinished_s),
        *_unused_corpora(storage, indexes.kept, unfinished_s, at_once),
        *_unused_collections(storage, indexes, unfinished_s),
    ]
    if not dry_run:
        for removal in removals:
            _remove(storage, removal.path, indexes.kept)
        _sweep(storage, unfinished_s)
    return tuple(removals)


def _indexes(storage: Storage, keep_s: float, before: str | None) -> _Indexes:
    in_use = current_index(storage)
    leased = frozenset(version for held in lease.held(storage) for version in held.versions)
    keep = {*leased, in_use.version if in_use else "", before or ""}
    kept: list[IndexPointer] = []
    old: list[IndexPointer] = []
    now = replaced_at = storage.now()
    for pointer in versions(storage):
        if before is None and in_use and pointer.version != in_use.version:
            before = pointer.version
            keep.add(before)
        stays = pointer.version in keep or now - replaced_at < keep_s
        (kept if stays else old).append(pointer)
        replaced_at = storage.modified(f"index/{pointer.version}/{manifest.MANIFEST}")
    return _Indexes(kept=tuple(kept), old=tuple(old), leased=leased)


def _unused_indexes(storage: Storage, indexes: _Indexes, unfinished_s: float) -> Iterator[Removal]:
    """Those replaced, and what no version ended with."""
    stays = {pointer.version for pointer in indexes.kept}
    if in_use := current_index(storage):
        stays.add(in_use.version)
    ended = {pointer.version for pointer in indexes.old}
    for name in storage.list("index"):
        path = f"index/{name}"
        is_version = "." not in name and name not in stays
        if is_version and (name in ended or _age_s(storage, path) >= unfinished_s):
            yield from _removal(storage, path)


def _unused_collections(storage: Storage, indexes: _Indexes, unfinished_s: float) -> Iterator[Removal]:
    """What was made on a server for a version that nobody has, or that goes now."""
    pointers = [*indexes.kept, *filter(None, [current_index(storage)])]
    stays = {*indexes.leased, *(str(pointer.place.get("collection")) for pointer in pointers)}
    going = {str(pointer.place.get("collection")) for pointer in indexes.old}
    for name in storage.list(COLLECTIONS):
        path = f"{COLLECTIONS}/{name}"
        old = storage.now() - storage.modified(path) >= unfinished_s
        if name not in stays and (name in going or old):
            yield Removal(path=path, size=0)


def _unused_corpora(
    storage: Storage, kept: Sequence[IndexPointer], unfinished_s: float, at_once: Collection[str]
) -> Iterator[Removal]:
    used: set[str] = set()
    for pointer in kept:
        for dataset, corpus in corpora(storage, pointer.version).items():
            used |= set(_with_shards(storage, dataset, corpus))
    for dataset in built_datasets(storage):
        try:
            current = manifest.read(storage, directory(dataset))
        except ValueError:
            continue
        used |= set(_with_shards(storage, dataset, manifest.digest(current)))
    for parent, of in (("corpus", directory), ("shards", shards.directory)):
        for dataset in storage.list(parent):
            least_s = 0.0 if dataset in at_once else unfinished_s
            yield from _unused_versions(storage, of(dataset), used, least_s)


def _with_shards(storage: Storage, dataset: str, corpus: str) -> Iterator[str]:
    """The folders of a version of a corpus and of its shards, those that are there."""
    yield f"{directory(dataset)}/{manifest.version_folder(corpus)}"
    try:
        media = manifest.read(storage, directory(dataset), corpus).inputs.get("shards")
    except ValueError:
        return
    if media:
        yield f"{shards.directory(dataset)}/{manifest.version_folder(media)}"


def _unused_versions(
    storage: Storage, artifact: str, used: Collection[str], unfinished_s: float
) -> Iterator[Removal]:
    try:
        current = manifest.read(storage, artifact)
    except ValueError:
        return  # damaged: for people to look at
    if not current.folder:
        return
    stays = {manifest.folder_of(artifact, current), f"{artifact}/{manifest.MANIFEST}", *used}
    for name in storage.list(artifact):
        path = f"{artifact}/{name}"  # of a version, or of a time when there were none
        if path not in stays and not (_VERSION.fullmatch(name) and _age_s(storage, path) < unfinished_s):
            yield from _removal(storage, path)


def remove_replaced(storage: Storage, artifact: str, *, unfinished_s: float = UNFINISHED_S) -> None:
    """Of an artifact that nothing is built from: remove what is not current and not about to be published."""
    for removal in _unused_versions(storage, artifact, (), unfinished_s):
        _remove(storage, removal.path, ())


def _age_s(storage: Storage, path: str) -> float:
    """Seconds since anything was written below ``path``."""
    written = [storage.modified(f"{path}/{name}") for name in storage.sizes(path) if name]
    return storage.now() - max(written, default=0.0)


def _removal(storage: Storage, path: str) -> Iterator[Removal]:
    """None for a folder without files: some object stores go on listing what was removed."""
    if sizes := [size for name, size in storage.sizes(path).items() if name or not storage.list(path)]:
        yield Removal(path=path, size=sum(sizes))


def _remove(storage: Storage, path: str, kept: Sequence[IndexPointer]) -> None:
    """First what vouches for it, so that nobody goes back to it; then what it has on a server, named by what goes last.

    If this is killed in between, the next collection finds what is left.
    """
    if path.startswith(f"{COLLECTIONS}/"):
        _drop_collection(storage, path.rpartition("/")[2])
        return
    storage.remove_tree(f"{path}/{manifest.MANIFEST}")
    for name in storage.sizes(path) if path.startswith("index/") else ():
        if name.rpartition("/")[2] == POINTER:
            _drop(storage, f"{path}/{name}", kept)
    storage.remove_tree(path)


def _sweep(storage: Storage, unfinished_s: float) -> None:
    """Small files that a writer was killed at, before it gave them their names; only on disk are there any."""
    for folder in filter(None, map(storage.local_path, ("index", lease.FOLDER))):
        for partial in folder.glob(".*.partial"):
            with suppress(FileNotFoundError):  # its writer gave it its name meanwhile
                if storage.now() - partial.stat().st_mtime >= unfinished_s:
                    partial.unlink()


def _drop_collection(storage: Storage, name: str) -> None:
    try:
        drop_collection(storage, name)
    except (ValueError, VectorStoreError) as error:
        log.warning("the collection %s stays on the server until the next collection: %s", name, error)


def _drop(storage: Storage, path: str, kept: Sequence[IndexPointer]) -> None:
    """What the version of that pointer had on a server."""
    try:
        pointer = read_pointer(storage, path)
    except (FileNotFoundError, ValueError):
        return
    try:
        drop(pointer.store, pointer.place, [other.place for other in kept])
    except (ValueError, VectorStoreError) as error:
        log.warning("index %s keeps its place %s on the server: %s", pointer.version, pointer.place, error)
