"""What stands before a cell's process is hurt, and what must stand once the stage is done again. Of the stages of data.

Every scene has a release in use and one before it, and a reader that holds the one in use from before the fault to the end.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from assets.corpus.read import built_datasets
from assets.index.published import current_index, versions
from assets.index.search import Index
from assets.miniature.build import write_miniature
from infra.storage import manifest
from infra.storage.root import Storage
from tests.faults import stages
from tests.faults.grid import OF_TEXTS, Cell, Fault, Root, Stage, Store

BEFORE, NOW, NEXT, OTHER, THIRD = range(5)
"""Invented corpora: of the first two releases, the one to be built, the one of another process, and one more of it."""

WHOLE_SECOND_S = 1.1
"""S3 tells the age of a release in whole seconds, by which a collection knows the one that was in use before."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Before the fault."""

    storage: Storage
    held: Index
    """Of a reader that began before."""
    versions: tuple[str, ...]
    """Of the releases, oldest first; the last is in use."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """What the hurt process is told."""
    other: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    """Stages that other processes do meanwhile, with what they are told."""


def set_up(cell: Cell, storage: Storage, raw: Path) -> Scene:
    """Build what a cell begins with; ``raw`` is for invented raw folders, made once."""
    if cell.stage in OF_TEXTS:
        stages.build_raw(storage, raw_folder(raw, NOW))
    wanted = {Stage.PROMOTE: 3, Stage.GC: 4}.get(cell.stage, 2)
    names, held = [], None
    for corpus in range(wanted):
        names.append(stages.build(storage, cell.store, corpus=corpus))
        if not storage.is_local:
            time.sleep(WHOLE_SECOND_S)
        if corpus == min(NOW, wanted - 2) or (cell.stage not in (Stage.PROMOTE, Stage.GC) and corpus == NOW):
            held = stages.opened(storage, "the drill")
    assert held
    options = _options(cell, names, raw)
    if cell.stage in (Stage.INDEX, Stage.PUBLISH):
        stages.write(storage, NEXT)
    return Scene(
        storage=storage,
        held=held,
        versions=tuple(names),
        options=options,
        other=_other(cell, names, raw, options),
    )


def _options(cell: Cell, names: list[str], raw: Path) -> dict[str, Any]:
    if cell.stage in OF_TEXTS:
        return {"raw": str(raw_folder(raw, NEXT))}
    if cell.stage is Stage.PROMOTE:
        return {"version": names[BEFORE]}
    return {"young": cell.fault is Fault.AHEAD} if cell.stage is Stage.GC else {}


def _other(
    cell: Cell, names: list[str], raw: Path, options: Mapping[str, Any]
) -> tuple[tuple[str, Mapping[str, Any]], ...]:
    if cell.fault is Fault.REBUILT:
        return (("rebuild", {"corpus": OTHER}),)
    if cell.fault is not Fault.TWO:
        return ()
    if cell.stage in OF_TEXTS:
        return ((cell.stage, {"raw": str(raw_folder(raw, OTHER))}),)
    if cell.stage is Stage.PROMOTE:
        return ((cell.stage, {"version": names[NOW]}),)
    if cell.stage is Stage.GC:
        return ((cell.stage, options),)
    return ((cell.stage, {"corpus": OTHER}),)


def again(cell: Cell, scene: Scene) -> None:
    """The stage once more, by a process that nobody hurts."""
    if cell.fault is Fault.TWO and cell.stage in (Stage.INDEX, Stage.PUBLISH):
        stages.write(scene.storage, NEXT)  # the other has published its own
    if cell.stage in OF_TEXTS:
        stages.build_raw(scene.storage, Path(scene.options["raw"]))
    elif cell.stage is Stage.PROMOTE:
        stages.roll_back(scene.storage, scene.options["version"])
    elif cell.stage is Stage.GC:
        stages.gc(scene.storage)
    else:
        stages.build(scene.storage, cell.store)


@cache
def raw_folder(folder: Path, world: int) -> Path:
    """Raw files of an invented world."""
    target = folder / f"raw-{world}"
    if not target.exists():
        partial = folder / f"raw-{world}.partial"
        write_miniature(partial, seed=world + 3, worlds_by_split={"train": 1}, questions_per_dataset=1)
        partial.rename(target)
    return target


def outcome(cell: Cell, storage: Storage) -> dict[str, Any]:
    """What an undisturbed run leaves, in so far as it is the same on every root."""
    pointer = current_index(storage)
    found: dict[str, Any] = {
        "corpora": {
            name: manifest.digest(manifest.read(storage, f"corpus/{name}"))
            for name in built_datasets(storage)
        },
        "release": pointer and pointer.version,
        "items": pointer and sum(pointer.datasets.values()),
    }
    if cell.store is Store.LANCE:
        found["answers"] = pointer and pointer.fingerprint
    if cell.stage is Stage.GC:
        found["releases"] = sorted(each.version for each in versions(storage))
    return found


def end_of(cell: Cell) -> Cell:
    """The cell whose undisturbed outcome a cell must reach: faults that change what there is to be built are their own."""
    fault = cell.fault if cell.fault is Fault.REBUILT else Fault.KILL
    return Cell(stage=cell.stage, fault=fault, root=Root.FILE, store=cell.store)


def undisturbed(cell: Cell, storage: Storage, raw: Path) -> dict[str, Any]:
    """The outcome of ``end_of(cell)``, on a root of its own."""
    scene = set_up(cell, storage, raw)
    if cell.fault is Fault.REBUILT:
        stages.write(storage, OTHER)
    again(cell, scene)
    return outcome(cell, storage)
