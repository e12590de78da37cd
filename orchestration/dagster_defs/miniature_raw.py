"""The invented raw data: what the jobs ``miniature`` and ``policies`` write before the real parsers read it.

With real data the raw folder is given by the user and nothing here runs.
"""

import json
from dataclasses import asdict
from pathlib import Path

from infra.storage.atomic import replacing
from orchestration.recipes.options import MiniatureWorlds

WORLDS_FILE = ("miniature", "worlds.json")  # below the raw folder: what it was written from


def ensure_miniature(folder: Path, worlds: MiniatureWorlds) -> bool:
    """Write the worlds to ``folder`` unless it holds just these; return whether it wrote. A killed run leaves no trace."""
    if worlds_of(folder) == worlds:
        return False
    from assets.miniature.build import write_miniature  # with the encoders of films

    with replacing(folder) as staging:
        staging.mkdir()
        write_miniature(
            staging,
            seed=worlds.seed,
            worlds_by_split={"train": worlds.train, "val": worlds.val, "test": worlds.test},
            questions_per_dataset=worlds.questions,
            hops=worlds.hops,
        )
        staging.joinpath(*WORLDS_FILE).write_text(json.dumps(asdict(worlds), sort_keys=True))
    return True


def worlds_of(folder: Path) -> MiniatureWorlds | None:
    """What the folder was written from; None where that is unknown: other data, another version's, or damaged.

    An older version knew fewer options: those are at their defaults.
    """
    try:
        return MiniatureWorlds(**json.loads(folder.joinpath(*WORLDS_FILE).read_text()))
    except (OSError, TypeError, ValueError):
        return None
