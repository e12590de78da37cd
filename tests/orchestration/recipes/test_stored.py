"""The recipe in a checkpoint of an earlier version is read as today's."""

import json
from dataclasses import replace
from pathlib import Path

from pydantic import TypeAdapter

from model.config.algorithm import ALGORITHMS, Algorithm, Denominator, Refusals
from model.config.engine import Lora
from model.config.schedule import Schedule
from orchestration.recipes.miniature import quickstart
from orchestration.recipes.options import EvaluationOptions, Ggpo, Recipe
from orchestration.recipes.stored import upgraded

FLAT = json.loads((Path(__file__).parent / "data" / "quickstart_flat.json").read_text())


def read(recipe: dict) -> Recipe:
    return TypeAdapter(Recipe).validate_python(upgraded(recipe), extra="forbid")


def test_the_recipe_of_a_finished_run_is_the_one_that_made_it():
    # it had refused replies on the credit of their node, and its cold start's options were without repairs
    today = quickstart()
    ggpo = Ggpo(
        algorithm=Algorithm(refusals=Refusals.NODE),
        schedule=Schedule(learning_rate=3e-4, warmup_steps=2, decay=True),
    )
    seven = ("vimrag", "react", "mem1", "memagent", "vanilla", "videorag", "universalrag")
    assert read(FLAT) == replace(
        today,
        ggpo=ggpo,
        cold_start=replace(today.cold_start, repair=0.0, memories=seven),
        evaluation=EvaluationOptions(),
    )


def test_what_was_changed_of_the_algorithm_and_the_layout_is_kept():
    ggpo = FLAT["ggpo"] | {
        "algorithm": "grpo",
        "clip_high": 0.28,
        "denominator": "rollouts",
        "group_size": 4,
        "seed": 3,
        "lora_rank": 8,
        "keep_last": 2,
        "temperature": 0.7,
    }
    read_ggpo = read(FLAT | {"ggpo": ggpo}).ggpo
    assert read_ggpo.algorithm.name == "grpo" and read_ggpo.algorithm.clip_low == ALGORITHMS["grpo"].clip_low
    assert (read_ggpo.algorithm.clip_high, read_ggpo.algorithm.group_size) == (0.28, 4)
    assert read_ggpo.algorithm.denominator is Denominator.ROLLOUTS
    assert (read_ggpo.schedule.seed, read_ggpo.algorithm.seed) == (3, 0)
    assert read_ggpo.engine.lora == Lora(rank=8, alpha=16) and read_ggpo.engine.temperature == 0.7
    assert read_ggpo.retention.keep_last == 2


def test_todays_form_stays_as_it_is():
    today = TypeAdapter(Recipe).dump_python(quickstart(), mode="json")
    assert upgraded(today) == today
    assert upgraded({}) == {}
