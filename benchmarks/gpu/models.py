"""Random weights of real shapes, made on the device: nothing is downloaded, nothing carried.

Random logits are nearly uniform, which hides what bf16 does to a policy that is sure of itself. So the last norm is scaled
until the mean entropy of the next token is that of a trained policy's replies (``SPREAD_NATS``); speed and memory do not
depend on it.
"""

from __future__ import annotations

import contextlib

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast, Qwen3VLConfig, Qwen3VLForConditionalGeneration

from benchmarks.gpu.sizes import SPREAD_NATS
from model.imitation.tiny.tokenizer import build_tokenizer
from model.policies.chat_template import (
    IMAGE_PAD,
    MERGE,
    PATCH_PX,
    TEMPORAL_PATCH,
    VISION_END,
    VISION_START,
    PromptEncoder,
)
from model.policies.families import linear_patch_embedding
from model.training.model_shape import ModelShape

DEEPSTACK = {24: (5, 11, 17), 27: (8, 16, 24)}  # of the published configurations, by layers of the tower


def device() -> torch.device:
    """The GPU if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def encoder() -> PromptEncoder:
    """Six control tokens and bytes; ids above it are drawn by number, so no real tokenizer is needed."""
    return PromptEncoder(build_tokenizer([]), cache_images=512)


def config_of(shape: ModelShape, tokenizer: PreTrainedTokenizerFast) -> Qwen3VLConfig:
    """The published configuration of ``shape``, with the control tokens where ``tokenizer`` has them."""
    third = shape.head_dim // 6  # of 64 rotary pairs 20 are height's and 20 width's (published: 24, 20, 20)
    rest = shape.head_dim // 2 - 2 * third
    ids = {
        token: int(tokenizer.convert_tokens_to_ids(token)) for token in (IMAGE_PAD, VISION_START, VISION_END)
    }
    return Qwen3VLConfig(
        text_config={
            "vocab_size": shape.vocabulary,
            "hidden_size": shape.width,
            "intermediate_size": shape.feed_forward,
            "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.heads,
            "num_key_value_heads": shape.kv_heads,
            "head_dim": shape.head_dim,
            "max_position_embeddings": 262_144,
            "pad_token_id": tokenizer.pad_token_id,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 5_000_000.0,
                "mrope_section": [24, 20, 20] if shape.head_dim == 128 else [rest, third, third],
                "mrope_interleaved": True,
            },
        },
        vision_config={
            "depth": shape.vision.layers,
            "hidden_size": shape.vision.width,
            "intermediate_size": shape.vision.feed_forward,
            "num_heads": 16 if shape.vision.width >= 1024 else 2,
            "patch_size": PATCH_PX,
            "spatial_merge_size": MERGE,
            "temporal_patch_size": TEMPORAL_PATCH,
            "out_hidden_size": shape.width,
            "num_position_embeddings": shape.vision.positions,
            "deepstack_visual_indexes": list(
                DEEPSTACK.get(shape.vision.layers, range(1, 1 + shape.vision.deepstack))
            ),
        },
        image_token_id=ids[IMAGE_PAD],
        vision_start_token_id=ids[VISION_START],
        vision_end_token_id=ids[VISION_END],
        video_token_id=shape.vocabulary - 1,  # never drawn
        tie_word_embeddings=shape.tied,
    )


def random_model(
    shape: ModelShape, prompts: PromptEncoder, *, seed: int = 0, spread: bool = True, attention: str = "sdpa"
) -> Qwen3VLForConditionalGeneration:
    """A model of ``shape`` in bf16 on the device."""
    torch.manual_seed(seed)
    config = config_of(shape, prompts.tokenizer)
    config._attn_implementation = attention
    with _default_dtype(torch.bfloat16), device():
        model = Qwen3VLForConditionalGeneration(config)
    model = linear_patch_embedding(model.eval())
    if spread:
        _spread(model, shape, len(prompts.tokenizer))
    return model


@contextlib.contextmanager
def _default_dtype(dtype: torch.dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@torch.no_grad()
def _spread(model: Qwen3VLForConditionalGeneration, shape: ModelShape, first_id: int) -> None:
    ids = torch.randint(first_id, shape.vocabulary - 1, (1, 64), device=device())
    logits = model(input_ids=ids).logits[0].float()
    low, high = 0.1, 1000.0
    for _ in range(30):  # logits are linear in the scale of the last norm
        middle = (low * high) ** 0.5
        low, high = (low, middle) if _entropy(logits * middle) < SPREAD_NATS else (middle, high)
    norm = model.model.language_model.norm.weight
    assert isinstance(norm, Tensor)
    norm.mul_(high)


def _entropy(logits: Tensor) -> float:
    scores = logits.log_softmax(-1)
    return float(-(scores.exp() * scores).sum(-1).mean())
