"""What an embedder is: what it reads, and which vectors it gives for it.

Holds the Protocols and the enum only; each embedder is one module beside this one. Vectors are unit vectors whose dot
product is their similarity; those of equal ``fingerprint`` can be compared, whatever they were made from.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol, TypeAlias, TypeGuard

from PIL.Image import Image

from infra.errors import EmbedderError
from infra.vector_stores.types import Vectors

Clip: TypeAlias = Sequence[Image]
"""Key frames of one clip in the order of time, RGB, at least one."""


class Modality(StrEnum):
    """What an embedder reads."""

    TEXT = "text"
    IMAGE = "image"
    VIDEO = "video"


TEXT_ONLY = frozenset({Modality.TEXT})
EVERYTHING = frozenset(Modality)


class RefusedInputError(EmbedderError):
    """One input cannot be embedded, whatever is tried again; the others can. ``position`` is its place in the call."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(f"input {position}: {reason}")
        self.position = position
        self.reason = reason

    def __reduce__(self) -> tuple[type["RefusedInputError"], tuple[int, str]]:
        """Pickle by the two parts, so that the error crosses process borders whole."""
        return type(self), (self.position, self.reason)


class Embedder(Protocol):
    """Maps texts to unit vectors."""

    @property
    def dim(self) -> int:
        """Width of the vectors."""
        ...

    @property
    def fingerprint(self) -> str:
        """Hash of weights and settings, in hex; vectors of equal fingerprints can be compared."""
        ...

    @property
    def space(self) -> str:
        """Name of the space the vectors lie in, e.g. ``minilm``: a letter, then letters, digits and ``_``."""
        ...

    @property
    def modalities(self) -> frozenset[Modality]:
        """What it reads; text always."""
        ...

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        """``[N, dim]``, unit length."""
        ...

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """``[N, dim]``, unit length; some models embed questions differently from documents."""
        ...


class VisionEmbedder(Embedder, Protocol):
    """Maps images and clips into the same space as texts.

    Every method raises ``RefusedInputError`` for an image or clip that it does not take (leave it out and ask again), and
    ``EmbedderError`` if the model fails.
    """

    def encode_images(self, images: Sequence[Image]) -> Vectors:
        """``[N, dim]``, unit length: pages and pictures as documents. Any mode and size; pixel limits are the embedder's."""
        ...

    def encode_clips(self, clips: Sequence[Clip]) -> Vectors:
        """``[N, dim]``, unit length, one vector a clip; frames beyond the embedder's limit are thinned out evenly."""
        ...

    def encode_image_queries(self, images: Sequence[Image]) -> Vectors:
        """``[N, dim]``, unit length: images that are asked with."""
        ...


def sees(embedder: Embedder, modality: Modality = Modality.IMAGE) -> TypeGuard[VisionEmbedder]:
    """Whether ``embedder`` reads ``modality`` (image or video) besides text."""
    return modality in embedder.modalities and hasattr(embedder, "encode_images")
