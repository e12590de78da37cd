"""Cells of learning: the same look at what is left, for a run that trains or measures while it reads a release."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from assets.index.build import build_index
from assets.index.published import open_index
from assets.index.releases import releases, verify
from assets.index.settings import IndexSettings
from infra.storage.root import Storage
from orchestration.joins.adapters import PLANS
from tests import warm
from tests.faults import drill as drills
from tests.faults import learning
from tests.faults.grid import Cell, Fault, Root, Stage
from tests.faults.orders import Order
from tests.faults.scene import OTHER, THIRD

QUERY = "Which town has a harbour?"


def run(drill: drills.Drill, cell: Cell) -> drills.Verdict:
    """The verdict on a cell of training or evaluation."""
    template = _template(drill)
    expected = _expected(drill, cell, template)
    storage = drill.new_storage(cell)
    os.environ.update(drill.places.environment("file", cell.store, proxied=False))
    _copy(template, storage)
    if cell.store != "lance":
        build_index(storage, IndexSettings(store=cell.store))
    held = open_index(storage, reader="the drill")
    answers = held.rank_many([QUERY], 5)
    before = {release.version for release in releases(storage)}
    other: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    if cell.fault is Fault.REINDEXED:
        other = tuple(("reindex", {"corpus": corpus, "embedder": "default"}) for corpus in (OTHER, THIRD))
    if cell.fault is Fault.TWO:
        other = ((cell.stage, {}),)
    ended, others = drill.hurt(cell, storage, {}, other)
    faults = [*drills.unexpected_end(cell, ended, others), *_wounds(cell, storage, before, expected)]
    _work(
        drill, Order(stage=cell.stage, root=storage.root, store=cell.store, environment=_direct(drill, cell))
    )
    if (reached := learning.course(storage, cell.stage)) != expected:
        faults.append(f"done again it is {reached}, undisturbed {expected}")
    if held.rank_many([QUERY], 5) != answers:
        faults.append("the release that is held answers otherwise than before")
    del held
    drill.remove(cell, storage)
    return drills.Verdict(cell=str(cell), faults=tuple(faults), seen=drills.said(ended, others), searches=2)


def _work(drill: drills.Drill, order: Order) -> None:
    """What nobody hurts."""
    order = Order(**{**{name: getattr(order, name) for name in order.__slots__}, "told": _scratch(drill)})
    ended = drill.process(order)
    Path(order.told).unlink(missing_ok=True)
    if ended.code:
        raise ValueError(f"{order.stage} ended with {ended.code}: {ended.said}")


def _scratch(drill: drills.Drill) -> str:
    return str(drill.places.folder / "told")


def _direct(drill: drills.Drill, cell: Cell) -> Mapping[str, str]:
    return drill.places.environment(cell.root, cell.store, proxied=False)


def _template(drill: drills.Drill) -> Storage:
    """The root that all begin as, made once."""
    storage = Storage(drill.places.folder / "template")
    if not storage.list("trajectories"):
        warm.elsewhere(learning.prepare, storage.root)
    return storage


def _expected(drill: drills.Drill, cell: Cell, template: Storage) -> dict[str, Any]:
    """The course of the stage that nothing disturbs."""
    straight = Storage(drill.places.folder / f"straight-{cell.stage}")
    if not straight.list("index"):
        _copy(template, straight)
        _work(drill, Order(stage=cell.stage, root=straight.root, store="lance"))
    return learning.course(straight, cell.stage)


def _copy(template: Storage, storage: Storage) -> None:
    folder = template.local_path()
    assert folder
    if local := storage.local_path():
        shutil.copytree(folder, local)
        return
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_file() and (name == PLANS or not name.startswith("raw")):
            storage.fs.put_file(str(path), storage.path(name))


def _wounds(cell: Cell, storage: Storage, before: set[str], expected: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong between the fault and the next run."""
    there = releases(storage)
    for release in there:
        yield from verify(storage, release.version)
    if gone := before - {release.version for release in there}:
        yield f"releases {sorted(gone)} were there before"
    config = learning.config_of(storage.root)
    if cell.stage is Stage.TRAINING and not storage.exists(f"{config.metrics}/ggpo.jsonl"):
        return  # it ended before its first update: nothing to be whole
    try:
        course = learning.course(storage, cell.stage)
    except (ValueError, FileNotFoundError) as error:
        # a checkpoint that was not finished has no manifest, and nobody takes it for one
        if cell.stage is Stage.EVALUATION or cell.root is Root.FILE:
            yield f"what is there is not whole: {type(error).__name__}: {error}"
        return
    for name, weights in course.get("checkpoints", {}).items():
        if (
            expected["checkpoints"].get(name, weights) != weights
        ):  # an undisturbed run prunes what is not best or last
            yield f"checkpoint {name} is another than the undisturbed one"
