"""The chat endpoint, asked by the official ``openai`` client: streamed and not, with its citations, refusals and limits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from app.server.settings import ServerSettings
from tests.app.server.reader_model import ANSWER, QuietServer, reply
from tests.app.server.serving import Served, serving, until
from tests.servers.openai_server import Fault, OpenAIServer, Spoken

QUESTION = "When did the crane open?"
PAGE = "documents:page:report-pdf"
STALL = Fault(text="thinking about it for a long while", then="stall")


@contextmanager
def client_of(served: Served, key: str = "none", **settings: Any) -> Iterator[openai.OpenAI]:
    chosen = {"max_retries": 0, "timeout": 30.0} | settings
    http = openai.DefaultHttpxClient(trust_env=False)
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key=key, http_client=http, **chosen) as client:
        yield client


def asked(text: str = QUESTION) -> list[Any]:
    return [{"role": "user", "content": text}]


def test_the_openai_client_gets_a_cited_answer(root: Path):
    with OpenAIServer(reply) as model, serving(root, endpoint=model.base_url) as served:
        with client_of(served) as client:
            answer = client.chat.completions.create(model="vimrag", messages=asked())
        [choice] = answer.choices
        content, [annotation] = choice.message.content, choice.message.annotations or []
        assert content is not None and content.startswith(f"{ANSWER} [1]")
        cited = annotation.url_citation
        assert content[cited.start_index : cited.end_index] == "[1]"
        assert cited.title.startswith("report.pdf") and "page 2" in cited.title and cited.url in content
        picture = served.http.get(cited.url)  # the page itself, from this server
        assert picture.status_code == 200 and picture.headers["content-type"] == "image/png"
    assert choice.finish_reason == "stop" and answer.model == "vimrag" and answer.usage
    assert answer.usage.total_tokens == model.prompt_tokens + model.completion_tokens
    record = answer.model_dump()["vimrag"]
    [citation] = record["citations"]
    assert citation["item_id"].startswith(PAGE) and (citation["number"], citation["page"]) == (1, 2)
    assert [(claim["verdict"], claim["citation"]) for claim in record["claims"]] == [("supported", 1)]
    assert (record["outcome"], record["answer"], record["model"]) == ("answered", ANSWER, "test-model")


def test_a_stream_tells_its_steps_and_then_the_same_answer(root: Path):
    with (
        OpenAIServer(reply) as model,
        serving(root, endpoint=model.base_url) as served,
        client_of(served) as client,
    ):
        whole = client.chat.completions.create(model="vimrag", messages=asked())
        chunks = list(
            client.chat.completions.create(
                model="vimrag", messages=asked(), stream=True, stream_options={"include_usage": True}
            )
        )
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert deltas[0].role == "assistant"
    steps = "".join((delta.model_extra or {}).get("reasoning_content", "") for delta in deltas)
    assert steps.startswith("Searched: crane opened (") and "Noted: It opened in 1931." in steps
    assert "".join(delta.content or "" for delta in deltas) == whole.choices[0].message.content
    last = next(chunk for chunk in reversed(chunks) if chunk.choices)
    assert last.choices[0].finish_reason == "stop"
    [annotation] = (last.choices[0].delta.model_extra or {})["annotations"]
    assert annotation == (whole.choices[0].message.annotations or [])[0].model_dump()
    assert last.model_dump()["vimrag"]["citations"] == whole.model_dump()["vimrag"]["citations"]
    assert chunks[-1].usage == whole.usage and len({chunk.id for chunk in chunks}) == 1


def test_a_step_arrives_before_the_answer_is_known(root: Path):
    def slow_at_the_end(messages: Any) -> Spoken:
        spoken = reply(messages)
        return Spoken(text=spoken.text, pause_s=0.2) if ANSWER in spoken.text else spoken

    with (
        OpenAIServer(slow_at_the_end) as model,
        serving(root, endpoint=model.base_url) as served,
        client_of(served) as client,
    ):
        stream = client.chat.completions.create(model="vimrag", messages=asked(), stream=True)
        texts = ((c.choices[0].delta.model_extra or {}).get("reasoning_content") for c in stream)
        assert next(text for text in texts if text) and served.state.questions.free == 3  # under way


def test_a_follow_up_brings_what_was_said_before_and_leaves_system_words_out(root: Path):
    turns = [
        {"role": "system", "content": "Answer as a pirate."},
        {"role": "user", "content": "Which crane is meant?"},
        {"role": "assistant", "content": "The one at the northern quay [1]."},
        {"role": "user", "content": [{"type": "text", "text": "And when did it open?"}]},
    ]
    with OpenAIServer(reply) as model, serving(root, endpoint=model.base_url) as served:
        with client_of(served) as client:
            client.chat.completions.create(model="vimrag/documents", messages=turns)  # type: ignore[arg-type]
        prompt = model.requests[0].text
    assert "And when did it open?" in prompt and "The one at the northern quay" in prompt
    assert "pirate" not in prompt


def test_the_models_are_the_scopes(root: Path):
    with serving(root) as served, client_of(served) as client:
        assert [each.id for each in client.models.list()] == ["vimrag", "vimrag/documents"]
        assert client.models.retrieve("vimrag/documents").owned_by == "vimrag"
        with pytest.raises(openai.NotFoundError) as missing:
            client.chat.completions.create(model="gpt-4o", messages=asked())
    assert (missing.value.code, missing.value.type) == ("model_not_found", "invalid_request_error")
    assert "/v1/models" in missing.value.message


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"messages": []}, "messages"),
        ({"messages": asked("  ")}, "empty"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "last one must be the user's"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "image_url"),
        ({"messages": asked("x" * 8001)}, "8000"),
        ({"messages": asked(), "n": 2}, "n"),
        ({"messages": asked(), "tools": [{"type": "function"}]}, "tools"),
        ({"messages": asked(), "response_format": {"type": "json_object"}}, "response_format"),
        ({"messages": asked(), "memory": "elephant"}, "elephant"),
        ({"messages": asked(), "datasets": ["nothing"]}, "nothing"),
    ],
)
def test_what_cannot_be_done_is_refused_in_openais_form(root: Path, fields: dict[str, Any], words: str):
    with OpenAIServer(reply) as model, serving(root, endpoint=model.base_url) as served:
        refused = served.http.post("/v1/chat/completions", json={"model": "vimrag", **fields})
    assert refused.status_code == 400, refused.text
    error = refused.json()["error"]
    assert set(error) == {"code", "message", "type", "param"} and error["type"] == "invalid_request_error"
    assert words in error["message"] and not model.requests


def test_what_chat_clients_send_unasked_is_taken(root: Path):
    with OpenAIServer(reply) as model, serving(root, endpoint=model.base_url) as served:
        extra = {"temperature": 0.2, "max_tokens": 5, "user": "u", "store": True, "stop": None, "tools": []}
        body = {"model": "vimrag", "messages": asked(), "response_format": {"type": "text"}, **extra}
        assert served.http.post("/v1/chat/completions", json=body).status_code == 200


def test_token_origin_and_size_hold_here_too(root: Path):
    with OpenAIServer(reply) as model:
        strict = ServerSettings(token="quiet-token", chat_bytes=2000)
        with serving(root, endpoint=model.base_url, settings=strict) as served:
            with (
                client_of(served, key="wrong") as client,
                pytest.raises(openai.AuthenticationError) as refused,
            ):
                client.chat.completions.create(model="vimrag", messages=asked())
            assert refused.value.type == "authentication_error"
            with client_of(served, key="quiet-token") as client:
                assert client.chat.completions.create(model="vimrag", messages=asked()).choices
                with pytest.raises(openai.APIStatusError) as large:
                    client.chat.completions.create(model="vimrag", messages=asked("x" * 3000))
                foreign = {"extra_headers": {"Origin": "https://elsewhere.example"}}
                with pytest.raises(openai.PermissionDeniedError):
                    client.chat.completions.create(model="vimrag", messages=asked(), **foreign)  # type: ignore
    assert large.value.status_code == 413


def test_a_server_without_a_place_says_when_to_come_back(root: Path):
    one = ServerSettings(questions_at_once=1)
    with QuietServer(STALL) as model, serving(root, endpoint=model.base_url, settings=one) as served:
        body = {"model": "vimrag", "messages": asked(), "stream": True}
        with served.http.stream("POST", "/v1/chat/completions", json=body) as response:
            assert response.status_code == 200
            until(lambda: bool(model.requests))
            for stream in (True, False):
                with client_of(served) as client, pytest.raises(openai.RateLimitError) as busy:
                    client.chat.completions.create(model="vimrag", messages=asked(), stream=stream)
                assert busy.value.type == "rate_limit_error" and int(
                    busy.value.response.headers["retry-after"]
                )
        until(lambda: served.state.questions.free == 1)  # the client left, and so did the rollout
        with pytest.raises(httpx.ReadTimeout):
            served.http.post("/v1/chat/completions", json={**body, "stream": False}, timeout=0.5)
        until(lambda: served.state.questions.free == 1)


def test_a_failure_is_an_error_of_the_client_streamed_or_not(root: Path):
    broken = Fault(status=401, body={"error": {"message": "no such key"}})
    with (
        OpenAIServer(broken) as model,
        serving(root, endpoint=model.base_url) as served,
        client_of(served) as client,
    ):
        with pytest.raises(openai.InternalServerError) as whole:
            client.chat.completions.create(model="vimrag", messages=asked())
        with pytest.raises(openai.APIError) as streamed:
            list(client.chat.completions.create(model="vimrag", messages=asked(), stream=True))
    assert whole.value.status_code == 503 and whole.value.code == streamed.value.code == "endpoint"
    assert "wants a key" in whole.value.message and "wants a key" in streamed.value.message


def test_a_silent_model_ends_with_a_timeout(root: Path):
    hasty = ServerSettings(question_s=0.5)
    with (
        QuietServer(STALL) as model,
        serving(root, endpoint=model.base_url, settings=hasty) as served,
        client_of(served) as client,
        pytest.raises(openai.APIStatusError) as late,
    ):
        client.chat.completions.create(model="vimrag", messages=asked())
    assert (late.value.status_code, late.value.code) == (504, "timeout")


def test_no_answer_is_said_with_its_reason_and_without_sources(root: Path):
    with OpenAIServer("I would rather not.") as model, serving(root, endpoint=model.base_url) as served:
        body = {
            "model": "vimrag",
            "messages": asked(),
            "calls": 1,
        }  # with more the question is looked up for it
        answer = served.http.post("/v1/chat/completions", json=body).json()
    message = answer["choices"][0]["message"]
    if answer["vimrag"]["answer"]:  # words where only an answer is accepted are one
        assert (
            message["content"].startswith("I would rather not.") and "no source found" in message["content"]
        )
    else:
        assert message["content"].startswith("No answer: ")
    assert message["annotations"] == [] and json.dumps(answer["vimrag"]["citations"]) == "[]"
