"""The resource plan of a recipe: its options as the load that ``model.training.planning`` computes with."""

from typing import NamedTuple

from model.training.calibration import NOTHING_MEASURED, Calibration
from model.training.model_shape import SHAPES
from model.training.planning import ResourcePlan, UpdateLoad, resource_plan
from orchestration.recipes.options import Recipe


class SegmentShape(NamedTuple):
    """How many segments a rollout has, their tokens, and the share that is pruned."""

    segments: float = 6.0
    prompt: int = 4000
    generated: int = 400
    longest: int = 12_288
    pruned: float = 0.0


def plan_of(recipe: Recipe, shape: SegmentShape, calibration: Calibration = NOTHING_MEASURED) -> ResourcePlan:
    """The plan of a recipe for devices, with segments of that shape."""
    assert recipe.machine is not None, "only recipes with devices are planned"
    ggpo = recipe.ggpo
    load = UpdateLoad(
        rollouts=ggpo.questions * ggpo.algorithm.group_size,
        redrawn=ggpo.resamples,
        token_budget=ggpo.schedule.token_budget,
        logit_tokens=ggpo.schedule.logit_tokens,
        concurrent=recipe.evaluation.concurrency,
        **shape._asdict(),
    )
    return resource_plan(SHAPES[recipe.model], ggpo.engine, load, recipe.machine, calibration)
