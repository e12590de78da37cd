"""Log-probabilities of bf16: the sampler's against the trainer's, whose clip begins at a mean of 3e-4 nats.

The decoding loop draws; then ``TokenLogprobs``, the trainer's forward pass, scores the same tokens: each segment alone, in
padded micro-batches, and with each attention that is installed. ``clipped_share`` is the share of segments that GGPO's
clip would hold although no weight has changed.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import torch

from benchmarks.gpu.bounded import Emit
from benchmarks.gpu.capabilities import attentions
from benchmarks.gpu.meter import timed
from benchmarks.gpu.models import encoder, random_model
from benchmarks.gpu.records import Record, State
from benchmarks.gpu.sizes import Sizes
from benchmarks.gpu.work import Prompts, pictures, random_pixels
from model.config.algorithm import ALGORITHMS
from model.policies.chat_template import EncodedPrompt, PixelBatch, PromptEncoder, collate
from model.policies.decoding import GenerationRequest, generate
from model.policies.sampling import RowState
from model.rl.loss import is_clipped
from model.training.logprobs import Targets, TokenLogprobs
from model.types import Sampling

STEP, MODEL = "parity", "qwen3-vl-2b"
Drawn = tuple[EncodedPrompt, PixelBatch, tuple[int, ...], tuple[float, ...]]


def run(sizes: Sizes, emit: Emit) -> None:
    """Draws once, scores in several ways."""
    prompts = encoder()
    model = random_model(sizes.shapes[MODEL], prompts)
    drawn: list[Drawn] = []
    seconds = timed(lambda: drawn.extend(_drawn(model, prompts, sizes)))
    count = sum(len(each[2]) for each in drawn)
    emit(Record(step=STEP, part="sampler", state=State.MEASURED, figures={
        "model": MODEL, "segments": len(drawn), "tokens": count, "seconds": round(seconds, 3),
        "mean_logprob": round(sum(sum(each[3]) for each in drawn) / count, 4),
    }))  # fmt: skip
    scorer = TokenLogprobs(model)
    ways = {"alone": 1, "padded": 4}
    for name, width in ways.items():
        _report(emit, f"sdpa/{name}", drawn, _scored(scorer, drawn, prompts, width))
    for attention, reason in attentions().items():
        if attention == "sdpa":
            continue
        if reason:
            emit(Record(step=STEP, part=f"{attention}/padded", state=State.SKIPPED, note=reason))
            continue
        try:
            model.set_attn_implementation(attention)
            _report(emit, f"{attention}/padded", drawn, _scored(scorer, drawn, prompts, ways["padded"]))
        except (RuntimeError, ValueError, ImportError) as error:
            emit(
                Record(
                    step=STEP,
                    part=f"{attention}/padded",
                    state=State.FAILED,
                    note=f"{type(error).__name__}: {error}"[:300],
                )
            )
            torch.cuda.empty_cache()


def _drawn(model: object, prompts: PromptEncoder, sizes: Sizes) -> list[Drawn]:
    drawing = Prompts(prompts, sizes.shapes[MODEL].vocabulary, seed=1)
    requests = []
    for number in range(sizes.parity_segments):
        length = sizes.text * (2 + number % 3) // 4  # of three lengths, so that padding is there
        images = pictures(f"g{number // 4}", sizes)[: 1 + number % sizes.images]
        sampling = Sampling(temperature=1.0, top_p=1.0, max_tokens=sizes.generated, seed=number)
        pixels = random_pixels(images, prompts, seed=number // 4)
        requests.append(GenerationRequest(RowState(sampling), drawing.prompt(length, images), pixels))
    done = generate(model, requests, encoder=prompts)  # type: ignore[arg-type]
    return [
        (request.prompt, request.pixels, tokens.token_ids, tokens.logprobs)
        for request, tokens in zip(requests, done, strict=True)
    ]


@torch.no_grad()
def _scored(
    scorer: TokenLogprobs, drawn: Sequence[Drawn], prompts: PromptEncoder, width: int
) -> list[list[float]]:
    found: list[list[float]] = []
    device = scorer.model.device
    for start in range(0, len(drawn), width):
        batch = drawn[start : start + width]
        sequences = [each[0].ids + each[2] for each in batch]
        inputs = collate(
            sequences, [each[1] for each in batch], pad_id=prompts.pad_id, image_id=prompts.image_id
        )
        places = [
            (row, len(each[0].ids) + offset, token)
            for row, each in enumerate(batch)
            for offset, token in enumerate(each[2])
        ]
        table = torch.tensor(places, device=device)
        targets = Targets(table[:, 0], table[:, 1], table[:, 2])
        logprobs, _ = scorer({name: value.to(device) for name, value in inputs.items()}, targets, 1)
        found += [part.tolist() for part in logprobs.cpu().split([len(each[2]) for each in batch])]
    return found


def _report(emit: Emit, part: str, drawn: Sequence[Drawn], scored: Sequence[Sequence[float]]) -> None:
    pairs = [list(zip(each[3], new, strict=True)) for each, new in zip(drawn, scored, strict=True)]
    apart = sorted(abs(new - old) for segment in pairs for old, new in segment)
    means = [statistics.fmean(new - old for old, new in segment) for segment in pairs]
    algorithm = ALGORITHMS["ggpo"]
    ratios = torch.tensor(means).exp()
    held = torch.zeros(len(means), dtype=torch.bool)
    for sign in (1.0, -1.0):  # either advantage: a segment counts if one of them would lose its gradient
        held |= is_clipped(
            ratios, torch.full_like(ratios, sign), low=algorithm.clip_low, high=algorithm.clip_high
        )
    emit(Record(step=STEP, part=part, state=State.MEASURED, figures={
        "model": MODEL, "segments": len(pairs), "tokens": len(apart),
        "mean_difference_nats": round(statistics.fmean(apart), 7),
        "p99_difference_nats": round(apart[min(len(apart) - 1, int(0.99 * len(apart)))], 7),
        "max_difference_nats": round(apart[-1], 7),
        "mean_segment_shift_nats": round(statistics.fmean(abs(each) for each in means), 8),
        "clipped_share": round(float(held.float().mean()), 4),
        "clip_low": algorithm.clip_low, "clip_high": algorithm.clip_high,
    }))  # fmt: skip
