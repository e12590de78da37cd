"""The contrastive loss by hand and by law, and a training that follows it."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from model.config.contrastive import ContrastiveSchedule
from model.embedding.contrastive import info_nce
from model.embedding.training import PairVectors, TrainingStep, train

NONE = torch.zeros(2, 2, dtype=torch.bool)
ROOT = math.sqrt(2)


def unit(rows: list[list[float]]) -> torch.Tensor:
    return nn.functional.normalize(torch.tensor(rows, dtype=torch.float64), dim=-1)


def test_two_pairs_by_hand():
    # queries e1, e2; documents e1 and (e1 + e2) / sqrt 2; temperature 1/2: scores [[2, 1.414], [0, 1.414]]
    # by query: log(e^2 / (e^2 + e^1.414)) = -0.442 and log(e^1.414 / (1 + e^1.414)) = -0.218
    # by document: log(e^2 / (e^2 + 1)) = -0.127 and log(1/2) = -0.693; their sum is -1.480, a quarter of it 0.370
    loss = info_nce(unit([[1, 0], [0, 1]]), unit([[1, 0], [1, 1]]), NONE, temperature=0.5)
    by_query = (2 - math.log(math.exp(2) + math.exp(ROOT))) + (ROOT - math.log(1 + math.exp(ROOT)))
    by_document = (2 - math.log(math.exp(2) + 1)) - math.log(2)
    assert loss.value.item() == pytest.approx(-(by_query + by_document) / 4)
    assert loss.value.item() == pytest.approx(0.370, abs=5e-4)
    assert loss.found.item() == 1


def test_a_further_match_is_no_negative():
    # the words of query 0 are true of document 1 too: its only candidate is its own, and document 1's only query its own
    matches = torch.tensor([[False, True], [False, False]])
    loss = info_nce(unit([[1, 0], [0, 1]]), unit([[1, 0], [1, 1]]), matches, temperature=0.5)
    wanted = -((ROOT - math.log(1 + math.exp(ROOT))) + (2 - math.log(math.exp(2) + 1))) / 4
    assert loss.value.item() == pytest.approx(wanted)


def test_queries_that_all_match_cost_nothing():
    vectors = unit([[1, 0], [0.6, 0.8], [0, 1]])
    everything = torch.ones(3, 3, dtype=torch.bool)
    assert info_nce(vectors, vectors.flip(0), everything, temperature=0.1).value.item() == pytest.approx(0)


@given(st.integers(2, 8), st.integers(0, 1000))
def test_the_loss_does_not_depend_on_the_order_of_pairs(count: int, seed: int):
    generator = torch.Generator().manual_seed(seed)
    queries, documents = (
        nn.functional.normalize(torch.randn(count, 5, generator=generator, dtype=torch.float64), dim=-1)
        for _ in range(2)
    )
    matches = torch.rand(count, count, generator=generator) < 0.3
    order = torch.randperm(count, generator=generator)
    loss = info_nce(queries, documents, matches, temperature=0.2)
    shuffled = info_nce(queries[order], documents[order], matches[order][:, order], temperature=0.2)
    assert shuffled.value.item() == pytest.approx(loss.value.item())


def test_pairs_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="pairs do not fit"):
        info_nce(torch.zeros(2, 3), torch.zeros(3, 3), NONE, temperature=0.1)
    with pytest.raises(ValueError, match="temperature must be positive"):
        info_nce(torch.zeros(2, 3), torch.zeros(2, 3), NONE, temperature=0)


def test_the_rate_rises_and_falls():
    schedule = ContrastiveSchedule(steps=100, warmup=10, learning_rate=1.0)
    # half of the rise at step 4, half of the highest half way, nearly nothing at the end
    assert schedule.rate_at(4) == pytest.approx(0.5 * (1 + math.cos(0.04 * math.pi)) / 2)
    assert schedule.rate_at(50) == pytest.approx(0.5) and schedule.rate_at(99) < 1e-3
    with pytest.raises(ValueError, match="warm-up is part of it"):
        ContrastiveSchedule(steps=5, warmup=6)
    with pytest.raises(ValueError, match="out of range"):
        ContrastiveSchedule(temperature=0)


def test_training_brings_pairs_together():
    torch.manual_seed(0)
    model = nn.Linear(6, 4)
    inputs = torch.randn(6, 6)

    def encode(batch: torch.Tensor) -> list[PairVectors]:
        vectors = nn.functional.normalize(model(batch), dim=-1)
        targets = nn.functional.normalize(batch[:, :4].flip(1), dim=-1)
        return [PairVectors(vectors, targets, torch.zeros(6, 6, dtype=torch.bool))]

    steps: list[TrainingStep] = []
    schedule = ContrastiveSchedule(steps=60, warmup=0, learning_rate=0.05, temperature=0.2)
    train(model, [inputs] * 60, encode, schedule, steps.append)
    assert [step.step for step in steps] == list(range(1, 61)) and not model.training
    assert steps[-1].loss < 0.5 * steps[0].loss and steps[-1].found == 1


def test_too_few_batches_and_a_loss_that_is_none_are_said():
    model = nn.Linear(2, 2)

    def broken(_: object) -> list[PairVectors]:
        return [PairVectors(model(torch.full((2, 2), math.nan)), torch.zeros(2, 2), NONE)]

    with pytest.raises(ValueError, match="the loss of step 1 is nan: lower the learning rate"):
        train(model, [0], broken, ContrastiveSchedule(steps=1, warmup=0), lambda step: None)
    with pytest.raises(ValueError, match="0 batches for 3 steps"):
        train(model, [], broken, ContrastiveSchedule(steps=3, warmup=0), lambda step: None)
