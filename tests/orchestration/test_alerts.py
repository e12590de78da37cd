"""A failed run is told once, with its cause in a line: to an address that takes JSON, and by mail. Both are real servers here."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import dagster as dg
import pytest

from infra.alerts import Alert, AlertSettings, Mail, Webhook, send
from infra.storage.root import Storage
from orchestration.dagster_defs.automation.alerts import FILE, first_line, tell_failures
from orchestration.definitions import build_defs


class Posted(BaseHTTPRequestHandler):
    bodies: list[dict[str, str]]

    def do_POST(self) -> None:
        self.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


class Smtp(socketserver.StreamRequestHandler):
    mails: list[str]

    def handle(self) -> None:
        self._say("220 here")
        lines, in_data = list[str](), False
        for raw in self.rfile:
            line = raw.decode().rstrip("\r\n")
            if in_data:
                if line == ".":
                    self.mails.append("\n".join(lines))
                    in_data = False
                    self._say("250 taken")
                else:
                    lines.append(line)
            elif line.upper() == "DATA":
                in_data = True
                self._say("354 go on")
            elif line.upper() == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 fine")

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


@pytest.fixture
def web() -> Iterator[tuple[str, list[dict[str, str]]]]:
    handler = type("Handler", (Posted,), {"bodies": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/hook", handler.bodies
        server.shutdown()


@pytest.fixture
def post() -> Iterator[tuple[int, list[str]]]:
    handler = type("Handler", (Smtp,), {"mails": []})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1], handler.mails
        server.shutdown()


def test_a_failed_run_is_told_by_webhook_and_mail_with_its_cause(
    web: tuple[str, list[dict[str, str]]],
    post: tuple[int, list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    settings = {
        "page": "http://dagster.example",
        "webhooks": [{"url": web[0]}],
        "mail": {
            "host": "127.0.0.1",
            "port": post[0],
            "starttls": False,
            "sender": "dagster@example.org",
            "recipients": ["team@example.org"],
        },
    }
    (tmp_path / FILE).write_text(json.dumps(settings))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with dg.DagsterInstance.ephemeral() as instance:
        defs = build_defs(resource_overrides={"storage": Storage(tmp_path / "root")})
        result = defs.resolve_job_def("index").execute_in_process(instance=instance, raise_on_error=False)
        assert not result.success
        context = dg.build_run_status_sensor_context(
            "tell_failures", result.get_run_failure_event(), instance, result.dagster_run
        ).for_run_failure()
        tell_failures(context)
    [body] = web[1]
    assert body["title"] == "index failed in index_of_corpus"
    assert body["cause"].startswith("no finished corpus at ")
    assert body["link"] == f"http://dagster.example/runs/{result.run_id}"
    [mail] = post[1]
    assert "Subject: index failed in index_of_corpus" in mail and "no finished corpus at" in mail.replace(
        "=\n", ""
    )


def test_one_way_that_is_blocked_does_not_block_the_others(web: tuple[str, list[dict[str, str]]]):
    settings = AlertSettings.read(Path("/nowhere"))
    assert settings == AlertSettings()
    mail = Mail(host="127.0.0.1", port=1, sender="a@b.c", recipients=("d@e.f",))
    failed = send(Alert(title="t", cause="c"), AlertSettings(webhooks=(Webhook(url=web[0]),), mail=mail))
    assert len(failed) == 1 and failed[0].startswith("no mail by 127.0.0.1")
    assert len(web[1]) == 1


def test_a_password_is_not_sent_without_tls(post: tuple[int, list[str]]):
    mail = Mail(
        host="127.0.0.1", port=post[0], sender="a@b.c", recipients=("d@e.f",), starttls=False, user="me"
    )
    [failed] = send(Alert(title="t", cause="c"), AlertSettings(mail=mail))
    assert "over TLS only" in failed and not post[1]


def test_a_file_that_is_none_is_told_with_its_place(tmp_path: Path):
    (tmp_path / FILE).write_text('{"mail": {"host": "h"}}')
    with pytest.raises(ValueError, match=r"mail\.sender"):
        AlertSettings.read(tmp_path / FILE)


def test_the_first_line_is_the_cause_without_the_class_that_carries_it():
    assert (
        first_line("dagster._core.definitions.events.Failure: squad: no files\n\nStack") == "squad: no files"
    )
    assert first_line("KeyError: 'gold'") == "KeyError: 'gold'"
