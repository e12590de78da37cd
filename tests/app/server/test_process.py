"""``vimrag serve`` as a real process: what it refuses, what it logs, how it stops."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.cli import main
from app.commands import serve
from tests.app.server.serving import events
from tests.servers.openai_server import Fault, OpenAIServer

REPOSITORY = Path(__file__).resolve().parents[3]
SECRET_QUESTION = "where-is-the-silver-kept"
SECRET_TOKEN = "quiet-token-7"
STALL = Fault(text="thinking about it for a long while", then="stall")


@contextmanager
def process(*arguments: object, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command, and the address it says it serves on."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("VIMRAG", "OPENAI"))}
    command = [sys.executable, "-m", "app.cli", "serve", "--port", "0", *map(str, arguments)]
    started = subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env=clean | environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert started.stderr is not None
        greeting = started.stderr.readline()
        found = re.search(r"http://[^/ ]+", greeting)
        assert found, greeting + started.stderr.read()
        yield started, found[0]
    finally:
        started.kill()
        started.wait()


def test_a_signal_ends_questions_with_a_word_and_the_process_in_order(root: Path):
    with (
        OpenAIServer(STALL) as model,
        process("--root", root, "--endpoint", model.base_url, VIMRAG_TOKEN=SECRET_TOKEN) as (server, url),
    ):
        headers = {"authorization": f"Bearer {SECRET_TOKEN}"}
        with httpx.Client(base_url=url, timeout=30, headers=headers, trust_env=False) as http:
            assert http.get("/", params={"token": SECRET_TOKEN}).status_code == 303
            assert http.post("/v1/search", json={"query": SECRET_QUESTION}).status_code == 200
            assert http.get("/v1/items/" + SECRET_QUESTION).status_code == 404
            assert http.get("/static/ask.css").status_code == 200  # a part of the page is no line
            assert http.get("/static/none.css").status_code == 404
            with http.stream("POST", "/v1/ask", json={"question": SECRET_QUESTION}) as response:
                told = events(response.iter_lines())
                assert next(each.name for each in told if each.name == "spoke")
                server.send_signal(signal.SIGTERM)
                last = list(told)[-1]
            assert (last.name, last.data["code"]) == ("failed", "stopping")
        out, log = server.communicate(timeout=30)
    assert server.returncode == 0 and out == ""
    assert "Traceback" not in log
    lines = [line for line in log.splitlines() if "vimrag.access" in line]
    assert len(lines) == 5  # one a request
    assert "POST /v1/ask 200" in lines[-1] and "GET /static/{name} 404" in lines[-2]
    assert "GET /v1/items/{item_id:path} 404" in lines[-3]
    assert SECRET_QUESTION not in log and SECRET_TOKEN not in log


def run(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    capfd.readouterr()
    code = main([str(argument) for argument in arguments])
    return code, capfd.readouterr().err


@pytest.fixture(autouse=True)
def without_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VIMRAG_TOKEN", "VIMRAG_MODEL", "VIMRAG_ENDPOINT", "VIMRAG_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.invalid"])
def test_other_machines_are_not_let_in_without_a_token(capfd: Any, tmp_path: Path, host: str):
    code, err = run(capfd, "serve", "--root", tmp_path, "--host", host)
    assert code == 2
    assert "token" in err and "VIMRAG_TOKEN" in err and err.count("\n") == 1


def test_what_cannot_be_listened_on_is_one_line(capfd: Any, tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with serve._listener("127.0.0.1", port) as found:
            next_one = found.getsockname()[1]
        assert port < next_one <= port + 20
        assert capfd.readouterr().err == f"port {port} is taken; serving on {next_one}\n"
        code, err = run(
            capfd, "serve", "--root", tmp_path, "--host", "192.0.2.1", "--port", port, "--token", "t"
        )
    assert code == 1 and "cannot listen on 192.0.2.1" in err and err.count("\n") == 1


def test_an_endpoint_that_is_down_is_one_line(capfd: Any, tmp_path: Path):
    down = "http://127.0.0.1:9/v1"
    code, err = run(capfd, "serve", "--root", tmp_path, "--port", 0, "--endpoint", down)
    assert code == 1 and "is the server running?" in err and err.count("\n") == 1


def test_a_model_that_is_no_folder_is_wrong_usage(capfd: Any, tmp_path: Path):
    code, err = run(capfd, "serve", "--root", tmp_path, "--port", 0, "--model", tmp_path / "none")
    assert code == 2 and "--endpoint" in err and err.count("\n") == 1
