"""Files and folders that are whole or not there, as ``infra/storage/atomic.py`` writes them; the model imports nothing of it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def partial_path(target: Path) -> Path:
    """Where ``target`` is written until it is whole: hidden, in the same folder."""
    return target.with_name(f".{target.name}.partial")


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A path to write a file or a folder at; it replaces ``target`` if the block ends without an error."""
    partial = partial_path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(partial, ignore_errors=True)  # what a killed process left; a file is simply written over
    yield partial
    if not partial.is_dir():
        partial.replace(target)
        return
    replaced = target.with_name(f".{target.name}.replaced")
    shutil.rmtree(replaced, ignore_errors=True)
    if target.exists():
        target.rename(replaced)
    partial.rename(target)
    shutil.rmtree(replaced, ignore_errors=True)
