"""A root as it is published now: its index and its media, opened anew when they change."""

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock

from assets.corpus.media import ShardMedia
from assets.corpus.read import built_datasets
from assets.index.published import corpora, current_index, open_index
from assets.index.search import Index
from infra.storage.root import Storage
from orchestration.joins.adapters import IndexRetriever


class NoIndexError(ValueError):
    """The root has no index that could be searched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One published index and the media that belong to it."""

    version: str
    datasets: Mapping[str, int]  # items of each
    index: Index
    retriever: IndexRetriever
    media: ShardMedia


class OpenMedia(ShardMedia):
    """Media whose files are closed when nobody uses them any more: a server opens new ones with every index."""

    def __del__(self) -> None:
        """Close the files."""
        self.close()


class CorpusHandle:
    """A root: its index as it is published now, and its media. Threads may share it."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self._lock = Lock()
        self._snapshot: Snapshot | None = None
        self._media: tuple[tuple[str, ...], ShardMedia] | None = None

    def snapshot(self) -> Snapshot:
        """What is published now; opened anew when it has changed.

        Raises:
            NoIndexError: if there is no index, or none that this version can open.
        """
        try:
            pointer = current_index(self.storage)
            if pointer is None:
                raise NoIndexError(
                    f"no index at {self.storage.path('index')!r}; build one from your files with "
                    f"`vimrag ingest FILES --root {self.storage.root}`, "
                    f"or from a corpus with `vimrag index build --root {self.storage.root}`"
                )
            with self._lock:
                if self._snapshot is None or self._snapshot.version != pointer.version:
                    self._snapshot = self._open(pointer.version, pointer.datasets)
                return self._snapshot
        except NoIndexError:
            raise
        except ValueError as error:
            raise NoIndexError(str(error)) from error

    def _open(self, version: str, datasets: Mapping[str, int]) -> Snapshot:
        index = open_index(self.storage, reader="vimrag serve")
        return Snapshot(
            version=version,
            datasets=dict(datasets),
            index=index,
            retriever=IndexRetriever(index),
            media=OpenMedia(self.storage, corpora(self.storage, index.version)),
        )

    def media(self) -> ShardMedia:
        """The media of the root, with or without an index."""
        try:
            return self.snapshot().media
        except NoIndexError:
            built = built_datasets(self.storage)
            with self._lock:
                if self._media is None or self._media[0] != built:
                    self._media = (built, OpenMedia(self.storage))
                return self._media[1]
