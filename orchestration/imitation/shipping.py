"""A checkpoint of a run put among those that ship: weights rounded to bfloat16, without optimiser state, with its model card.

    python -m orchestration.imitation.shipping ROOT/checkpoints/demonstrated-cold-start/000013 miniature

The number stays; one that shipped under that name before is removed. Nobody imports this but its test.
"""

import argparse
import shutil
from pathlib import Path

from model.training import checkpoint
from orchestration.joins.agents import load
from orchestration.recipes.cold_start import SHIPPED


def ship(source: Path, name: str, *, shipped: Path = SHIPPED) -> Path:
    """Copy the checkpoint ``source`` to ``shipped/name``; returns its new directory.

    Raises:
        ValueError: if it is damaged, or not newer than the one that is there.
    """
    loaded, progress = load(source, bf16=True), checkpoint.read(source)
    before = checkpoint.latest(shipped / name)
    if before is not None and checkpoint.read(before).update >= progress.update:
        raise ValueError(f"{before} ships already: {source} has no higher number")
    place = checkpoint.save_weights(
        shipped / name,
        model=loaded.model,
        tokenizer=loaded.tokenizer,
        progress=progress,
        params=checkpoint.manifest_of(source)["params"],
    )
    if before is not None:
        shutil.rmtree(before)
    return place


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m orchestration.imitation.shipping", description=ship.__doc__
    )
    parser.add_argument("source", type=Path, help="folder of the checkpoint")
    parser.add_argument("name", help="of the checkpoint that ships, e.g. miniature")
    given = parser.parse_args()
    try:
        print(ship(given.source, given.name))
    except ValueError as error:
        parser.error(str(error))
