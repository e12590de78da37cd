"""A real Postgres on a free loopback port, in a folder of its own; it refuses to run as root, so root gives it away."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.ports import free_ports

PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")


def postgres_binaries() -> Path | None:
    """The folder with ``initdb`` and ``pg_ctl``; Debian keeps them out of the path."""
    found = shutil.which("pg_ctl")
    candidates = [Path(found).resolve().parent] if found else []
    for place in PLACES:
        candidates += sorted(Path("/").glob(place.lstrip("/")), reverse=True)
    return next((folder for folder in candidates if (folder / "initdb").is_file()), None)


class PostgresServer:
    """One database ``dagster`` of the user ``dagster``, with the password that is given."""

    def __init__(self, password: str) -> None:
        binaries = postgres_binaries()
        if binaries is None:
            pytest.skip("no Postgres: apt-get install postgresql")
        self._bin, self._password = binaries, password
        [self.port] = free_ports(1)
        self._folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        self._user = "postgres" if _has_user("postgres") else "nobody"
        if os.getuid() == 0:
            shutil.chown(self._folder, self._user)

    @property
    def url(self) -> str:
        """For a client."""
        return f"postgresql://dagster:{self._password}@127.0.0.1:{self.port}/dagster"

    def start(self) -> None:
        """Make the cluster, start it, make the database."""
        secret = self._folder / "password"
        secret.write_text(self._password)
        secret.chmod(0o644)
        data = self._folder / "data"
        self._run(
            "initdb", "-D", data, "-U", "dagster", "--auth=scram-sha-256", f"--pwfile={secret}", "--no-sync"
        )
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        self._run("pg_ctl", "-D", data, "-w", "-l", self._folder / "log", "-o", options, "start")
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "dagster", "dagster")

    def stop(self) -> None:
        """Stop it, and remove its folder."""
        self._run("pg_ctl", "-D", self._folder / "data", "-m", "immediate", "stop", check=False)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str | Path, check: bool = True) -> None:
        done = subprocess.run(
            [self._bin / program, *arguments],
            user=self._user if os.getuid() == 0 else None,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C", "PGPASSWORD": self._password},
            cwd=self._folder,
            stdout=subprocess.DEVNULL,  # the server keeps it open
            stderr=subprocess.DEVNULL,
            check=False,
            timeout=60,
        )
        if check and done.returncode:
            log = self._folder / "log"
            pytest.fail(f"{program} ended with {done.returncode}: {log.read_text() if log.exists() else ''}")


def _has_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
