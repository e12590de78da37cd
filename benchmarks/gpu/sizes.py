"""How large the steps are: the published shapes on a GPU, toy ones in a dry run. Numbers only."""

from __future__ import annotations

from dataclasses import dataclass, replace

from model.training.model_shape import QWEN3_VL_2B, QWEN3_VL_4B, QWEN3_VL_8B, ModelShape, VisionShape

TINY = ModelShape(
    name="tiny", layers=2, width=64, feed_forward=96, heads=4, kv_heads=2, head_dim=16, vocabulary=4096, tied=True,
    vision=VisionShape(layers=4, width=32, feed_forward=64, positions=64, deepstack=3),
)  # fmt: skip
SPREAD_NATS = 1.5  # mean entropy that the random models are given; a trained policy's replies lie near it


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Of the work of every step. Lengths in tokens; images are squares."""

    shapes: dict[str, ModelShape]
    image_tokens: int
    """Visual tokens of one image; five of them are S_total of the paper (1,280 tokens of 32 x 32 pixels)."""
    images: int
    text: int
    """Text tokens of a prompt."""
    generated: int
    segments: int
    """Nodes of a rollout, the answer's segment not counted."""
    rollouts: int
    token_budget: int
    logit_tokens: int
    parity_segments: int
    batches: tuple[int, ...]
    """Rollouts decoded at once."""
    decode_steps: int
    page_side: tuple[int, int]
    """Visual tokens of a page to embed, across and down; 40 x 45 = 1,800."""
    page_batch: int
    query_tokens: int
    query_batch: int
    repeats: int
    matmul: int
    copy_mib: int
    toy: bool = False

    @property
    def prompt(self) -> int:
        """All tokens of a prompt: text, images and their two marks each."""
        return self.text + self.images * (self.image_tokens + 2)


REAL = Sizes(
    shapes={"qwen3-vl-2b": QWEN3_VL_2B, "qwen3-vl-4b": QWEN3_VL_4B, "qwen3-vl-8b": QWEN3_VL_8B},
    image_tokens=256, images=5, text=2700, generated=400, segments=5, rollouts=4, token_budget=16_384, logit_tokens=1024,
    parity_segments=24, batches=(64, 128, 256), decode_steps=128, page_side=(40, 45), page_batch=8, query_tokens=32,
    query_batch=256, repeats=2, matmul=8192, copy_mib=4096,
)  # fmt: skip
ROLLOUT_TEXT = 700  # text of a rollout's first prompts: with S_total about 2,000 tokens, so that 256 rows fit


def dry() -> Sizes:
    """Toy sizes: the same steps in seconds on a CPU. Their figures say nothing about any device."""
    return replace(
        REAL,
        shapes=dict.fromkeys(REAL.shapes, TINY),
        image_tokens=4, images=2, text=24, generated=8, segments=2, rollouts=2, token_budget=256, logit_tokens=8,
        parity_segments=4, batches=(2, 4), decode_steps=4, page_side=(2, 3), page_batch=2, query_tokens=6, query_batch=4,
        repeats=1, matmul=128, copy_mib=1, toy=True,
    )  # fmt: skip
