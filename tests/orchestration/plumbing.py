"""The smallest run there is: two text corpora, a random model of a few thousand weights, and definitions that train it.

``python -m`` names of jobs are those of ``orchestration.definitions``; only the recipe is another, and it is read from here.
"""

import os
from dataclasses import replace
from pathlib import Path

from orchestration.definitions import build_defs
from orchestration.recipes import MiniatureWorlds, Recipe, quickstart
from orchestration.run_config import RunConfig

UPDATES_VARIABLE = "PLUMBING_UPDATES"


def recipe(updates: int) -> Recipe:
    """A checkpoint after every update."""
    base = quickstart()
    return replace(
        base,
        name="plumbing",
        worlds=MiniatureWorlds(train=1, val=1, test=1, questions=2),
        cold_start=replace(base.cold_start, shipped="random"),
        ggpo=replace(base.ggpo, updates=updates, questions=2, group_size=2, checkpoint_every=1, validation=1),
        max_tokens=16,
    )


def prepare(folder: Path) -> RunConfig:
    """Raw miniature, two corpora, index and cold start below ``folder``."""
    import torch

    from assets.corpus import build_corpus
    from assets.index import build_index
    from assets.miniature import lexicon
    from infra.storage import Storage
    from model import checkpoint
    from model.algorithm import Schedule
    from model.engine import Engine, EngineConfig
    from model.tiny.config import TinyShape, build_model
    from model.tiny.tokenizer import build_tokenizer
    from orchestration.launch import cold_start
    from orchestration.miniature_assets import ensure_miniature

    config = RunConfig(root=str(folder), name="plumbing", recipe=recipe(1))
    ensure_miniature(folder / "raw", config.recipe.worlds)
    build_corpus(folder / "raw", Storage(folder), datasets=["hotpotqa", "squad"])
    build_index(Storage(folder))
    tokenizer = build_tokenizer(lexicon.all_fragments())
    torch.manual_seed(0)
    shape = TinyShape(
        width=48,
        layers=1,
        heads=2,
        feed_forward=64,
        vision_width=32,
        vision_layers=1,
        vision_heads=2,
        vision_feed_forward=32,
    )
    engine = Engine(build_model(tokenizer, shape), config=EngineConfig(zero_stage=0), schedule=Schedule())
    start = checkpoint.Progress(update=0, steps=0)
    checkpoint.save(folder / "shipped/random", engine=engine, tokenizer=tokenizer, progress=start)
    cold_start.unpack("random", folder / config.cold_start_checkpoints, shipped=folder / "shipped")
    return config


if UPDATES_VARIABLE in os.environ:
    defs = build_defs(resource_overrides={"recipe": recipe(int(os.environ[UPDATES_VARIABLE]))})
