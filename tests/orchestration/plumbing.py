"""The smallest run there is: two text corpora, a random model of a few thousand weights, and definitions that train it.

``python -m`` names of jobs are those of ``orchestration.definitions``; only the recipe is another, and it is read from here.
"""

import os
from dataclasses import replace
from pathlib import Path

from model.config.algorithm import Algorithm
from model.config.reward import RewardWeights
from orchestration.definitions import build_defs
from orchestration.launch.run_config import RunConfig
from orchestration.recipes.miniature import paper_like, quickstart
from orchestration.recipes.options import MiniatureWorlds, Recipe

UPDATES_VARIABLE = "PLUMBING_UPDATES"


def recipe(updates: int) -> Recipe:
    """A checkpoint after every update."""
    base = quickstart()
    return replace(
        base,
        name="plumbing",
        worlds=MiniatureWorlds(train=1, val=1, test=1, questions=2),
        cold_start=replace(base.cold_start, shipped="random"),
        ggpo=replace(
            base.ggpo,
            algorithm=Algorithm(group_size=2),
            reward=RewardWeights(judge=0.6, format=0.1, retrieval=0.3),
            schedule=replace(paper_like().ggpo.schedule, updates=updates),
            questions=2,
            checkpoint_every=1,
            validation=1,
            ranks=1,
        ),
        evaluation=replace(base.evaluation, workers=1),
        max_tokens=16,
    )


def prepare(folder: Path) -> RunConfig:
    """Raw miniature, two corpora, index and cold start below ``folder``."""
    from tests.orchestration.run_scene import (  # torch, which definitions never import
        build_root,
        random_checkpoint,
    )

    config = RunConfig(root=str(folder), name="plumbing", recipe=recipe(1))
    build_root(folder, config, random_checkpoint(folder / "shipped"))
    return config


if UPDATES_VARIABLE in os.environ:
    defs = build_defs(resource_overrides={"recipe": recipe(int(os.environ[UPDATES_VARIABLE]))})
