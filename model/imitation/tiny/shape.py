"""Shapes of the tiny Qwen3-VL. A recipe picks one; nothing else in the code depends on the size."""

from dataclasses import dataclass
from typing import Any

from transformers import (
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
)

from model.policies.chat_template import IMAGE_PAD, MERGE, PATCH_PX, TEMPORAL_PATCH, VISION_END, VISION_START


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyShape:
    """Widths and depths. The defaults hold about 3 million parameters."""

    width: int = 192
    layers: int = 4
    heads: int = 6
    feed_forward: int = 512
    vision_width: int = 128
    vision_layers: int = 2
    vision_heads: int = 4
    vision_feed_forward: int = 256
    native_px: int = 128
    """Side of the square for which position embeddings are not interpolated."""
    rope_theta: float = 10_000.0
    """The large default of the 8B model keeps small models from learning to look things up (docs/log.md)."""


def _token_id(tokenizer: PreTrainedTokenizerBase, token: str) -> int:
    token_id = tokenizer.convert_tokens_to_ids(token)
    assert isinstance(token_id, int), "one token has one id"
    return token_id


def special_ids(tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    """The ids that a configuration of Qwen3-VL names, for ``tokenizer``."""
    return {
        "image_token_id": _token_id(tokenizer, IMAGE_PAD),
        "vision_start_token_id": _token_id(tokenizer, VISION_START),
        "vision_end_token_id": _token_id(tokenizer, VISION_END),
        "video_token_id": len(tokenizer) + 1,  # no such token: frames travel as timed images
    }


def build_config(tokenizer: PreTrainedTokenizerFast, shape: TinyShape) -> Qwen3VLConfig:
    """The transformers configuration of ``shape`` over ``tokenizer``."""
    head_dim = shape.width // shape.heads
    third = head_dim // 6  # rotary pairs of height and of width; time takes the rest
    return Qwen3VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": shape.width,
            "intermediate_size": shape.feed_forward,
            "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.heads,
            "num_key_value_heads": shape.heads,
            "head_dim": head_dim,
            "max_position_embeddings": 8192,
            "pad_token_id": tokenizer.pad_token_id,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": shape.rope_theta,
                "mrope_section": [head_dim // 2 - 2 * third, third, third],
                "mrope_interleaved": True,
            },
        },
        vision_config={
            "depth": shape.vision_layers,
            "hidden_size": shape.vision_width,
            "intermediate_size": shape.vision_feed_forward,
            "num_heads": shape.vision_heads,
            "patch_size": PATCH_PX,
            "spatial_merge_size": MERGE,
            "temporal_patch_size": TEMPORAL_PATCH,
            "out_hidden_size": shape.width,
            "num_position_embeddings": (shape.native_px // PATCH_PX) ** 2,
            "deepstack_visual_indexes": [],
        },
        **special_ids(tokenizer),
        tie_word_embeddings=True,
    )


def build_model(tokenizer: PreTrainedTokenizerFast, shape: TinyShape) -> Qwen3VLForConditionalGeneration:
    """A freshly initialised model; the caller seeds torch. Generation ends at the end of a turn."""
    model = Qwen3VLForConditionalGeneration(build_config(tokenizer, shape))
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model
