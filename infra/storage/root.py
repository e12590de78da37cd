"""One root, on disk or on S3, behind fsspec.

Holds plain access and the option dictionaries of the libraries that open the root themselves; what makes a
directory trusted is ``manifest.py``. Credentials come from the options or from the environment *at the time
of the call*; they are never part of a repr, an error or a manifest.
"""

import os
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import IO, Any, cast

import fsspec
from fsspec import AbstractFileSystem

from infra.errors import StorageError, boundary
from infra.storage import atomic

OPTION_VARIABLES: dict[str, tuple[str, ...]] = {
    "endpoint": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
    "key": ("AWS_ACCESS_KEY_ID",),
    "secret": ("AWS_SECRET_ACCESS_KEY",),
    "token": ("AWS_SESSION_TOKEN",),
    "region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
}
"""Each option and the environment variables it is read from when it is not given."""


CHECKSUMS = {
    "request_checksum_calculation": "when_required",
    "response_checksum_validation": "when_required",
}
"""Of boto. Stores other than AWS (R2, Ceph, MinIO before 2025) refuse the checksum headers that it sends by default; every file
of ours stands with its hash in a manifest."""
DELETERS = 16  # requests under way at once
REFUSED_CHARS = "#?%"
"""In a prefix on S3: libraries that open the root take it for a URL, where these end the path or stand for another character."""


class Storage:
    """A root URI (a path, ``file://`` or ``s3://bucket/prefix``) and everything below it.

    Every ``path`` argument is relative to the root, or full as ``path()`` returns it. Pickles as root and
    options: each process opens its own connection, because asynchronous file systems do not survive a fork.
    """

    def __init__(self, root: str | Path, options: Mapping[str, str] | None = None) -> None:
        """``options``: any of endpoint, key, secret, token, region; only S3 reads them."""
        if unknown := sorted(set(options or {}) - set(OPTION_VARIABLES)):
            raise ValueError(f"unknown storage options {unknown}; known: {sorted(OPTION_VARIABLES)}")
        self.root = _normalise_root(str(root))
        self._options = dict(options or {})
        self._fs: AbstractFileSystem | None = None
        self._fs_pid = 0

    @property
    def is_local(self) -> bool:
        """True if the root is a directory of this machine."""
        return not self.root.startswith("s3://")

    @property
    def fs(self) -> AbstractFileSystem:
        """The fsspec file system of this process, opened at first use."""
        if self._fs is None or self._fs_pid != os.getpid():
            self._fs, self._fs_pid = self._connect(), os.getpid()
        return self._fs

    def path(self, *parts: str) -> str:
        """The full path, as fsspec, polars and lance take it.

        Raises:
            ValueError: if the parts climb out of the root.
        """
        joined = "/".join(part.rstrip("/") for part in parts if part)
        relative = "" if joined == self.root else joined.removeprefix(f"{self.root}/")
        if relative.startswith("/") or "://" in relative or ".." in relative.split("/"):
            raise ValueError(f"path {joined!r} is not below the root {self.root!r}")
        return f"{self.root}/{relative}" if relative else self.root

    def local_path(self, *parts: str) -> Path | None:
        """The same as ``path``, as a ``Path``; None on S3."""
        return Path(self.path(*parts)) if self.is_local else None

    def open(self, path: str, mode: str = "rb") -> IO[Any]:
        """A file; writing makes its parents. Raises ``FileNotFoundError``, else ``StorageError``."""
        full = self.path(path)
        with boundary(StorageError, f"open {path!r}", passing=(FileNotFoundError,)):
            if self.is_local and "r" not in mode:
                Path(full).parent.mkdir(parents=True, exist_ok=True)
            return cast(IO[Any], self.fs.open(full, mode))

    def read_bytes(self, path: str, *, start: int | None = None, end: int | None = None) -> bytes:
        """The file, or its bytes ``[start, end)``. Raises ``FileNotFoundError``, else ``StorageError``."""
        full = self.path(path)
        with boundary(StorageError, f"read {path!r}", passing=(FileNotFoundError,)):
            return cast(bytes, self.fs.cat_file(full, start=start, end=end))

    def write_bytes(self, path: str, data: bytes) -> None:
        """Write a whole file; on disk a reader sees the old bytes or the new ones, on S3 too."""
        full = self.path(path)
        with boundary(StorageError, f"write {path!r}"):
            if not self.is_local:
                self.fs.pipe_file(full, data)
                return
            with atomic.replacing(Path(full), shared=True, durable=True) as partial:
                partial.write_bytes(data)

    def exists(self, path: str) -> bool:
        """Whether there is a file or directory at ``path``."""
        full = self.path(path)
        with boundary(StorageError, f"look up {path!r}"):
            return self.fs.exists(full)

    def modified(self, path: str) -> float:
        """When a file was written last, in seconds since 1970; ``FileNotFoundError`` if it is absent."""
        with boundary(StorageError, f"look up {path!r}", passing=(FileNotFoundError,)):
            return self.fs.modified(self.path(path)).timestamp()

    def now(self) -> float:
        """Seconds since 1970 by the clock that ``modified`` goes by, which is the store's and may differ from this machine's.

        Where nothing may be written on disk, and where a store tells no time, it is that of this machine.
        """
        if self.is_local:
            try:
                with tempfile.TemporaryFile(dir=self.root) as probe:
                    return os.fstat(probe.fileno()).st_mtime
            except OSError:
                return time.time()
        bucket = self.root.removeprefix("s3://").partition("/")[0]
        with boundary(StorageError, "ask the store for its time"):
            answer = cast(Any, self.fs).call_s3("head_bucket", Bucket=bucket)
            date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
            return parsedate_to_datetime(date).timestamp() if date else time.time()

    def list(self, path: str = "") -> tuple[str, ...]:
        """Names directly below ``path``, sorted, hidden ones left out; empty if there is nothing."""
        full = self.path(path)
        with boundary(StorageError, f"list {path!r}"):
            try:
                entries = self.fs.ls(full, detail=False, refresh=True)
            except (FileNotFoundError, NotADirectoryError):
                return ()
        names = {entry.rstrip("/").rsplit("/", 1)[-1] for entry in entries}
        return tuple(sorted(name for name in names if name and not name.startswith(".")))

    def sizes(self, path: str) -> dict[str, int]:
        """Size in bytes of every file below ``path``, by its name relative to ``path``."""
        full = self.path(path)
        prefix = full.removeprefix("s3://")
        with boundary(StorageError, f"list {path!r}"):
            entries = cast(dict[str, Any], self.fs.find(full, detail=True, refresh=True))
        return {name.removeprefix(prefix).lstrip("/"): int(info["size"]) for name, info in entries.items()}

    def remove_file(self, path: str) -> None:
        """Remove one file; nothing happens if it is absent."""
        full = self.path(path)
        with boundary(StorageError, f"remove {path!r}"):
            if self.is_local:
                Path(full).unlink(missing_ok=True)
            else:
                self.fs.rm_file(full)

    def remove_tree(self, path: str) -> None:
        """Remove a directory and everything in it; nothing happens if it is absent.

        Raises:
            ValueError: for the root itself.
        """
        full = self.path(path)
        if full == self.root:
            raise ValueError("refusing to remove the whole root")
        with boundary(StorageError, f"remove {path!r}"):
            if self.is_local:
                while os.path.lexists(full):
                    with suppress(FileNotFoundError):  # somebody else removes the same
                        self.fs.rm(full, recursive=True)
                return
            # one by one: deleting many at once wants a checksum that some stores do not know
            names = cast(list[str], self.fs.find(full, refresh=True))
            with ThreadPoolExecutor(DELETERS) as pool:
                list(pool.map(self.fs.rm_file, names))

    def object_store_options(self) -> dict[str, str]:
        """``storage_options`` of polars and LanceDB; empty on disk."""
        if self.is_local:
            return {}
        values = self._resolved()
        names = {
            "endpoint": "aws_endpoint",
            "key": "aws_access_key_id",
            "secret": "aws_secret_access_key",
            "token": "aws_session_token",
            "region": "aws_region",
        }
        options = {names[name]: value for name, value in values.items()}
        if values.get("endpoint", "").startswith("http://"):
            options["aws_allow_http"] = options["allow_http"] = "true"
        return options

    def _resolved(self) -> dict[str, str]:
        resolved = {"region": "us-east-1"}  # servers other than AWS want one and ignore it
        for name, variables in OPTION_VARIABLES.items():
            given = [self._options.get(name), *(os.environ.get(variable) for variable in variables)]
            if value := next((value for value in given if value), None):
                resolved[name] = value
        return resolved

    def _connect(self) -> AbstractFileSystem:
        if self.is_local:
            return fsspec.filesystem("file", auto_mkdir=False)
        with boundary(StorageError, f"connect to {self.root}"):
            values = self._resolved()
            return fsspec.filesystem(
                "s3",
                key=values.get("key"),
                secret=values.get("secret"),
                token=values.get("token"),
                endpoint_url=values.get("endpoint"),
                client_kwargs={"region_name": values["region"]},
                config_kwargs=CHECKSUMS,
                use_listings_cache=False,
                skip_instance_cache=True,
            )

    def __repr__(self) -> str:
        """The root, and no credential."""
        return f"Storage({self.root!r})"

    def __getstate__(self) -> dict[str, Any]:
        """Without the connection."""
        return {"root": self.root, "options": self._options}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A storage that connects at first use."""
        self.__init__(state["root"], state["options"])


def _normalise_root(root: str) -> str:
    if root.startswith("s3://"):
        bucket = root.removeprefix("s3://").rstrip("/")
        if not bucket or bucket.startswith("/"):
            raise ValueError(f"an S3 root needs a bucket: {root!r}")
        if refused := sorted(set(bucket) & set(REFUSED_CHARS)):
            raise ValueError(
                f"a root on S3 may not hold {' or '.join(refused)}: {root!r}; take another prefix"
            )
        return f"s3://{bucket}"
    if "://" in root and not root.startswith("file://"):
        raise ValueError(f"unknown kind of root {root!r}; give a path, file:// or s3://")
    if not root.removeprefix("file://"):
        raise ValueError("the root is empty")
    return os.path.abspath(os.path.expanduser(root.removeprefix("file://")))
