"""``vimrag doctor`` on a machine with nothing and with everything, and the small things that spare a search for help."""

from __future__ import annotations

from pathlib import Path

import pytest

from assets.miniature.writers.pdf import pdf_bytes
from infra.llm.sight import SightMemory
from tests.app.command_line import Said, Vimrag
from tests.app.server.reader_model import QuietServer
from tests.app.server.small_root import REPORT
from tests.servers.openai_server import Fault, Messages


def states(said: Said) -> dict[str, str]:
    return {check["name"]: check["state"] for check in said.json["checks"]}


def test_with_nothing_named_the_machine_itself_is_looked_at(vimrag: Vimrag, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("VIMRAG_ENDPOINT", raising=False)
    said = vimrag("doctor", "--json")
    found = states(said)
    assert said.code == 0 and said.json["ok"] is True
    assert {found[name] for name in ("model", "pictures", "context", "index")} == {"not asked"}
    assert (found["disk"], found["OCR"], found["films"]) == ("ok", "ok", "ok")


def test_with_everything_it_says_what_each_is(vimrag: Vimrag, tmp_path: Path):
    (tmp_path / "harbour.pdf").write_bytes(pdf_bytes(REPORT, width=300, height=200))
    root = tmp_path / "root"
    assert vimrag("ingest", tmp_path / "harbour.pdf", "--root", root).code == 0
    with QuietServer("It is yellow and purple.") as server:
        said = vimrag("doctor", "--root", root, "--endpoint", server.base_url, "--json")
        table = vimrag("doctor", "--root", root, "--endpoint", server.base_url)
        assert SightMemory().recall(server.base_url, "test-model") is True
    assert said.code == 0
    found = states(said)
    assert (found["model"], found["pictures"], found["index"]) == ("ok", "ok", "ok")
    assert "documents: 3 items" in table.out and "test-model" in table.out


def test_what_is_broken_is_named_with_what_helps_and_ends_with_1(vimrag: Vimrag, tmp_path: Path):
    said = vimrag("doctor", "--root", tmp_path / "none", "--endpoint", "http://127.0.0.1:9/v1", "--json")
    found = states(said)
    assert (
        said.code == 1
        and said.json["ok"] is False
        and (found["model"], found["index"]) == ("failed", "failed")
    )
    assert all(check["remedy"] for check in said.json["checks"] if check["state"] == "failed")


def test_a_model_without_eyes_is_found_out_and_remembered_for_questions(vimrag: Vimrag, tmp_path: Path):
    def blind(messages: Messages) -> str | Fault:
        return "I cannot see images."

    with QuietServer(blind) as server:
        said = vimrag("doctor", "--endpoint", server.base_url, "--json")
        assert SightMemory().recall(server.base_url, "test-model") is False
    assert said.code == 0 and states(said)["pictures"] == "missing"


def test_the_version_is_one_line(vimrag: Vimrag):
    said = vimrag("--version")
    assert said.code == 0 and said.out.startswith("vimrag ") and said.out.count("\n") == 1


def test_a_mistyped_root_is_refused_with_the_one_that_was_meant(vimrag: Vimrag, tmp_path: Path):
    (tmp_path / "mine").mkdir()
    endpoint = ("--endpoint", "http://127.0.0.1:9/v1")
    for command in (("ask", "what?", *endpoint), ("serve", *endpoint), ("search", "what?")):
        said = vimrag(*command, "--root", tmp_path / "mien")
        assert said.code == 2 and f"did you mean '{tmp_path / 'mine'}'?" in said.err
    [found] = [
        each
        for each in vimrag("doctor", "--root", tmp_path / "mien", "--json").json["checks"]
        if each["name"] == "index"
    ]
    assert found["state"] == "failed" and "did you mean" in found["detail"]


def test_a_failed_question_points_to_the_doctor(vimrag: Vimrag, tmp_path: Path):
    (tmp_path / "n.md").write_text("The crane opened in 1931.")
    assert vimrag("ingest", tmp_path / "n.md", "--root", tmp_path / "root").code == 0
    said = vimrag("ask", "when?", "--root", tmp_path / "root", "--endpoint", "http://127.0.0.1:9/v1")
    assert said.code == 1 and "vimrag doctor" in said.err and said.err.count("\n") == 1


def test_the_disk_is_named_by_its_whole_path(vimrag: Vimrag, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    [disk] = [
        check
        for check in vimrag("doctor", "--root", "mine", "--json").json["checks"]
        if check["name"] == "disk"
    ]
    assert disk["detail"].endswith(f"free at {tmp_path}")
