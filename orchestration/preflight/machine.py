"""What a run stands on: the weights it starts from, folders that can be written, room on disk, devices, and its hours."""

import json
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from infra.storage.root import Storage
from model.training.model_shape import SHAPES, differences
from model.training.planning import OPTIMISER_BYTES, trained_parameters, weight_bytes
from orchestration.preflight.types import Check
from orchestration.recipes.cold_start import SHIPPED
from orchestration.recipes.options import Recipe
from orchestration.recipes.planned import SegmentShape, plan_of

TINY_BYTES = 32 * 1024**2  # of one checkpoint of the miniature's model with its optimiser
SPARE_BYTES = 2 * 1024**3  # for rollouts, metrics and verdicts
ASKED_S = 5.0
GIB = 1024**3


def weights_check(storage: Storage, recipe: Recipe, run: str, *, trained: bool) -> Iterator[Check]:
    """Whether the weights that it starts from are there. ``trained``: a cold start must have been made."""
    start, name = recipe.cold_start, "cold start"
    folder = f"checkpoints/{run}-cold-start"
    if any(storage.exists(f"{folder}/{each}/manifest.json") for each in storage.list(folder)):
        yield Check(name=name, passed=True, detail=f"{folder}, made before")
    elif trained:
        yield Check(
            name=name,
            passed=False,
            detail=f"no checkpoint in {folder}",
            remedy="run the job cold_start first",
        )
    elif start.base is not None:
        if storage.exists(f"{start.base}/config.json"):
            yield _of_the_shape(storage, recipe, start.base)
        else:
            remedy = "put its config.json, tokenizer and safetensors there; nothing is downloaded"
            yield Check(
                name=name, passed=False, detail=f"no model in {storage.path(start.base)}", remedy=remedy
            )
    elif start.shipped is None:
        yield Check(name=name, passed=True, detail="from random weights")
    elif any((SHIPPED / start.shipped).glob("*/manifest.json")):
        yield Check(name=name, passed=True, detail=f"the checkpoint {start.shipped!r} that ships")
    else:
        known = ", ".join(sorted(path.name for path in SHIPPED.iterdir())) if SHIPPED.is_dir() else "none"
        detail = f"no checkpoint {start.shipped!r} ships; there are: {known}"
        yield Check(name=name, passed=False, detail=detail, remedy="name one of them in the recipe")


def _of_the_shape(storage: Storage, recipe: Recipe, base: str) -> Check:
    """Whether the model in a folder is the one that the recipe is planned for."""
    shape = SHAPES.get(recipe.model)
    config = json.loads(storage.read_bytes(f"{base}/config.json"))
    if shape is None or not isinstance(config, dict):
        return Check(name="cold start", passed=True, detail=f"the model in {base}")
    if found := list(differences(shape, config)):
        detail = f"the model in {base} is not {shape.name}: {', '.join(found)}"
        return Check(
            name="cold start",
            passed=False,
            detail=detail,
            remedy=f"put {shape.name} there, or choose the recipe of that model: vimrag plan",
        )
    detail = f"the model in {base} has the shape of {shape.name}, {shape.parameters:,} parameters"
    return Check(name="cold start", passed=True, detail=detail)


def folder_checks(storage: Storage, run: str) -> Iterator[Check]:
    """Whether checkpoints, metrics and rollouts can be written, by writing."""
    for folder in (f"checkpoints/{run}-ggpo", f"metrics/{run}", f"trajectories/{run}-ggpo"):
        name = f"folder: {folder}"
        probe = f"{folder}/.preflight-{uuid.uuid4().hex[:8]}"
        absent = _absent(storage, folder)
        try:
            storage.write_bytes(probe, b"")
            storage.fs.rm_file(storage.path(probe))
        except Exception as error:  # a disk raises OSError, an object store what it likes
            yield _unwritable(name, storage, folder, error)
        else:
            yield Check(name=name, passed=True, detail="can be written")
        for each in absent:
            with suppress(OSError):  # somebody else writes there meanwhile, or it was never made
                each.rmdir()


def _absent(storage: Storage, folder: str) -> list[Path]:
    """Folders of this machine that are made by writing to ``folder``, the innermost first."""
    local = storage.local_path(folder)
    return [] if local is None else [each for each in (local, *local.parents) if not each.exists()]


def _unwritable(name: str, storage: Storage, folder: str, error: Exception) -> Check:
    remedy = "make it writable for this user, or choose another root"
    detail = f"{storage.path(folder)} cannot be written: {' '.join(str(error).split())}"
    return Check(name=name, passed=False, detail=detail, remedy=remedy)


def checkpoint_bytes(recipe: Recipe) -> int:
    """Of one checkpoint: weights as they are saved, and what the optimiser goes on from."""
    if recipe.model not in SHAPES:
        return TINY_BYTES
    shape, engine = SHAPES[recipe.model], recipe.ggpo.engine
    return shape.parameters * weight_bytes(engine) + trained_parameters(shape, engine) * OPTIMISER_BYTES


def disk_check(storage: Storage, recipe: Recipe) -> Iterator[Check]:
    """Room for the checkpoints that stay, the best one and the one that is being written."""
    folder = storage.local_path("")
    if folder is None:
        yield Check(name="disk", passed=True, detail="the root is an object store")
        return
    place = next((each for each in (folder, *folder.parents) if each.is_dir()), Path("/"))
    free = shutil.disk_usage(place).free
    kept = recipe.ggpo.retention.keep_last + recipe.ggpo.retention.keep_best + 1
    if every := recipe.ggpo.retention.every:
        kept += recipe.ggpo.schedule.updates // every
    wanted = kept * checkpoint_bytes(recipe) + SPARE_BYTES
    detail = f"{free / GIB:,.1f} GiB free at {place}, {wanted / GIB:,.1f} needed for {kept} checkpoints"
    remedy = "free some space, put --root elsewhere, or keep fewer checkpoints"
    yield Check(name="disk", passed=free >= wanted, detail=detail, remedy="" if free >= wanted else remedy)


def device_checks(recipe: Recipe) -> Iterator[Check]:
    """Devices, the hosts of several machines, and the memory of each device by the plan."""
    if recipe.device != "cpu":
        yield _devices(recipe)
    if (hostfile := recipe.ggpo.hostfile) is not None:
        yield _hosts(Path(hostfile), recipe.ggpo.ranks)
    if recipe.machine is not None:
        planned = plan_of(recipe, SegmentShape())
        peak = planned.peak_bytes / GIB
        detail = f"{peak:,.1f} GiB a device at the fullest by the plan, {recipe.machine.memory_gib} there"
        remedy = (
            ""
            if planned.fits
            else "fewer rollouts at once, LoRA, a higher ZeRO stage, or larger devices: vimrag plan"
        )
        yield Check(name="memory", passed=planned.fits, detail=detail, remedy=remedy)


def _devices(recipe: Recipe) -> Check:
    wanted = recipe.ggpo.ranks if recipe.ggpo.hostfile is None else 1
    found = gpus()
    if len(found) >= wanted:
        return Check(name="devices", passed=True, detail="; ".join(found))
    there = "; ".join(found) or "no NVIDIA GPU answers nvidia-smi"
    detail = f"{len(found)} of {wanted} ({recipe.machine.name if recipe.machine else recipe.device}): {there}"
    return Check(
        name="devices",
        passed=False,
        detail=detail,
        remedy="start it where they are, or choose another recipe",
    )


def gpus() -> list[str]:
    """Names of the NVIDIA GPUs of this machine."""
    if (command := shutil.which("nvidia-smi")) is None:
        return []
    query = [command, "--query-gpu=name", "--format=csv,noheader"]
    try:
        ended = subprocess.run(query, capture_output=True, text=True, timeout=ASKED_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in ended.stdout.splitlines() if line.strip()]


def _hosts(path: Path, ranks: int) -> Check:
    if not path.is_file():
        remedy = "write one `host slots=DEVICES` line a machine"
        return Check(name="hostfile", passed=False, detail=f"no file {path.resolve()}", remedy=remedy)
    lines = [line.partition("#")[0].strip() for line in path.read_text().splitlines()]
    slots = [line.rpartition("slots=")[2] for line in lines if line]
    total = sum(int(slot) for slot in slots if slot.isdigit())
    if total != ranks or not all(slot.isdigit() for slot in slots):
        detail = f"{path} has {total} slots on {len(slots)} hosts, the recipe {ranks} ranks"
        return Check(name="hostfile", passed=False, detail=detail, remedy="make both the same")
    return Check(name="hostfile", passed=True, detail=f"{len(slots)} hosts, {total} slots")


def hours_check(recipe: Recipe) -> Iterator[Check]:
    """How long it takes by the plan, beside what it may take."""
    if recipe.machine is None:
        yield Check(
            name="hours", passed=True, detail="made for two CPU cores: docs/log.md has its measured times"
        )
        return
    hours = plan_of(recipe, SegmentShape()).seconds * recipe.ggpo.schedule.updates / 3600
    limit = recipe.requires.hours
    words = f"{hours:,.0f} by the plan for {recipe.ggpo.schedule.updates} updates on {recipe.machine.name}"
    if limit is not None and hours > limit:
        remedy = "fewer updates or questions, more devices, or a larger limit (`requires.hours`)"
        yield Check(name="hours", passed=False, detail=f"{words}, {limit:g} allowed", remedy=remedy)
        return
    yield Check(name="hours", passed=True, detail=words + (f", {limit:g} allowed" if limit else ""))
