"""Images for a browser: shrunk to fit, never enlarged, encoded once; the latest ones are kept.

Flat images (pages, drawings) and small ones go as PNG, which keeps letters sharp; everything else as JPEG.
"""

import hashlib
from threading import Lock
from typing import NamedTuple

from cachetools import LRUCache
from PIL import Image

from assets.corpus.media import ShardMedia
from infra.media import encode_jpeg, encode_png
from model.policies.image_uris import is_small_or_flat

KEPT_BYTES = 64 * 1024 * 1024


class RenderRequest(NamedTuple):
    """What is to be shown; ``time_s`` selects a frame of a clip, sizes are the most that fits."""

    item_id: str
    time_s: float | None
    width: int
    height: int


class RenderedImage(NamedTuple):
    """Encoded bytes and what identifies them."""

    data: bytes
    media_type: str
    etag: str


class ImageRenderer:
    """Makes renderings. Thread-safe."""

    def __init__(self, *, kept_bytes: int = KEPT_BYTES) -> None:
        self._kept: LRUCache[RenderRequest, RenderedImage] = LRUCache(
            kept_bytes, lambda image: len(image.data)
        )
        self._media: ShardMedia | None = None  # what they were made from
        self._lock = Lock()

    def of(self, request: RenderRequest, media: ShardMedia) -> RenderedImage:
        """Raises ``KeyError`` for an unknown item and ``MediaError`` for one that cannot be decoded."""
        with self._lock:
            if media is not self._media:
                self._kept.clear()
                self._media = media
            if request in self._kept:
                return self._kept[request]
        rendered = encoded(shrunk(_native(request, media), request.width, request.height))
        with self._lock:
            if media is self._media and len(rendered.data) <= self._kept.maxsize:
                self._kept[request] = rendered
        return rendered


def _native(request: RenderRequest, media: ShardMedia) -> Image.Image:
    if request.time_s is None:
        return media.image(request.item_id)
    return media.frame(request.item_id, request.time_s)


def shrunk(image: Image.Image, width: int, height: int) -> Image.Image:
    """The image within ``width`` x ``height`` pixels, its shape kept; itself if it fits."""
    if image.width <= width and image.height <= height:
        return image
    scale = min(width / image.width, height / image.height)
    size = (max(1, int(image.width * scale)), max(1, int(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def encoded(image: Image.Image) -> RenderedImage:
    """As PNG or JPEG; the head of this file says which."""
    if is_small_or_flat(image):
        data, media_type = encode_png(image), "image/png"
    else:
        data, media_type = encode_jpeg(image), "image/jpeg"
    return RenderedImage(data, media_type, f'"{hashlib.blake2b(data, digest_size=16).hexdigest()}"')
