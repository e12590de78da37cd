"""The grid of faults: which stage is hurt, by what, and where. Declares; ``drill.py`` runs a cell.

A cell is named ``stage/fault/root/store``, for instance ``publish/kill/s3/weaviate``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase


class Stage(StrEnum):
    """What a process was doing when it was hurt."""

    CORPUS = "corpus"
    SHARDS = "shards"
    INDEX = "index"
    PUBLISH = "publish"
    PROMOTE = "promote"
    GC = "gc"
    TRAINING = "training"
    EVALUATION = "evaluation"


class Fault(StrEnum):
    """What befalls it; the meaning of each is in ``MEANINGS``."""

    KILL = "kill"
    TERM = "term"
    FULL = "full"
    PARTIAL = "partial"
    S3_GONE = "s3-gone"
    STORE_GONE = "store-gone"
    AHEAD = "ahead"
    BEHIND = "behind"
    TWO = "two"
    REBUILT = "rebuilt"
    REINDEXED = "reindexed"


class Root(StrEnum):
    """What the root lies on."""

    FILE = "file"
    S3 = "s3"


class Store(StrEnum):
    """What the vectors lie in."""

    LANCE = "lance"
    WEAVIATE = "weaviate"


MEANINGS = {
    Fault.KILL: "SIGKILL as it is about to write (on S3 the request is not passed on)",
    Fault.TERM: "SIGTERM there, taken as Dagster's steps take it: an exception where it stands",
    Fault.FULL: "the disk (a tmpfs) is filled to the last byte there; on S3 the disk of the server's volumes",
    Fault.PARTIAL: "half of the bytes arrive: RLIMIT_FSIZE on disk; on S3 each upload is cut in the middle",
    Fault.S3_GONE: "SIGKILL of the SeaweedFS server there; it comes back when the process has ended",
    Fault.STORE_GONE: "SIGKILL of the Weaviate server there; it comes back when the process has ended",
    Fault.AHEAD: "the clock of the process is two hours ahead of the store's, all the time",
    Fault.BEHIND: "the clock of the process is two hours behind the store's, all the time",
    Fault.TWO: "another process does the same stage, from beginning to end, there",
    Fault.REBUILT: "the corpus is built anew there, in other order and with other words, by another process",
    Fault.REINDEXED: "the corpus is built and indexed anew twice, and all that is old collected, there",
}
LEARNING = (Stage.TRAINING, Stage.EVALUATION)
OF_TEXTS = (Stage.CORPUS, Stage.SHARDS)  # no vectors are written by these


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Cell:
    """One combination."""

    stage: Stage
    fault: Fault
    root: Root
    store: Store

    def __str__(self) -> str:
        return f"{self.stage}/{self.fault}/{self.root}/{self.store}"


def cells(only: Sequence[str] = ()) -> list[Cell]:
    """All cells, or those that fit one of the patterns ``only``, in the order of these; ``ValueError`` if there is none."""
    fitting = [cell for pattern in only or ["*"] for cell in _all() if _fits(cell, pattern)]
    chosen = list(dict.fromkeys(fitting))
    if not chosen:
        raise ValueError(
            f"no cell fits {', '.join(only)}: give stage/fault/root/store, any of them *, "
            f"of {' '.join(Stage)} / {' '.join(Fault)} / {' '.join(Root)} / {' '.join(Store)}"
        )
    return chosen


def _fits(cell: Cell, pattern: str) -> bool:
    parts = [*pattern.split("/"), "*", "*", "*"][:4]
    return all(fnmatchcase(value, wanted) for value, wanted in zip(str(cell).split("/"), parts, strict=True))


def _all() -> Iterator[Cell]:
    for stage in Stage:
        for fault in Fault:
            for root in Root:
                for store in Store:
                    cell = Cell(stage=stage, fault=fault, root=root, store=store)
                    if _exists(cell):
                        yield cell


def _exists(cell: Cell) -> bool:
    """Whether there is such a thing."""
    if cell.fault is Fault.S3_GONE and cell.root is not Root.S3:
        return False
    if cell.fault is Fault.STORE_GONE and cell.store is not Store.WEAVIATE:
        return False
    if cell.fault in (Fault.REBUILT, Fault.REINDEXED):
        wanted = Stage.INDEX if cell.fault is Fault.REBUILT else Stage.TRAINING
        return cell.stage is wanted
    if cell.stage in OF_TEXTS or cell.stage in LEARNING:
        # what the store is changes nothing of what they write; that it goes away does, for those who read it
        reads_a_server = cell.stage in LEARNING and cell.fault is Fault.STORE_GONE
        return (cell.store is Store.LANCE) != reads_a_server
    return not (cell.stage is Stage.GC and cell.fault is Fault.PARTIAL)  # a collection uploads nothing
