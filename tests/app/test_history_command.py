"""``vimrag history``: a conversation that the page kept is listed, read, searched, saved in three forms and deleted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.app.command_line import Vimrag
from tests.app.server.reader_model import ANSWER, reply
from tests.app.server.serving import Served, ask, serving, until
from tests.app.server.small_root import build
from tests.servers.openai_server import OpenAIServer

QUESTION = "When did the harbour crane open?"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return build(tmp_path)


def conversations(served: Served) -> list[dict[str, object]]:
    return served.http.get("/v1/conversations").json()["rows"]


def test_a_question_is_listed_shown_searched_exported_and_deleted(root: Path, tmp_path: Path, vimrag: Vimrag):
    nothing = vimrag("history", "list", "--root", root)
    assert (nothing.code, nothing.out, "no conversation was kept" in nothing.err) == (0, "", True)

    with OpenAIServer(reply) as model, serving(root, endpoint=model.base_url) as served:
        ask(served.http, question=QUESTION, detached=True, keep=True)
        until(lambda: conversations(served)[0]["state"] == "finished")

    (row,) = vimrag("history", "list", "--root", root, "--json").json["rows"]
    identity = row["id"]
    assert (row["title"], row["turns"]) == (QUESTION, 1)
    listed = vimrag("history", "list", "--root", root)
    assert identity in listed.out

    found = vimrag("history", "list", "--root", root, "--like", "crane", "--json").json["rows"]
    assert [each["id"] for each in found] == [identity]
    missed = vimrag("history", "list", "--root", root, "--like", "zeppelin")
    assert (missed.code, "no conversation holds these words" in missed.err) == (0, True)

    shown = vimrag("history", "show", identity, "--root", root)
    assert QUESTION in shown.out and ANSWER in shown.out

    for form, mark in (("md", QUESTION), ("html", "<html"), ("json", '"turns"')):
        out = tmp_path / f"saved.{form}"
        assert vimrag("history", "export", identity, "--root", root, "--form", form, "--out", out).code == 0
        assert mark in out.read_text(encoding="utf-8") and QUESTION in out.read_text(encoding="utf-8")
    assert "data:image" in (tmp_path / "saved.html").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "saved.json").read_bytes())
    again = vimrag("history", "export", identity, "--root", root, "--out", tmp_path / "saved.md")
    assert (again.code, "nothing is overwritten" in again.err) == (2, True)

    assert vimrag("history", "delete", identity, "--root", root, "--yes").code == 0
    assert vimrag("history", "list", "--root", root, "--json").json["rows"] == []
    gone = vimrag("history", "show", identity, "--root", root)
    assert (gone.code, "vimrag history list" in gone.err) == (2, True)
    assert vimrag("history", "delete", identity, "--root", root, "--yes").code == 2
