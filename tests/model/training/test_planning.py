"""Plans against models: parameters counted on models without memory, activations on a tiny one that runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import pytest
import torch
from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

from model.config.engine import EngineConfig, Hardware, Lora
from model.config.schedule import Schedule
from model.imitation.tiny.shape import TinyShape, build_config, build_model
from model.training.engine import DeepSpeedEngine
from model.training.logprobs import Targets, TokenLogprobs
from model.training.lora import attach_adapters
from model.training.model_shape import (
    QWEN3_VL_2B,
    QWEN3_VL_4B,
    QWEN3_VL_8B,
    ModelShape,
    VisionShape,
    differences,
)
from model.training.planning import (
    BUCKET_VALUES,
    GIB,
    UpdateLoad,
    activation_bytes,
    resource_plan,
    trained_parameters,
)
from tests.model.policies.live_memory import LiveBytes, held_bytes
from tests.model.scene import tokenizer
from tests.warm import elsewhere

LOAD = UpdateLoad(
    rollouts=64, segments=6, prompt=4000, generated=400, longest=8192, token_budget=8192, logit_tokens=512, concurrent=16
)  # fmt: skip
DEVICE = Hardware(name="d", devices=1, memory_gib=80, teraflops=100, gigabytes_per_s=1000)
WHOLE = EngineConfig(zero_stage=2, bf16=True, gradient_checkpointing=True)


def built(shape: ModelShape) -> Qwen3VLForConditionalGeneration:
    """The model of a shape without memory for its weights."""
    config = Qwen3VLConfig(
        text_config={
            "vocab_size": shape.vocabulary,
            "hidden_size": shape.width,
            "intermediate_size": shape.feed_forward,
            "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.heads,
            "num_key_value_heads": shape.kv_heads,
            "head_dim": shape.head_dim,
        },
        vision_config={
            "depth": shape.vision.layers,
            "hidden_size": shape.vision.width,
            "intermediate_size": shape.vision.feed_forward,
            "num_heads": 16,
            "patch_size": 16,
            "out_hidden_size": shape.width,
            "num_position_embeddings": shape.vision.positions,
            "deepstack_visual_indexes": list(range(shape.vision.deepstack)),
        },
        tie_word_embeddings=shape.tied,
    )
    with torch.device("meta"):
        return Qwen3VLForConditionalGeneration(config)


@pytest.mark.parametrize("shape", [QWEN3_VL_2B, QWEN3_VL_4B, QWEN3_VL_8B], ids=["2b", "4b", "8b"])
def test_parameters_are_those_of_the_model_itself(shape: ModelShape):
    model = built(shape)
    assert shape.parameters == sum(each.numel() for each in model.parameters())
    assert shape.vision_parameters == sum(each.numel() for each in model.model.visual.parameters())


def test_the_parameters_of_the_smallest_are_those_that_are_published_with_it():
    assert QWEN3_VL_2B.parameters == 2_127_532_032


def test_a_config_of_another_model_says_what_differs():
    config = built(QWEN3_VL_2B).config.to_dict()
    assert list(differences(QWEN3_VL_2B, config)) == []
    assert list(differences(QWEN3_VL_4B, config)) == [
        "layers 28 for 36",
        "width 2048 for 2560",
        "feed forward 6144 for 9728",
        "heads 16 for 32",
    ]
    assert "vision layers 24 for 27" in list(differences(QWEN3_VL_8B, config))
    assert list(differences(QWEN3_VL_8B, {"tie_word_embeddings": True})) == ["tied embeddings True for False"]


def test_adapters_count_what_peft_attaches():
    pytest.importorskip("peft", reason="adapters need peft")
    shape = ModelShape(
        name="t", layers=2, width=32, feed_forward=48, heads=2, kv_heads=2, head_dim=16, vocabulary=100, tied=True,
        vision=VisionShape(layers=1, width=16, feed_forward=32, deepstack=0),
    )  # fmt: skip
    tiny = TinyShape(
        width=32, layers=2, heads=2, feed_forward=48,
        vision_width=16, vision_layers=1, vision_heads=2, vision_feed_forward=32,
    )  # fmt: skip
    model = build_model(tokenizer(), tiny)
    attach_adapters(model, Lora(rank=3))
    attached = sum(each.numel() for each in model.parameters() if each.requires_grad)
    assert shape.lora_parameters(3, Lora().targets) == attached


class Tiny(NamedTuple):
    """A model that runs here, and its shape as the plan sees it."""

    model: Qwen3VLForConditionalGeneration
    shape: ModelShape


def tiny(width: int, layers: int, heads: int, kv_heads: int, feed_forward: int) -> Tiny:
    """A random model; keys may have fewer heads than queries, as those of the real models do."""
    config = build_config(
        tokenizer(), TinyShape(width=width, layers=layers, heads=heads, feed_forward=feed_forward)
    )
    text: Any = config.text_config
    text.num_key_value_heads = kv_heads
    shape = ModelShape(
        name="t", layers=layers, width=width, feed_forward=feed_forward, heads=heads, kv_heads=kv_heads,
        head_dim=width // heads, vocabulary=text.vocab_size, tied=True,
    )  # fmt: skip
    return Tiny(Qwen3VLForConditionalGeneration(config), shape)


def text_of(tokens: int) -> tuple[dict[str, torch.Tensor], Targets]:
    inputs = {
        "input_ids": torch.full((1, tokens), 20),
        "attention_mask": torch.ones(1, tokens, dtype=torch.long),
    }
    return inputs, Targets(torch.tensor([0]), torch.tensor([5]), torch.tensor([20]))


@pytest.mark.parametrize("checkpointing", [False, True], ids=["kept", "recomputed"])
@pytest.mark.parametrize("bf16", [False, True], ids=["fp32", "bf16"])
@pytest.mark.parametrize("sizes", [(128, 6, 4, 4, 352), (256, 4, 8, 2, 704)], ids=["equal-heads", "grouped"])
def test_activations_are_those_that_a_real_pass_allocates(sizes: Any, bf16: bool, checkpointing: bool):
    model, shape = tiny(*sizes)
    model.train()
    if bf16:
        model.bfloat16()
    if checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    scored, (inputs, targets) = TokenLogprobs(model), text_of(1024)
    scored(inputs, targets, 1)[0].sum().backward()  # makes the gradients, which are no activations
    known = [each for p in model.parameters() for each in (p, p.grad) if each is not None]
    with LiveBytes(known) as live:
        logprobs, _ = scored(inputs, targets, 1)
        kept = live.now
        logprobs.sum().backward()
    estimate = activation_bytes(shape, 1024, checkpointing=checkpointing, bytes_each=2 if bf16 else 4)
    if not checkpointing:
        assert estimate == pytest.approx(kept, rel=0.02)
    assert estimate == pytest.approx(live.peak, rel=0.15)  # temporaries of the backward pass come on top


def held_under_deepspeed(stage: int) -> tuple[int, int]:
    """Values of a model, and the bytes that weights, gradients and optimiser hold after a step."""
    before = held_bytes()
    model = tiny(256, 6, 8, 8, 704).model
    total = sum(each.numel() for each in model.parameters())
    config = EngineConfig(zero_stage=stage, bf16=True)
    engine = DeepSpeedEngine(model, config=config, schedule=Schedule(learning_rate=1e-5))
    inputs, targets = text_of(16)

    def gradient() -> None:
        engine.backward(-engine.logprobs(inputs, targets, 1)[0].mean(), last=True)

    gradient()
    engine.step()  # makes the moments
    gradient()
    return total, held_bytes() - before


def peak_of_a_backward_pass() -> int:
    """Bytes of a model that is tiny beside the bucket of its gradients."""
    config = EngineConfig(zero_stage=1, bf16=True)
    engine = DeepSpeedEngine(tiny(32, 1, 2, 2, 48).model, config=config, schedule=Schedule())
    inputs, targets = text_of(16)
    with LiveBytes() as live:
        engine.backward(-engine.logprobs(inputs, targets, 1)[0].mean(), last=True)
    return live.peak


@pytest.mark.parametrize("stage", [1, 2])
def test_weights_gradients_and_optimiser_are_those_that_deepspeed_allocates(stage: int):
    total, found = elsewhere(held_under_deepspeed, stage)  # which DeepSpeed would keep in this process
    parts = dict(resource_plan(QWEN3_VL_8B, replace(WHOLE, zero_stage=stage), LOAD, DEVICE).phases[1].parts)
    planned = sum(parts[name] for name in ("weights", "gradients", "optimiser")) / QWEN3_VL_8B.parameters
    assert planned == 16
    assert planned * total == pytest.approx(found, rel=0.03)


def test_a_gradient_bucket_is_as_large_as_deepspeed_makes_it_however_small_the_model():
    plan = resource_plan(QWEN3_VL_8B, replace(WHOLE, zero_stage=1), LOAD, DEVICE)
    part = dict(plan.phases[1].parts)["bucket"]
    assert part == 2 * BUCKET_VALUES
    assert part == pytest.approx(elsewhere(peak_of_a_backward_pass), rel=0.02)


def test_zero_shares_out_what_its_stage_says():
    # 4 devices; weights and gradients of 2 bytes a parameter (4 without ZeRO, which keeps no masters), 12 of the optimiser
    four = replace(DEVICE, devices=4)
    for stage, shared in ((0, (1, 1, 1)), (1, (1, 1, 4)), (2, (1, 4, 4)), (3, (4, 4, 4))):
        parts = dict(
            resource_plan(QWEN3_VL_8B, EngineConfig(zero_stage=stage, bf16=stage > 0), LOAD, four)
            .phases[1]
            .parts
        )
        weights = QWEN3_VL_8B.parameters * (2 if stage else 4)
        assert parts["weights"] == weights / shared[0]
        assert parts["gradients"] == weights / shared[1]
        assert parts["optimiser"] == 12 * QWEN3_VL_8B.parameters / shared[2]


def test_adapters_train_a_hundredth_and_need_no_large_optimiser():
    low = replace(WHOLE, zero_stage=1, lora=Lora(rank=16))
    assert trained_parameters(QWEN3_VL_8B, low) < QWEN3_VL_8B.parameters / 100
    assert dict(resource_plan(QWEN3_VL_8B, low, LOAD, DEVICE).phases[1].parts)["optimiser"] < GIB


def test_a_frozen_vision_tower_takes_no_gradient():
    frozen = trained_parameters(QWEN3_VL_4B, replace(WHOLE, train_vision=False))
    assert frozen == QWEN3_VL_4B.parameters - QWEN3_VL_4B.vision_parameters


def test_an_optimiser_on_the_host_leaves_the_device():
    moved = resource_plan(QWEN3_VL_8B, replace(WHOLE, offload_optimizer=True), LOAD, DEVICE)
    assert all("optimiser" not in dict(phase.parts) for phase in moved.phases)
    assert moved.host_bytes == 12 * QWEN3_VL_8B.parameters


def test_what_does_not_fit_is_said():
    assert not resource_plan(QWEN3_VL_8B, WHOLE, LOAD, replace(DEVICE, memory_gib=24)).fits
    assert resource_plan(QWEN3_VL_8B, WHOLE, LOAD, replace(DEVICE, devices=8)).fits


def test_pruning_saves_its_share_of_the_training_time_only():
    whole, half = (
        resource_plan(QWEN3_VL_4B, WHOLE, replace(LOAD, pruned=share), DEVICE) for share in (0.0, 0.5)
    )
    assert half.phases[1].seconds == pytest.approx(whole.phases[1].seconds / 2)
    assert half.phases[0].seconds == whole.phases[0].seconds
