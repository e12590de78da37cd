"""The stages of learning as production does them: a training of two updates with a checkpoint after each, and its evaluation.

The model is a random one of a few thousand weights: it is never right, so what is compared is the course of a run (its
rollouts, its metrics, its weights file), not a gain; that a run with gradients goes on bit for bit is held by
``tests/orchestration/test_exact_resume.py``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from infra.storage import manifest
from infra.storage.root import Storage
from orchestration.launch.run_config import RunConfig
from orchestration.recipes.options import Recipe
from tests.faults.orders import Order
from tests.orchestration import plumbing

UPDATES = 2


def recipe(questions: int = 2) -> Recipe:
    """Of every run of the drill; that of the scene evaluates fewer ``questions``, so that the next is another."""
    base = plumbing.recipe(UPDATES)
    # one after another: in a batch the last bits of random weights depend on who else is in it
    evaluation = replace(base.evaluation, questions=questions, concurrency=1, methods=("cold_start",))
    return replace(base, threads=1, evaluation=evaluation)


def config_of(root: str, questions: int = 2) -> RunConfig:
    """The run at a root."""
    return RunConfig(root=root, name=recipe().name, recipe=recipe(questions))


def stage(order: Order) -> Callable[[], object]:
    """What the process of the order does."""
    from orchestration.evaluation import evaluation_run
    from orchestration.launch.process import prepare_torch
    from orchestration.launch.reporter import ConsoleReporter
    from orchestration.training import ggpo_run

    config = config_of(order.root, order.options.get("questions", 2))
    prepare_torch(config)
    run = ggpo_run.train if order.stage == "training" else evaluation_run.run
    return partial(run, config, ConsoleReporter())


def prepare(folder: str) -> int:
    """A root with two text corpora, an index, a cold start and an evaluation, in ``folder``."""
    from tests.orchestration.run_scene import build_root, random_checkpoint

    config = config_of(folder)
    build_root(Path(folder), config, random_checkpoint(Path(folder).with_name("shipped")))
    stage(Order(stage="evaluation", root=folder, store="lance", options={"questions": 1}))()
    return 0


def course(storage: Storage, stage_: str) -> dict[str, Any]:
    """What a run left, in so far as it does not depend on when and where it ran; ``ValueError`` if it is not whole."""
    config = config_of(storage.root)
    if stage_ == "evaluation":
        kept = manifest.read(storage, config.trajectories)
        document = json.loads(storage.read_bytes(f"{config.metrics}/evaluation.json"))
        return {"counts": dict(kept.counts), "methods": _timeless(document["methods"])}
    lines = storage.read_bytes(f"{config.metrics}/ggpo.jsonl").decode().splitlines()
    checkpoints = {
        name: _weights(storage, f"{config.ggpo_checkpoints}/{name}")
        for name in storage.list(config.ggpo_checkpoints)
    }
    return {"updates": _timeless(list(map(json.loads, lines))), "checkpoints": checkpoints}


def _weights(storage: Storage, folder: str) -> str:
    """The hash of the weights; every file of the checkpoint has the size that its manifest says."""
    said = json.loads(storage.read_bytes(f"{folder}/{manifest.MANIFEST}"))
    sizes = storage.sizes(folder)
    for file in said["files"]:
        if sizes.get(file["name"]) != file["size"]:
            raise ValueError(f"{folder}/{file['name']} has {sizes.get(file['name'])} bytes of {file['size']}")
    return next(file["sha256"] for file in said["files"] if file["name"].endswith(".safetensors"))


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _timeless(each) for name, each in value.items() if "second" not in name}
    return [_timeless(each) for each in value] if isinstance(value, list) else value
