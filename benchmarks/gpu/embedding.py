"""Qwen3-VL-Embedding-2B's shape: pages of 1,800 visual tokens and short queries a second, and what the host needs for a page.

Its vectors are the last token's state at unit length; the weights are random, so only speed and memory mean anything.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.gpu.bounded import Emit
from benchmarks.gpu.meter import Meter, timed
from benchmarks.gpu.models import encoder, random_model
from benchmarks.gpu.records import Record, State
from benchmarks.gpu.sizes import Sizes
from benchmarks.gpu.work import Prompts, random_pixels
from model.policies.chat_template import TOKEN_PX, collate, patches
from model.types import ImageRef

STEP, MODEL = "embedding", "qwen3-vl-2b"


@torch.inference_mode()
def run(sizes: Sizes, emit: Emit) -> None:
    """Pages, then queries, then the host's part."""
    prompts = encoder()
    shape = sizes.shapes[MODEL]
    trunk = random_model(shape, prompts, spread=False).model
    drawing = Prompts(prompts, shape.vocabulary, seed=3)
    across, down = sizes.page_side

    def vectors(batch: dict[str, Tensor]) -> Tensor:
        moved = {name: value.to(trunk.device) for name, value in batch.items()}
        states = trunk(**moved, use_cache=False).last_hidden_state
        last = batch["attention_mask"].sum(1).to(trunk.device) - 1
        return nn.functional.normalize(states[torch.arange(len(last)), last].float(), dim=-1)

    pages = [
        ImageRef(item_id=f"p{number}", width=across * TOKEN_PX, height=down * TOKEN_PX)
        for number in range(sizes.page_batch)
    ]
    encoded = [drawing.prompt(16, (page,)) for page in pages]
    pixels = [random_pixels((page,), prompts, seed=number) for number, page in enumerate(pages)]
    batch = collate([each.ids for each in encoded], pixels, pad_id=prompts.pad_id, image_id=prompts.image_id)
    _emit(emit, "pages", len(pages), across * down, lambda: vectors(batch), sizes)
    texts = [drawing.text(sizes.query_tokens) for _ in range(sizes.query_batch)]
    queries = collate(
        texts, [prompts.no_pixels()] * len(texts), pad_id=prompts.pad_id, image_id=prompts.image_id
    )
    _emit(emit, "queries", len(texts), sizes.query_tokens, lambda: vectors(queries), sizes)
    page = np.zeros((down * TOKEN_PX, across * TOKEN_PX, 3), np.uint8)
    seconds = min(timed(lambda: patches(page)) for _ in range(3))
    emit(Record(step=STEP, part="host", state=State.MEASURED, figures={
        "patch_seconds_a_page": round(seconds, 6), "pages_per_s_of_one_core": round(1 / seconds, 2),
    }))  # fmt: skip


def _emit(emit: Emit, part: str, count: int, tokens: int, work: object, sizes: Sizes) -> None:
    assert callable(work)
    meter = Meter()
    timed(work)
    with meter.phase("run"):
        seconds = min(timed(work) for _ in range(1 + sizes.repeats))
    emit(Record(step=STEP, part=part, state=State.MEASURED, figures={
        "model": MODEL, "batch": count, "tokens_each": tokens, "seconds": round(seconds, 5),
        f"{part}_per_s": round(count / seconds, 3), "peak_bytes": meter.peak_bytes["run"],
    }))  # fmt: skip
