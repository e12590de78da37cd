"""Where in its stage a process is hurt: as it writes a certain file, gives it its name, or removes it."""

from __future__ import annotations

from tests.faults.grid import Cell, Fault, Root, Stage
from tests.faults.orders import Point
from tests.faults.stages import DATASET

HEX = "[0-9a-f]{16}"
ON_DISK = {
    Stage.CORPUS: Point(event="write", path=rf"/corpus/\.{DATASET}\.\w+\.partial/items\.parquet$"),
    Stage.SHARDS: Point(event="write", path=rf"/shards/\.{DATASET}\.\w+\.partial/.*\.tar$"),
    Stage.INDEX: Point(event="rename", path=r"/index/\.vectors/\w+\.npz$"),
    Stage.PUBLISH: Point(event="rename", path=rf"/index/{HEX}/{HEX}$"),
    Stage.PROMOTE: Point(event="rename", path=r"/index/current\.json$"),
    Stage.GC: Point(event="remove", path=rf"/index/{HEX}/?$"),
    Stage.TRAINING: Point(event="rename", path=r"-ggpo/000002$"),
    Stage.EVALUATION: Point(event="rename", path=r"/trajectories/[\w-]+/manifest\.json$"),
}
NEEDS_ROOM = ON_DISK | {
    Stage.INDEX: Point(event="write", path=r"/index/\.vectors/\..*\.partial$"),
    Stage.PUBLISH: Point(
        event="write", path=rf"/index/{HEX}/\.{HEX}?\S*\.partial|/index/\.{HEX}\.\w+\.partial/pointer\.json$"
    ),
    Stage.PROMOTE: Point(event="write", path=r"/index/\.current\.json\..*partial$"),
    Stage.TRAINING: Point(event="write", path=r"-ggpo/\.000002\.partial/"),
    Stage.EVALUATION: Point(event="write", path=r"/trajectories/\.[\w-]+\.\w+\.partial/"),
}
"""Of faults that take away the room: as the bytes are about to be written, not behind them."""
ON_S3 = {
    Stage.CORPUS: Point(event="PUT", path=rf"/corpus/{DATASET}/{HEX}/items\.parquet$"),
    Stage.SHARDS: Point(event="PUT", path=rf"/shards/{DATASET}/{HEX}/.*\.tar$"),
    Stage.INDEX: Point(event="PUT", path=r"/index/\.vectors/\w+\.npz$"),
    Stage.PUBLISH: Point(event="PUT", path=rf"/index/{HEX}/{HEX}/pointer\.json$"),
    Stage.PROMOTE: Point(event="PUT", path=r"/index/current\.json$"),
    Stage.GC: Point(event="DELETE", path=rf"/index/{HEX}/"),
    Stage.TRAINING: Point(event="PUT", path=r"-ggpo/000002/.*safetensors$"),
    Stage.EVALUATION: Point(event="PUT", path=rf"/trajectories/[\w-]+/{HEX}/.*parquet$"),
}
LOCKED = {Stage.PROMOTE: r"/index$", Stage.EVALUATION: r"/trajectories/[\w-]+$"}
"""The folder whose lock a pointer is swapped under."""


def point(cell: Cell) -> Point | None:
    """The point of a cell; None where the whole run is under the fault."""
    if cell.fault in (Fault.AHEAD, Fault.BEHIND):
        return None
    if (
        cell.fault is Fault.REINDEXED
    ):  # when the first update is made, so that others follow on the release it began with
        if cell.root is Root.S3:
            return Point(event="PUT", path=r"-ggpo/000001/.*safetensors$")
        return Point(event="rename", path=r"-ggpo/000001$")
    if cell.root is Root.S3:
        return ON_S3[cell.stage]
    if cell.fault is Fault.TWO and cell.stage in LOCKED:  # behind it, the other waits for the lock
        return Point(event="lock", path=LOCKED[cell.stage])
    return (NEEDS_ROOM if cell.fault in (Fault.FULL, Fault.PARTIAL) else ON_DISK)[cell.stage]
