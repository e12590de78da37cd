"""The invented raw data: an asset that writes what the real parsers will read.

Only the job ``miniature`` needs it. With real data the raw folder is given by the user and nothing here runs.
"""

import json
from dataclasses import asdict
from pathlib import Path

import dagster as dg

from assets.corpus.dataset import DATASETS
from assets.miniature.build import write_miniature
from infra.storage.atomic import replacing
from infra.storage.root import Storage
from orchestration.dagster_defs.resources import RawLocation
from orchestration.recipes.options import MiniatureWorlds, Recipe

WORLDS_FILE = ("miniature", "worlds.json")  # below the raw folder: what it was written from
NINE_FOLDERS = dg.AssetCheckSpec(
    "nine_folders", asset="raw_miniature", blocking=True, description="Each of the nine datasets has files."
)


@dg.asset(group_name="raw", kinds={"python"}, check_specs=[NINE_FOLDERS])
def raw_miniature(
    context: dg.AssetExecutionContext,
    storage: dg.ResourceParam[Storage],
    raw: dg.ResourceParam[RawLocation],
    recipe: dg.ResourceParam[Recipe],
) -> dg.MaterializeResult:
    """Nine small datasets about invented worlds, in their authoritative on-disk formats."""
    folder = raw.for_miniature(storage)
    worlds = recipe.worlds
    action = "wrote" if ensure_miniature(folder, worlds) else "kept"
    context.log.info(
        f"{action} {worlds.train} training, {worlds.val} validation and {worlds.test} test worlds in {folder}"
    )
    files = {name: sum(path.is_file() for path in (folder / name).rglob("*")) for name in DATASETS}
    empty = [name for name, count in files.items() if not count]
    return dg.MaterializeResult(
        metadata={
            "path": dg.MetadataValue.path(str(folder)),
            "worlds": asdict(worlds),
            "files": files,
        },
        check_results=[dg.AssetCheckResult(passed=not empty, metadata={"empty": empty})],
    )


def ensure_miniature(folder: Path, worlds: MiniatureWorlds) -> bool:
    """Write the worlds to ``folder`` unless it holds just these; return whether it wrote. A killed run leaves no trace."""
    marker = folder.joinpath(*WORLDS_FILE)
    if marker.is_file() and json.loads(marker.read_text()) == asdict(worlds):
        return False
    with replacing(folder) as staging:
        staging.mkdir()
        write_miniature(
            staging,
            seed=worlds.seed,
            worlds_by_split={"train": worlds.train, "val": worlds.val, "test": worlds.test},
            questions_per_dataset=worlds.questions,
        )
        staging.joinpath(*WORLDS_FILE).write_text(json.dumps(asdict(worlds), sort_keys=True))
    return True
