"""Releases: an index, the corpora it was built from and their shards, which belong together and are used as one.

A release has the version of its index. Which is current is the one pointer that ``published.py`` swaps; what may go is decided
in ``retention.py``. Holds looking at releases and verifying their bytes.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from assets.corpus import shards
from assets.corpus.read import directory
from assets.index.published import (
    IndexPointer,
    corpora,
    current_index,
    nothing_published,
    open_store,
    versions,
)
from infra.progress import ProgressListener, silent
from infra.storage import lease, manifest
from infra.storage.root import Storage

_CHUNK = 1 << 22


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What belongs together. ``bytes`` are those of the root, what other releases share included."""

    version: str
    is_current: bool
    store: str
    datasets: Mapping[str, int]
    """Items of each."""
    artifacts: tuple[str, ...]
    """Folders below the root: of the index, the corpora and their shards."""
    bytes: int
    readers: tuple[str, ...]
    """Who holds a lease on it."""

    def to_json(self) -> dict[str, Any]:
        """All fields, as the command line prints them."""
        return asdict(self)


def releases(storage: Storage) -> list[Release]:
    """Every release that is there, the newest first."""
    in_use, held = current_index(storage), lease.held(storage)
    return [
        _release(storage, pointer, in_use is not None and pointer.version == in_use.version, held)
        for pointer in versions(storage)
    ]


def release(storage: Storage, version: str | None = None) -> Release:
    """The one of that version, or the current one; ``ValueError`` names those there are."""
    known = releases(storage)
    for one in known:
        if one.is_current if version is None else one.version == version:
            return one
    if not known:
        raise ValueError(nothing_published(storage))
    wanted = "current release" if version is None else f"release {version!r}"
    raise ValueError(f"no {wanted} at {storage.root!r}; there are: {', '.join(one.version for one in known)}")


def verify(storage: Storage, version: str, progress: ProgressListener = silent) -> list[str]:
    """What is wrong with a release: each file that is missing or has other bytes, and a store that lost rows.

    Raises:
        ValueError: if there is no such release.
    """
    checked = release(storage, version)
    faults: list[str] = []
    for name, folder, published in _artifacts(storage, version):
        if isinstance(published, str):
            faults.append(published)
            continue
        for done, file in enumerate(published.files, start=1):
            progress(f"verify {name}", done, len(published.files))
            if (fault := _fault(storage, f"{folder}/{file.name}", file)) is not None:
                faults.append(fault)
    [pointer] = [each for each in versions(storage) if each.version == version]
    if (rows := open_store(storage, pointer).count()) != (items := sum(checked.datasets.values())):
        faults.append(f"the {pointer.store} store has {rows:,} rows of {items:,} items")
    return faults


def _fault(storage: Storage, path: str, file: manifest.FileEntry) -> str | None:
    hashed = hashlib.sha256()
    try:
        with storage.open(path) as opened:
            while chunk := opened.read(_CHUNK):
                hashed.update(chunk)
    except FileNotFoundError:
        return f"{path} is missing"
    return None if hashed.hexdigest() == file.sha256 else f"{path} has other bytes than were published"


def _release(storage: Storage, pointer: IndexPointer, is_current: bool, held: list[lease.Held]) -> Release:
    found = [
        (folder, published)
        for _, folder, published in _artifacts(storage, pointer.version)
        if isinstance(published, manifest.Manifest)
    ]
    return Release(
        version=pointer.version,
        is_current=is_current,
        store=pointer.store,
        datasets=dict(pointer.datasets),
        artifacts=tuple(folder for folder, _ in found),
        bytes=sum(file.size for _, published in found for file in published.files),
        readers=tuple(each.holder for each in held if pointer.version in each.versions),
    )


def _artifacts(storage: Storage, version: str) -> Iterator[tuple[str, str, manifest.Manifest | str]]:
    """Name, folder and manifest of all that belongs to a release, or what is wrong with one."""
    index = f"index/{version}"
    yield _artifact(storage, index, None)
    for dataset, digest in corpora(storage, version).items():
        name, folder, corpus = _artifact(storage, directory(dataset), digest)
        yield name, folder, corpus
        media = corpus.inputs.get("shards") if isinstance(corpus, manifest.Manifest) else None
        if media:
            yield _artifact(storage, shards.directory(dataset), media)


def _artifact(
    storage: Storage, artifact: str, digest: str | None
) -> tuple[str, str, manifest.Manifest | str]:
    try:
        published = manifest.read(storage, artifact, digest)
    except ValueError as error:
        return artifact, artifact, str(error)
    return artifact, manifest.folder_of(artifact, published), published
