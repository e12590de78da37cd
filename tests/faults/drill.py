"""One cell of the grid: set the scene, hurt a process, look at what is left, do the stage again, look again.

After the fault: nothing wrong is published (every release that is there has every byte, what is current is the state before or
the one after), nothing is lost, and readers, one that holds a release and one that opens the current one again and again, are
answered by one whole release. After the stage was done again: the state is the undisturbed one, and a collection leaves readers
what they read and no crumbs.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from assets.index.releases import releases, verify
from infra.storage.root import Storage
from tests import warm
from tests.faults import points, scene, stages, worker
from tests.faults.grid import LEARNING, Cell, Fault, Root, Stage, Store
from tests.faults.orders import Act, Order
from tests.faults.places import Places
from tests.faults.readers import LiveReader
from tests.faults.worker import FAILED, INTERRUPTED

SKEW_S = 7200.0
PATIENCE_S = 400.0
PARTIAL_BYTES = 200  # fewer than any file that is written at a point has


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What was seen of a cell; ``faults`` is empty if all held."""

    cell: str
    faults: tuple[str, ...]
    seen: str
    """How the hurt process ended, in its own words."""
    searches: int = 0
    """Answers that readers got meanwhile."""
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """All fields."""
        return asdict(self)


@dataclass
class Ended:
    """How a process ended."""

    code: int
    said: str = ""
    struck: bool = True


@dataclass
class Drill:
    """Runs cells at ``places``, one after another."""

    places: Places
    _expected: dict[Cell, dict[str, Any]] = field(default_factory=dict)
    _number: int = 0

    def run(self, cell: Cell) -> Verdict:
        """The verdict; whatever breaks the drill itself is one of its faults."""
        began = time.monotonic()
        try:
            if cell.stage in LEARNING:
                from tests.faults import learning_drill

                verdict = learning_drill.run(self, cell)
            else:
                verdict = self._run(cell)
        except Exception as error:
            self.places.recover()
            verdict = Verdict(
                cell=str(cell), faults=(f"the drill broke: {type(error).__name__}: {error}",), seen=""
            )
        return replace(verdict, seconds=round(time.monotonic() - began, 1))

    def new_storage(self, cell: Cell) -> Storage:
        """A root that no other cell has."""
        self._number += 1
        return self.places.storage(
            cell.root, f"{cell.stage}-{cell.fault}-{cell.store}-{self._number}-{os.getpid()}"
        )

    def expected(self, cell: Cell) -> dict[str, Any]:
        """The undisturbed outcome, worked out once."""
        end = scene.end_of(cell)
        if end not in self._expected:
            storage = Storage(
                self.places.folder / f"undisturbed-{end.stage}-{end.fault}-{end.store}-{os.getpid()}"
            )
            self._expected[end] = scene.undisturbed(end, storage, self.places.folder)
            self.remove(end, storage)
        return self._expected[end]

    def remove(self, cell: Cell, storage: Storage) -> None:
        """A root, and what it has on the server of vectors."""
        if cell.store is Store.WEAVIATE:
            from assets.index.published import versions
            from assets.index.stores import drop

            for pointer in versions(storage):
                drop(pointer.store, pointer.place, ())
        if local := storage.local_path():
            shutil.rmtree(local, ignore_errors=True)
        else:
            for name in storage.list():
                storage.remove_tree(name)

    def _run(self, cell: Cell) -> Verdict:
        os.environ.update(self.places.environment("file", cell.store, proxied=False))
        expected = self.expected(cell)
        storage = self.new_storage(cell)
        before = scene.set_up(cell, storage, self.places.folder)
        reader = LiveReader(storage)
        try:
            ended, others = self.hurt(cell, before.storage, before.options, before.other)
        finally:
            self.places.recover()
        time.sleep(0.1)
        reader.stop()
        faults = [*unexpected_end(cell, ended, others), *wounds(cell, before), *reading(cell, reader)]
        scene.again(cell, before)
        if (reached := scene.outcome(cell, storage)) != expected:
            faults.append(f"done again it is {reached}, undisturbed {expected}")
        faults += _collected(before)
        asked = reader.asked
        del before
        self.remove(cell, storage)
        return Verdict(cell=str(cell), faults=tuple(faults), seen=said(ended, others), searches=asked)

    def hurt(self, cell: Cell, storage: Storage, options: Any, other: Any) -> tuple[Ended, list[Ended]]:
        """Let a process do the stage and hurt it; how it and the others that came in between ended."""
        scratch = self.places.folder / f"cell-{self._number}-{os.getpid()}"
        scratch.mkdir()
        direct = self.places.environment(cell.root, cell.store, proxied=False)
        orders = [
            Order(
                stage=stage,
                root=storage.root,
                store=cell.store,
                options=others_options,
                environment=direct,
                told=str(scratch / f"other-{number}"),
            )
            for number, (stage, others_options) in enumerate(other)
        ]
        act, point = self._act(cell, orders), points.point(cell)
        on_s3 = cell.root is Root.S3
        order = Order(
            stage=cell.stage,
            root=storage.root,
            store=cell.store,
            options=options,
            environment=self.places.environment(cell.root, cell.store, proxied=True),
            clock_s={Fault.AHEAD: SKEW_S, Fault.BEHIND: -SKEW_S}.get(cell.fault, 0.0),
            point=None if on_s3 else point,
            act=None if on_s3 else act,
            told=str(scratch / "told"),
            struck=str(scratch / "struck"),
        )
        if on_s3:
            self.places.proxy.arm(point, act)
        ended = self.process(order)
        struck = point is None or (self.places.proxy.struck if on_s3 else Path(order.struck).exists())
        if on_s3:
            self.places.proxy.arm(None, None)
        self.places.recover()  # the others need room and servers too
        others = [told(Path(each.told), wait_s=PATIENCE_S) for each in orders]
        shutil.rmtree(scratch)
        return replace_struck(ended, struck), others

    def _act(self, cell: Cell, others: list[Order]) -> Act | None:
        on_file = cell.root is Root.FILE
        match cell.fault:
            case Fault.KILL:
                return Act(kind="signal", number=signal.SIGKILL)
            case Fault.TERM:
                return Act(kind="signal", number=signal.SIGTERM)
            case Fault.FULL:
                disk = self.places.disk if on_file else self.places.s3_disk
                if not disk.can_be_filled:
                    raise ValueError("no tmpfs may be mounted here, so no disk can be filled")
                return Act(kind="fill", folder=str(disk.folder))
            case Fault.PARTIAL:
                return Act(kind="limit", number=PARTIAL_BYTES) if on_file else Act(kind="cut")
            case Fault.S3_GONE:
                return Act(kind="signal", number=signal.SIGKILL, pid=self.places.s3.pid)
            case Fault.STORE_GONE:
                return Act(kind="signal", number=signal.SIGKILL, pid=self.places.weaviate.pid)
            case Fault.TWO | Fault.REBUILT | Fault.REINDEXED:
                return Act(kind="run", orders=tuple(each.to_json() for each in others))
            case _:
                return None

    def process(self, order: Order) -> Ended:
        """A process that obeys; how it ended."""
        log = self.places.folder / "process.log"
        log.unlink(missing_ok=True)
        running = warm.start(_obey, order.to_json(), environment={**os.environ, **order.environment}, log=log)
        if "proxy" in self.places.__dict__:
            self.places.proxy.hurt = running.pid or 0
        running.join(PATIENCE_S)
        if running.exitcode is None:
            running.kill()
            running.join()
            return Ended(code=FAILED, said=f"it still ran after {PATIENCE_S:.0f} s")
        said = told(Path(order.told), wait_s=0.0).said or log.read_text()[-300:]
        return Ended(code=running.exitcode, said=said)


def _obey(order: str) -> int:
    return worker.obey(Order.from_json(order))


def told(path: Path, *, wait_s: float) -> Ended:
    deadline = time.monotonic() + wait_s
    while not path.exists():
        if time.monotonic() >= deadline:
            return Ended(code=FAILED, said="")
        time.sleep(0.05)
    return Ended(**json.loads(path.read_text()))


def replace_struck(ended: Ended, struck: bool) -> Ended:
    """The same, and whether the point was reached."""
    return Ended(code=ended.code, said=ended.said, struck=struck)


LOST = ("replaced by another writer", "another process is writing")
ENDS: dict[Fault, tuple[int, ...]] = {
    Fault.KILL: (-signal.SIGKILL,),
    Fault.TERM: (INTERRUPTED,),
    Fault.FULL: (FAILED,),
    Fault.PARTIAL: (FAILED,),
    Fault.S3_GONE: (FAILED,),
    Fault.STORE_GONE: (FAILED,),
    Fault.TWO: (0, FAILED),
}
"""How a process ends under each fault; else with 0."""


def unexpected_end(cell: Cell, ended: Ended, others: list[Ended]) -> Iterator[str]:
    """What is odd about how it ended: another way than the fault asks for, or without saying why."""
    if not ended.struck:
        yield f"the point was not reached; it ended with {ended.code}: {ended.said}"
    allowed = ENDS.get(cell.fault, (0,))
    if _may_go_on(cell):
        allowed = (*allowed, 0)
    if ended.code not in allowed:
        yield f"it ended with {ended.code}, not {allowed}: {ended.said}"
    if ended.code == FAILED and not ended.said.partition(": ")[2]:
        yield "it failed and did not say why"
    if cell.fault is Fault.TWO:
        yield from _not_one_winner(cell, [ended, *others])
    elif any(other.code for other in others):
        yield f"another process failed: {[other.said for other in others]}"


def _may_go_on(cell: Cell) -> bool:
    """A collection needs no room and only warns of a server that it cannot reach; a small object fits into the last page."""
    if cell.stage is Stage.GC:
        return cell.fault in (Fault.FULL, Fault.STORE_GONE)
    if cell.fault is Fault.STORE_GONE:  # embedding needs no server, and the check finds it gone
        return False
    return cell.fault is Fault.FULL and cell.root is Root.S3


def _not_one_winner(cell: Cell, writers: list[Ended]) -> Iterator[str]:
    """Of two collections both may win."""
    lost = [each for each in writers if each.code]
    if len(lost) != 1 and cell.stage is not Stage.GC:
        yield f"of two writers {len(writers) - len(lost)} won: {[(each.code, each.said) for each in writers]}"
    for each in lost:
        if not any(text in each.said for text in LOST):
            yield f"the loser does not say that it lost: {each.said}"


def wounds(cell: Cell, before: scene.Scene) -> Iterator[str]:
    """What is wrong between the fault and the next run."""
    storage = before.storage
    there = releases(storage)
    for release in there:
        yield from verify(storage, release.version)
    current = stages.current_version(storage)
    known = {release.version for release in there}
    if current not in known:
        yield f"what is current, {current!r}, is not there"
        return
    yield from stages.wrong_answers(storage, stages.opened(storage))
    yield from (f"held: {each}" for each in stages.wrong_answers(storage, before.held))
    if cell.stage is not Stage.GC and (gone := set(before.versions) - known):
        yield f"releases {sorted(gone)} were there before"
    if cell.stage is Stage.GC and current != before.versions[-1]:
        yield f"a collection changed what is current to {current}"


def reading(cell: Cell, reader: LiveReader) -> Iterator[str]:
    """What the live reader suffered; where a server was taken away it may have met errors, never a wrong answer."""
    yield from (f"a reader got a wrong answer: {each}" for each in reader.wrong[:3])
    if cell.fault not in (Fault.S3_GONE, Fault.STORE_GONE):
        yield from (f"a reader failed: {each}" for each in reader.errors[:3])
        if not reader.asked:
            yield "no reader asked anything"


def _collected(before: scene.Scene) -> Iterator[str]:
    """What a collection takes that it must not, or leaves."""
    storage = before.storage
    stages.gc(storage)
    for release in releases(storage):
        yield from verify(storage, release.version)
    yield from (f"held, after a collection: {each}" for each in stages.wrong_answers(storage, before.held))
    if local := storage.local_path():
        crumbs = [str(path.relative_to(local)) for path in local.rglob("*.partial")]
        if crumbs:
            yield f"left behind: {crumbs[:5]}"


def said(ended: Ended, others: list[Ended]) -> str:
    """How it ended, for the table."""
    signals = {-signal.SIGKILL: "killed", INTERRUPTED: "interrupted", 0: "done"}
    words = signals.get(ended.code, ended.said[:160])
    return "; ".join([words, *(f"the other: {signals.get(each.code, each.said[:100])}" for each in others)])
