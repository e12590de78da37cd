"""Questions as streams of events, with a real server and a real endpoint on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from app.server.settings import ServerSettings
from memory_graph.actions import Answer, Search, render
from tests.app.server.reader_model import ANSWER, QUERY, reply
from tests.app.server.serving import ask, events, serving, until
from tests.servers.openai_server import Fault, Messages, OpenAIServer, Spoken, text_of

PAGE = "documents:page:report-pdf"
STALL = Fault(text="thinking about it for a long while", then="stall")


def test_a_question_is_told_from_its_start_to_a_cited_answer(root: Path):
    with OpenAIServer(reply) as model, serving(root, endpoint=model.base_url) as served:
        told = ask(served.http)
        status = served.http.get("/v1/status").json()
        assert (
            served.http.get(
                told[-1].data["svg"].split('href="')[1].split('"')[0].replace("&amp;", "&")
            ).status_code
            == 200
        )
    assert [each.id for each in told] == list(range(len(told)))
    names = [each.name for each in told if each.name != "spoke"]
    step = ["asked", "replied"]
    assert names == ["started", *step, "observed", *step, "remembered", *step, "answered", "finished"]
    by_name = {each.name: each.data for each in told}
    assert by_name["started"] | {"ask_id": ""} == {
        "ask_id": "",
        "question": "When did the crane open?",
        "memory": "vimrag",
        "model": "test-model",
        "index": status["index"]["version"],
        "conversation": None,
        "number": 1,
    }
    assert set(by_name["asked"]) == {"call", "forced", "images", "turns"}
    counts = {"prompt_tokens", "completion_tokens", "estimated"}
    assert set(by_name["replied"]) == {"call", "text", "finish_reason", *counts}
    spoken = "".join(each.data["text"] for each in told if each.name == "spoke" and each.data["call"] == 1)
    assert spoken == next(each for each in told if each.name == "replied").data["text"]
    observed = by_name["observed"]
    assert (observed["node_id"], observed["parents"], observed["query"]) == ("n1", ["root"], QUERY)
    assert observed["shown"][0]["item_id"].startswith(PAGE) and observed["shown"][0]["modality"] == "image"
    assert set(observed["shown"][0]) == {"item_id", "modality", "title", "text", "width", "height", "images"}
    assert by_name["answered"] == {"text": ANSWER, "parents": ["n1"], "forced": False}
    finished = by_name["finished"]
    assert set(finished) == {
        *("ask_id", "outcome", "answer", "citations", "counters", "seconds", "cost", "svg", "nodes"),
        *("tokens_estimated", "sees_pictures", "notices", "claims", "html"),
    }
    [citation] = finished["citations"]
    assert (citation["node_id"], citation["modality"], citation["page"]) == ("n1", "image", 2)
    assert (citation["start_s"], citation["times_s"]) == (None, [])
    assert finished["outcome"] == "answered" and finished["counters"]["model_calls"] == 3
    assert finished["cost"] is None  # nobody said what a token costs


def test_the_pictures_of_a_prompt_stand_where_its_turns_mark_them(root: Path):
    with OpenAIServer(reply) as model, serving(root, endpoint=model.base_url) as served:
        asked = [each.data for each in ask(served.http) if each.name == "asked"]
    marks = [sum(turn["text"].count("\ufffc") for turn in each["turns"]) for each in asked]
    assert marks == [len(each["images"]) for each in asked]
    assert marks[0] == 0 and marks[1] >= 1 and marks[2] == 1  # question, search results, the kept page


def test_a_kept_page_gets_pixels_and_a_place_on_the_critical_path(root: Path):
    with OpenAIServer(reply) as model, serving(root, endpoint=model.base_url) as served:
        told = ask(served.http)
    remembered = next(each.data for each in told if each.name == "remembered")
    assert set(remembered) == {"node_id", "svg", "nodes"}
    assert not remembered["nodes"][0]["on_critical_path"]  # there is no answer yet
    [node] = told[-1].data["nodes"]
    assert (node["on_critical_path"], node["dead_end"]) == (True, False)
    [item] = node["items"]
    # one item: energy 5/5 * (1 + 0) * exp(0) = 1, its native size in whole tokens: 18 x 12 of 600 x 400 px
    assert (item["priority"], item["energy"], item["pixels"], item["tokens"]) == (5, 1.0, 221_184, 216)
    assert "data-item-id=" in told[-1].data["svg"] and "<style" not in told[-1].data["svg"]


def test_a_client_that_goes_away_ends_the_request_to_the_model(root: Path):
    slow = Spoken(text="and so on " * 400, piece_chars=2, pause_s=0.01)  # 20 seconds of it
    with OpenAIServer(slow) as model, serving(root, endpoint=model.base_url) as served:
        with served.http.stream("POST", "/v1/ask", json={"question": "When?"}) as response:
            assert next(each.name for each in events(response.iter_lines()) if each.name == "spoke")
        until(lambda: model.disconnects == 1)


def test_a_client_that_goes_away_frees_its_place_though_the_model_says_nothing(root: Path):
    one = ServerSettings(questions_at_once=1)
    with OpenAIServer(STALL) as model, serving(root, endpoint=model.base_url, settings=one) as served:
        with served.http.stream("POST", "/v1/ask", json={"question": "When?"}) as response:
            lines = response.iter_lines()
            assert next(each.name for each in events(lines) if each.name == "spoke") == "spoke"
            assert served.state.questions.free == 0
            busy = served.http.post("/v1/ask", json={"question": "Me too?"})
            assert (busy.status_code, busy.json()["error"]["code"]) == (429, "busy")
            assert int(busy.headers["retry-after"]) > 0
        until(lambda: served.state.questions.free == 1)
        again = served.http.stream("POST", "/v1/ask", json={"question": "Again?"})
        with again as response:
            assert response.status_code == 200


def test_a_question_that_takes_too_long_fails_and_says_so(root: Path):
    hasty = ServerSettings(question_s=0.5, keep_alive_s=0.1)
    with OpenAIServer(STALL) as model, serving(root, endpoint=model.base_url, settings=hasty) as served:
        with served.http.stream("POST", "/v1/ask", json={"question": "When?"}) as response:
            text = response.read().decode()
        assert served.state.questions.free == hasty.questions_at_once
    assert ": keep-alive\n\n" in text
    last = list(events(text.splitlines()))[-1]
    assert last.name == "failed" and last.data["code"] == "timeout"


def test_an_endpoint_that_fails_is_the_last_event(root: Path):
    broken = Fault(status=401, body={"error": {"message": "no such key"}})
    with OpenAIServer(broken) as model, serving(root, endpoint=model.base_url) as served:
        told = ask(served.http)
    assert told[-1].name == "failed" and set(told[-1].data) == {"code", "message"}
    assert told[-1].data["code"] == "endpoint" and "wants a key" in told[-1].data["message"]


def test_half_a_surrogate_pair_from_a_model_does_not_break_the_stream(root: Path):
    text = "\ud800 odd\n" + render(Search(id="n1", parents=("root",), query="crane \udfff"))
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    body = json.dumps({"model": "test-model", "choices": [choice]})  # in ASCII, each half as an escape
    with (
        OpenAIServer(Fault(body=body)) as model,
        serving(root, endpoint=model.base_url) as served,
    ):
        told = ask(served.http, calls=2)
    assert "\ud800" not in "".join(each.data["text"] for each in told if each.name == "replied")
    assert told[-1].name in ("finished", "failed")


def test_a_scope_of_datasets_and_a_number_of_calls_are_kept_to(root: Path):
    with OpenAIServer(reply) as model, serving(root, endpoint=model.base_url) as served:
        assert ask(served.http, datasets=["documents"])[-1].data["answer"] == ANSWER
        assert ask(served.http, calls=1)[-1].data["outcome"] in ("forced", "abstained")
        unknown = served.http.post("/v1/ask", json={"question": "q", "datasets": ["squad"]})
        assert (unknown.status_code, unknown.json()["error"]["code"]) == (400, "unknown_dataset")
        near = served.http.post("/v1/ask", json={"question": "q", "memory": "vimrga"})
        assert near.status_code == 400 and "did you mean 'vimrag'?" in near.json()["error"]["message"]


def test_every_memory_policy_on_offer_can_be_asked(root: Path):
    with OpenAIServer(reply) as model, serving(root, endpoint=model.base_url) as served:
        for memory in served.http.get("/v1/status").json()["memory"]:
            last = ask(served.http, memory=memory, calls=4)[-1]
            assert last.name == "finished", (memory, last.data)


def test_without_a_model_or_an_index_the_answer_says_what_to_do(root: Path, tmp_path: Path):
    with serving(root) as served:
        refused = served.http.post("/v1/ask", json={"question": "When?"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "no_model")
        assert "--endpoint" in refused.json()["error"]["message"]
        assert served.http.post("/v1/search", json={"query": "crane"}).json()["hits"]
        assert served.http.get("/v1/status").json()["model"] is None
    with OpenAIServer(reply) as model, serving(tmp_path, endpoint=model.base_url) as served:
        for refused in (
            served.http.post("/v1/ask", json={"question": "When?"}),
            served.http.post("/v1/search", json={"query": "crane"}),
        ):
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "no_index")
            assert "vimrag ingest" in refused.json()["error"]["message"]
        assert served.http.get("/v1/status").json()["index"] is None
        assert served.http.get("/v1/runs").json() == {"runs": []}


def test_a_body_that_is_no_question_is_refused_in_words(root: Path):
    with serving(root) as served:
        said = {
            "question": served.http.post("/v1/ask", json={"memory": "vimrag"}),
            "temperature: is not a known field": served.http.post(
                "/v1/ask", json={"question": "q", "temperature": 1}
            ),
            "calls": served.http.post("/v1/ask", json={"question": "q", "calls": "3"}),
            "no JSON": served.http.post(
                "/v1/ask", content=b"{", headers={"content-type": "application/json"}
            ),
            "Content-Type": served.http.post("/v1/ask", content=b'{"question": "q"}'),
        }
        large = served.http.post("/v1/ask", json={"question": "q" * 70_000})
    for words, refused in said.items():
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "malformed")
        assert words in refused.json()["error"]["message"]
    assert (large.status_code, large.json()["error"]["code"]) == (413, "too_large")


@pytest.mark.parametrize("path", ["/v1/ask", "/v1/nothing"])
def test_whoever_sends_without_end_is_cut_off(root: Path, path: str):
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while sent < 1 << 30:
            sent += 8192
            yield b" " * 8192

    with (
        serving(root) as served,
        suppress(httpx.TransportError),
    ):  # the answer may come before or after the cut
        refused = served.http.post(path, content=endless(), headers={"content-type": "application/json"})
        assert refused.status_code in (404, 413) and refused.headers["connection"] == "close"
    assert sent < 1 << 28


def test_a_detached_question_goes_on_without_its_client_and_is_followed_again(root: Path):
    slow = Spoken(text=reply([{"role": "user", "content": "q"}]).text, pause_s=0.03)
    first = True

    def model_reply(messages: Messages) -> Spoken:
        nonlocal first
        said, first = (slow if first else reply(messages)), False
        return said

    with OpenAIServer(model_reply) as model, serving(root, endpoint=model.base_url) as served:
        asked = {"question": "When did the crane open?", "detached": True}
        with served.http.stream("POST", "/v1/ask", json=asked) as response:
            started = next(events(response.iter_lines()))
        with served.http.stream("GET", f"/v1/ask/{started.data['ask_id']}") as response:
            told = list(events(response.iter_lines()))
        assert told[0] == started and told[-1].name == "finished" and told[-1].data["answer"] == ANSWER
        assert [each.id for each in told] == list(range(len(told)))
        with served.http.stream(
            "GET", f"/v1/ask/{started.data['ask_id']}", params={"after": len(told) - 1}
        ) as rest:
            assert [each.name for each in events(rest.iter_lines())] == ["finished"]
        assert served.state.questions.free == served.state.settings.questions_at_once
        assert served.http.get("/v1/ask/unknown").status_code == 404


def test_a_detached_question_is_stopped_by_name(root: Path):
    with OpenAIServer(STALL) as model, serving(root, endpoint=model.base_url) as served:
        asked = {"question": "When?", "detached": True}
        with served.http.stream("POST", "/v1/ask", json=asked) as response:
            lines = events(response.iter_lines())
            ask_id = next(lines).data["ask_id"]
            assert served.http.delete(f"/v1/ask/{ask_id}").status_code == 204
            assert list(lines)[-1].data["code"] == "stopped"
        until(lambda: served.state.questions.free == served.state.settings.questions_at_once)


def test_an_answer_is_had_now_with_what_was_found(root: Path):
    endless = Spoken(text="I think. " * 400, pause_s=0.02)

    def model_reply(messages: Messages) -> Spoken:
        if "Answer now" in text_of(messages[-1]):
            return Spoken(text=render(Answer(parents=("n1",), text=ANSWER)))
        return endless if "n1 <-" in text_of(messages[1]) else reply(messages)

    with OpenAIServer(model_reply) as model, serving(root, endpoint=model.base_url) as served:
        with served.http.stream("POST", "/v1/ask", json={"question": "When did the crane open?"}) as response:
            told = []
            for each in events(response.iter_lines()):
                told.append(each)
                if (
                    each.name == "spoke"
                    and each.data["call"] == 3
                    and not any(e.name == "noticed" for e in told)
                ):
                    ask_id = told[0].data["ask_id"]
                    assert served.http.post(f"/v1/ask/{ask_id}/answer").status_code == 202
        assert served.http.post("/v1/ask/unknown/answer").status_code == 404
    finished = told[-1].data
    assert (finished["answer"], finished["outcome"]) == (ANSWER, "forced") and finished["citations"]
    assert "answer_now" in [each.data["code"] for each in told if each.name == "noticed"]


def test_the_limit_is_one_on_silence(root: Path):
    steady = Spoken(text="thinking " * 90 + reply([{"role": "user", "content": "q"}]).text, pause_s=0.02)
    with OpenAIServer(steady) as model, serving(root, endpoint=model.base_url) as served:
        told = ask(served.http, timeout_s=4, calls=2)  # each reply takes longer than that
        assert told[-1].name == "finished", told[-3:]
    with OpenAIServer(STALL) as model, serving(root, endpoint=model.base_url) as served:
        assert ask(served.http, timeout_s=1)[-1].data["code"] == "timeout"
