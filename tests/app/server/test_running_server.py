"""Commands that find a running ``vimrag serve``: real processes, its proof, and what is never sent to a stranger."""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from app.answers.running.announcement import Announcement, announced, proof
from app.answers.running.client import running_server
from tests.app.command_line import Vimrag
from tests.app.server.reader_model import ANSWER, QUERY, reply
from tests.app.server.small_root import build
from tests.app.server.test_process import process
from tests.servers.openai_server import OpenAIServer

TOKEN = "quiet-token-7"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("own"))


def test_search_and_ask_go_to_the_server_that_runs(
    home: Path, vimrag: Vimrag, monkeypatch: pytest.MonkeyPatch
):
    alone = vimrag("search", "--root", home, "--json", QUERY).json
    with OpenAIServer(reply) as model, process("--root", home, "--endpoint", model.base_url) as (server, url):
        [file] = (home / "serving").glob("*.json")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600 and file.stem == str(server.pid)
        assert json.loads(file.read_text())["url"] == url
        monkeypatch.setattr("assets.index.published.open_index", _refuse)  # nothing may be loaded here
        assert vimrag("search", "--root", home, "--json", QUERY).json == alone
        said = vimrag("ask", "--root", home, "When did the crane open?")
        assert said.code == 0 and said.out.startswith(f"{ANSWER} [1]\n\nSources\n  [1] report.pdf")
        assert "search n1: crane opened" in said.err and url in said.err
        record = vimrag("ask", "--root", home, "--json", "When did the crane open?").json
        assert record["citations"][0]["page"] == 2 and record["model"] == "test-model"
        assert record["question"] == "When did the crane open?"
        server.terminate()
        server.wait(timeout=30)
    assert not list((home / "serving").iterdir()) and running_server(str(home)) is None


def _refuse(*_: object, **__: object) -> None:
    raise AssertionError("the index was opened")


def test_the_token_goes_to_the_proven_server_and_stands_in_no_file(
    home: Path, vimrag: Vimrag, monkeypatch: pytest.MonkeyPatch
):
    with process("--root", home, VIMRAG_TOKEN=TOKEN) as (_, url):
        assert all(TOKEN not in path.read_text() for path in (home / "serving").iterdir())
        assert httpx.get(f"{url}/v1/status", trust_env=False).status_code == 401
        assert httpx.get(f"{url}/v1/hello?nonce={'n' * 20}", trust_env=False).status_code == 200
        assert vimrag("search", "--root", home, QUERY).code == 0  # without a token: done here
        monkeypatch.setenv("VIMRAG_TOKEN", TOKEN)
        monkeypatch.setattr("assets.index.published.open_index", _refuse)
        assert vimrag("search", "--root", home, QUERY).code == 0


class _Stranger(BaseHTTPRequestHandler):
    asked: list[tuple[str, str | None]]
    answer = b'{"proof": "I am the server, believe me"}'

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers.get("Authorization")))
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.answer)))
        self.end_headers()
        self.wfile.write(self.answer)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        return


@contextmanager
def stranger() -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    asked: list[tuple[str, str | None]] = []
    handler = type("Handler", (_Stranger,), {"asked": asked})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_address[1]}", asked
        http.shutdown()


def test_a_port_that_another_program_has_taken_gets_neither_question_nor_token(
    home: Path, vimrag: Vimrag, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("VIMRAG_TOKEN", TOKEN)
    with stranger() as (url, asked), announced(home, url, "k" * 64):
        assert vimrag("search", "--root", home, QUERY).code == 0  # done here
    assert asked and all(path.startswith("/v1/hello?nonce=") and not token for path, token in asked)


@pytest.mark.parametrize("change", ["others may read", "gone", "elsewhere", "damaged", "a link"])
def test_a_file_that_cannot_be_trusted_is_left_alone(tmp_path: Path, change: str):
    with stranger() as (url, asked):
        folder = tmp_path / "serving"
        folder.mkdir()
        said = Announcement(os.getpid(), url, "k")
        if change == "gone":
            said = said._replace(pid=2**22 + 7)
        if change == "elsewhere":
            said = said._replace(url=url.replace("127.0.0.1", "198.51.100.7"))
        path = folder / "1.json"
        path.write_text("{" if change == "damaged" else json.dumps(said._asdict()))
        path.chmod(0o644 if change == "others may read" else 0o600)
        if change == "a link":
            path.rename(tmp_path / "real.json")
            path.symlink_to(tmp_path / "real.json")
        assert running_server(str(tmp_path)) is None and not asked


def test_a_server_that_was_killed_leaves_a_file_that_the_next_one_removes(home: Path):
    with process("--root", home) as (server, _):
        server.kill()
        server.wait()
        assert running_server(str(home)) is None
        with announced(home, "http://127.0.0.1:1", "k"):
            assert [path.stem for path in (home / "serving").iterdir()] == [str(os.getpid())]


def test_a_proof_is_of_the_key_and_the_nonce():
    assert proof("key", "nonce") == proof("key", "nonce")
    assert len({proof("key", "nonce"), proof("kez", "nonce"), proof("key", "nonces")}) == 3


def test_a_root_that_cannot_be_written_to_is_served_without_a_file(tmp_path: Path):
    with announced(tmp_path / "not there", "http://127.0.0.1:1", "k"):
        assert running_server(str(tmp_path / "not there")) is None


def test_without_a_server_and_a_model_ask_says_what_is_missing(home: Path, vimrag: Vimrag):
    said = vimrag("ask", "--root", home, "When?")
    assert said.code == 2 and "no model: give --endpoint" in said.err
