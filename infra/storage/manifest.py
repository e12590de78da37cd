"""Artifacts that are either complete or not there: a directory and the ``manifest.json`` that vouches for it.

Holds the record, publishing and reading; which artifacts exist and what their parameters mean is known by
those who publish. A directory has one writer at a time: on disk the last of two would win, on S3 they would
mix their files. Manifests hold neither times nor hosts, so that equal inputs give equal bytes.
"""

import fcntl
import hashlib
import io
import json
import os
import re
import shutil
import tempfile
import uuid
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from infra.errors import StorageError, boundary
from infra.storage import atomic
from infra.storage.root import Storage

SCHEMA_VERSION = 1
MANIFEST = "manifest.json"
_PART = r"[A-Za-z0-9_][A-Za-z0-9_.=+-]*"
_SAFE_NAME = re.compile(rf"{_PART}(/{_PART})*")  # no "..", no absolute path, no "pipe:" or "file:" URL
_CHUNK = 1 << 20  # bytes read or hashed at a time
_BATCHES = 16  # of so many bytes wait to be hashed, at most


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """One file of an artifact: ``name`` relative to its directory, ``size`` in bytes, ``sha256`` in hex."""

    name: str
    size: int
    sha256: str

    def __post_init__(self) -> None:
        """Refuse names that lead out of the directory or to another protocol."""
        if not _SAFE_NAME.fullmatch(self.name):
            raise ValueError(f"a manifest may only name plain relative files, not {self.name!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an artifact holds and was made from: ``inputs`` are name -> hash, ``files`` are in name order."""

    schema_version: int = SCHEMA_VERSION
    producer: str
    params: Mapping[str, Any]
    inputs: Mapping[str, str]
    files: tuple[FileEntry, ...]
    counts: Mapping[str, int]

    def entry(self, name: str) -> FileEntry:
        """The file called ``name``; ``ValueError`` if the manifest does not vouch for one."""
        for file in self.files:
            if file.name == name:
                return file
        raise ValueError(f"the manifest names no file {name!r}")


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
    storage: Storage, directory: str, *, producer: str, params: Mapping[str, Any], inputs: Mapping[str, str]
) -> Iterator[ArtifactWriter]:
    """Write an artifact; it replaces the one at ``directory`` only when the block ends without an error.

    On disk the files are written beside the target and the finished directory is renamed; on S3 they are
    written to local scratch, uploaded to their final keys while no manifest is there, and the manifest goes
    last.
    """
    with _staging(storage, directory) as staging:
        publication = ArtifactWriter(staging, inputs)
        yield publication
        if publication.abandoned:
            return
        manifest = Manifest(
            producer=producer,
            params=dict(params),
            inputs=publication.inputs,
            files=publication.entries(),
            counts=publication.counts,
        )
        (staging / MANIFEST).write_bytes(_to_json(manifest))
        with boundary(StorageError, f"publish {directory!r}"):
            _commit(storage, directory, staging, manifest)
        publication.manifest = manifest


def read(storage: Storage, directory: str) -> Manifest:
    """The manifest of a finished artifact, every file of which is there at its size.

    Raises:
        ValueError: if there is no manifest, if it is damaged or of a newer schema, or if a file is missing or
            of another size.
    """
    try:
        raw = json.loads(storage.read_bytes(f"{directory}/{MANIFEST}"))
        files = tuple(FileEntry(**entry) for entry in raw.pop("files"))
        manifest = Manifest(files=files, **raw)
    except FileNotFoundError as error:
        raise ValueError(f"nothing finished at {storage.path(directory)!r}; build it first") from error
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"damaged {MANIFEST} at {storage.path(directory)!r}: {error}") from error
    if manifest.schema_version > SCHEMA_VERSION:
        raise ValueError(f"{directory!r} has schema {manifest.schema_version}, known up to {SCHEMA_VERSION}")
    sizes = storage.sizes(directory)
    if bad := [file.name for file in manifest.files if sizes.get(file.name) != file.size]:
        where = storage.path(directory)
        raise ValueError(f"{where!r} disagrees with its {MANIFEST}: missing or of another size: {bad[:5]}")
    return manifest


def is_current(
    storage: Storage, directory: str, *, producer: str, params: Mapping[str, Any], inputs: Mapping[str, str]
) -> bool:
    """Whether the artifact at ``directory`` is whole and was made the same way from the same inputs."""
    try:
        manifest = read(storage, directory)
    except ValueError:
        return False
    same_way = manifest.producer == producer and dict(manifest.params) == json.loads(json.dumps(dict(params)))
    return same_way and all(manifest.inputs.get(name) == value for name, value in inputs.items())


def digest(manifest: Manifest) -> str:
    """Hash of everything the manifest says, in hex; equal exactly when producer, inputs and content are."""
    return hashlib.sha256(_to_json(manifest)).hexdigest()


def sha256_of(path: Path) -> str:
    """The sha256 of a local file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _to_json(manifest: Manifest) -> bytes:
    return json.dumps(asdict(manifest), sort_keys=True, indent=1, ensure_ascii=False).encode() + b"\n"


@contextmanager
def _staging(storage: Storage, directory: str) -> Iterator[Path]:
    target = storage.local_path(directory)
    if target is None:
        with tempfile.TemporaryDirectory(prefix="publish-") as scratch:
            yield Path(scratch)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
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
