"""Adapters: what they add, what they leave alone, and what plain transformers reads of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import Qwen3VLForConditionalGeneration

from model.config.engine import EngineConfig, Lora
from model.config.schedule import Schedule
from model.training.checkpoint import TrainingProgress, read, restore, save
from model.training.lora import adapter_weights, attach_adapters, merged_weights
from model.types import Trajectory
from tests.model.scene import Pictures, Setup, group, policy, sampled, tokenizer, trainer

pytest.importorskip("peft", reason="adapters need peft")

LORA = Lora(rank=2, alpha=4)
SETUP = Setup(
    schedule=Schedule(learning_rate=1e-2, token_budget=120), engine=EngineConfig(zero_stage=0, lora=LORA)
)


@pytest.fixture(scope="module")
def rollouts() -> list[Trajectory]:
    return sampled(group("q1", 0) + group("q2", 1), policy(), Pictures(), jitter=0.2)


def logits(model: Qwen3VLForConditionalGeneration) -> torch.Tensor:
    with torch.no_grad():
        return model.eval()(input_ids=torch.arange(20, 40)[None]).logits


def test_merging_adds_alpha_over_rank_times_the_product():
    # W = [[1, 2]], B A = [[3]] [[1, -1]] = [[3, -3]], scale 4/2 = 2: W' = [[7, -4]]
    weights = {
        "q.base_layer.weight": torch.tensor([[1.0, 2.0]]),
        "q.base_layer.bias": torch.tensor([5.0]),
        "q.lora_A.default.weight": torch.tensor([[1.0, -1.0]]),
        "q.lora_B.default.weight": torch.tensor([[3.0]]),
        "norm.weight": torch.tensor([9.0]),
    }
    plain = merged_weights(weights, scale=LORA.scale)
    assert {name: tensor.tolist() for name, tensor in plain.items()} == {
        "q.weight": [[7.0, -4.0]],
        "q.bias": [5.0],
        "norm.weight": [9.0],
    }
    assert sorted(adapter_weights(weights)) == [
        "base_model.model.q.lora_A.weight",
        "base_model.model.q.lora_B.weight",
    ]


def test_fresh_adapters_change_no_output_and_leave_everything_else_without_gradient():
    plain, adapted = policy(), policy()
    attach_adapters(adapted, LORA)
    assert torch.equal(logits(plain), logits(adapted))
    trained = [name for name, parameter in adapted.named_parameters() if parameter.requires_grad]
    assert trained and all("lora_" in name and "visual" not in name for name in trained)


@pytest.mark.parametrize("stage", [0, 2])
def test_training_moves_adapters_only_and_merged_weights_say_the_same(
    stage: int, tmp_path: Path, rollouts: list[Trajectory]
):
    made = trainer(replace(SETUP, engine=EngineConfig(zero_stage=stage, lora=LORA)))
    base = {name: each.clone() for name, each in made.engine.raw_weights().items() if "lora_" not in name}
    made.update(rollouts)
    after = made.engine.raw_weights()
    assert all(torch.equal(after[name], tensor) for name, tensor in base.items())
    path = save(
        tmp_path, engine=made.engine, tokenizer=tokenizer(), progress=TrainingProgress(update=1, steps=1)
    )
    plain = Qwen3VLForConditionalGeneration.from_pretrained(path)
    assert not torch.allclose(logits(plain), logits(policy()), atol=1e-3), "the update is in the file"
    torch.testing.assert_close(logits(plain), logits(made.engine.model), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("stage", [0, 2])
def test_a_resumed_run_with_adapters_equals_the_uninterrupted_one_bit_for_bit(
    stage: int, tmp_path: Path, rollouts: list[Trajectory]
):
    setup = replace(SETUP, engine=EngineConfig(zero_stage=stage, lora=LORA))
    straight = trainer(setup)
    straight.update(rollouts)
    path = save(
        tmp_path, engine=straight.engine, tokenizer=tokenizer(), progress=TrainingProgress(update=1, steps=1)
    )
    torch.manual_seed(123)  # fresh adapters start from other numbers
    again = trainer(setup)  # on the weights that the adapters were attached to
    again.updates = restore(path, engine=again.engine).update
    assert read(path).update == again.updates == 1
    assert replace(again.update(rollouts), seconds=0) == replace(straight.update(rollouts), seconds=0)
    expected, found = straight.engine.raw_weights(), again.engine.raw_weights()
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


def test_a_frozen_vision_tower_does_not_move(rollouts: list[Trajectory]):
    made = trainer(replace(SETUP, engine=EngineConfig(zero_stage=2, train_vision=False)))
    before = made.engine.weights()
    made.update(rollouts)
    moved = {name for name, tensor in made.engine.weights().items() if not torch.equal(before[name], tensor)}
    assert moved and not any("visual" in name for name in moved)


@pytest.mark.parametrize("bad", [{"rank": 0}, {"alpha": 0}, {"dropout": 1.0}, {"targets": ()}])
def test_adapters_out_of_range_are_refused(bad: dict):
    with pytest.raises(ValueError, match="out of range"):
        Lora(**bad)


def test_adapters_and_sharded_weights_are_not_combined():
    with pytest.raises(ValueError, match="stage 0, 1 or 2"):
        EngineConfig(zero_stage=3, lora=LORA)
