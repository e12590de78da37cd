"""Our own decoding loop: prompts with S_total of pictures, 64 to 256 rollouts at once.

Groups of eight look at the same pictures with other words, as groups do after their first turn: the vision cache computes a
picture once. Prefill and decoding are timed apart; memory is the peak of each.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from benchmarks.gpu.bounded import Emit
from benchmarks.gpu.meter import Meter
from benchmarks.gpu.models import encoder, random_model
from benchmarks.gpu.records import Record, State
from benchmarks.gpu.sizes import ROLLOUT_TEXT, Sizes
from benchmarks.gpu.work import Prompts, pictures, random_pixels
from model.policies.chat_template import PromptEncoder
from model.policies.decoding import DecodingBatch, GenerationRequest
from model.policies.sampling import RowState
from model.training.model_shape import ModelShape
from model.types import Sampling

STEP = "rollouts"
GROUP = 8


def run(model: str, sizes: Sizes, emit: Emit) -> None:
    """One record a batch size, the smallest first; one that does not fit is named and the next one left."""
    prompts = encoder()
    shape = sizes.shapes[model]
    sizes = replace(sizes, text=min(sizes.text, ROLLOUT_TEXT))
    built = random_model(shape, prompts)
    for rows in sizes.batches:
        part = f"{model}/{rows}"
        try:
            figures = _measured(built, prompts, shape, sizes, rows)
        except RuntimeError as error:
            emit(
                Record(
                    step=STEP, part=part, state=State.FAILED, note=f"{type(error).__name__}: {error}"[:300]
                )
            )
            return
        finally:
            gc.collect()
            torch.cuda.empty_cache()
        emit(Record(step=STEP, part=part, state=State.MEASURED, figures={"model": model, **figures}))


@torch.inference_mode()
def _measured(
    built: Any, prompts: PromptEncoder, shape: ModelShape, sizes: Sizes, rows: int
) -> dict[str, Any]:
    requests = _requests(prompts, shape, sizes, rows)
    batch, meter = DecodingBatch(built, prompts), Meter()
    with meter.phase("prefill"):
        batch.join(requests)
        batch.sample()
    steps = 0
    with meter.phase("decode"):
        while batch.rows and steps < sizes.decode_steps:
            batch.step()
            batch.sample()
            steps += 1
    prompt_tokens = sum(len(each.prompt.ids) for each in requests)
    drawn = sum(len(each.row.token_ids) for each in requests)
    distinct = {image for each in requests for image in each.prompt.images}
    return {
        "rows": rows, "prompt": sizes.prompt, "prompt_tokens": prompt_tokens, "drawn_tokens": drawn, "steps": steps,
        "images": sum(len(each.prompt.images) for each in requests), "distinct_images": len(distinct),
        "parameters": shape.parameters,
        "prefill_seconds": round(meter.seconds["prefill"], 4), "decode_seconds": round(meter.seconds["decode"], 4),
        "prefill_tokens_per_s": round(prompt_tokens / meter.seconds["prefill"], 2),
        "decode_tokens_per_s": round((drawn - rows) / meter.seconds["decode"], 2) if drawn > rows else 0.0,
        "prefill_peak_bytes": meter.peak_bytes["prefill"], "decode_peak_bytes": meter.peak_bytes["decode"],
        "cache_bytes_planned": rows * (sizes.prompt + sizes.decode_steps + 1) * shape.cache_bytes(),
    }  # fmt: skip


def _requests(
    prompts: PromptEncoder, shape: ModelShape, sizes: Sizes, rows: int
) -> Sequence[GenerationRequest]:
    drawing = Prompts(prompts, shape.vocabulary, seed=2)
    requests = []
    for number in range(rows):
        images = pictures(f"g{number // GROUP}", sizes)
        sampling = Sampling(temperature=1.0, top_p=1.0, max_tokens=sizes.decode_steps + 1, seed=number)
        pixels = random_pixels(images, prompts, seed=number // GROUP)
        requests.append(GenerationRequest(RowState(sampling), drawing.prompt(sizes.text, images), pixels))
    return requests


def of(model: str) -> Callable[[Sizes, Emit], None]:
    """The step for one model."""
    return partial(run, model)
