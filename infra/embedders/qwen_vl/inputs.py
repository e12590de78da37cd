"""Texts, images and clips as the prompts of one checkpoint: sizes, frames, patches, instructions. No torch here.

What is read is decided here, once, for embedding and for training alike; what becomes of it is ``forward.py``.
"""

from functools import cached_property

from PIL.Image import Image

from infra.embedders.qwen_vl.batches import thinned
from infra.embedders.qwen_vl.checkpoint import Checkpoint, read_tokenizer
from infra.embedders.qwen_vl.pixels import MERGE, TEMPORAL_PATCH, fitted_size, patches_of
from infra.embedders.qwen_vl.prompts import Prompt, PromptBuilder
from infra.embedders.qwen_vl.settings import QwenVlSettings
from infra.embedders.types import Clip, Modality


class QwenVlInputs:
    """Prompts for one checkpoint under some settings."""

    def __init__(self, checkpoint: Checkpoint, settings: QwenVlSettings) -> None:
        self._checkpoint, self._settings = checkpoint, settings

    @cached_property
    def modalities(self) -> frozenset[Modality]:
        """What the tokenizer has placeholders for."""
        seen = {Modality.TEXT}
        if self._documents.reads_images:
            seen.add(Modality.IMAGE)
        if self._documents.reads_video:
            seen.add(Modality.VIDEO)
        return frozenset(seen)

    def document(self, text: str) -> Prompt:
        """A text as a document; cut at its end where it is too long."""
        return self._documents.text(text)

    def query(self, text: str) -> Prompt:
        """A text as a question."""
        return self._queries.text(text)

    def image(self, image: Image, *, is_query: bool = False) -> Prompt:
        """An image as a document, or as what is asked with.

        Raises:
            ValueError: for an image that is too narrow or does not fit the prompt.
        """
        defaults = self._checkpoint.defaults
        size = self._size(image, self._settings.max_image_pixels or defaults.max_image_pixels)
        builder = self._image_queries if is_query else self._documents
        return builder.image(patches_of([image], size, self._checkpoint.norm))

    def clip(self, clip: Clip) -> Prompt:
        """A clip as a document; its frames are thinned out and made as large as the first one is made.

        Raises:
            ValueError: for a clip without frames, too narrow ones, or more than fit the prompt.
        """
        if not clip:
            raise ValueError("a clip without frames")
        defaults, settings = self._checkpoint.defaults, self._settings
        frames = [clip[at] for at in thinned(len(clip), settings.max_frames or defaults.max_frames)]
        steps = -(-len(frames) // TEMPORAL_PATCH)
        limit = settings.max_frame_pixels or defaults.max_frame_pixels
        size = self._size(frames[0], min(limit, defaults.max_clip_pixels // (steps * TEMPORAL_PATCH)))
        gaps = max(1, len(frames) - 1)
        interval_s = settings.frame_interval_s * max(1, len(clip) - 1) / gaps
        patches = patches_of(frames, size, self._checkpoint.norm)
        return self._documents.clip(patches, frame_interval_s=interval_s)

    def _size(self, image: Image, max_pixels: int) -> tuple[int, int]:
        defaults = self._checkpoint.defaults
        return fitted_size(
            image.width,
            image.height,
            factor=defaults.patch_px * MERGE,
            min_pixels=min(self._settings.min_image_pixels or defaults.min_image_pixels, max_pixels),
            max_pixels=max_pixels,
        )

    @cached_property
    def _documents(self) -> PromptBuilder:
        stated = self._settings.document_instruction
        return self._builder(stated or self._checkpoint.defaults.document_instruction)

    @cached_property
    def _queries(self) -> PromptBuilder:
        stated = self._settings.query_instruction
        return self._builder(stated or self._checkpoint.defaults.query_instruction)

    @cached_property
    def _image_queries(self) -> PromptBuilder:
        stated = self._settings.query_instruction or self._checkpoint.defaults.image_query_instruction
        return self._builder(stated) if stated else self._queries

    def _builder(self, instruction: str) -> PromptBuilder:
        return PromptBuilder(
            read_tokenizer(self._checkpoint),
            instruction,
            max_tokens=self._settings.max_tokens or self._checkpoint.defaults.max_tokens,
            has_timestamps=self._checkpoint.defaults.has_timestamps,
        )
