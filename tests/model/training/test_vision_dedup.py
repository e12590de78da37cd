"""Shared pictures: one pass of the vision tower, the same update - features of every depth and gradients included."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from transformers import Qwen3VLForConditionalGeneration

from model.config.engine import EngineConfig, Lora
from model.config.schedule import Schedule
from model.imitation.tiny.shape import build_config
from model.rl.segments import TrainingSample, training_samples
from model.training.batches import InputBuilder
from model.training.logprobs import TokenLogprobs
from model.training.vision_dedup import GRID, INDEX, distinct_images, shared_inputs
from model.types import ImageRef, Trajectory
from tests.model.scene import (
    CAT,
    DOG,
    SHAPE,
    WIDE,
    Pictures,
    Setup,
    encoder,
    group,
    policy,
    sampled,
    tokenizer,
    trainer,
)

WHOLE = Schedule(learning_rate=1e-3, token_budget=400, logit_tokens=8, max_gradient_norm=0)


@pytest.fixture(scope="module")
def rollouts() -> list[Trajectory]:
    return sampled(group("q1", 0) + group("q2", 1), policy(), Pictures(), jitter=0.2)


@pytest.fixture(scope="module")
def batch(rollouts: list[Trajectory]) -> tuple[TrainingSample, ...]:
    samples = training_samples(rollouts, algorithm=WIDE).samples
    return tuple(each for each in samples if not each.pruned)


def deep() -> Qwen3VLForConditionalGeneration:
    """A policy that merges features of two depths of its vision tower, as the published models do."""
    config = build_config(tokenizer(), replace(SHAPE, vision_layers=3))
    config.vision_config.deepstack_visual_indexes = [0, 1]
    torch.manual_seed(0)
    model = Qwen3VLForConditionalGeneration(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(6.0)
    return model.eval()


def builder(share: bool) -> InputBuilder:
    return InputBuilder(encoder=encoder(), media=Pictures(), share_images=share)


def outcome(
    model: Qwen3VLForConditionalGeneration, batch: tuple[TrainingSample, ...], *, share: bool
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Log-probabilities of a micro-batch and the gradient of an uneven sum of them."""
    model.zero_grad()
    built = builder(share).build(batch, {each.key: 1.0 for each in batch})
    logprobs_T, _ = TokenLogprobs(model)(built.inputs, built.targets, 2)
    (logprobs_T * torch.linspace(-1, 2, len(logprobs_T))).sum().backward()
    return logprobs_T.detach(), {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def test_each_size_of_a_picture_is_a_picture_of_its_own():
    small = replace(CAT, width=32)
    assert distinct_images([CAT, DOG, CAT, small, CAT]) == (CAT, DOG, small)


def test_every_visual_token_points_at_its_feature():
    # cat: 2 tokens, dog: 2, a square of 64 px: 4; shown square, cat, square
    square = ImageRef(item_id="cat", width=64, height=64)
    pixels = encoder().pixels((CAT, DOG, square), Pictures())
    found = shared_inputs([2, 0, 2], pixels)
    assert found[INDEX].tolist() == [4, 5, 6, 7, 0, 1, 4, 5, 6, 7]
    assert found[GRID].tolist() == [[1, 2, 4], [1, 4, 2], [1, 4, 4]]


def test_a_micro_batch_holds_the_pixels_of_each_picture_once(batch: tuple[TrainingSample, ...]):
    weights = {each.key: 1.0 for each in batch}
    shared, plain = (builder(share).build(batch, weights).inputs for share in (True, False))
    assert len(shared["pixel_values"]) == 2 * 8 and len(plain["pixel_values"]) > 10 * 8
    assert torch.equal(shared["image_grid_thw"], plain["image_grid_thw"])
    assert torch.equal(shared["input_ids"], plain["input_ids"])


@pytest.mark.parametrize("make", [policy, deep])
def test_shared_features_give_the_values_and_gradients_of_separate_ones(make, batch):
    expected_T, expected = outcome(make(), batch, share=False)
    found_T, found = outcome(make(), batch, share=True)
    assert torch.allclose(found_T, expected_T, atol=1e-5)
    assert found.keys() == expected.keys() and any("visual" in name for name in found)
    scale = max(float(tensor.abs().max()) for tensor in expected.values())
    assert all(float((found[name] - each).abs().max()) <= 1e-5 * scale for name, each in expected.items())


def test_features_of_every_depth_are_shared(batch: tuple[TrainingSample, ...]):
    # the tower sees two pictures of 8 patches; their features reach the language model at each depth
    model, seen = deep(), []
    model.model.visual.register_forward_hook(
        lambda _, inputs, output: seen.append((len(inputs[0]), len(output.deepstack_features)))
    )
    outcome(model, batch, share=True)
    assert seen == [(16, 2)]
    silenced = deep()
    for merger in silenced.model.visual.deepstack_merger_list:
        torch.nn.init.zeros_(merger.linear_fc2.weight)
    assert not torch.allclose(
        outcome(silenced, batch, share=True)[0], outcome(model, batch, share=True)[0], atol=1e-2
    )


LAYOUTS = [
    *(EngineConfig(zero_stage=stage, persist_below=0) for stage in (0, 1, 2, 3)),
    EngineConfig(zero_stage=2, gradient_checkpointing=True),
    EngineConfig(zero_stage=2, train_vision=False),
    EngineConfig(zero_stage=2, lora=Lora(rank=2, alpha=4)),
]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda each: f"zero{each.zero_stage}")
def test_an_update_with_shared_pictures_is_the_update_without(
    layout: EngineConfig, rollouts: list[Trajectory]
):
    if layout.lora is not None:
        pytest.importorskip("peft", reason="adapters need peft")
    outcomes = []
    for share in (False, True):
        torch.manual_seed(5)  # of fresh adapters
        made = trainer(Setup(engine=layout, schedule=WHOLE))
        made.inputs = replace(made.inputs, share_images=share)
        metrics = [made.update(rollouts), made.update(rollouts)]
        figures = [figure for each in metrics for figure in (each.loss, each.gradient_norm, each.mean_ratio)]
        outcomes.append((figures, made.engine.weights()))
    (expected, weights), (found, shared) = outcomes
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-6)
    # Adam's first step divides a gradient by its own size: where that is rounding, so is the step
    assert max(float((shared[name] - tensor).abs().max()) for name, tensor in weights.items()) <= 1e-4
