"""Pixels of corpus items: one seek, one decode, and the latest ones kept.

Satisfies the media Protocol of the agent without knowing it. Holds no resizing: what the agent is granted of
an image is decided by its budget.
"""

import os
from bisect import bisect_right
from collections.abc import Mapping
from threading import Lock
from typing import Any

from cachetools import LRUCache, cachedmethod
from PIL import Image

from assets.corpus import shards
from assets.corpus.read import directory
from assets.corpus.shards import MediaLocation
from infra.limits import MEDIA_CACHE_BYTES
from infra.media import media_decoder
from infra.storage import manifest
from infra.storage.root import Storage

MAX_OPEN_SHARDS = 256  # file descriptors kept, of the usual 1,024; further shards are opened for each read

ROUNDING_S = 0.051  # seconds; times go through prompts and come back rounded to a tenth


class ShardMedia:
    """Images and frames by item id. Thread-safe; callers share the images and must not change them.

    The index of a dataset is read at the first item asked for; ``cache_bytes`` bounds the decoded images
    kept. ``corpora`` names the version of the corpus of a dataset whose media are meant, by default the current shards.
    """

    def __init__(
        self,
        storage: Storage,
        corpora: Mapping[str, str] | None = None,
        *,
        cache_bytes: int = MEDIA_CACHE_BYTES,
    ) -> None:
        self._storage, self._cache_bytes = storage, cache_bytes
        self._corpora = dict(corpora or {})
        self._locations: dict[str, dict[str, MediaLocation]] = {}
        self._descriptors: dict[str, int] = {}
        self._decoded: LRUCache[Any, Image.Image] = LRUCache(cache_bytes, _decoded_bytes)
        self._lock = Lock()

    def image(self, item_id: str) -> Image.Image:
        """The RGB image of an image item (of a clip: its first frame), at native size.

        Raises:
            KeyError: if the item is unknown or has no media.
            MediaError: if its bytes cannot be decoded.
        """
        return self._image(self._locate(item_id), 0)

    def frame(self, item_id: str, timestamp_s: float) -> Image.Image:
        """The stored RGB frame of a clip at ``timestamp_s`` seconds from its start: the latest not after it.

        Before the first stored frame, that one is given. Raises as ``image`` does.
        """
        location = self._locate(item_id)
        index = bisect_right(location.times, timestamp_s + ROUNDING_S) - 1
        return self._image(location, max(0, index))

    def times(self, item_id: str) -> tuple[float, ...]:
        """Seconds of the stored frames from the clip's start; none for an image. Raises ``KeyError``."""
        return self._locate(item_id).times

    def close(self) -> None:
        """Close the shards; the object stays usable and opens them again."""
        with self._lock:
            for descriptor in self._descriptors.values():
                os.close(descriptor)
            self._descriptors.clear()

    def _image(self, location: MediaLocation, index: int) -> Image.Image:
        place = location.path, location.offsets[index], location.sizes[index]
        return self._decoded_at(*place, location.is_page)

    @cachedmethod(lambda self: self._decoded, lock=lambda self: self._lock)
    def _decoded_at(self, path: str, offset: int, size: int, is_page: bool) -> Image.Image:
        """By place, not by id: aliases share their pixels. An image larger than the cache is not kept."""
        data = self._read(path, offset, size)
        return media_decoder().own_page(data) if is_page else media_decoder().image(data)

    def _locate(self, item_id: str) -> MediaLocation:
        dataset = item_id.partition(":")[0]
        with self._lock:
            known = self._locations.get(dataset)
            if known is None:
                try:
                    known = self._locations[dataset] = self._read_locations(dataset)
                except ValueError as error:
                    raise KeyError(f"no media of item {item_id!r}: {error}") from error
        if (location := known.get(item_id)) is None:
            raise KeyError(f"no media of item {item_id!r}")
        return location

    def _read_locations(self, dataset: str) -> dict[str, MediaLocation]:
        version = None
        if corpus := self._corpora.get(dataset):
            version = manifest.read(self._storage, directory(dataset), corpus).inputs.get("shards")
        return shards.read_locations(self._storage, dataset, version)

    def _read(self, path: str, offset: int, size: int) -> bytes:
        local = self._storage.local_path(path)
        if local is None:
            return self._storage.read_bytes(path, start=offset, end=offset + size)
        with self._lock:
            descriptor = self._descriptors.get(path)
            if descriptor is None and len(self._descriptors) < MAX_OPEN_SHARDS:
                descriptor = self._descriptors[path] = os.open(local, os.O_RDONLY)
        if descriptor is not None:
            return os.pread(descriptor, size, offset)  # no file position: threads may share the descriptor
        with local.open("rb") as file:
            file.seek(offset)
            return file.read(size)

    def __getstate__(self) -> dict[str, Any]:
        """Without open files, cache and lock."""
        return {"storage": self._storage, "corpora": self._corpora, "cache_bytes": self._cache_bytes}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A reader that has read nothing yet."""
        self.__init__(state["storage"], state["corpora"], cache_bytes=state["cache_bytes"])


def _decoded_bytes(image: Image.Image) -> int:
    return 3 * image.width * image.height
