"""Steps of a contrastive training. What a batch holds and how it becomes vectors is the caller's."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from model.config.contrastive import ContrastiveSchedule
from model.embedding.contrastive import info_nce


class PairVectors(NamedTuple):
    """Vectors of one batch: pairs of unit vectors ``[N, W]`` and their matches ``[N, N]``, see ``info_nce``."""

    queries: Tensor
    documents: Tensor
    matches: Tensor


class TrainingStep(NamedTuple):
    """One finished step: its number from 1, its loss, and the share of queries whose document was nearest."""

    step: int
    loss: float
    found: float


def train(
    model: nn.Module,
    batches: Iterable[Any],
    encode: Callable[[Any], list[PairVectors]],
    schedule: ContrastiveSchedule,
    on_step: Callable[[TrainingStep], None],
) -> None:
    """Train ``model`` in place on the first ``schedule.steps`` batches.

    ``encode`` gives the vectors of a batch, with gradient; of several sets of pairs the losses add up, and ``found`` is
    that of the first. The model ends in eval mode.

    Raises:
        ValueError: if there are fewer batches than steps, or a loss that is not finite.
    """
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay
    )
    model.train()
    step = 0
    for step, batch in enumerate(batches, start=1):
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate_at(step - 1)
        losses = [info_nce(*pairs, temperature=schedule.temperature) for pairs in encode(batch)]
        loss = torch.stack([each.value for each in losses]).sum()
        if not loss.isfinite():
            raise ValueError(f"the loss of step {step} is {loss.item()}: lower the learning rate")
        optimizer.zero_grad()
        loss.backward()
        if schedule.max_gradient_norm:
            nn.utils.clip_grad_norm_(model.parameters(), schedule.max_gradient_norm)
        optimizer.step()
        on_step(TrainingStep(step, loss.item(), losses[0].found.item()))
        if step == schedule.steps:
            break
    model.eval()
    if step < schedule.steps:
        raise ValueError(f"{step} batches for {schedule.steps} steps")
