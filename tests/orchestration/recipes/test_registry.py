"""A recipe is frozen data that refuses nonsense early and travels as one line of JSON."""

import math
from dataclasses import FrozenInstanceError, replace

import pytest

from model.config.algorithm import Algorithm
from model.config.engine import EngineConfig, Hardware, Lora
from model.config.reward import RewardWeights
from model.config.schedule import Retention, Schedule
from orchestration.launch.commands import to_json
from orchestration.launch.process import from_json
from orchestration.launch.run_config import RunConfig
from orchestration.recipes.miniature import quickstart
from orchestration.recipes.options import EvaluationOptions, Ggpo, MiniatureWorlds, Recipe
from orchestration.recipes.registry import RECIPES, recipe


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_recipe_survives_the_command_line(name: str):
    config = RunConfig(root="s3://bucket/root", name=name, recipe=recipe(name))
    text = to_json(config)
    assert "\n" not in text
    assert from_json(RunConfig, text) == config
    assert config.recipe.name == name


def test_a_recipe_cannot_be_changed_only_replaced():
    with pytest.raises(FrozenInstanceError):
        quickstart().name = "other"
    assert replace(quickstart(), threads=1).threads == 1


def test_an_unknown_recipe_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"unknown recipe 'qwen'; known: quickstart, miniature"):
        recipe("qwen")


@pytest.mark.parametrize(
    "nonsense",
    [
        lambda: Schedule(warmup_steps=-1),
        lambda: Schedule(adam_epsilon=0.0),
        lambda: Schedule(learning_rate=math.nan),
        lambda: Schedule(updates=0),
        lambda: Schedule(kept_visual_tokens=-1),
        lambda: Schedule(betas=(0.9, 1.0)),
        lambda: Schedule(max_gradient_norm=-1.0),
        lambda: Algorithm(group_size=1),  # no baseline
        lambda: Algorithm(clip_low=1.0),
        lambda: Algorithm(clip_high=0.0),
        lambda: EngineConfig(temperature=0.0),
        lambda: EngineConfig(zero_stage=3, lora=Lora()),
        lambda: Hardware(name="none", devices=0, memory_gib=1, teraflops=1, gigabytes_per_s=1),
        lambda: Ggpo(questions=0),
        lambda: Ggpo(checkpoint_every=4, retention=Retention(every=6)),
        lambda: RewardWeights(judge=0.9),
        lambda: RewardWeights(judge=1.2, format=-0.2),
        lambda: RewardWeights(judge=math.nan),
        lambda: MiniatureWorlds(test=0),
        lambda: EvaluationOptions(methods=()),
        lambda: RunConfig(root="r", name="../elsewhere", recipe=quickstart()),
    ],
)
def test_nonsense_is_refused_when_it_is_written_down(nonsense):
    with pytest.raises(ValueError):
        nonsense()


def test_a_damaged_configuration_is_one_line_that_names_the_place():
    with pytest.raises(ValueError, match=r"recipe\.ggpo\.schedule\.updates") as caught:
        text = to_json(RunConfig(root="r", name="n", recipe=Recipe(name="n")))
        from_json(RunConfig, text.replace(f'"updates":{Schedule().updates}', '"updates":"many"'))
    assert "\n" not in str(caught.value)


def test_artifacts_of_a_run_lie_apart_from_those_of_other_runs():
    config = RunConfig(root="r", name="study", recipe=quickstart())
    places = (
        config.cold_start_checkpoints,
        config.ggpo_checkpoints,
        config.trajectories,
        config.metrics,
        config.report,
    )
    assert places == (
        "checkpoints/study-cold-start",
        "checkpoints/study-ggpo",
        "trajectories/study",
        "metrics/study",
        "reports/study",
    )
