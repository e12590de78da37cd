"""What a parser is given and what it yields.

Holds the records only. The registry of parsers is ``assets.corpus.dataset``; folding of equal items, resolution of
aliases and writing belong to ``assets.corpus.build``.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from PIL import Image

from assets.corpus.item import Item
from assets.corpus.question import Question
from infra.errors import MediaError


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaBlob:
    """The media of one item as they go into its shard sample.

    ``members`` are (extension, bytes): one ("png" | "jpg", data) for an image or page, ("pdf", data) for a
    page as itself, ("0.png", data),
    ("1.png", data), ... for the frames of a clip in time order. ``meta`` is json-able; a clip has {"times":
    [seconds from clip start]}.
    """

    members: tuple[tuple[str, bytes], ...]
    meta: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedItem:
    """One item, with its media if it is to be seen and not only read."""

    item: Item
    media: MediaBlob | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedRecord:
    """Something a parser could not use. ``reason`` is a stable snake_case word that reports count by."""

    reason: str
    where: str
    """File relative to the raw folder, with the record behind it: "dev.json[12]", "documents/a.pdf"."""
    detail: str = ""

    @classmethod
    def of(cls, error: MediaError, where: str) -> Self:
        """The skip of what ``error`` was raised for."""
        return cls(reason=error.reason, where=where, detail=error.detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class EditionCounts:
    """How many records of questions one edition (a split, or a version of it) has in the raw folder.

    Those that could not be used count as well, so that a damaged copy and a lossy parser can be told apart.
    """

    edition: str
    questions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseContext:
    """Everything a parser may be told; the same values must give the same items."""

    ocr: Callable[[Image.Image], str] | None = None
    """Reads a page or slide that has no text of its own; None leaves its text empty."""
    ocr_model: str = ""
    """Hash of the recognition model that ``ocr`` reads with; empty for the package's."""
    dpi: int = 144
    """Resolution at which PDF pages are rendered."""
    max_pages: int | None = None
    """Pages rendered of each document, from the first; None renders all of them."""
    max_pixels: int = 64_000_000
    """Images larger than this are refused (decompression bombs)."""
    max_frames: int = 32
    """Frames stored of each clip, at most."""
    fps: float = 1.0
    """Frames stored per second of a clip, up to ``max_frames``."""
    clip_s: float = 60.0
    """Length of a clip in seconds; the last one of a video may be shorter."""
    min_tail_s: float = 2.0
    """A last clip shorter than this is dropped; references inside it mean the clip before."""
    page_images: bool = False
    """Keep the pages of one's own PDFs as pictures, though most could be kept as what they are, a tenth of the size."""
    strict: bool = False
    """Turn the first skip into a ValueError."""

    def __post_init__(self) -> None:
        """Refuse settings that mean nothing."""
        positive = ("dpi", "max_pixels", "max_frames", "fps", "clip_s")
        if bad := {name: getattr(self, name) for name in positive if getattr(self, name) <= 0}:
            raise ValueError(f"a parse context needs positive values, got {bad}")
        if self.max_pages is not None and self.max_pages < 1:
            raise ValueError(f"max_pages must be at least 1 or None, got {self.max_pages}")


ParsedRecord = ParsedItem | Question | SkippedRecord | EditionCounts
Parser = Callable[[Path, ParseContext], Iterator[ParsedRecord]]
