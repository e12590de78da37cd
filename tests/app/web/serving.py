"""``vimrag serve`` as a process on loopback, for as long as a test needs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_TIMEOUT_S = 60.0
_ADDRESS = re.compile(rb"http://127\.0\.0\.1:\d+")


@contextmanager
def serving(root: Path, *options: str, **environment: str) -> Iterator[str]:
    """Its address. ``environment`` is added to what is left of this process's without our own variables."""
    command = [sys.executable, "-m", "app.cli", "serve", "--root", str(root), "--port", "0", *options]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("VIMRAG_")}
    with tempfile.NamedTemporaryFile(suffix=".log") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env=inherited | environment)
        try:
            yield _address_in(Path(log.name), server)
        finally:
            server.terminate()
            try:
                server.wait(timeout=10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait(timeout=10)


def _address_in(log: Path, server: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and server.poll() is None:
        if found := _ADDRESS.search(log.read_bytes()):
            return found.group().decode()
        time.sleep(0.05)
    raise AssertionError(f"vimrag serve did not start:\n{log.read_text(errors='replace')[-2000:]}")
