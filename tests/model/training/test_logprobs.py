"""Log-probabilities of the trainer: at the temperature at which the rollouts were sampled."""

from __future__ import annotations

import random

import pytest
import torch

from model.rl.segments import supervised_samples
from model.training.batches import InputBuilder
from model.training.logprobs import TokenLogprobs
from tests.model.scene import CAT, Pictures, encoder, policy, rollout, segment


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7])
def test_logprobs_and_entropies_are_those_of_the_tempered_distribution(temperature: float):
    lesson = rollout(
        "q", [segment(random.Random(0), node_id=None, lengths=(3, 5), images=(CAT,))], reward=None
    )
    (sample,) = supervised_samples([lesson])
    batch = InputBuilder(encoder=encoder(), media=Pictures()).build([sample], {sample.key: 1.0})
    model = policy()
    with torch.no_grad():
        found_T, entropies_T = TokenLogprobs(model, temperature=temperature)(batch.inputs, batch.targets, 2)
        logits_LV = model(**batch.inputs).logits[0].float()
    rows = [logits_LV[at - 1].double() / temperature for at in sample.loss_positions]
    expected = [row - row.exp().sum().log() for row in rows]  # log softmax, written out
    tokens = [sample.token_ids[at] for at in sample.loss_positions]
    assert found_T.tolist() == pytest.approx(
        [row[token].item() for row, token in zip(expected, tokens, strict=True)], abs=1e-5
    )
    assert entropies_T.tolist() == pytest.approx(
        [-(row.exp() * row).sum().item() for row in expected], abs=1e-4
    )


def test_a_greedy_policy_has_no_gradient_to_learn_from():
    with pytest.raises(ValueError, match="positive temperature"):
        TokenLogprobs(policy(), temperature=0.0)
