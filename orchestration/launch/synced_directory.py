"""A directory below the root as a folder of this machine: the folder itself on disk, a copy that is kept up on S3.

Holds the copying only. Libraries that load and save checkpoints want real paths; whether an artifact is whole is said by its
manifest, which therefore travels last.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

from infra.errors import StorageError, boundary
from infra.storage.manifest import MANIFEST
from infra.storage.root import Storage


class SyncedDirectory:
    """``path`` is the folder to work in; ``pull`` brings what the root has, ``push`` takes there what the folder has.

    Use as a context manager: a copy is removed at the end.
    """

    def __init__(
        self, storage: Storage, directory: str, *, before_write: Callable[[], None] = lambda: None
    ) -> None:
        """``before_write`` is called before each file that is uploaded or removed, and raises to end it."""
        self._storage, self._directory, self._before_write = storage, directory, before_write
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        if (local := storage.local_path(directory)) is not None:
            self.path = local
        else:
            self._scratch = tempfile.TemporaryDirectory(prefix="mirror-")
            self.path = Path(self._scratch.name)

    def pull(self) -> Path:
        """The folder, with everything the root holds of it."""
        if self._scratch is None:
            return self.path
        with boundary(StorageError, f"download {self._directory!r}"):
            for name in self._storage.sizes(self._directory) if self._storage.exists(self._directory) else ():
                if not name:
                    continue  # some object stores keep an object for the folder itself
                target = self.path / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(self._storage.read_bytes(f"{self._directory}/{name}"))
        return self.path

    def push(self) -> None:
        """Upload every file, manifests last; files that the folder no longer has are removed there."""
        if self._scratch is None:
            return
        files = sorted(
            (path for path in self.path.rglob("*") if path.is_file()), key=lambda path: path.name == MANIFEST
        )
        names = [path.relative_to(self.path).as_posix() for path in files]
        with boundary(StorageError, f"upload {self._directory!r}"):
            there = self._storage.sizes(self._directory) if self._storage.exists(self._directory) else {}
            for name in names:
                self._before_write()
                self._storage.write_bytes(f"{self._directory}/{name}", (self.path / name).read_bytes())
            for name in set(there) - set(names) - {""}:
                self._before_write()
                self._storage.fs.rm_file(self._storage.path(self._directory, name))

    def __enter__(self) -> "SyncedDirectory":
        return self

    def __exit__(self, *_: object) -> None:
        if self._scratch is not None:
            self._scratch.cleanup()
