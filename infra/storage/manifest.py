"""Artifacts that are either complete or not there: a directory and the ``manifest.json`` that vouches for it.

Holds the record and reading it; artifacts are written by ``publication.py``. Of an artifact with versions ``manifest.json`` is
the one that is current, and its files lie in a folder of their own beside a copy of it, so that whoever reads a version keeps
it while another takes its place. Manifests hold neither times nor hosts, so that equal inputs give equal bytes.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any

from infra.storage.root import Storage

SCHEMA_VERSION = 2
UNVERSIONED = 1  # the schema of a manifest whose files lie beside it
MANIFEST = "manifest.json"
_PART = r"[A-Za-z0-9_][A-Za-z0-9_.=+-]*"
_SAFE_NAME = re.compile(rf"{_PART}(/{_PART})*")  # no "..", no absolute path, no "pipe:" or "file:" URL
_FOLDER = re.compile(r"[0-9a-f]{16}")


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

    schema_version: int = UNVERSIONED
    producer: str
    params: Mapping[str, Any]
    inputs: Mapping[str, str]
    files: tuple[FileEntry, ...]
    counts: Mapping[str, int]
    folder: str = ""
    """Of a version: where its files lie, below the directory."""

    def __post_init__(self) -> None:
        """Refuse a folder that leads elsewhere."""
        if self.folder and not _FOLDER.fullmatch(self.folder):
            raise ValueError(f"a version's folder has 16 hex digits, not {self.folder!r}")

    def entry(self, name: str) -> FileEntry:
        """The file called ``name``; ``ValueError`` if the manifest does not vouch for one."""
        for file in self.files:
            if file.name == name:
                return file
        raise ValueError(f"the manifest names no file {name!r}")


def read(storage: Storage, directory: str, version: str | None = None) -> Manifest:
    """The manifest of a finished artifact, every file of which is there at its size.

    Args:
        storage: the root.
        directory: of the artifact.
        version: the digest, or as much of it as its folder has, of a version; by default the current one.

    Raises:
        ValueError: if there is no manifest, if it is damaged or of a newer schema, or if a file is missing or
            of another size.
    """
    kept = f"{directory}/{version_folder(version)}" if version else directory
    try:
        manifest = from_json(storage.read_bytes(f"{kept}/{MANIFEST}"))
    except FileNotFoundError as error:
        if version:
            return _only_version(storage, directory, version)
        raise ValueError(f"nothing finished at {storage.path(directory)!r}; build it first") from error
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"damaged {MANIFEST} at {storage.path(directory)!r}: {error}") from error
    if manifest.schema_version > SCHEMA_VERSION:
        raise ValueError(f"{directory!r} has schema {manifest.schema_version}, known up to {SCHEMA_VERSION}")
    sizes = storage.sizes(folder_of(directory, manifest))
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


def _only_version(storage: Storage, directory: str, version: str) -> Manifest:
    """An artifact of one version, as they were once, if it is the one."""
    current = read(storage, directory)
    if digest(current)[: len(version)] != version:
        raise ValueError(
            f"version {version[:16]} of {storage.path(directory)!r} is gone; build what needs it again"
        )
    return current


def folder_of(directory: str, manifest: Manifest) -> str:
    """Where the files lie."""
    return f"{directory}/{manifest.folder}" if manifest.folder else directory


def version_folder(digest_: str) -> str:
    """The name of the folder of a version."""
    return digest_[:16]


def open_file(storage: Storage, directory: str, name: str, version: str | None = None) -> IO[bytes]:
    """A file of the current version, or of the one named; raises as ``read`` does."""
    manifest = read(storage, directory, version)
    return storage.open(f"{folder_of(directory, manifest)}/{manifest.entry(name).name}")


def digest(manifest: Manifest) -> str:
    """Hash of everything the manifest says, in hex; equal exactly when producer, inputs and content are."""
    return hashlib.sha256(to_json(replace(manifest, folder=""))).hexdigest()


def sha256_of(path: Path) -> str:
    """The sha256 of a local file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def from_json(data: bytes) -> Manifest:
    """What ``to_json`` wrote; ``ValueError``, ``KeyError``, ``TypeError`` or ``AttributeError`` for anything else."""
    raw = json.loads(data)
    files = tuple(FileEntry(**entry) for entry in raw.pop("files"))
    return Manifest(files=files, **raw)


def to_json(manifest: Manifest) -> bytes:
    """As it is stored."""
    fields = asdict(manifest)
    if not manifest.folder:
        del fields["folder"]
    return json.dumps(fields, sort_keys=True, indent=1, ensure_ascii=False).encode() + b"\n"
