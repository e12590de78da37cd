"""The cold start: the checkpoint that ships, checked against this code, or the staged training from random weights.

Publishes one checkpoint below ``checkpoints/<run>-cold-start``. The stages and their lessons are ``model.cold_start`` and
``model.tiny.curriculum``.
"""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from infra.storage import Storage
from model import checkpoint
from model.fingerprint import of_policy
from orchestration.launch.agents import Weights, load
from orchestration.launch.mirror import Mirror
from orchestration.launch.process import run_script
from orchestration.launch.reporter import Reporter
from orchestration.run_config import RunConfig

SHIPPED = Path(__file__).resolve().parents[2] / "checkpoints"


def run(config: RunConfig, reporter: Reporter) -> None:
    """Make the checkpoint and say what it is."""
    with Mirror(Storage(config.root), config.cold_start_checkpoints) as target:
        path = unpack(config.recipe.cold_start.shipped, target.pull())
        target.push()
        weights = load(path)
        reporter.say(f"cold start: the checkpoint {config.recipe.cold_start.shipped!r} that ships")
        reporter.finish(metadata(weights), data_version=of_policy(weights.model, weights.tokenizer))


def unpack(name: str | None, target: Path) -> Path:
    """Copy the shipped checkpoint called ``name`` below ``target`` and return where it is.

    Raises:
        ValueError: if no such checkpoint ships, or it is damaged.
    """
    source = None if name is None else checkpoint.latest(SHIPPED / name)
    if source is None:
        shipped = sorted(path.name for path in SHIPPED.iterdir()) if SHIPPED.is_dir() else []
        raise ValueError(f"no checkpoint {name!r} ships in {SHIPPED}; there are: {shipped}")
    checkpoint.read(source)
    place, partial = target / source.name, target / f".{source.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(source, partial)
    shutil.rmtree(place, ignore_errors=True)
    partial.rename(place)
    return place


def metadata(weights: Weights) -> dict[str, Any]:
    """What the materialisation says of a checkpoint."""
    reached = checkpoint.read(weights.path)
    return {
        "checkpoint": weights.path.name,
        "parameters": sum(parameter.numel() for parameter in weights.model.parameters()),
        "vocabulary": len(weights.tokenizer),
        "steps": reached.steps,
        "validation": reached.score,
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    return run_script(run, description="Publish the cold start of a recipe.", argv=argv)


if __name__ == "__main__":
    sys.exit(main())
