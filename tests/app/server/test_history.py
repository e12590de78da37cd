"""Conversations that stay: written as they happen, gone on with, searched, exported, deleted, and whole after a kill."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.answers.history.owner import is_alive, this_process
from app.answers.history.store import SCHEMA_VERSION, Asked, Found, History
from app.answers.library import changing
from tests.app.server.reader_model import ANSWER, reply
from tests.app.server.serving import Event, Served, ask, events, serving, until
from tests.app.server.small_root import build
from tests.app.server.test_process import process
from tests.servers.openai_server import Answer, Fault, Messages, OpenAIServer, text_of

STALL = Fault(text="thinking about it for a long while", then="stall")
KEPT = {"detached": True, "keep": True}
Prompts = list[str]


@pytest.fixture
def own_root(tmp_path: Path) -> Path:
    return build(tmp_path)


@pytest.fixture
def prompts() -> Prompts:
    return []


@pytest.fixture
def talking(own_root: Path, prompts: Prompts) -> Iterator[Served]:
    """A server whose model notes what it is shown."""

    def noting(messages: Messages) -> Answer:
        prompts.append("\n".join(map(text_of, messages)))
        return reply(messages)

    with OpenAIServer(noting) as model, serving(own_root, endpoint=model.base_url) as served:
        yield served


def started(told: list[Event]) -> dict[str, Any]:
    return told[0].data


def test_a_question_stays_with_its_answer_its_sources_and_its_steps(talking: Served):
    begun = started(ask(talking.http, **KEPT))
    [line] = talking.http.get("/v1/conversations").json()["rows"]
    assert (line["id"], line["turns"], line["state"], line["answer"]) == (
        *(begun["conversation"], 1, "finished", ANSWER),
    )
    whole = talking.http.get(f"/v1/conversations/{line['id']}").json()
    [turn] = whole["turns"]
    assert (turn["id"], turn["question"], turn["record"]["answer"]) == (
        *(begun["ask_id"], "When did the crane open?", ANSWER),
    )
    assert turn["record"]["citations"][0]["title"] == "report.pdf page 2"
    assert turn["svg"].startswith("<svg") and 'class="claim"' in turn["html"]
    steps = talking.http.get(f"/v1/turns/{turn['id']}/events").json()["events"]
    names = [step["event"] for step in steps]
    assert names[0] == "started" and names[-1] == "finished" and "observed" in names and "spoke" not in names


def test_a_question_that_is_not_to_be_kept_is_not(talking: Served):
    ask(talking.http)
    assert talking.http.get("/v1/conversations").json()["total"] == 0
    assert not talking.state.history.path.exists()
    assert talking.http.post("/v1/ask", json={"question": "a", "keep": True}).status_code == 400


def test_a_follow_up_knows_question_answer_and_evidence(talking: Served, prompts: Prompts):
    first = started(ask(talking.http, **KEPT))
    prompts.clear()
    told = ask(talking.http, "And how much does it lift?", conversation=first["conversation"], **KEPT)
    assert (started(told)["conversation"], started(told)["number"]) == (first["conversation"], 2)
    assert "Question: When did the crane open?" in prompts[0] and f"Answer: {ANSWER}" in prompts[0]
    assert "n1 <- root | crane opened | It opened in 1931." in prompts[0]  # the graph it starts from
    assert "report.pdf page 2" in prompts[0]  # and what that keeps
    finished = told[-1].data
    assert [node["id"] for node in finished["nodes"]] == ["n1"]
    assert finished["counters"]["searches"] == 0  # it was found before
    assert [cited["title"] for cited in finished["citations"]] == ["report.pdf page 2"]
    assert finished["claims"][0]["verdict"] == "supported"
    whole = talking.http.get(f"/v1/conversations/{first['conversation']}").json()
    assert [turn["number"] for turn in whole["turns"]] == [1, 2]


def test_a_policy_without_a_graph_knows_the_words(talking: Served, prompts: Prompts):
    first = started(ask(talking.http, **KEPT))
    prompts.clear()
    ask(talking.http, "And now?", conversation=first["conversation"], memory="react", **KEPT)
    assert "Question: When did the crane open?" in prompts[0] and "n1 <-" not in prompts[0]


def test_what_the_reader_left_out_or_removed_is_not_read_through_the_conversation(
    talking: Served, prompts: Prompts
):
    first = started(ask(talking.http, **KEPT))
    rows = talking.http.get("/v1/sources").json()["rows"]
    note = next(row["key"] for row in rows if row["name"] == "note.txt")
    prompts.clear()
    ask(talking.http, "And the mill?", conversation=first["conversation"], files=[note], **KEPT)
    assert "Question: When did the crane open?" in prompts[0]
    assert "1931" not in prompts[0]  # neither the node, nor the answer, nor the page
    again = started(ask(talking.http, **KEPT))
    storage = talking.state.corpus.storage
    changing.remove(storage, changing.locations(storage, ["report.pdf"]))
    prompts.clear()
    ask(talking.http, "And the crane?", conversation=again["conversation"], **KEPT)
    assert "1931" not in prompts[0]


def test_an_unknown_file_or_conversation_is_refused(talking: Served):
    unknown_file = talking.http.post("/v1/ask", json={"question": "a", "files": ["gone-0123456789"]})
    assert (unknown_file.status_code, unknown_file.json()["error"]["code"]) == (400, "unknown_file")
    unknown = talking.http.post("/v1/ask", json={"question": "a", "conversation": "nobody", **KEPT})
    assert unknown.status_code == 404
    assert talking.http.get("/v1/conversations/nobody").status_code == 404
    assert talking.http.delete("/v1/conversations/nobody").status_code == 404


def test_words_of_questions_and_answers_find_their_conversation(talking: Served):
    ask(talking.http, "When did the CRANE open?", **KEPT)
    ask(talking.http, "Who burned the mill?", **KEPT)
    listed = talking.http.get("/v1/conversations", params={"q": "crane 1931"}).json()
    assert [row["title"] for row in listed["rows"]] == ["When did the CRANE open?"]
    assert talking.http.get("/v1/conversations", params={"q": "no such words"}).json()["rows"] == []
    latest = talking.http.get("/v1/conversations", params={"limit": 1}).json()
    assert (latest["total"], latest["rows"][0]["title"]) == (2, "Who burned the mill?")


def test_a_conversation_leaves_as_markdown_as_a_page_with_its_pictures_and_as_json(talking: Served):
    begun = started(ask(talking.http, "<b>When</b> did the crane open?", **KEPT))
    place = f"/v1/conversations/{begun['conversation']}/export"
    files = {form: talking.http.get(place, params={"form": form}) for form in ("md", "html", "json")}
    assert (
        files["md"].headers["content-disposition"] == 'attachment; filename="b-when-b-did-the-crane-open.md"'
    )
    markdown = files["md"].text
    assert "## <b>When</b> did the crane open?" in markdown
    assert f"{ANSWER} [1]" in markdown and "- [1] report.pdf page 2, page 2" in markdown
    page = files["html"].text
    assert '<h2 dir="auto">&lt;b&gt;When&lt;/b&gt;' in page and "<script" not in page
    assert page.count("data:image/") >= 2  # the cited page, and its thumbnail in the graph
    assert re.findall(r'(?:src|href)="(?!data:|#)', page) == []  # nothing beside it is needed
    assert json.loads(files["json"].text)["turns"][0]["record"]["answer"] == ANSWER
    assert talking.http.get(place, params={"form": "exe"}).status_code == 400


def test_deleting_leaves_nothing_of_the_words_in_the_file(talking: Served):
    begun = started(ask(talking.http, "When did the Zanzibar crane open?", **KEPT))
    assert talking.http.delete(f"/v1/conversations/{begun['conversation']}").status_code == 204
    assert talking.http.get("/v1/conversations").json()["total"] == 0
    assert b"zanzibar" not in talking.state.history.path.read_bytes().lower()


def test_deleting_stops_a_question_that_is_under_way(own_root: Path):
    with OpenAIServer(STALL) as model, serving(own_root, endpoint=model.base_url) as served:
        with served.http.stream("POST", "/v1/ask", json={"question": "a", **KEPT}) as response:
            begun = next(events(response.iter_lines())).data
            assert served.http.delete(f"/v1/conversations/{begun['conversation']}").status_code == 204
        until(lambda: served.state.questions.free == served.state.settings.questions_at_once)
        assert served.http.get(f"/v1/ask/{begun['ask_id']}").status_code == 404
        assert served.http.get("/v1/conversations").json()["total"] == 0


def test_a_stopped_question_keeps_what_it_found(own_root: Path):
    def stalls_at_the_end(messages: Messages) -> Answer:
        return STALL if "n1 <-" in "\n".join(map(text_of, messages)) else reply(messages)

    with OpenAIServer(stalls_at_the_end) as model, serving(own_root, endpoint=model.base_url) as served:
        with served.http.stream("POST", "/v1/ask", json={"question": "When?", **KEPT}) as response:
            for event in events(response.iter_lines()):
                if event.name == "started":
                    begun = event.data
                if event.name == "remembered":
                    break
        served.http.delete(f"/v1/ask/{begun['ask_id']}")
        place = f"/v1/conversations/{begun['conversation']}"
        until(lambda: served.http.get(place).json()["turns"][0]["state"] == "stopped")
        [turn] = served.http.get(place).json()["turns"]
        assert [node["summary"] for node in turn["record"]["nodes"]] == ["It opened in 1931."]
        assert turn["record"]["answer"] == "" and turn["svg"]


def test_a_killed_server_loses_no_question_and_nothing_that_was_found(own_root: Path):
    def stalls_at_the_end(messages: Messages) -> Answer:
        return STALL if "n1 <-" in "\n".join(map(text_of, messages)) else reply(messages)

    with OpenAIServer(stalls_at_the_end) as model:
        with (
            process("--root", own_root, "--endpoint", model.base_url) as (server, url),
            httpx.Client(base_url=url, timeout=30, trust_env=False) as http,
            http.stream("POST", "/v1/ask", json={"question": "When?", **KEPT}) as response,
        ):
            for event in events(response.iter_lines()):
                if event.name == "started":
                    begun = event.data
                if event.name == "remembered":
                    break
            server.send_signal(signal.SIGKILL)
            server.wait(timeout=10)
        with serving(own_root, endpoint=model.base_url) as served:
            [line] = served.http.get("/v1/conversations").json()["rows"]
            assert (line["state"], line["title"]) == ("interrupted", "When?")
            [turn] = served.http.get(f"/v1/conversations/{line['id']}").json()["turns"]
            assert (turn["id"], turn["state"]) == (begun["ask_id"], "interrupted")
            assert [node["summary"] for node in turn["record"]["nodes"]] == ["It opened in 1931."]


def test_a_history_that_cannot_be_written_costs_no_answer(talking: Served):
    path = talking.state.history.path
    path.parent.mkdir()
    path.write_bytes(b"this is no database" * 100)
    told = ask(talking.http, **KEPT)
    assert told[-1].data["answer"] == ANSWER
    assert any("not kept" in notice for notice in told[-1].data["notices"])
    assert talking.http.get("/v1/conversations").status_code == 503


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path):
    path = tmp_path / "newer.sqlite"
    with sqlite3.connect(path) as table:
        table.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(ValueError, match="known up to"):
        History(path).page()


def test_two_writers_number_their_questions_apart(tmp_path: Path):
    one, other = History(tmp_path / "h.sqlite"), History(tmp_path / "h.sqlite")
    facts = {"memory": "vimrag", "model": "m", "index": "i"}
    conversation, first = one.begin(Asked(id="a", question="A?", **facts), None)
    _, second = other.begin(Asked(id="b", question="B?", **facts), conversation)
    other.update("b", Found(state="finished", answer="yes"))
    assert (first, second) == (1, 2)
    assert [turn.state for turn in one.conversation(conversation).turns] == ["running", "finished"]


def test_a_process_that_is_gone_is_known_to_be():
    assert is_alive(this_process())
    host, pid, start = this_process().split(" ")
    assert not is_alive(f"{host} {pid} {int(start) + 1}")  # the number was given again
    assert not is_alive("")
