"""Writing artifacts: files first, in a place that no reader looks at, and then the manifest that vouches for them.

Which artifacts exist and what their parameters mean is known by those who publish. An artifact with versions may have several
writers at a time: the manifest is swapped (``swap.py``), so that the first to finish wins and the others are told. Any
other has one: on disk the last of two would win, on S3 they would mix their files.
"""

import errno
import fcntl
import hashlib
import io
import os
import shutil
import tempfile
import uuid
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from infra.errors import StorageError, boundary
from infra.storage import atomic
from infra.storage.manifest import (
    MANIFEST,
    SCHEMA_VERSION,
    UNVERSIONED,
    FileEntry,
    Manifest,
    digest,
    sha256_of,
    to_json,
    version_folder,
)
from infra.storage.root import Storage
from infra.storage.swap import Seen, locked_folder, look, swap

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_CHUNK = 1 << 20  # bytes read or hashed at a time
_BATCHES = 16  # of so many bytes wait to be hashed, at most


class _BackgroundHash:
    """Hashes, and at the end flushes to the device, in a thread: neither waits for the other, nor the writer for both."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._thread = ThreadPoolExecutor(max_workers=1)  # starts with the first batch: small files have none
        self._batch: list[bytes] = []
        self._batch_bytes = 0
        self._waiting: deque[Future[None]] = deque()

    def update(self, data: bytes) -> None:
        """Append ``data``; at most ``_BATCHES`` batches wait to be hashed."""
        self._batch.append(data)
        self._batch_bytes += len(data)
        if self._batch_bytes >= _CHUNK:
            self._submit()
        while len(self._waiting) > _BATCHES:
            self._waiting.popleft().result()

    def end(self, file: BinaryIO) -> None:
        """Hash what is left, then flush and close ``file``; both go on when this returns, until ``finish``."""
        self._submit()
        self._waiting.append(self._thread.submit(_flush, file))
        self._thread.shutdown(wait=False)

    def finish(self) -> None:
        """Wait for what ``end`` began. Raises whatever hashing or flushing raised."""
        while self._waiting:
            self._waiting.popleft().result()

    def hexdigest(self) -> str:
        """The hash of all that came before ``end``."""
        self.finish()
        return self._hash.hexdigest()

    def _submit(self) -> None:
        self._waiting.append(self._thread.submit(self._take, self._batch))
        self._batch, self._batch_bytes = [], 0

    def _take(self, batch: list[bytes]) -> None:
        for data in batch:
            self._hash.update(data)


def _flush(file: BinaryIO) -> None:
    """To the device: a manifest must not name bytes that a power cut takes back."""
    with file:
        file.flush()
        os.fsync(file.fileno())


class HashingFile(io.RawIOBase):
    """A new binary file whose sha256 is known when it is finished. Written in one go, from start to end."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("xb")
        self._hashing = _BackgroundHash()
        self.size = 0

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, data: Any, /) -> int:
        """Append ``data``."""
        view = memoryview(data).cast("B")
        self._file.write(view)
        self._hashing.update(data if isinstance(data, bytes) else bytes(view))
        self.size += len(view)
        return len(view)

    def tell(self) -> int:
        """Bytes written so far."""
        return self.size

    def close(self) -> None:
        """No more is written. The bytes are handed to the system at once; they reach the device by ``finish``."""
        if not self.closed:
            try:
                self._file.flush()
            finally:
                self._hashing.end(self._file)
        super().close()

    def finish(self) -> None:
        """Close, and wait until hash and device have it all."""
        self.close()
        self._hashing.finish()

    def entry(self, name: str) -> FileEntry:
        """What the manifest says about this file."""
        return FileEntry(name=name, size=self.size, sha256=self._hashing.hexdigest())


class ArtifactWriter:
    """An artifact being written, in a directory that no reader looks at.

    Files are written through ``open`` and ``write_bytes``, or by any library straight into ``directory``.
    ``counts`` and ``inputs`` may be filled until the end of the ``with`` block; ``manifest`` is there after
    it.
    """

    def __init__(self, directory: Path, inputs: Mapping[str, str]) -> None:
        self.directory = directory
        self.inputs = dict(inputs)
        self.counts: dict[str, int] = {}
        self.manifest: Manifest | None = None
        self.abandoned = False
        self._open_files: dict[str, HashingFile] = {}

    def open(self, name: str) -> HashingFile:
        """A new file of the artifact, hashed while it is written."""
        FileEntry(name=name, size=0, sha256="")  # refuses names that readers would refuse
        self._open_files[name] = HashingFile(self.directory / name)
        return self._open_files[name]

    def write_bytes(self, name: str, data: bytes) -> None:
        """A whole file of the artifact."""
        with self.open(name) as file:
            file.write(data)

    def abandon(self) -> None:
        """Publish nothing at the end of the block; what was published before stays."""
        self.abandoned = True

    def entries(self) -> tuple[FileEntry, ...]:
        """Every file there is now, in name order; those written by other libraries are hashed here."""
        files = (path for path in self.directory.rglob("*") if path.is_file())
        return tuple(
            self._entry(name) for name in sorted(str(path.relative_to(self.directory)) for path in files)
        )

    def _entry(self, name: str) -> FileEntry:
        if written := self._open_files.get(name):
            written.finish()
            return written.entry(name)
        path = self.directory / name
        return FileEntry(name=name, size=path.stat().st_size, sha256=sha256_of(path))


@contextmanager
def publish(
    storage: Storage,
    directory: str,
    *,
    producer: str,
    params: Mapping[str, Any],
    inputs: Mapping[str, str],
    versioned: bool = False,
) -> Iterator[ArtifactWriter]:
    """Write an artifact; it replaces the one at ``directory`` only when the block ends without an error.

    On disk the files are written beside the target and the finished directory is renamed; on S3 they are written to local
    scratch and uploaded, and the manifest goes last. If it is ``versioned``, the version before stays, in a folder of its
    own, for those who read it; nobody but ``assets.releases`` removes it.

    Raises:
        LostRaceError: if another has published a version since this one began.
    """
    seen = look(storage, f"{directory}/{MANIFEST}") if versioned else None
    with _staging(storage, directory) as staging:
        publication = ArtifactWriter(staging, inputs)
        with _naming_the_disk(staging):
            yield publication
        if publication.abandoned:
            return
        manifest = Manifest(
            schema_version=SCHEMA_VERSION if versioned else UNVERSIONED,
            producer=producer,
            params=dict(params),
            inputs=publication.inputs,
            files=publication.entries(),
            counts=publication.counts,
        )
        if versioned:
            manifest = replace(manifest, folder=version_folder(digest(manifest)))
        (staging / MANIFEST).write_bytes(to_json(manifest))
        with boundary(StorageError, f"publish {directory!r}"):
            if seen:
                _commit_version(storage, directory, staging, manifest, seen)
            else:
                _commit(storage, directory, staging, manifest)
        publication.manifest = manifest


@contextmanager
def _naming_the_disk(folder: Path) -> Iterator[None]:
    """A disk that is full, or a file that may not grow, is reported with the folder, where the error names none."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM or error.filename:
            raise
        raise OSError(error.errno, error.strerror, str(folder.parent)) from error


@contextmanager
def _staging(storage: Storage, directory: str) -> Iterator[Path]:
    target = storage.local_path(directory)
    if target is None:
        with tempfile.TemporaryDirectory(prefix="publish-") as scratch:
            yield Path(scratch)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with locked_folder(target.parent):  # nobody sweeps what another has made and not locked yet
        _sweep(target)
        staging = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.partial")
        staging.mkdir()
        lock = os.open(staging, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)  # released by the kernel however this process ends
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        os.close(lock)


def _sweep(target: Path) -> None:
    """Remove what killed runs left beside ``target``: staging directories that nobody holds a lock on."""
    for leftover in target.parent.glob(f".{target.name}.????????.partial"):
        lock = os.open(leftover, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(leftover, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(lock)


def _commit_version(storage: Storage, directory: str, staging: Path, manifest: Manifest, seen: Seen) -> None:
    """Put the version beside the others, then point to it."""
    folder = f"{directory}/{manifest.folder}"
    if target := storage.local_path(folder):
        if not _has(target, manifest):
            target.parent.mkdir(exist_ok=True)
            atomic.replace(staging, target)
    else:
        for file in manifest.files:
            storage.fs.put_file(str(staging / file.name), storage.path(folder, file.name))
        storage.fs.pipe_file(storage.path(folder, MANIFEST), to_json(manifest))
    swap(storage, f"{directory}/{MANIFEST}", seen, to_json(manifest))


def _has(folder: Path, manifest: Manifest) -> bool:
    """Whether the very same version is there, and has lost nothing."""
    files = [(folder / file.name, file.size) for file in manifest.files]
    return (folder / MANIFEST).is_file() and all(
        path.is_file() and path.stat().st_size == size for path, size in files
    )


def _commit(storage: Storage, directory: str, staging: Path, manifest: Manifest) -> None:
    if target := storage.local_path(directory):
        atomic.replace(staging, target)
        return
    stale = set(storage.sizes(directory)) - {file.name for file in manifest.files} - {MANIFEST}
    manifest_path = storage.path(directory, MANIFEST)
    if storage.exists(manifest_path):
        storage.fs.rm_file(manifest_path)
    for file in manifest.files:
        storage.fs.put_file(str(staging / file.name), storage.path(directory, file.name))
    storage.fs.pipe_file(manifest_path, (staging / MANIFEST).read_bytes())
    for name in sorted(stale):
        storage.fs.rm_file(storage.path(directory, name))
