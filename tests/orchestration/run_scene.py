"""Two text corpora, an index and a cold start of a random model: what the launch scripts run on in tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from assets.corpus.build import build_corpus
from assets.index.build import build_index
from assets.miniature import lexicon
from infra.storage.root import Storage
from model.config.engine import EngineConfig
from model.config.schedule import Schedule
from model.imitation.tiny.shape import TinyShape, build_model
from model.imitation.tiny.tokenizer import build_tokenizer
from model.training import checkpoint
from model.training.engine import DeepSpeedEngine
from orchestration.dagster_defs.miniature_raw import ensure_miniature
from orchestration.imitation import cold_start
from orchestration.launch.run_config import RunConfig
from orchestration.recipes.options import Recipe
from tests.orchestration import plumbing

SHAPE = TinyShape(
    width=48,
    layers=1,
    heads=2,
    feed_forward=64,
    vision_width=32,
    vision_layers=1,
    vision_heads=2,
    vision_feed_forward=32,
)
DATASETS = ["hotpotqa", "squad"]


@dataclass
class Heard:
    """A reporter that remembers."""

    lines: list[str] = field(default_factory=list)
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def log(self, text: str) -> None:
        self.lines.append(text)

    def finish(self, metadata: Mapping[str, Any], *, data_version: str | None = None) -> None:
        self.metadata = metadata


def cold_start_reported(config: RunConfig) -> Heard:
    """What a cold start reports."""
    heard = Heard()
    cold_start.run(config, heard)
    return heard


def random_checkpoint(folder: Path) -> Path:
    """Ship a random model, called ``random``, in ``folder``."""
    tokenizer = build_tokenizer(lexicon.all_fragments())
    torch.manual_seed(0)
    engine = DeepSpeedEngine(
        build_model(tokenizer, SHAPE), config=EngineConfig(zero_stage=0), schedule=Schedule()
    )
    start = checkpoint.TrainingProgress(update=0, steps=0)
    checkpoint.save(folder / "random", engine=engine, tokenizer=tokenizer, progress=start)
    return folder


def build_root(folder: Path, config: RunConfig, shipped: Path) -> Path:
    """Raw miniature, two corpora, index and the cold start that ships in ``shipped``, below ``folder``."""
    storage = Storage(folder)
    ensure_miniature(folder / "raw", config.recipe.worlds)
    build_corpus(folder / "raw", storage, datasets=DATASETS)
    build_index(storage)
    cold_start.unpack("random", folder / config.cold_start_checkpoints, shipped=shipped)
    return folder


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of shipped checkpoints with a random model in it."""
    return random_checkpoint(tmp_path_factory.mktemp("shipped"))


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    smallest = plumbing.recipe(1)
    return replace(smallest, evaluation=replace(smallest.evaluation, questions=2))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, recipe: Recipe, shipped: Path) -> Path:
    """Raw miniature, two corpora, index and cold start."""
    folder = tmp_path_factory.mktemp("root")
    return build_root(folder, config_of(folder, recipe), shipped)


def scheduled(recipe: Recipe, **changes: Any) -> Recipe:
    """The recipe with ``changes`` of its schedule."""
    return replace(recipe, ggpo=replace(recipe.ggpo, schedule=replace(recipe.ggpo.schedule, **changes)))


def config_of(root: Path, recipe: Recipe) -> RunConfig:
    return RunConfig(root=str(root), name=recipe.name, recipe=recipe)
