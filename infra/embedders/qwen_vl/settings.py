"""What a Qwen-VL embedder is told, and what is assumed where it is told nothing. No torch here.

The assumptions are the published ones: those of Qwen3-VL-Embedding's own helper (arXiv 2601.04720: 8,192 tokens, 4 to
1,800 visual tokens an image, 64 frames at one a second) and of the model card of GVE (arXiv 2510.27571: eight frames of 200
visual tokens). A folder may say otherwise: its own limits and instructions in ``embedder.json`` (written where we train an
embedder), instructions in ``config_sentence_transformers.json`` (written by sentence-transformers).
"""

from dataclasses import dataclass
from typing import NamedTuple

DTYPES = ("float32", "bfloat16")


@dataclass(frozen=True, slots=True, kw_only=True)
class QwenVlSettings:
    """One folder and how it is used. None takes what ``FamilyDefaults`` or the folder say."""

    folder: str
    """``config.json``, ``*.safetensors``, ``tokenizer.json``, ``preprocessor_config.json``."""
    space: str = "qwen_vl"
    dim: int | None = None
    """First values of a vector that are kept (Matryoshka); None keeps all. Qwen3-VL only."""
    dtype: str = "float32"
    device: str = "auto"
    """``auto`` is the first CUDA device, else the CPU."""
    min_image_pixels: int | None = None
    max_image_pixels: int | None = None
    """Area to which a larger image is made smaller, proportions kept."""
    max_frame_pixels: int | None = None
    max_frames: int | None = None
    """Frames of a clip; more are thinned out evenly."""
    frame_interval_s: float = 1.0
    """Seconds between two frames of a clip, as the model is told them."""
    max_tokens: int | None = None
    """Of one prompt; a longer text is cut at its end, larger images are refused."""
    batch_tokens: int = 8192
    """Tokens of one batch, padding included; a single longer prompt is a batch of its own."""
    query_instruction: str | None = None
    document_instruction: str | None = None

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {self.dtype!r}")
        counts = (self.dim, self.min_image_pixels, self.max_image_pixels, self.max_frame_pixels)
        if any(count is not None and count < 1 for count in (*counts, self.max_frames, self.max_tokens)):
            raise ValueError(f"limits of an embedder must be at least 1: {self}")
        if self.batch_tokens < 1 or self.frame_interval_s <= 0:
            raise ValueError(f"batch_tokens and frame_interval_s must be positive: {self}")


class FamilyDefaults(NamedTuple):
    """Limits and instructions of one family of models."""

    model_class: str  # of transformers, without the language head
    patch_px: int  # side of a patch; a visual token covers 2 x 2 patches
    min_image_pixels: int
    max_image_pixels: int
    max_frame_pixels: int
    max_clip_pixels: int  # of all frames of a clip together
    max_frames: int
    max_tokens: int
    query_instruction: str
    document_instruction: str
    image_query_instruction: str | None  # of images that are asked with; None: that of queries
    image_mean: tuple[float, float, float]
    image_deviation: tuple[float, float, float]
    has_timestamps: bool  # whether each pair of frames is preceded by its time, in words
    is_matryoshka: bool  # whether the first values of a vector are a vector


FOLDER_LIMITS = ("min_image_pixels", "max_image_pixels", "max_frame_pixels", "max_frames", "max_tokens")
FOLDER_INSTRUCTIONS = ("query_instruction", "document_instruction", "image_query_instruction")
"""Fields of ``FamilyDefaults`` that ``embedder.json`` of a folder may state."""

FAMILIES = {
    "qwen3_vl": FamilyDefaults(
        model_class="Qwen3VLModel",
        patch_px=16,
        min_image_pixels=4 * 32 * 32,
        max_image_pixels=1800 * 32 * 32,
        max_frame_pixels=768 * 32 * 32,
        max_clip_pixels=2 * 7680 * 32 * 32,
        max_frames=64,
        max_tokens=8192,
        query_instruction="Retrieve images or text relevant to the user's query.",
        document_instruction="Represent the user's input.",
        image_query_instruction=None,
        image_mean=(0.5, 0.5, 0.5),
        image_deviation=(0.5, 0.5, 0.5),
        has_timestamps=True,
        is_matryoshka=True,
    ),
    "qwen2_5_vl": FamilyDefaults(
        model_class="Qwen2_5_VLModel",
        patch_px=14,
        min_image_pixels=4 * 28 * 28,
        max_image_pixels=1280 * 28 * 28,
        max_frame_pixels=200 * 28 * 28,
        max_clip_pixels=2 * 7680 * 28 * 28,
        max_frames=8,
        max_tokens=8192,
        query_instruction="You are a helpful assistant.",
        document_instruction="You are a helpful assistant.",
        image_query_instruction=None,
        image_mean=(0.48145466, 0.4578275, 0.40821073),
        image_deviation=(0.26862954, 0.26130258, 0.27577711),
        has_timestamps=False,
        is_matryoshka=False,
    ),
}
