"""The index in use: the pointer to it, opening it, and going back to one before.

An index lies under ``index/<version>/`` with a manifest and a pointer of its own; ``index/current.json``, written last by
``build.py``, is the pointer of the one in use. Searching lives in ``search.py``.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from assets.index.search import Index
from assets.index.settings import IndexSettings, at_home, embedders_of, own_eye
from assets.index.spaces import Embedders
from assets.index.stores import IndexLocation, Place, activate, open_published
from infra.embedders.minilm import MiniLmEmbedder
from infra.embedders.types import Embedder, VisionEmbedder
from infra.errors import StorageError
from infra.storage import manifest
from infra.storage.lease import Lease
from infra.storage.root import Storage
from infra.storage.swap import Seen, look, swap
from infra.vector_stores.fusion import HybridSettings
from infra.vector_stores.types import TEXT_SPACE, VectorStore

log = logging.getLogger(__name__)

SCHEMA_VERSION = 2
CURRENT = "index/current.json"
POINTER = "pointer.json"  # of one version, in its folder
CANDIDATE = "index/candidate.json"
"""The version that waits, and those whose checks failed; see ``candidate.py``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexPointer:
    """Which index is in use, and what it must answer."""

    schema_version: int = SCHEMA_VERSION
    version: str
    store: str
    embedders: Mapping[str, str]  # space -> fingerprint
    dims: Mapping[str, int]  # space -> width
    fingerprint: str  # of the hits of the probes
    datasets: Mapping[str, int]  # items of each
    place: Place = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What the next build goes by, as ``IndexSettings.to_json`` gives it."""

    def to_bytes(self) -> bytes:
        """As it is stored."""
        return (json.dumps(asdict(self), indent=1, sort_keys=True) + "\n").encode()

    @property
    def location(self) -> IndexLocation:
        """Where its store is."""
        return IndexLocation(version=self.version, kind=self.store, place=self.place, dims=self.dims)


def open_index(
    storage: Storage,
    *,
    embedder: Embedder | None = None,
    vision: VisionEmbedder | None = None,
    reader: str | None = None,
    settings: HybridSettings | None = None,
) -> Index:
    """The index in use, with the embedders it was built with or those given; ``settings`` join the kinds of search otherwise.

    A ``reader`` that keeps it open for longer than a question names itself, and is left the version for as long as the object
    lives. Where it may not write, it is left what ``retention.py`` leaves everybody.

    Raises:
        ValueError: if there is none, if it is damaged, or if it was built with another embedder.
        EmbedderError: if an embedder that it was built with is not here.
    """
    while True:
        pointer = current_index(storage)
        if pointer is None:
            raise ValueError(
                f"no index at {storage.path('index')!r}; build one from your files with `vimrag ingest FILES`, or from a corpus"
                " with `vimrag index build`"
            )
        try:
            return _opened(
                storage, pointer, embedder=embedder, vision=vision, reader=reader, settings=settings
            )
        except ValueError:
            if current_index(storage) == pointer:
                raise  # else it went while it was being opened


def _opened(
    storage: Storage,
    pointer: IndexPointer,
    *,
    embedder: Embedder | None,
    vision: VisionEmbedder | None,
    reader: str | None,
    settings: HybridSettings | None,
) -> Index:
    lease = _lease(storage, pointer.version, reader) if reader else None
    embedders = (
        Embedders(text=embedder, vision=vision) if embedder else embedders_of(_settings(storage, pointer))
    )
    for space, fingerprint in embedders.fingerprints.items():
        built_with = pointer.embedders.get(space)
        if built_with is not None and built_with != fingerprint:
            raise ValueError(
                f"the {space} vectors of the index were built with embedder {built_with[:12]}, this is "
                f"{fingerprint[:12]}; build it again"
            )
    manifest.read(storage, f"index/{pointer.version}")
    searched = frozenset(embedders.spaces) & frozenset(pointer.embedders)
    index = Index(
        open_published(storage, pointer.location),
        embedders,
        version=pointer.version,
        spaces=searched,
        settings=settings,
    )
    if lease is not None:
        lease.bind(index)
    return index


def _lease(storage: Storage, version: str, reader: str) -> Lease | None:
    try:
        return Lease(storage, [version], reader)
    except StorageError as error:
        log.warning("%s reads index %s without a lease: %s", reader, version, error)
        return None


def corpora(storage: Storage, version: str) -> Mapping[str, str]:
    """The corpora that a version was built from: dataset -> digest. Raises ``ValueError`` if it is not whole."""
    return manifest.read(storage, f"index/{version}").inputs


def remembered_settings(storage: Storage) -> IndexSettings:
    """The choices of the index in use; where there is none, or its pointer is damaged, the defaults.

    They are local, and see with the eye of the miniature where the root has one.
    """
    try:
        pointer = current_index(storage)
    except ValueError:
        pointer = None
    if pointer is not None:
        return _settings(storage, pointer) if pointer.settings else IndexSettings()
    return IndexSettings(vision=own_eye(storage))


def _settings(storage: Storage, pointer: IndexPointer) -> IndexSettings:
    return at_home(storage, IndexSettings.from_json(dict(pointer.settings)))


def current_index(storage: Storage) -> IndexPointer | None:
    """What ``index/current.json`` says; None if there is no index yet.

    Raises:
        ValueError: if the file is damaged or of a newer schema.
    """
    try:
        return read_pointer(storage, CURRENT)
    except FileNotFoundError:
        return None


def version_pointer(storage: Storage, version: str) -> IndexPointer | None:
    """The pointer of a version that is there as a whole, in use or not; None for one that has none."""
    try:
        published = manifest.read(storage, f"index/{version}")
        return read_pointer(storage, f"{manifest.folder_of(f'index/{version}', published)}/{POINTER}")
    except (FileNotFoundError, ValueError):
        return None


def versions(storage: Storage) -> list[IndexPointer]:
    """Every version that is there as a whole, the one that was built last first."""
    pointers = [version_pointer(storage, name) for name in storage.list("index") if "." not in name]
    known = [pointer for pointer in pointers if pointer is not None]
    return sorted(
        known, key=lambda pointer: -storage.modified(f"index/{pointer.version}/{manifest.MANIFEST}")
    )


def use(storage: Storage, pointer: IndexPointer, seen: Seen) -> None:
    """Make a version the index in use, if ``seen`` still is.

    Raises:
        LostRaceError: if another version has become the one in use since.
    """
    swap(storage, CURRENT, seen, pointer.to_bytes())
    activate(pointer.store, pointer.place)


def roll_back(storage: Storage, version: str | None = None) -> IndexPointer:
    """Make an earlier version the index in use: the one named, else the newest that is not in use.

    To name the one in use ends what a promotion left undone that was killed behind its pointer: the alias on a server.

    Raises:
        ValueError: if there is no such version; the text names those there are.
    """
    seen, in_use = look(storage, CURRENT), current_index(storage)
    others = [pointer for pointer in versions(storage) if not in_use or pointer.version != in_use.version]
    if in_use and version == in_use.version:
        activate(in_use.store, in_use.place)
        return in_use
    refused = frozenset[str]() if version else rejected(storage)  # by name even such a one can be had
    for pointer in others:
        if version in (None, pointer.version) and pointer.version not in refused:
            use(storage, pointer, seen)
            return pointer
    if in_use is None and not others:
        raise ValueError(nothing_published(storage))
    wanted = f"version {version!r}" if version else "version to go back to"
    known = ", ".join(pointer.version for pointer in others) or "none"
    raise ValueError(f"no {wanted} at {storage.path('index')!r}; besides the one in use there are: {known}")


def nothing_published(storage: Storage) -> str:
    """What to tell of a root without any release."""
    return f"nothing was published at {storage.root}; `vimrag index build --root {storage.root}` makes a first release"


def rejected(storage: Storage) -> frozenset[str]:
    """Versions that were never in use because a check of theirs failed."""
    try:
        return frozenset(json.loads(storage.read_bytes(CANDIDATE)).get("rejected", ()))
    except (FileNotFoundError, ValueError, AttributeError):
        return frozenset()


def open_store(storage: Storage, pointer: IndexPointer) -> VectorStore:
    """The store of a version, open for searching."""
    return open_published(storage, pointer.location)


def read_pointer(storage: Storage, path: str) -> IndexPointer:
    """The pointer at ``path``; raises ``FileNotFoundError``, or ``ValueError`` if it is damaged or of a newer schema."""
    try:
        fields: dict[str, Any] = json.loads(storage.read_bytes(path))
        if fields.get("schema_version", 1) > SCHEMA_VERSION:
            raise ValueError(
                f"the index has schema {fields['schema_version']}, this version reads up to {SCHEMA_VERSION}"
            )
        return IndexPointer(**_migrated(fields))
    except (TypeError, KeyError, AttributeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"damaged {storage.path(path)!r}: {error}; build the index again") from error


def _migrated(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Until schema 2 there was one embedder, of 384 dimensions, and one table a version."""
    if fields["schema_version"] >= 2:
        return dict(fields)
    others = {name: value for name, value in fields.items() if name not in ("embedder", "schema_version")}
    return {
        **others,
        "embedders": {TEXT_SPACE: fields["embedder"]},
        "dims": {TEXT_SPACE: MiniLmEmbedder().dim},
    }
