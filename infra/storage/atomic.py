"""Files and folders that are whole or not there: written beside their place, then renamed into it.

Whenever a process is killed, a reader finds the old content or the new one. The one place of ``infra`` and the layers above it
where this is done; ``model/training/atomic.py`` does it for the model, which imports nothing of ``infra``.
"""

import ctypes
import glob
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

AT_FDCWD, RENAME_EXCHANGE = -100, 2  # <fcntl.h>, <linux/fs.h>


def partial_path(target: Path, *, shared: bool = False) -> Path:
    """Where ``target`` is written until it is whole: hidden, in the same folder.

    If it is ``shared``, other processes may write the same target at the same time, each its own partial file.
    """
    writer = f".{os.getpid()}" if shared else ""
    return target.with_name(f".{target.name}{writer}.partial")


def leftovers(target: Path) -> list[Path]:
    """What writers that share ``target`` have begun beside it and not renamed: under way, or left by those that were killed."""
    return list(target.parent.glob(f".{glob.escape(target.name)}.*.partial"))


@contextmanager
def replacing(target: Path, *, shared: bool = False, durable: bool = False) -> Iterator[Path]:
    """A path to write a file or a folder at; it replaces ``target`` if the block ends without an error.

    What a killed process left half-written is removed first. See ``partial_path`` for ``shared``, ``replace`` for ``durable``.
    """
    partial = partial_path(target, shared=shared)
    target.parent.mkdir(parents=True, exist_ok=True)
    remove(partial)
    try:
        yield partial
        replace(partial, target, durable=durable)
    finally:
        remove(partial)


def replace(partial: Path, target: Path, *, durable: bool = False) -> None:
    """Give a finished file or folder the name ``target``; what had it before is removed.

    A ``durable`` file reaches the device first, so that a power cut takes nothing back.
    """
    if partial.is_dir():
        if target.exists() and _exchanged(partial, target):
            remove(partial)
            return
        replaced = target.with_name(f".{target.name}.replaced.partial")
        remove(replaced)
        if target.exists():
            target.rename(replaced)
        partial.rename(target)
        remove(replaced)
        return
    if durable:
        with partial.open("rb") as file:
            os.fsync(file.fileno())
    partial.replace(target)


def _exchanged(one: Path, other: Path) -> bool:
    """Swap two names in one act, so that no kill falls between; False where the system or the disk cannot."""
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    paths = os.fsencode(one), os.fsencode(other)
    return rename is not None and rename(AT_FDCWD, paths[0], AT_FDCWD, paths[1], RENAME_EXCHANGE) == 0


def remove(path: Path) -> None:
    """Remove a file or a folder with everything in it; nothing happens if it is absent."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
