"""One retrievable unit of the corpus: a passage, a page, an image or a video clip.

Holds the record and its identity only. How items are parsed lives in ``parsers/``, how their media are stored in
``shards.py``, how they are found in ``index/build.py``.
"""

from dataclasses import dataclass
from enum import StrEnum

SCHEMA_VERSION = 1


class Modality(StrEnum):
    """What the agent perceives when it is shown the item."""

    TEXT = "text"
    IMAGE = "image"
    VIDEO = "video"


class ItemKind(StrEnum):
    """What an item is in its source; the second part of its id."""

    PARAGRAPH = "para"
    TEXT = "text"  # a snippet or a part of a file
    IMAGE = "image"
    PAGE = "page"
    SLIDE = "slide"
    CLIP = "clip"
    VIDEO = "video"  # all of its text as one item, without frames


def item_id(dataset: str, kind: ItemKind, native: str | int) -> str:
    """``dataset:kind:native-id``; the native id is kept verbatim as a string.

    Raises:
        ValueError: if a part is empty, or the data set's name holds the separator.
    """
    native = str(native)
    if not (dataset and native) or ":" in dataset:
        raise ValueError(
            f"data set and native id must be given, the first without ':': {(dataset, native)!r}"
        )
    return f"{dataset}:{kind}:{native}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One item of the corpus. ``media_key`` names its sample in the shards; text items have none."""

    id: str
    dataset: str
    modality: Modality
    content_hash: str  # sha256 hex of the normalised text (text items) or of the media bytes
    title: str
    text: str  # passage, OCR, text layer, transcript or caption: what full-text search sees
    media_key: str | None = None
    width: int = 0  # native pixels; 0 for text
    height: int = 0
    duration_s: float = 0.0  # of the clip; 0 for anything else
    parent: str | None = None  # document, deck or video the item is a part of
    position: float = 0.0  # page number from 1, or start second within the video
    aliases: tuple[str, ...] = ()  # ids of items with equal content that were folded into this one
    licence: str = "unknown"
    source: str = ""  # file (relative to the raw folder) or URL the item came from
