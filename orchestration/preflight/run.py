"""Every check of a recipe over a root, all at once."""

import asyncio
import time

from infra.storage.root import Storage
from orchestration.preflight import data, machine
from orchestration.preflight.servers import server_checks
from orchestration.preflight.types import Check, PreflightReport, guarded
from orchestration.recipes.options import Recipe


def preflight(
    storage: Storage, recipe: Recipe, *, trained: bool = False, probes: bool = False
) -> PreflightReport:
    """Look at every piece; whatever is wrong is in the report, nothing is raised for it. Loads no torch.

    ``trained``: the cold start must have been made, as before reinforcement learning. ``probes``: the index is opened and asked
    its probe questions, which loads its embedder.
    """
    began = time.monotonic()
    checks = asyncio.run(_checks(storage, recipe, trained=trained, probes=probes))
    return PreflightReport(
        recipe=recipe.name, root=storage.root, seconds=round(time.monotonic() - began, 2), checks=checks
    )


async def _checks(storage: Storage, recipe: Recipe, *, trained: bool, probes: bool) -> tuple[Check, ...]:
    local, served = await asyncio.gather(
        asyncio.to_thread(_local_checks, storage, recipe, trained=trained, probes=probes),
        server_checks(recipe),
    )
    return (*local, *served)


def _local_checks(storage: Storage, recipe: Recipe, *, trained: bool, probes: bool) -> tuple[Check, ...]:
    again = f"build it again at {storage.root}"
    return (
        *guarded("questions", again, lambda: data.question_checks(storage, recipe)),
        *guarded("media", again, lambda: data.media_checks(storage)),
        *guarded(
            "index",
            f"{data.BUILD} {storage.root}",
            lambda: data.index_checks(storage, recipe.requires, probes=probes),
        ),
        *guarded(
            "cold start", again, lambda: machine.weights_check(storage, recipe, recipe.name, trained=trained)
        ),
        *guarded("folders", "choose another root", lambda: machine.folder_checks(storage, recipe.name)),
        *guarded("disk", "choose another root", lambda: machine.disk_check(storage, recipe)),
        *guarded("devices", "see vimrag plan", lambda: machine.device_checks(recipe)),
        *guarded("hours", "see vimrag plan", lambda: machine.hours_check(recipe)),
    )
