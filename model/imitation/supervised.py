"""Supervised learning on token sequences with images: the cold start and the stages before it.

Holds the example record, the loss at its masked-in positions only, and one optimiser step. The order of stages is in
``stages.py``; reinforcement learning is ``training/trainer.py``.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from transformers import Qwen3VLForConditionalGeneration

from model.policies.chat_template import PixelBatch, collate


class SftExample(NamedTuple):
    """One sequence. ``loss_mask[i]`` marks token ``ids[i]`` as one to predict."""

    ids: tuple[int, ...]
    loss_mask: tuple[bool, ...]
    pixels: PixelBatch


class SftScores(NamedTuple):
    """Loss (nats a trained token), and the shares of trained tokens, and of whole trained spans, that are predicted right."""

    loss: Tensor
    token_accuracy: float
    span_accuracy: float


def _spans(loss_mask: Sequence[bool]) -> list[int]:
    """Index of the trained span that each trained position belongs to."""
    runs, previous = [], False
    current = -1
    for flag in loss_mask:
        current += flag and not previous
        if flag:
            runs.append(current)
        previous = flag
    return runs


def score(
    model: Qwen3VLForConditionalGeneration, examples: Sequence[SftExample], *, pad_id: int, image_id: int
) -> SftScores:
    """Mean negative log-likelihood over all trained tokens of B examples; logits exist at these positions only."""
    inputs = collate(
        [e.ids for e in examples], [e.pixels for e in examples], pad_id=pad_id, image_id=image_id
    )
    hidden_BLD = model.model(**inputs).last_hidden_state
    width = hidden_BLD.shape[1]
    mask_BL = torch.tensor([[*e.loss_mask, *([False] * (width - len(e.loss_mask)))] for e in examples])
    rows_N, columns_N = mask_BL.nonzero(as_tuple=True)
    logits_NV = model.lm_head(hidden_BLD[rows_N, columns_N - 1])
    targets_N = inputs["input_ids"][rows_N, columns_N]
    loss = nn.functional.cross_entropy(logits_NV.float(), targets_N)
    hits_N = (logits_NV.argmax(dim=-1) == targets_N).tolist()
    correct: dict[tuple[int, int], bool] = {}
    positions = [(row, span) for row, e in enumerate(examples) for span in _spans(e.loss_mask)]
    for position, hit in zip(positions, hits_N, strict=True):
        correct[position] = correct.get(position, True) and hit
    return SftScores(loss, sum(hits_N) / len(hits_N), sum(correct.values()) / len(correct))


def step(
    model: Qwen3VLForConditionalGeneration,
    optimizer: torch.optim.Optimizer,
    examples: Sequence[SftExample],
    *,
    pad_id: int,
    image_id: int,
    max_norm: float = 1.0,
) -> SftScores:
    """One optimiser step on ``examples``; the returned loss is detached."""
    model.train()
    optimizer.zero_grad(set_to_none=True)
    scores = score(model, examples, pad_id=pad_id, image_id=image_id)
    scores.loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    return scores._replace(loss=scores.loss.detach())
