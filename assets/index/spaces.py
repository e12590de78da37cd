"""What of an item is embedded in which space, and by which embedder.

Words are embedded passage by passage; pages, pictures and key frames as images; a clip as a whole. The text embedder and
the one that sees may be the same.
"""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PIL.Image import Image

from assets.corpus.item import Item, Modality
from assets.index.analysis import passages
from infra.embedders.types import Embedder, VisionEmbedder, sees
from infra.embedders.types import Modality as Sense
from infra.errors import EmbedderError, MediaError
from infra.vector_stores.types import CLIP_SPACE, IMAGE_SPACE, TEXT_SPACE, Vectors

log = logging.getLogger(__name__)

KEY_FRAMES = 4  # of a clip, in the space of images
CLIP_FRAMES = 16  # of a clip as a whole; an embedder may take fewer


class Media(Protocol):
    """Pixels by item id."""

    def image(self, item_id: str) -> Image:
        """Of an image item."""
        ...

    def frame(self, item_id: str, timestamp_s: float) -> Image:
        """Of a clip."""
        ...

    def times(self, item_id: str) -> tuple[float, ...]:
        """Seconds of the stored frames of a clip."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedders:
    """The embedder of words, and the one of pixels where there is one."""

    text: Embedder
    vision: VisionEmbedder | None = None

    @property
    def spaces(self) -> dict[str, Embedder]:
        """Space -> its embedder."""
        spaces: dict[str, Embedder] = {TEXT_SPACE: self.text}
        if self.vision is not None and sees(self.vision, Sense.IMAGE):
            spaces[IMAGE_SPACE] = self.vision
        if self.vision is not None and sees(self.vision, Sense.VIDEO):
            spaces[CLIP_SPACE] = self.vision
        return spaces

    @property
    def dims(self) -> dict[str, int]:
        """Space -> width of its vectors."""
        return {space: embedder.dim for space, embedder in self.spaces.items()}

    @property
    def fingerprints(self) -> dict[str, str]:
        """Space -> fingerprint of its embedder."""
        return {space: embedder.fingerprint for space, embedder in self.spaces.items()}


def is_in_space(item: Item, space: str) -> bool:
    """Whether ``item`` has something to embed in ``space``."""
    if space == TEXT_SPACE:
        return True
    if item.media_key is None:
        return False
    return item.modality is Modality.VIDEO or (space == IMAGE_SPACE and item.modality is Modality.IMAGE)


def embedded_texts(item: Item) -> list[str]:
    """The passages of an item, each behind the title, which says what a passage is about."""
    return [f"{item.title}. {passage}" if item.title else passage for passage in passages(item.text)]


def content_hash(item: Item) -> str:
    """Hash of what the vectors of words are made from and, behind a ``+``, of the pixels, in hex."""
    text = text_hash(item)
    return text if item.media_key is None else f"{text}+{item.content_hash[:32]}"


def text_hash(item: Item) -> str:
    """Hash of title and text, in hex; unlike the item's own it sees a text that was read anew."""
    return hashlib.sha256(f"{item.title}\0{item.text}".encode()).hexdigest()


def has_same_source(content: str, other: str, space: str) -> bool:
    """Whether two ``content_hash`` say that the vectors of a space are made from the same."""
    if space == TEXT_SPACE:
        return content.partition("+")[0] == other.partition("+")[0]
    return content.partition("+")[2] == other.partition("+")[2] != ""


def encode(space: str, items: Sequence[Item], embedders: Embedders, media: Media) -> list[Vectors]:
    """The vectors ``[P, D]`` of each item in ``space``; P is 0 where the pixels cannot be read or embedded, with a warning.

    Raises:
        EmbedderError: if words cannot be embedded, or nothing of all the images.
    """
    embedder = embedders.spaces[space]
    if space == TEXT_SPACE:
        texts = [embedded_texts(item) for item in items]
        vectors = embedder.encode_documents([text for passages_ in texts for text in passages_])
        return np.split(vectors, np.cumsum([len(passages_) for passages_ in texts])[:-1]) if items else []
    assert embedders.vision is not None
    return [_seen(space, item, embedders.vision, media) for item in items]


def _seen(space: str, item: Item, vision: VisionEmbedder, media: Media) -> Vectors:
    try:
        if space == CLIP_SPACE:
            return vision.encode_clips([_frames(item, media, CLIP_FRAMES)])
        is_clip = item.modality is Modality.VIDEO
        return vision.encode_images(_frames(item, media, KEY_FRAMES) if is_clip else [media.image(item.id)])
    except (MediaError, EmbedderError, KeyError, ValueError) as error:
        log.warning("%s is not in the space of %ss: %s", item.id, space, error)
        return np.zeros((0, vision.dim), np.float32)


def _frames(item: Item, media: Media, most: int) -> list[Image]:
    """At most so many stored frames of a clip, evenly spread."""
    times = media.times(item.id)
    if not times:
        return [media.image(item.id)]
    chosen = np.unique(np.linspace(0, len(times) - 1, min(most, len(times))).round().astype(int))
    return [media.frame(item.id, times[at]) for at in chosen]
