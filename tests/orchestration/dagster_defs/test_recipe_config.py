"""Every option of a recipe is a typed field of the launchpad, and one changed field is a run of its own."""

import re
from dataclasses import fields, replace

import dagster as dg
import pytest

from model.config.algorithm import Pruning
from model.config.engine import Lora
from model.config.schedule import Schedule
from orchestration.dagster_defs.recipe_config import changed, config_of, documentation
from orchestration.dagster_defs.resources import RecipeResource
from orchestration.recipes.options import Ggpo, Recipe
from orchestration.recipes.registry import RECIPES, recipe


def taken(config: dict[str, object]) -> Recipe:
    """The recipe that an op gets for what a launchpad says."""
    got: list[Recipe] = []

    @dg.op
    def take(recipe: dg.ResourceParam[Recipe]) -> None:
        got.append(recipe)

    @dg.job(resource_defs={"recipe": RecipeResource()})
    def one() -> None:
        take()

    one.execute_in_process(run_config={"resources": {"recipe": {"config": config}}})
    return got[0]


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_that_nothing_is_said_of_is_as_it_is(name: str):
    assert taken({"name": name}) == recipe(name)


def test_one_changed_field_changes_nothing_else():
    base = recipe("quickstart")
    config = {"fields": {"ggpo": {"schedule": {"learning_rate": 1e-5}}}}
    expected = replace(
        base, ggpo=replace(base.ggpo, schedule=replace(base.ggpo.schedule, learning_rate=1e-5))
    )
    assert taken(config) == expected


def test_records_that_were_nothing_enums_and_names_can_be_said_and_fields_cleared():
    made = taken(
        {
            "name": "gain",
            "run_name": "mine",
            "fields": {"ggpo": {"engine": {"lora": {"rank": 4}}, "algorithm": {"pruning": "none"}}},
            "cleared": ["cold_start.shipped"],
        }
    )
    assert made.name == "mine"
    assert made.ggpo.engine.lora == Lora(rank=4)
    assert made.ggpo.algorithm.pruning is Pruning.NONE
    assert made.cold_start.shipped is None


def test_what_cannot_be_is_told_with_its_place():
    with pytest.raises(ValueError, match=r"ggpo\.schedule.*learning_rate must be positive"):
        changed(recipe("quickstart"), {"ggpo": {"schedule": {"learning_rate": -1.0}}})
    with pytest.raises(ValueError, match=r"no field 'ggpo\.nothing'"):
        changed(recipe("quickstart"), {}, ("ggpo.nothing",))
    with pytest.raises(dg.DagsterInvalidConfigError, match="learning_rte"):
        taken({"fields": {"ggpo": {"schedule": {"learning_rte": 1.0}}}})


def test_every_field_of_every_record_is_there_with_its_documentation_and_its_values():
    assert set(config_of(Ggpo, ("ggpo",)).model_fields) == {field.name for field in fields(Ggpo)}
    shown = config_of(Schedule, ("ggpo", "schedule")).model_fields["updates"].description or ""
    assert documentation(Schedule)["updates"] in shown
    for name in ("quickstart", "miniature"):
        assert re.search(rf"\b{recipe(name).ggpo.schedule.updates} in ([\w, ]+, )?{name}\b", shown)
