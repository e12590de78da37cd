"""A real Weaviate on free loopback ports, which tests may kill and start again.

The binary is made by ``make weaviate``; without it the tests that need a server are skipped with one line.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from infra.vector_stores.weaviate_collections import WeaviateAddress
from tests.ports import free_ports

VERSION = "1.35.2"
BINARY = Path(__file__).resolve().parents[2] / ".weaviate" / f"weaviate-{VERSION}"
START_TIMEOUT_S = 90.0
PORTS = {
    "GRPC_PORT",
    "CLUSTER_GOSSIP_BIND_PORT",
    "CLUSTER_DATA_BIND_PORT",
    "RAFT_PORT",
    "RAFT_INTERNAL_RPC_PORT",
    "GO_PROFILING_PORT",
    "PROMETHEUS_MONITORING_PORT",
}


@dataclass
class WeaviateServer:
    """A server process over ``folder``; the ports stay the same when it is started again."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._http, *others = free_ports(1 + len(PORTS))
        self._ports = dict(zip(sorted(PORTS), others, strict=True))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> WeaviateAddress:
        """For the client."""
        return WeaviateAddress(url=f"http://127.0.0.1:{self._http}", grpc_port=self._ports["GRPC_PORT"])

    @property
    def environment(self) -> dict[str, str]:
        """Of a command that shall find the server."""
        return {"WEAVIATE_URL": self.address.url, "WEAVIATE_GRPC_PORT": str(self.address.grpc_port)}

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self._process
        return self._process.pid

    @property
    def resident_mib(self) -> int:
        """Memory that the process holds now."""
        assert self._process
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return next(int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith("VmRSS"))

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        variables = {
            **{name: str(port) for name, port in self._ports.items()},
            "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": "true",
            "AUTOSCHEMA_ENABLED": "false",
            "PERSISTENCE_DATA_PATH": str(self.folder / "data"),
            "DEFAULT_VECTORIZER_MODULE": "none",
            "ENABLE_MODULES": "",
            "CLUSTER_HOSTNAME": "node1",
            "CLUSTER_ADVERTISE_ADDR": "127.0.0.1",
            "RAFT_BOOTSTRAP_EXPECT": "1",
            "DISABLE_TELEMETRY": "true",
            "LOG_LEVEL": "warning",
            **self.settings,
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [BINARY, "--scheme", "http", "--host", "127.0.0.1", "--port", str(self._http)],
                env={**os.environ, **variables},
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
            )
        self._wait_until_ready()

    def ensure(self) -> None:
        """Start it again if somebody has killed it."""
        if self._process is None or self._process.poll() is not None:
            self.start()

    def kill(self) -> None:
        """As a power cut does it to a process: nothing is flushed."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """In good order."""
        self._end(signal.SIGTERM)

    def _end(self, sign: signal.Signals) -> None:
        if self._process and self._process.poll() is None:
            self._process.send_signal(sign)
            try:
                self._process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _wait_until_ready(self) -> None:
        assert self._process
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                urllib.request.urlopen(f"{self.address.url}/v1/.well-known/ready", timeout=1).close()
                return
            except (urllib.error.HTTPError, OSError):
                time.sleep(0.1)
        log = (self.folder / "server.log").read_text(errors="replace")[-2000:]
        self.kill()
        raise RuntimeError(f"Weaviate did not start within {START_TIMEOUT_S:.0f} s:\n{log}")
