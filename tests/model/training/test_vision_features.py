"""Features kept for a whole optimiser step: each picture passes the tower once, and the update stays what it was."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from model.config.engine import EngineConfig, Lora
from model.config.schedule import Schedule
from model.policies.chat_template import visual_tokens
from model.rl.segments import TrainingSample, supervised_samples, training_samples
from model.training.batches import batch_rounds
from model.training.trainer import Trainer
from model.training.vision_features import build_vision_features
from model.types import Trajectory
from tests.model.scene import CAT, DOG, WIDE, Pictures, Setup, group, policy, sampled, trainer

SMALL = Schedule(learning_rate=1e-3, token_budget=60, logit_tokens=8, max_gradient_norm=0)
FROZEN = EngineConfig(zero_stage=2, train_vision=False)
TRAINED = EngineConfig(zero_stage=2)


@pytest.fixture(scope="module")
def rollouts() -> list[Trajectory]:
    return sampled(group("q1", 0) + group("q2", 1, pictures=False), policy(), Pictures(), jitter=0.2)


def samples(rollouts: list[Trajectory]) -> list[TrainingSample]:
    return [each for each in training_samples(rollouts, algorithm=WIDE).samples if not each.pruned]


def without_shared_features(setup: Setup) -> Setup:
    return replace(setup, schedule=replace(setup.schedule, kept_visual_tokens=0))


def tower_passes(made: Trainer) -> list[tuple[int, bool]]:
    """Patches of every pass of the vision tower from now on, and whether it was differentiable."""
    seen: list[tuple[int, bool]] = []
    made.engine.model.model.visual.register_forward_hook(
        lambda _, inputs, output: seen.append((len(inputs[0]), output.pooler_output.requires_grad))
    )
    return seen


@pytest.mark.parametrize(
    ("layout", "expected"), [(FROZEN, [(16, False)]), (TRAINED, [(16, False), (16, True)])]
)
def test_every_picture_passes_the_tower_once_a_step_and_once_more_where_it_is_trained(
    layout: EngineConfig, expected: list, rollouts: list[Trajectory]
):
    # cat and dog, 8 patches each, in more than three micro-batches
    made = trainer(Setup(schedule=SMALL, engine=layout))
    assert len(batch_rounds(samples(rollouts), world_size=1, schedule=SMALL)) > 3
    seen = tower_passes(made)
    made.update(rollouts)
    assert seen == expected


def test_the_tower_runs_in_chunks_of_the_token_budget(rollouts: list[Trajectory]):
    # two visual tokens each: with a budget of two, one picture at a time
    made = trainer(Setup(schedule=replace(SMALL, token_budget=2), engine=FROZEN))
    seen = tower_passes(made)
    made.update(rollouts)
    assert seen == [(8, False), (8, False)]


LAYOUTS = {
    **{f"zero {stage}": EngineConfig(zero_stage=stage, persist_below=0) for stage in (0, 1, 2, 3)},
    "checkpointing": EngineConfig(zero_stage=2, gradient_checkpointing=True),
    "frozen": FROZEN,
    "adapters": EngineConfig(zero_stage=0, lora=Lora(rank=2, alpha=4)),
}


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("token_budget", [2, 60])
def test_an_update_from_kept_features_is_the_update_without(
    name: str, token_budget: int, rollouts: list[Trajectory]
):
    if LAYOUTS[name].lora is not None:
        pytest.importorskip("peft", reason="adapters need peft")
    setup = Setup(schedule=replace(SMALL, token_budget=token_budget), engine=LAYOUTS[name])
    outcomes = []
    for each in (without_shared_features(setup), setup):
        torch.manual_seed(5)  # of fresh adapters
        made = trainer(each)
        metrics = [made.update(rollouts), made.update(rollouts)]
        last = made.nll_update(supervised_samples(rollouts))
        figures = [figure for m in metrics for figure in (m.loss, m.gradient_norm, m.mean_ratio)]
        outcomes.append(([*figures, last.loss, last.gradient_norm], made.engine.weights()))
    (expected, weights), (found, kept) = outcomes
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-6)
    # Adam's first step divides a gradient by its own size: where that is rounding, so is the step
    assert max(float((kept[key] - tensor).abs().max()) for key, tensor in weights.items()) <= 1e-4


def test_the_gradient_of_every_weight_is_that_of_separate_passes(rollouts: list[Trajectory]):
    caught: list[dict[str, torch.Tensor]] = []
    setup = Setup(schedule=SMALL, engine=EngineConfig(zero_stage=0))
    for each in (without_shared_features(setup), setup):
        made = trainer(each)
        made.inputs = replace(made.inputs, share_images=each is setup)
        step = made.engine.step

        def spy(made=made, step=step):
            caught.append({n: p.grad.clone() for n, p in made.engine.model.named_parameters()})
            return step()

        made.engine.step = spy
        made.update(rollouts)
    expected, found = caught
    scale = max(float(tensor.abs().max()) for tensor in expected.values())
    assert any(
        "visual" in key and float(tensor.abs().max()) > 1e-3 * scale for key, tensor in expected.items()
    )
    assert all(float((found[key] - tensor).abs().max()) <= 1e-5 * scale for key, tensor in expected.items())


@pytest.mark.parametrize(
    ("layout", "schedule"),
    [
        (EngineConfig(zero_stage=3, persist_below=0), SMALL),  # whole forward passes only
        (TRAINED, replace(SMALL, kept_visual_tokens=3)),  # four visual tokens do not fit
        (TRAINED, replace(SMALL, token_budget=10_000)),  # one micro-batch: nothing to save
    ],
)
def test_no_features_are_kept_where_that_is_impossible_or_saves_nothing(
    layout: EngineConfig, schedule: Schedule, rollouts: list[Trajectory]
):
    made = trainer(Setup(schedule=schedule, engine=layout))
    rounds = batch_rounds(samples(rollouts), world_size=1, schedule=schedule)
    assert build_vision_features(rounds, engine=made.engine, inputs=made.inputs) is None


def test_the_table_gives_each_place_the_features_of_its_image(rollouts: list[Trajectory]):
    made = trainer(Setup(schedule=SMALL))
    rounds = batch_rounds(samples(rollouts), world_size=1, schedule=SMALL)
    table = build_vision_features(rounds, engine=made.engine, inputs=made.inputs)
    assert table is not None and table.features.shape[1] == visual_tokens(CAT) + visual_tokens(DOG)
    pixels = made.inputs.encoder.pixels((DOG, CAT), Pictures())
    with torch.no_grad():
        expected = made.engine.features(pixels.pixel_values, pixels.grid_thw)
    (found,) = table.inputs((DOG, CAT)).values()
    assert torch.allclose(found, expected, atol=1e-6)
