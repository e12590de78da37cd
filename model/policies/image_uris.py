"""Images for a served model: exactly the granted size, encoded once, as data URIs.

A page or drawing (at most 256 colours, as greyscale scans and rendered text are) and an image of at most 128 x 128 pixels
are sent as PNG: JPEG blurs letters and thin lines, and saves little where the image is small. Everything else is sent as JPEG
of quality 90: a photograph or video frame is a fifth of its PNG, and the loss is below what resizing has already cost.
"""

import asyncio
import base64
import io
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from cachetools import LRUCache
from PIL import Image

from model.protocols import MediaSource
from model.types import ImageRef

SMALL_PIXELS = 128 * 128
FLAT_COLOURS = 256
JPEG_QUALITY = 90
CACHE_CHARS = 128 * 1024 * 1024  # of data URIs: some 500 frames of 512 x 512


class ImageUris:
    """Data URIs of granted images; the latest ones are cached.

    Decoding and encoding run in a thread, so that rollouts go on meanwhile; one thread, so that no image is encoded twice.
    """

    def __init__(self, media: MediaSource, *, cache_chars: int = CACHE_CHARS) -> None:
        self._media = media
        self._kept: LRUCache[ImageRef, str] = LRUCache(cache_chars, len)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="images")

    async def uris(self, images: Iterable[ImageRef]) -> dict[ImageRef, str]:
        """A data URI for each image. Raises what the media source raises, ``KeyError`` for an unknown item."""
        distinct = tuple(dict.fromkeys(images))
        if not distinct:
            return {}
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: {ref: self._uri(ref) for ref in distinct})

    def _uri(self, ref: ImageRef) -> str:
        if (uri := self._kept.get(ref)) is None:
            uri = image_uri(resized_image(ref, self._media))
            if len(uri) <= self._kept.maxsize:
                self._kept[ref] = uri
        return uri


def resized_image(ref: ImageRef, media: MediaSource) -> Image.Image:
    """The RGB image at exactly its granted size, in pixels."""
    image = media.image(ref.item_id) if ref.timestamp_s is None else media.frame(ref.item_id, ref.timestamp_s)
    image = image.convert("RGB")
    if image.size != (ref.width, ref.height):
        image = image.resize((ref.width, ref.height), Image.Resampling.LANCZOS)
    return image


def is_small_or_flat(image: Image.Image) -> bool:
    """Whether an RGB image is small or has few colours."""
    return image.width * image.height <= SMALL_PIXELS or image.getcolors(FLAT_COLOURS) is not None


def image_uri(image: Image.Image) -> str:
    """An RGB image as ``data:image/png`` or ``data:image/jpeg``; the head of this file says which."""
    return (
        png_uri(image)
        if is_small_or_flat(image)
        else _uri(image, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    )


def png_uri(image: Image.Image) -> str:
    """An RGB image as ``data:image/png``, without loss."""
    return _uri(image, "PNG")


def _uri(image: Image.Image, image_format: str, **parameters: int) -> str:
    target = io.BytesIO()
    image.save(target, image_format, **parameters)  # subsampling 0: coloured letters keep their edges
    return f"data:image/{image_format.lower()};base64,{base64.b64encode(target.getvalue()).decode()}"
