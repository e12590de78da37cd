"""Whatever algorithm, schedule, layout, adapters, reward and retention can be told, a recipe can tell them."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any, get_args, get_type_hints

import pytest

from model.config import algorithm, engine, reward, schedule
from orchestration.launch.commands import to_json
from orchestration.launch.process import from_json
from orchestration.launch.run_config import RunConfig
from orchestration.recipes.options import Recipe

CONFIGS = [
    algorithm.Algorithm,
    schedule.Schedule,
    schedule.Retention,
    engine.EngineConfig,
    engine.Lora,
    engine.Hardware,
    reward.RewardWeights,
]


def nested(record: type[Any]) -> Iterator[type[Any]]:
    """The record and every record among its fields, at any depth."""
    yield record
    for kind in get_type_hints(record).values():
        for candidate in (kind, *get_args(kind)):
            if is_dataclass(candidate) and isinstance(candidate, type):
                yield from nested(candidate)


def test_no_record_of_options_is_missing_here():
    modules = (algorithm, engine, reward, schedule)
    defined = {
        kind
        for module in modules
        for kind in vars(module).values()
        if is_dataclass(kind) and isinstance(kind, type)
    }
    assert defined == set(CONFIGS)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.__name__)
def test_a_recipe_nests_the_record_whole(config: type[Any]):
    assert config in set(nested(Recipe))


def test_no_option_of_the_records_is_stated_a_second_time_in_a_recipe():
    told = {field.name for config in CONFIGS for field in fields(config)} - {"seed", "name"}
    others = [record for record in set(nested(Recipe)) if record not in CONFIGS]
    again = {(record.__name__, field.name) for record in others for field in fields(record)} & {
        (record.__name__, name) for record in others for name in told
    }
    # an evaluation's and imitation's own: not those of reinforcement learning
    assert again <= {
        ("TeacherOptions", "temperature"),
        ("RejectionSampling", "temperature"),
        ("ImitationOptions", "learning_rate"),
        ("Recipe", "model"),
    }


def test_options_that_no_recipe_could_set_before_reach_the_process_that_trains():
    base = Recipe(name="r")
    changed = replace(base.ggpo.schedule, weight_decay=0.1, betas=(0.8, 0.95), max_gradient_norm=0.5)
    recipe = replace(base, ggpo=replace(base.ggpo, schedule=changed))
    config = RunConfig(root="root", name="r", recipe=recipe)
    assert from_json(RunConfig, to_json(config)).recipe.ggpo.schedule == changed
