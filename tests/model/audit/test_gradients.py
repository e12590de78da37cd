"""The audit's gradient of an objective is the trainer's: sums over units equal one backward pass of the loss."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from model.audit.audit import weighed_segments
from model.audit.folds import FoldSum, needed_bytes
from model.audit.gradients import PolicyGradients
from model.audit.objectives import trained
from model.audit.rollouts import rollouts_of
from model.audit.units import units
from model.config.algorithm import ALGORITHMS
from model.rl.loss import policy_loss
from model.rl.segments import segment_weights, training_samples
from model.training.batches import InputBuilder
from model.training.logprobs import TokenLogprobs
from tests.model.scene import Pictures, encoder, group, policy, sampled


def inputs() -> InputBuilder:
    return InputBuilder(encoder=encoder(), media=Pictures(), always_vision=False)


@pytest.mark.parametrize("name", ["gspo", "grpo", "ggpo"])
def test_the_gradient_of_an_objective_is_that_of_the_trainers_loss(name: str):
    model = policy()
    trajectories = sampled(group("q", 0), model, Pictures())
    algorithm = ALGORITHMS[name]
    samples = training_samples(trajectories, algorithm=algorithm).samples
    kept = tuple(each for each in samples if not each.pruned)
    batch = inputs().build(kept, segment_weights(samples, denominator=algorithm.denominator))
    logprobs_T, _ = TokenLogprobs(model)(batch.inputs, batch.targets, 1)
    loss = policy_loss(logprobs_T, batch.loss_inputs, algorithm=algorithm)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    expected = torch.cat(
        [
            torch.zeros_like(weight).flatten() if gradient is None else -gradient.flatten()
            for weight, gradient in zip(
                weights, torch.autograd.grad(loss.value, weights, allow_unused=True), strict=True
            )
        ]
    )
    source = PolicyGradients(model, inputs(), temperature=1.0)
    rollouts = rollouts_of(trajectories)
    rows = [trained((name,))[name].weigh(rollouts)]
    sums = FoldSum(rows=1, weights=source.num_weights)
    for sample, weights_KT in weighed_segments(rollouts, rows):
        directions_UT, counts_KU = units(weights_KT)
        if len(directions_UT):
            sums.add(source.rows(sample, directions_UT).rows_UP, torch.as_tensor(counts_KU).float())
    sums.close()
    assert (sums.sums_KP[0] - expected).abs().max() < 1e-5 * expected.abs().max() + 1e-7


def test_more_units_than_wait_together_are_all_summed():
    sums = FoldSum(rows=2, weights=3)
    for number in range(60):
        sums.add(torch.full((1, 3), 1.0), torch.tensor([[1.0], [float(number)]]))
    sums.close()
    assert sums.sums_KP.tolist() == [[60.0] * 3, [1770.0] * 3]
    assert needed_bytes(folds=2, rows=2, weights=3) == 4 * 3 * (4 + 48)
    assert needed_bytes(folds=2, rows=2, weights=3, workers=2) == 4 * 3 * (4 + 4 + 96)


def test_tokens_with_proportional_weights_are_one_unit_and_weights_come_back_exactly():
    random = np.random.default_rng(0)
    for _ in range(50):
        num_rows, num_tokens = random.integers(1, 12), random.integers(1, 40)
        patterns = random.integers(-2, 3, size=(num_rows, 4)).astype(float)
        weights = patterns[:, random.integers(0, 4, num_tokens)] * random.uniform(0.1, 3, num_tokens)
        found = units(weights)
        assert np.allclose(found.counts_KU @ found.directions_UT, weights, atol=1e-8)
        assert len(found.directions_UT) <= 4


def test_a_unit_for_each_row_where_every_token_is_weighed_differently():
    weights = np.random.default_rng(1).normal(size=(3, 50))
    found = units(weights)
    assert len(found.directions_UT) == 3
    assert np.allclose(found.counts_KU @ found.directions_UT, weights)


def test_a_segment_that_nobody_weighs_needs_no_pass():
    assert len(units(np.zeros((4, 7))).directions_UT) == 0


def test_weights_that_are_not_looked_at_take_no_gradient():
    model = policy()
    source = PolicyGradients(model, inputs(), temperature=1.0, parameters=r"\.q_proj\.")
    assert source.num_weights == sum(w.numel() for n, w in model.named_parameters() if ".q_proj." in n)
    with pytest.raises(ValueError, match="no trainable weight"):
        PolicyGradients(policy(), inputs(), temperature=1.0, parameters="nothing")
